"""`reeltag import FEATURES... --out DATA`: own features, of any kind, as data to train on."""

import dataclasses
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from reeltag.core.console import STDOUT, print_json, print_table
from reeltag.data.importing.config import FeatureImportConfig
from reeltag.data.importing.run import import_features
from reeltag.data.importing.summary import ImportSummary, StreamSummary

_MOST_LISTED = 10


@dataclass(frozen=True, kw_only=True)
class Import:
    """Turn own features into data to train on: shards, and a description of what they hold.

    FEATURES are files or folders: .npy, .npz, .safetensors, HDF5, Parquet, Arrow, or TFRecords with
    frames of floats, as MediaPipe and VGGish write them. An import that was stopped goes on when
    the same command is run again.
    """

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FEATURES")]
    """Files, or folders of them."""
    out: Path
    """The data folder to make; with --append, to add to."""
    how: tyro.conf.OmitArgPrefixes[FeatureImportConfig] = field(default_factory=FeatureImportConfig)
    jobs: int | None = None
    """Processes; None: one per core. The bytes do not depend on it."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Import and print what was written; 0."""
        command = shlex.join(["reeltag", *sys.argv[1:]])
        summary = import_features(
            self.sources, self.out, self.how, jobs=self.jobs, quiet=self.json, command=command
        )
        if self.json:
            print_json(dataclasses.asdict(summary))
        else:
            _print(summary)
        return 0


def _print(summary: ImportSummary) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("stream", "width", "dtype", "frames/s", "kept cosine", "1 % below", "clipped"):
        table.add_column(column, justify="left" if column in ("stream", "dtype") else "right")
    table.add_column("encoder")
    for stream in summary.streams:
        table.add_row(*_cells(stream, summary.rate_hz))
    hours = "" if summary.hours is None else f", {summary.hours:,.2f} hours"
    _say(f"{summary.out}: {summary.videos:,} videos{hours}, {_size(summary.num_bytes)} in ", end="")
    speed = summary.source_bytes / 1e6 / max(summary.seconds, 1e-9)
    _say(f"{summary.shards:,} shards, in {summary.seconds:.1f} s ({speed:,.0f} MB/s)")
    print_table(table)
    _say("splits: " + ", ".join(f"{of:,} {split}" for split, of in summary.splits.items()))
    for note in summary.notes:
        _say(note)
    if summary.other_files:
        listed = ", ".join(f"{count:,} {end}" for end, count in summary.other_files.items())
        _say(f"files without features: {listed}")
    if summary.bad:
        _say(f"{len(summary.bad):,} left out:")
    for bad in summary.bad[:_MOST_LISTED]:
        _say(f"  {bad.where}: {bad.what}")
    if len(summary.bad) > _MOST_LISTED:
        _say(f"  ... and {len(summary.bad) - _MOST_LISTED:,} more (all with --json)")
    _say(f"next: {summary.next}")


def _cells(stream: StreamSummary, rate: float | None) -> tuple[str, ...]:
    return (
        stream.name,
        f"{stream.width:,}",
        stream.dtype,
        "" if rate is None else f"{rate:g}",
        "" if stream.kept_cosine is None else f"{stream.kept_cosine:.5f}",
        "" if stream.kept_cosine_low is None else f"{stream.kept_cosine_low:.5f}",
        f"{stream.outlier_fraction:.4%}" if stream.dtype == "uint8" else "",
        stream.encoder,
    )


def _size(num_bytes: float) -> str:
    """Return bytes with three digits: 54.3 kB."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:,.2f} GB"


def _say(text: str, end: str = "\n") -> None:
    STDOUT.print(text, highlight=False, markup=False, soft_wrap=True, end=end)
