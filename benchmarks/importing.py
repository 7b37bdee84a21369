"""How fast own features are imported: megabytes of .npy per second on one core."""

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figure import figure
from benchmarks.results import Row
from reeltag.data.importing.config import Dtype, FeatureImportConfig
from reeltag.data.importing.run import import_features

NUM_FRAMES, WIDTH = 300, 1280  # 5 minutes at 1 Hz of EfficientNet's features
REPEATS = 3
DTYPES: tuple[tuple[Dtype, str | None], ...] = (
    ("uint8", ">= 200"),
    ("float16", None),
    ("float32", None),
)


def run(quick: bool) -> list[Row]:
    """Return the figures: float32 arrays of one stream, a file per video, the page cache warm.

    The processor's time is counted, so another process on the machine weighs little. It includes
    finding the files, and fitting scale and offset on 20,000 frames.

    Args:
        quick: a tenth of the data.
    """
    num_videos = 70 if quick else 700
    folder = Path(tempfile.mkdtemp(prefix="reeltag-importing-"))
    try:
        source = _write_arrays(folder / "npy", num_videos)
        rows = []
        for dtype, target in DTYPES:
            found = [_import(source, folder / "data", dtype) for _ in range(REPEATS)]
            seconds, num_bytes = min(found)
            details = {"videos": num_videos, "frames": NUM_FRAMES, "width": WIDTH}
            details |= {"bytes": num_bytes, "best_of": REPEATS}
            rate = round(num_bytes / seconds / 1e6, 1)
            name = f"import, .npy to {dtype}"
            rows.append(
                figure(name, rate, "MB/s per core", None if quick else target, details=details)
            )
    finally:
        shutil.rmtree(folder)
    return rows


def _import(source: Path, out: Path, dtype: Dtype) -> tuple[float, int]:
    """Return seconds of the processor, and bytes of the source."""
    began = time.process_time()
    config = FeatureImportConfig(dtype=dtype)
    summary = import_features([source], out, config, jobs=1, quiet=True)
    seconds = time.process_time() - began
    shutil.rmtree(out)
    return seconds, summary.source_bytes


def _write_arrays(folder: Path, num_videos: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(NUM_FRAMES + num_videos, WIDTH)).astype(np.float32)
    for number in range(num_videos):
        np.save(folder / f"{number:04d}.npy", frames[number : number + NUM_FRAMES])
    return folder
