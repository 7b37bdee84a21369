"""Data, and a run, in which moments are found; a module may have its own under these names."""

from pathlib import Path

import pytest

from tests.cli.moment_runs import write_data, write_run


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with its index; not to be changed."""
    return write_data(tmp_path_factory.mktemp("moment_data") / "corpus")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of random weights for it; not to be changed."""
    return write_run(tmp_path_factory.mktemp("moment_run") / "RUN")
