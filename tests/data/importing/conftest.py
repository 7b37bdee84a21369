"""Files to import."""

from pathlib import Path

import pytest

from tests.data.importing.archives import (
    save_npy,
    some_videos,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_npy(tmp_path / "in", some_videos(12))
