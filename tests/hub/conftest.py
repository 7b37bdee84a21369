"""A hub of our own on this machine, which huggingface_hub itself talks to."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import uvicorn

import reeltag
from tests.hub.stand_in import WRITER, Hub, create_stand_in

ENDPOINT = huggingface_hub.constants.ENDPOINT


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty hub, for whose client this is the only one; it has a token that may write."""
    hub = Hub()
    listening = socket.create_server(("127.0.0.1", 0))  # who connects now waits for the server
    hub.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(create_stand_in(hub), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setenv("HF_TOKEN", WRITER)
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)  # HF_ENDPOINT, when it was imported
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(ENDPOINT, hub.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # a protocol of its own, over S3
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    try:
        yield hub
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="session")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on the corpus, with a checkpoint to go on from; not to be changed."""
    out = tmp_path_factory.mktemp("pushed") / "run"
    recipe = reeltag.Recipe(max_steps=8, batch_size=8)
    return reeltag.train(corpus, "logistic", out, recipe=recipe, loggers=()).run


@pytest.fixture(scope="session")
def predictions(run: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of the run for the test split."""
    out = tmp_path_factory.mktemp("pushed") / "test.parquet"
    reeltag.predict(run, corpus, out)
    return out
