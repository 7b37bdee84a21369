"""A small corpus and predictions that correlate with its labels, for the tests of the page."""

from pathlib import Path

import numpy as np

from reeltag.data.selection import Records
from reeltag.data.synth.config import SynthConfig
from reeltag.predictions.file import PredictionInfo, prediction_writer
from reeltag.predictions.rows import PredictionRows
from tests.windows import segments_at

CORPUS = SynthConfig(videos=60, classes=8, rgb=16, audio=4, min_frames=30, max_frames=50)


def write_predictions(
    path: Path, records: Records, *, segments: bool, videos: bool = True, kept: int = 8
) -> None:
    """Write scores of the `kept` best classes of each video, of each segment, or of both."""
    rng = np.random.default_rng(0)
    ids, lengths = records.table["id"].to_pylist(), records.column("frames")
    offsets, labels = records.lists("labels")

    def ranked(rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
        scores = rng.normal(-1, 1, (len(rows), 8)).astype(np.float32)
        for row, video in zip(scores, rows, strict=True):
            row[labels[offsets[video] : offsets[video + 1]]] += 2
        order = np.argsort(-scores, axis=1).astype(np.int32)[:, :kept]
        return order, np.take_along_axis(scores, order, axis=1)

    with prediction_writer(
        path, PredictionInfo(num_classes=8, family="nextvlad", run="RUN")
    ) as writer:
        if videos:
            writer.write(PredictionRows.of_matrix(ids, None, *ranked(list(range(len(ids))))))
        if segments:
            cells = [(v, s) for v in range(len(ids)) for s in range(0, int(lengths[v]), 5)]
            times = segments_at([start for _, start in cells])
            names = [ids[video] for video, _ in cells]
            writer.write(
                PredictionRows.of_matrix(names, times, *ranked([video for video, _ in cells]))
            )
