"""`reeltag info`: what is in this folder, and what in it is broken?"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.markup import escape
from rich.table import Table

from reeltag.cli.library import library_facts, library_of, print_errors
from reeltag.core.console import STDOUT, print_json, print_table
from reeltag.core.errors import ConfigError
from reeltag.core.formatting import format_size
from reeltag.data.dataset import Dataset, files_of_source
from reeltag.data.findings import DataFinding, find
from reeltag.data.index import open_index
from reeltag.data.label_sources import label_sources
from reeltag.data.splits import Splits
from reeltag.data.summary import Summary, summarise


@dataclass(frozen=True, kw_only=True)
class Info:
    """Index a folder of TFRecords, then show what is there, what is broken or is not used."""

    data: Annotated[Path, tyro.conf.Positional]
    """Folder with shards in or below it (*.tfrecord, *.tfrecords, *-00000-of-00010, compressed or
    not), or one of them."""
    top: int = 20
    """How many of the most frequent classes to show."""
    strict: bool = False
    """Exit with status 1 if a record has a problem, be it one that is only noted."""
    jobs: int | None = None
    """Processes that read shards; None: one per core."""
    verify: bool = False
    """Read all shards again and check each payload's checksum, whatever is known of them."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards train, validate and test."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Print the summary; return 1 if --strict and something is wrong, else 0."""
        for name, value, least in (("--top", self.top, 0), ("--jobs", self.jobs, 1)):
            if value is not None and value < least:
                raise ConfigError(f"must be at least {least}, got {value}", where=name)
        if self.verify:
            open_index(self.data, jobs=self.jobs, quiet=self.json, again=True)
        data = Dataset.open(self.data, splits=self.splits, jobs=self.jobs, quiet=self.json)
        summary, findings = summarise(data), find(data)
        classes = summary.top_classes(data.classes.names, self.top)
        if self.json:
            print_json(_as_json(data, summary, classes, findings))
        else:
            _print(data, summary, classes)
            _print_findings(findings)
            if self.verify:
                STDOUT.print(f"\nchecksums of all {summary.records:,} records were read again")
        return int(self.strict and bool(summary.problems))


def _as_json(
    data: Dataset, summary: Summary, classes: list[dict[str, Any]], findings: list[DataFinding]
) -> dict[str, Any]:
    return {
        "data": data.location,
        "kind": data.kind,
        "streams": {stream.name: stream.width for stream in data.streams},
        "num_classes": data.num_classes,
        "shards": len(data.shards),
        "unpacked": _unpacked(data),
        "remote": _remote(data),
        "records": summary.records,
        "videos": summary.videos,
        "skipped": summary.records - summary.videos,
        "hours": summary.hours,
        "splits": summary.splits,
        "labels": summary.labels,
        "label_sources": [asdict(source) for source in label_sources(data)],
        "frames": summary.frames,
        "segments": summary.segments,
        "top_classes": classes,
        "problems": summary.problems,
        "sources": {
            name: [str(file) for file in files_of_source(source)]
            for name, source in data.sources.items()
        },
        "findings": [asdict(finding) for finding in findings],
        "library": None if (library := library_of(data.path)) is None else asdict(library),
    }


def _print_findings(findings: list[DataFinding]) -> None:
    for topic in dict.fromkeys(finding.topic for finding in findings):
        rows = [(finding.what, finding.why) for finding in findings if finding.topic == topic]
        print_table(_table((topic, ""), rows))


def _print(data: Dataset, summary: Summary, classes: list[dict[str, Any]]) -> None:
    table, library = _overview(data, summary), library_of(data.path)
    if library is not None:
        for name, fact in library_facts(library):
            table.add_row(name, fact)
    STDOUT.print(table)
    if library is not None:
        print_errors(library)
    if summary.splits:
        rows = [(name, *of.values()) for name, of in summary.splits.items()]
        print_table(_table(("split", "shards", "videos", "hours"), rows))
    sources = label_sources(data)
    if sources:
        rows = [(of.source, of.labels, of.videos, of.confidence) for of in sources]
        print_table(_table(("labels of", "labels", "videos", "confidence"), rows))
    if classes:
        rows = [(str(of["class"]), of["name"], of["videos"]) for of in classes]
        print_table(_table(("class", "name", "videos"), rows))
    if not summary.problems:
        STDOUT.print("\nno problems found")
        return
    columns = ("problem", "records", "", "first in", "at byte")
    rows = [
        (
            of["problem"],
            of["records"],
            "skipped" if of["skipped"] else "noted",
            of["file"],
            of["offset"],
        )
        for of in summary.problems
    ]
    print_table(_table(columns, rows))
    for of in summary.problems:
        STDOUT.print(f"{of['problem']}: {of['outcome']}", highlight=False, style="dim")


def _overview(data: Dataset, summary: Summary) -> Table:
    """Return the facts that are one line each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    streams = ", ".join(f"{stream.name} {stream.width}" for stream in data.streams)
    table.add_row("data", escape(data.location))
    table.add_row("records", f"{'video' if data.kind == 'video' else 'frame'}-level: {streams}")
    skipped = summary.records - summary.videos
    table.add_row(
        "videos",
        f"{summary.videos:,} in {len(data.shards):,} shards"
        + (f", and {skipped:,} skipped" if skipped else ""),
    )
    if unpacked := _unpacked(data):
        size = format_size(unpacked["bytes"])
        what = (
            f"{unpacked['shards']:,} compressed shards are read from {unpacked['folder']}: {size}"
        )
        table.add_row("unpacked", escape(what))
    if remote := _remote(data):
        here = f"{remote['shards_here']:,} of {len(data.shards):,} shards"
        what = f"{format_size(remote['bytes'])}; {here} are in {remote['folder']}"
        table.add_row("in the store", escape(what))
    if summary.hours is not None:
        table.add_row("hours", _hours(summary.hours))
    if summary.frames:
        lengths = summary.frames
        table.add_row(
            "frames", f"{lengths['min']} to {lengths['max']}, median {lengths['median']:g}"
        )
    labels = summary.labels
    table.add_row(
        "labels",
        f"{labels['mean']:.2f} a video, at most {labels['max']}, "
        f"{labels['unlabelled']:,} videos without; {data.num_classes:,} classes",
    )
    rated = summary.segments
    if rated["ratings"]:
        table.add_row(
            "segments",
            f"{rated['segments']:,} rated in {rated['videos']:,} videos, "
            f"{rated['positive']:,} of {rated['ratings']:,} ratings positive",
        )
    return table


def _unpacked(data: Dataset) -> dict[str, Any] | None:
    """Return how many shards are compressed, and where and how large their records are."""
    files = list(data.index.unpacked.values())
    if not files:
        return None
    size = sum(unpacked.file.size for unpacked in files)
    return {"shards": len(files), "folder": str(files[0].path.parent), "bytes": size}


def _remote(data: Dataset) -> dict[str, Any] | None:
    """Return how much is in an object store, and what of it is on this machine."""
    mirror = data.index.mirror
    if mirror is None:
        return None
    here = sum(mirror.cache.is_here(shard) for shard in mirror.shards)
    return {"bytes": mirror.num_bytes, "shards_here": here, "folder": str(mirror.folder)}


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    """Return a table with numbers to the right, None as a blank."""
    table = Table(box=None, pad_edge=False, title=" ", title_justify="left")
    for column, value in zip(columns, rows[0], strict=True):
        table.add_column(column, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return _hours(value)
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else escape(str(value))


def _hours(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.3g}"
