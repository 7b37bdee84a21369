"""`reeltag extract VIDEOS... --out DATA`: own videos and sound files, as data to train on."""

import dataclasses
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.table import Table

from reeltag.core.console import STDOUT, print_json, print_table
from reeltag.core.extras import check_extra
from reeltag.library.extraction.config import ExtractionConfig

if TYPE_CHECKING:  # the extra `video` is not needed for the help
    from reeltag.library.extraction.summary import ExtractionSummary, FailedVideo

_MOST_LISTED = 10


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Extract features of videos and sound files into data to train on and to search in.

    VIDEOS are files or folders, searched through. Run again, only what is new or changed is
    extracted; what was interrupted goes on. A file that cannot be decoded is listed with its
    error, and never the end of the run.
    """

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="VIDEOS")]
    """Files, or folders of them."""
    out: Path
    """The data folder to make, or to add to."""
    how: tyro.conf.OmitArgPrefixes[ExtractionConfig] = field(default_factory=ExtractionConfig)
    workers: int | None = None
    """Processes; None: one per core, or on a cluster per GPU. The features do not depend on it."""
    engine: Literal["local", "ray"] = "local"
    """Where: on this machine, or on the Ray cluster that RAY_ADDRESS names, whose nodes see VIDEOS
    and DATA under the same paths."""
    retry: bool = False
    """Try again what failed earlier."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Extract and print what was written; 0."""
        check_extra("video")
        from reeltag.library.extraction.run import extract

        summary = extract(
            self.sources,
            self.out,
            self.how,
            workers=self.workers,
            engine=self.engine,
            retry=self.retry,
            quiet=self.json,
            command=shlex.join(["reeltag", *sys.argv[1:]]),
        )
        if self.json:
            print_json(dataclasses.asdict(summary))
        else:
            _print(summary)
        return 0


def _print(summary: "ExtractionSummary") -> None:
    _say(
        f"{summary.out}: {summary.extracted:,} videos extracted, {summary.hours:,.2f} hours in "
        f"{summary.seconds:,.0f} s ({summary.times_real_time:,.1f} x real time)"
    )
    if summary.streams:
        print_table(_streams_table(summary))
    counts = {
        "unchanged": summary.unchanged,
        "moved": summary.moved,
        "changed": summary.changed,
        "vanished": summary.missing,
        "there again": summary.back,
        "copies of another": summary.copies,
    }
    listed = [f"{count:,} {what}" for what, count in counts.items() if count]
    if listed:
        _say(", ".join(listed))
    splits = ", ".join(f"{count:,} {split}" for split, count in summary.splits.items())
    _say(f"all videos: {summary.videos:,} ({splits})")
    for name, count in summary.without.items():
        if count:
            _say(f"{count:,} videos have no {'pictures' if name == 'rgb' else 'sound'}")
    for note in summary.notes:
        _say(note)
    if summary.not_videos:
        others = ", ".join(f"{count:,} {what}" for what, count in summary.not_videos.items())
        _say(f"no videos: {others}")
    _list("decoded in part", summary.partly)
    _list("not extracted", summary.failed)
    for number, command in enumerate(summary.next):
        _say(f"{'then' if number else 'next'}: {command}")
    if len(summary.next) == 1:
        _say("labels: a folder for each class, or `reeltag weak-labels --help` for other sources")


def _streams_table(summary: "ExtractionSummary") -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("stream", "width", "dtype", "frames/s", "kept cosine", "clipped"):
        table.add_column(column, justify="left" if column in ("stream", "dtype") else "right")
    table.add_column("encoder")
    for stream in summary.streams:
        table.add_row(
            stream.name,
            f"{stream.width:,}",
            stream.dtype,
            f"{summary.rate_hz:g}",
            "" if stream.kept_cosine is None else f"{stream.kept_cosine:.5f}",
            f"{stream.outlier_fraction:.4%}" if stream.dtype == "uint8" else "",
            stream.encoder,
        )
    return table


def _list(what: str, videos: "list[FailedVideo]") -> None:
    if videos:
        _say(f"{len(videos):,} {what}:")
    for video in videos[:_MOST_LISTED]:
        _say(f"  {video.path}: {video.error}")
    if len(videos) > _MOST_LISTED:
        _say(f"  ... and {len(videos) - _MOST_LISTED:,} more (all with --json, and in videos.csv)")


def _say(text: str) -> None:
    STDOUT.print(text, highlight=False, markup=False, soft_wrap=True)
