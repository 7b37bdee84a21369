"""Fixtures shared by every test."""

import os
from pathlib import Path

import pytest
import torch

from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus

PROJECT = Path(__file__).resolve().parent.parent
GOLDEN = Path(os.environ.get("REELTAG_GOLDEN", PROJECT.parent / "shared" / "golden"))
REAL = PROJECT.parent / "shared" / "data"


@pytest.fixture
def rng() -> torch.Generator:
    """A fresh generator per test, so that tests do not depend on their order."""
    return torch.Generator().manual_seed(0)


def golden_files(pattern: str) -> list[Path]:
    """Return the golden files that match, for parametrisation; empty where there are none."""
    return sorted(GOLDEN.glob(pattern))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with a counted word, what needs files that do not stand beside the project."""
    for item in items:
        if "golden" in item.keywords and not GOLDEN.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no golden numbers at {GOLDEN}"))
        if "realdata" in item.keywords and not REAL.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no real data at {REAL}"))
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic corpus of 60 short videos, 8 classes, streams of 16 + 4 bytes."""
    out = tmp_path_factory.mktemp("corpus") / "data"
    config = SynthConfig(
        videos=60, classes=8, rgb=16, audio=4, min_frames=10, max_frames=24, shards=4, held_out=0.2
    )
    write_corpus(out, config, quiet=True)
    return out
