"""An S3 server of this machine, and buckets in it."""

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.data.remote.buckets import Bucket

pytest.importorskip("moto")
pytest.importorskip("s3fs")
_NUMBERS = count()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Start a server; yield its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Let the client find the server; return its address."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("REELTAG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REELTAG_CACHE_GB", raising=False)
    return s3_endpoint


@pytest.fixture
def bucket(s3: str) -> Bucket:
    """Make an empty bucket."""
    return Bucket(f"bucket{next(_NUMBERS)}")
