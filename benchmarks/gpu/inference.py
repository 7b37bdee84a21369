"""`predict`, soft labels and encoders on a GPU: videos, segments and pictures per second."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.encoders import installed_encoders, work_of
from benchmarks.figure import figure
from benchmarks.gpu.device import forget_peak, median, peak_gib, seconds_per_call, use_tf32
from benchmarks.gpu.feeding import large_tagger
from benchmarks.results import Row
from reeltag.data.dataset import Dataset
from reeltag.encoders import create_encoder
from reeltag.inference.predict import predict
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.stream import Outcome
from reeltag.soft_labels.teacher import TeacherConfig, write_soft_labels

_PRECISIONS = ("fp32", "bf16")


def scoring(device: torch.device, data: Dataset, *, quick: bool = False) -> list[Row]:
    """Return the speeds of predicting videos and segments, and of soft labels."""
    use_tf32()
    tagger, rows = large_tagger(quick=quick), list[Row]()
    for precision in _PRECISIONS:
        common: dict[str, Any] = {"device": str(device), "precision": precision}
        jobs = {
            "predict videos": InferenceConfig(**common, batch_size=64),
            "predict segments": InferenceConfig(
                **common, videos=False, segments=True, per_class=1000
            ),
        }
        for name, how in jobs.items():
            with tempfile.TemporaryDirectory() as folder:
                forget_peak(device)
                done = predict(tagger, data, Path(folder) / "p", how, split="all")
            rows.append(_row(f"{name} {precision}", done, device))
        with tempfile.TemporaryDirectory() as folder:
            forget_peak(device)
            teacher = TeacherConfig(**common)
            done = write_soft_labels(tagger, data, Path(folder) / "s", teacher, split="all")
        rows.append(_row(f"soft labels {precision}", done, device))
    return rows


def _row(name: str, done: Outcome, device: torch.device) -> Row:
    """Return a figure: items that were scored per second, the time around the batches included."""
    number = done.rows["segments"] if "soft" in name else done.videos
    unit = "segments/s" if "soft" in name else "videos/s"
    details = {"seconds": round(done.seconds, 3), "peak_gib": peak_gib(device)}
    return figure(name, round(number / max(done.seconds, 1e-9), 1), unit, None, details)


def encoders(device: torch.device, *, quick: bool = False) -> list[Row]:
    """Return the pictures, seconds of sound and texts per second of all encoders installed."""
    number, rows = 4 if quick else 256, list[Row]()
    for name in installed_encoders():
        began = time.perf_counter()
        encoder = create_encoder(name, device=str(device))
        loading = time.perf_counter() - began
        unit, work = work_of(encoder, number)
        forget_peak(device)
        times = seconds_per_call(work, device, seconds=0.02 if quick else 2.0, warm=1)
        details = {"load_s": round(loading, 2), "peak_gib": peak_gib(device), "at_once": number}
        rate = number / median(times)
        per_second = "s/s" if unit.startswith("second") else f"{unit}s/s"
        rows.append(figure(f"{name}, {unit}", round(rate, 1), per_second, None, details))
    return rows
