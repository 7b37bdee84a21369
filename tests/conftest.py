"""Fixtures shared by every test."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath

import pytest
import torch
from hypothesis import HealthCheck, settings

from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from tests.golden.selection import ELSEWHERE, HERE
from tests.processes import Launch

# how long an example takes is the machine's affair
settings.register_profile("all", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("all")

collect_ignore = ["own_model_package"]  # its import would register its model for all tests
PROJECT = Path(__file__).resolve().parent.parent
OWN_GOLDEN = os.environ.get("REELTAG_GOLDEN")  # replaces both
GOLDEN = [Path(OWN_GOLDEN)] if OWN_GOLDEN else [HERE, PROJECT.parent / "shared" / "golden"]
REAL = PROJECT.parent / "shared" / "data"


@pytest.fixture
def rng() -> torch.Generator:
    """A fresh generator per test, so that tests do not depend on their order."""
    return torch.Generator().manual_seed(0)


def golden_path(name: str) -> Path:
    """Return where a golden file is, or where it would be."""
    paths = [folder / name for folder in GOLDEN]
    return next((path for path in paths if path.exists()), paths[-1])


def golden_files(pattern: str) -> list[Path]:
    """Return the golden files that match, for parametrisation: also those that are absent here.

    A test that has an absent one among its parameters is skipped.
    """
    names = {path.relative_to(top).as_posix() for top in GOLDEN for path in top.glob(pattern)}
    if not OWN_GOLDEN:
        listed = [line.split()[0] for line in (HERE / ELSEWHERE).read_text().splitlines()]
        names |= {name for name in listed if PurePosixPath(name).match(pattern)}
    return [golden_path(name) for name in sorted(names)]


def golden_file(name: str) -> Path:
    """Return a golden file; where it is absent, skip the test that runs."""
    path = golden_path(name)
    return path if path.exists() else pytest.skip(f"no golden file {path}")


def absent_parameters(item: pytest.Item) -> list[Path]:
    """Return the golden files that a test is parametrised with and that do not exist."""
    parameters: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    paths = [getattr(value, "path", value) for value in parameters.values()]
    return [path for path in paths if isinstance(path, Path) and not path.exists()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with a counted word, what needs files or a device that are not here."""
    for item in items:
        if "golden" in item.keywords:
            for path in absent_parameters(item):
                item.add_marker(pytest.mark.skip(reason=f"no golden file {path}"))
        if "realdata" in item.keywords and not REAL.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no real data at {REAL}"))
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Start processes that are gone after the test."""
    with closing(Launch(tmp_path_factory.mktemp("processes"))) as launch:
        yield launch


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic corpus of 60 short videos, 8 classes, streams of 16 + 4 bytes."""
    out = tmp_path_factory.mktemp("corpus") / "data"
    config = SynthConfig(
        videos=60, classes=8, rgb=16, audio=4, min_frames=10, max_frames=24, shards=4, held_out=0.2
    )
    write_corpus(out, config, quiet=True)
    return out
