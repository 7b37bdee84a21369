"""`reeltag weak-labels DATA --from ...`: labels of whole videos from what there is already."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape
from rich.table import Table

from reeltag.core.console import print_json, print_table, say
from reeltag.library.labelling.config import Source, WeakLabelsConfig, WeakLabelsSummary
from reeltag.library.labelling.mapping import Match
from reeltag.library.labelling.run import weak_labels

_SHOWN = 40  # rows of the mapping


@dataclass(frozen=True, kw_only=True)
class WeakLabels:
    """Write noisy labels of whole videos into DATA/labels.csv, from what there is already.

    folders: names of the folders that a video is in. csv: a table (--table). info-json: tags,
    categories and titles in the .info.json files of yt-dlp. encoder: the own classes of the
    encoders of the features, ImageNet's and AudioSet's. text: names of the classes, where the
    encoder shares its space with texts (CLIP, SigLIP, CLAP). Each label keeps its source and
    confidence. Sources are joined; to run one again replaces its own rows.
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder of `reeltag extract`."""
    sources: Annotated[tuple[Source, ...], tyro.conf.arg(name="from")]
    """One or several of folders, csv, info-json, encoder, text."""
    options: tyro.conf.OmitArgPrefixes[WeakLabelsConfig] = field(default_factory=WeakLabelsConfig)
    json: bool = False
    """Print one JSON object on stdout and nothing else there."""

    def run(self) -> int:
        """Write the labels and print what was matched; 0."""
        summary = weak_labels(self.data, self.sources, self.options, quiet=self.json)
        if self.json:
            found = asdict(summary)
            found["classes"] = list(summary.classes)
            print_json({"data": str(self.data), **found})
            return 0
        _print_matches(summary.matches)
        _print_sources(summary)
        if summary.new_classes:
            say(f"{self.data / 'classes.csv'}: {len(summary.classes):,} classes")
        if self.options.mapping:
            say(f"{self.options.mapping}: correct what means which class, and run again")
        return 0


def _print_matches(matches: list[Match]) -> None:
    """Print which word means which class, those by meaning first."""
    table = Table(box=None, pad_edge=False)
    for column in ("source", "word", "class", "cosine"):
        table.add_column(column, justify="right" if column == "cosine" else "left")
    meaning = [match for match in matches if match.cosine != 1]
    shown = [*meaning, *(match for match in matches if match.cosine == 1)][:_SHOWN]
    for match in shown:
        cosine = "" if match.cosine is None else f"{match.cosine:.2f}"
        names = [escape(name) or "[dim]none[/]" for name in (match.word, match.class_name)]
        table.add_row(escape(match.source), *names, cosine)
    if shown:
        print_table(table)
    if len(matches) > len(shown):
        say(f"... and {len(matches) - len(shown):,} more; --mapping FILE writes all")


def _print_sources(summary: WeakLabelsSummary) -> None:
    table = Table(box=None, pad_edge=False, title=" ", title_justify="left")
    for column in ("source", "labels", "videos", "per video"):
        table.add_column(column, justify="left" if column == "source" else "right")
    for source, labels in summary.labels.items():
        videos = summary.videos[source]
        table.add_row(
            escape(source),
            f"{labels:,}",
            f"{videos:,} of {summary.num_videos:,}",
            f"{labels / videos:.2f}",
        )
    print_table(table)
