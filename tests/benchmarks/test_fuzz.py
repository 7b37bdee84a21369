"""The fuzz program: a short run of each target, and that it finds, keeps and repeats failures."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz.__main__ import main
from benchmarks.fuzz.campaign import Campaign
from benchmarks.fuzz.json_mutation import mutated_json
from benchmarks.fuzz.minimising import minimised
from benchmarks.fuzz.mutation import MUTATIONS, Mutation, mutated
from benchmarks.fuzz.protobuf_reader import decoded_sequence_example
from benchmarks.fuzz.target import Case
from benchmarks.fuzz.targets.records import seed_records
from benchmarks.fuzz.wire_mutation import encoded, mutated_message, parsed, smaller
from benchmarks.results import read_rows
from reeltag.data.records.example import encode_sequence_example

pytestmark = pytest.mark.system
SHORT = {"records": 400, "files": 40, "index": 12, "parquet": 80, "runs": 40}
FRAIL = "tests.benchmarks.frail_target"


@pytest.mark.parametrize("name", SHORT)
def test_nothing_fails_in_a_short_run(name: str, tmp_path: Path) -> None:
    result = Campaign(target=name, cases=SHORT[name], seed=7, failures=tmp_path).run()
    assert not result.kept
    assert result.cases == result.accepted + result.refused == SHORT[name]
    assert result.accepted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "videos", "api"])
def test_nothing_fails_in_a_short_run_of_what_takes_long_to_prepare(
    name: str, tmp_path: Path
) -> None:
    result = Campaign(target=name, cases=100, seed=7, failures=tmp_path).run()
    assert not result.kept and result.accepted and result.refused


@pytest.fixture(scope="module")
def frail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results and failures of a run of a target with faults."""
    folder = tmp_path_factory.mktemp("frail")
    given = [FRAIL, "--cases", "60", "--failures", str(folder / "failures"), "--save"]
    assert main(given, folder) == 1
    return folder


def failures(folder: Path) -> Iterator[tuple[dict[str, object], bytes]]:
    for about in sorted((folder / "failures").glob("*/about.json")):
        yield json.loads(about.read_text()), (about.parent / "smallest.bin").read_bytes()


def test_every_kind_of_fault_is_found_and_counted(frail: Path) -> None:
    (row,) = read_rows("fuzz", folder=frail)
    kinds = {"crash", "hang", "memory", "traceback", "value"}
    assert row["failed"].keys() == kinds and row["cases"] == 60
    assert row["accepted"] + row["refused"] + sum(row["failed"].values()) == 60
    assert {str(about["kind"]) for about, _ in failures(frail)} == kinds
    assert row["measured"]["command"] == f"python -m benchmarks.fuzz {FRAIL} --cases 60 --seed 0"


def test_kept_cases_are_as_small_as_can_be(frail: Path) -> None:
    letters = {"crash": b"C", "hang": b"H", "memory": b"M", "traceback": b"T", "value": b"W"}
    found = {str(about["kind"]): data for about, data in failures(frail)}
    assert found == letters


def test_kept_failure_is_repeated(frail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(path) for path in sorted((frail / "failures").iterdir())]
    assert main(["repeat", *folders]) == 1
    assert "crash: SIGSEGV" in capsys.readouterr().err


def test_cases_depend_on_their_number_alone(tmp_path: Path) -> None:
    whole = Campaign(target=FRAIL, cases=12, failures=tmp_path / "a").run()
    parts = [
        Campaign(target=FRAIL, first=first, cases=6, failures=tmp_path / "b").run()
        for first in (0, 6)
    ]
    assert whole.accepted == sum(part.accepted for part in parts)
    assert whole.failed == {
        kind: sum(part.failed.get(kind, 0) for part in parts) for kind in whole.failed
    }


def test_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["recrods"])
    assert "there is no target 'recrods'; there are records, files" in capsys.readouterr().err


@pytest.mark.parametrize("mutation", dict.fromkeys(MUTATIONS))
@pytest.mark.parametrize("data", [b"", b"x", bytes(range(40))])
def test_mutations_take_any_bytes_and_mostly_change_them(mutation: Mutation, data: bytes) -> None:
    found = {mutation(random.Random(seed), data) for seed in range(30)}
    assert all(isinstance(one, bytes) for one in found)
    assert len(data) < 2 or len(found) > 5


def test_mutated_json_is_mostly_json() -> None:
    data = json.dumps({"a": [1, 2.5, "x", "\ud800"], "b": {"c": None}}).encode()
    found = [mutated_json(random.Random(seed), data) for seed in range(200)]
    assert len({*found}) > 100
    sound = 0
    for one in found:
        try:
            json.loads(one)
            sound += 1
        except ValueError:
            pass
    assert sound > 150


def test_message_comes_back_from_its_fields() -> None:
    for record in seed_records():
        fields = parsed(record)
        assert fields is not None and encoded(fields) == record


def test_mutated_messages_are_read_by_protobuf_about_half_of_the_time() -> None:
    seeds = seed_records()
    found = [
        decoded_sequence_example(mutated_message(random.Random(at), seeds[at % len(seeds)], seeds))
        for at in range(400)
    ]
    assert 100 < sum(one is not None for one in found) < 350


def test_protobuf_reads_what_is_written() -> None:
    frames = np.arange(6, dtype=np.uint8).reshape(3, 2)
    decoded = decoded_sequence_example(
        encode_sequence_example({"id": "a", "n": [1, -2], "f": [0.5]}, {"rgb": frames})
    )
    assert decoded is not None
    context, lists = decoded
    assert context["id"] == [b"a"] and context["n"] is not None and context["f"] is not None
    assert [*context["n"]] == [1, -2] and [*context["f"]] == [0.5]
    assert lists["rgb"] == [[b"\x00\x01"], [b"\x02\x03"], [b"\x04\x05"]]
    assert decoded_sequence_example(b"\x0a\x05x") is None


def test_smallest_case_keeps_what_fails() -> None:
    case = Case("", bytes(range(1, 200)) + b"fault" + bytes(range(1, 90)))
    found = minimised(case, lambda one: b"fau" in one.data, lambda _: iter(()))
    assert found.data == b"fau"


def test_smaller_messages_are_messages() -> None:
    record = seed_records()[0]
    found = [*smaller(record)]
    assert found and all(len(one) < len(record) and parsed(one) is not None for one in found)


def test_mutation_of_the_same_seed_is_the_same() -> None:
    assert mutated(random.Random(5), b"some data") == mutated(random.Random(5), b"some data")
