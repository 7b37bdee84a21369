import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reeltag.core.addresses import address_of, check_is_local, path_in
from reeltag.core.errors import DataError, OutputError
from reeltag.core.files import whole_file
from reeltag.data.remote import store
from reeltag.data.remote.store import ObjectStore, reaching_store
from tests.data.remote.buckets import Bucket


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("s3://bucket/data/", "s3://bucket/data"),
        (Path("s3://bucket/data"), "s3://bucket/data"),
        (Path("hf://datasets/user/name"), "hf://datasets/user/name"),
        ("gs://bucket", "gs://bucket"),
        ("http://host/data", "http://host/data"),
        ("data/s3:/x", None),
        ("s3", None),
        ("C:/data", None),
        (Path("notes:/data"), None),
    ],
)
def test_address_is_told_from_a_path(given: str | Path, address: str | None) -> None:
    assert address_of(given) == address


def test_folder_with_the_name_of_a_scheme_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:/bucket").mkdir(parents=True)
    assert address_of(Path("s3:/bucket")) is None
    assert address_of("s3://bucket") == "s3://bucket"


def test_address_in_a_file_is_no_relative_path() -> None:
    assert address_of(path_in(Path("/run"), "s3://bucket/data")) == "s3://bucket/data"
    assert path_in(Path("/run"), "../data") == Path("/run/../data")


def test_nothing_is_written_to_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(OutputError, match="^s3://bucket/run/a.json: is in an object store"),
        whole_file(Path("s3://bucket/run/a.json")),
    ):
        pass
    with pytest.raises(OutputError, match="never written to"):
        check_is_local("hf://datasets/a/b")
    assert not any(tmp_path.iterdir())


def test_store_lists_and_reads_objects(bucket: Bucket) -> None:
    bucket.write("data/a/one", b"0123456789")
    bucket.write("data/two", b"")
    bucket.write("database/other", b"x")
    found = ObjectStore(bucket.address())
    one, two = found.objects()
    assert (one.name, one.size, two.name, two.size) == ("a/one", 10, "two", 0)
    assert one.identity != two.identity and one.modified_s > 1_500_000_000
    assert found.read("a/one", 3, 6) == b"345" and found.read("a/one", 8, 20) == b"89"
    assert found.read("a/one", 10, 20) == b"" == found.read("a/one", 5, 5)
    assert [of.name for of in found.here()] == ["two"]
    (alone,) = ObjectStore(bucket.address("data/a/one")).objects()
    assert alone.name == "" and alone.is_same(one)


def test_store_sees_that_an_object_has_changed(bucket: Bucket) -> None:
    bucket.write("data/a", b"one")
    found = ObjectStore(bucket.address())
    (before,) = found.objects()
    assert found.look("a").is_same(before)
    bucket.write("data/a", b"two")
    assert not found.look("a").is_same(before) and not found.objects()[0].is_same(before)


def test_store_names_what_is_not_there(bucket: Bucket) -> None:
    bucket.write("data/a", b"one")
    for address in ("s3://no-such-bucket/data", bucket.address("other")):
        with pytest.raises(DataError, match=f"^{address}: there is no such bucket"):
            ObjectStore(address).objects()
    with pytest.raises(DataError, match=f"^{bucket.address()}/b: there is no such bucket"):
        ObjectStore(bucket.address()).read("b", 0, 1)


def test_store_of_another_kind_is_refused() -> None:
    with pytest.raises(DataError, match="^https://a.test/data: data are read from gs://, hf://"):
        ObjectStore("https://a.test/data").objects()


class HttpError(Exception):
    """What gcsfs raises."""

    code = 403


@pytest.mark.parametrize(
    ("address", "error", "what", "hint"),
    [
        ("s3://a/b", PermissionError(13, "Access Denied"), "is not open to you (Access D", "AWS_"),
        ("gs://a/b", HttpError("no access, 403"), "is not open to you (no access, 403)", "gcloud"),
        ("hf://datasets/a/b", FileNotFoundError("x"), "there is no such", "hf://datasets/user"),
        ("s3://a/b", OSError(121, "Remote I/O error"), "the store cannot be reached", "AWS_END"),
        ("gs://a/b", TimeoutError(), "the store cannot be reached", "connection"),
    ],
)
def test_errors_of_clients_are_in_words(
    address: str, error: Exception, what: str, hint: str
) -> None:
    with pytest.raises(DataError) as found, reaching_store(address):
        raise error
    assert found.value.where == address and found.value.__cause__ is error
    assert found.value.what.startswith(what) and hint in found.value.hint


def test_errors_of_programs_are_not_those_of_a_store() -> None:
    with pytest.raises(ZeroDivisionError), reaching_store("s3://a/b"):
        _ = 1 / 0


class Client:
    """A client that reads after some failures."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def invalidate_cache(self, path: str) -> None:
        """Keep nothing."""

    def info(self, path: str) -> dict[str, object]:
        """Describe an object of ten bytes."""
        return {"name": path, "type": "file", "size": 10}

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        """Return digits."""
        self.failures -= 1
        if self.failures >= 0:
            raise ConnectionResetError(104, "Connection reset by peer")
        assert path == "bucket/data/a"
        return b"0123456789"[start:end]


def reading(failures: int, monkeypatch: pytest.MonkeyPatch) -> bytes:
    client = Client(failures)
    monkeypatch.setattr(ObjectStore, "_open", lambda _: (client, "bucket/data"))
    monkeypatch.setattr(store, "_WAIT", 0.0)
    return ObjectStore("s3://bucket/data").read("a", 2, 4)


def test_read_is_tried_four_times(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading(3, monkeypatch) == b"23"
    with pytest.raises(DataError, match=r"data/a: the store cannot be reached, .*reset by peer"):
        reading(4, monkeypatch)


PROGRAM = """
import json, sys
from reeltag.core.errors import DataError
from reeltag.data.remote.store import ObjectStore
try:
    ObjectStore("s3://bucket/data").objects()
except DataError as error:
    print(json.dumps([error.where, error.what, error.hint]))
"""


def ways_out(**environment: str) -> list[str]:
    """Return the error of a process with other credentials: where, what and hint."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    of = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=others | of | {"AWS_SHARED_CREDENTIALS_FILE": os.devnull} | environment,
        capture_output=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_store_without_credentials_says_where_they_are_looked_for(s3: str) -> None:
    where, what, hint = ways_out(AWS_ENDPOINT_URL=s3)
    assert where == "s3://bucket/data" and "no credentials were found" in what
    assert "AWS_PROFILE" in hint and "FSSPEC_S3_ANON" in hint


def test_store_that_is_not_there_says_so() -> None:
    # a port that no server has
    where, what, hint = ways_out(
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="id",
        AWS_SECRET_ACCESS_KEY="key",
        FSSPEC_S3='{"config_kwargs": {"retries": {"total_max_attempts": 1}}}',
    )
    assert where == "s3://bucket/data" and what.startswith("the store cannot be reached")
    assert "AWS_ENDPOINT_URL" in hint
