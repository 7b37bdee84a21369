"""`reeltag labels`: which labels of a data set imply which?"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from reeltag.core.console import STDOUT, print_json, print_table, say, track
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.label_counts import count_correlation
from reeltag.data.selection import Records
from reeltag.data.splits import Split, Splits
from reeltag.encoders import create_text_encoder
from reeltag.labels.correlation import Correlation, Implication, check_tau
from reeltag.labels.vectors import LabelVectors
from reeltag.library.labelling.config import DEFAULT_TEXTS


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Count which labels appear together, and show which one implies which.

    A line "BMW -> Car 0.97, 1,234 of 1,270" means: of 1,270 videos with BMW, 1,234 have Car too, so
    that P(Car | BMW) = 0.97. The most certain are first, by the lower end of the 95 % Wilson
    interval of that fraction, so that 3 of 3 videos do not lead. Counted from the index alone.
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder with shards (*.tfrecord, ...) in or below it, or one of them."""
    split: Split = "train"
    """Which videos count."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards train, validate and test."""
    tau: float = 0.5
    """Least probability of an implication, > 0; at 1 only what never fails is left."""
    min_videos: int = 1
    """Classes with fewer videos than this imply nothing here (--out keeps them)."""
    top: int = 20
    """How many implications to show."""
    class_name: Annotated[str, tyro.conf.arg(name="class", metavar="NAME")] = ""
    """Show what this class implies and what implies it, whatever --tau; by name or number."""
    classes: Path | None = None
    """CSV file with a column Index (segment_label_ids.csv, or a vocabulary): only its classes are
    shown and drawn. All are counted and saved."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="P.parquet")] = None
    """Save the counts and probabilities of all classes, for `reeltag train
    --labels.correlation P.parquet`; one that is there is replaced."""
    vectors: Annotated[Path | None, tyro.conf.arg(metavar="V.parquet")] = None
    """Save a vector for each class, of what its name means, for `reeltag train dbof_gcn
    --labels.vectors V.parquet`; one that is there is replaced."""
    texts: str = ""
    """Encoder of texts that makes these vectors of the names, as `reeltag encoders` lists it;
    empty: bge_small_en."""
    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE.svg")] = None
    """Draw the implications between the most frequent classes: .svg, .png or .pdf."""
    picture_classes: int = 60
    """How many classes the picture shows at most."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Count, save, draw and print; 0."""
        self._check()
        data = Dataset.open(self.data, splits=self.splits, quiet=self.json)
        chosen = None
        if self.class_name:
            chosen = data.classes.index_of(self.class_name, where="--class")
        among = ClassList.open(self.classes).mask(data.num_classes) if self.classes else None
        if among is not None and chosen is not None:
            among[chosen] = True
        if self.vectors is not None:
            self._vectors(data.classes).save(self.vectors)
        records = data.select(self.split)
        correlation = count_correlation(records)
        if self.out is not None:
            correlation.save(self.out)
        if self.picture is not None:
            from reeltag.figures.implication_graph import draw_implications

            draw_implications(
                correlation,
                self.picture,
                tau=self.tau,
                min_videos=self.min_videos,
                limit=self.picture_classes,
                among=among,
            )
        facts = self._facts(correlation, records, among)
        found = self._found(correlation, among, chosen)
        if self.json:
            about = {} if chosen is None else {"class": _about(chosen, correlation)}
            rows = {
                name: [_row(each, correlation) for each in rows] for name, rows in found.items()
            }
            files = {"out": self.out, "vectors": self.vectors, "picture": self.picture}
            print_json(
                facts | about | rows | {key: path and str(path) for key, path in files.items()}
            )
            return 0
        STDOUT.print(_overview(facts))
        for name, implications in found.items():
            print_table(_table(name, implications, correlation, chosen, self.tau))
        for path in filter(None, (self.out, self.vectors, self.picture)):
            say(f"{path} ({path.stat().st_size / 1e6:.2g} MB)")
        return 0

    def _check(self) -> None:
        """Raise ConfigError for options out of range before anything is counted."""
        check_tau(self.tau)
        for name, value, least in (
            ("min_videos", self.min_videos, 1),
            ("top", self.top, 0),
            ("picture_classes", self.picture_classes, 2),
        ):
            if value < least:
                raise ConfigError(f"must be at least {least}, got {value}", where=name)
        if self.texts and self.vectors is None:
            raise ConfigError("names what makes vectors; give --vectors FILE too", where="--texts")
        if self.picture is not None:
            from reeltag.figures.implication_graph import check_format

            check_format(self.picture)

    def _vectors(self, classes: ClassList) -> LabelVectors:
        """Return what the names of the classes mean; DataError where they have none."""
        named = np.array([classes.has_name(place) for place in range(len(classes))], bool)
        if not named.any():
            raise DataError(
                f"its {len(classes):,} classes have no names, of which vectors could be made",
                where=self.data,
                hint="Put the list of the classes' names there, as classes.csv or vocabulary.csv.",
            )
        encoder = create_text_encoder(self.texts or DEFAULT_TEXTS, where="--texts")
        texts = [classes.names[place] for place in np.flatnonzero(named).tolist()]
        found = np.concatenate([encoder.encode([text]) for text in track(texts, "names")])
        vectors_CV = np.tile(found.mean(axis=0), (len(classes), 1))
        vectors_CV[named] = found
        if not named.all():
            lost = [classes.names[place] for place in np.flatnonzero(~named).tolist()]
            shown = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
            say(f"{len(lost):,} classes without a name have the mean of the others: {shown}")
        source = f"{encoder.identity.name} {encoder.identity.version}"
        return LabelVectors(classes.names, vectors_CV, source)

    def _facts(
        self, correlation: Correlation, records: Records, among: NDArray[np.bool_] | None
    ) -> dict[str, Any]:
        """Return the numbers that are one line each."""
        counts = correlation.counts
        per_video = np.diff(records.lists("labels")[0])
        inside = np.ones(correlation.num_classes, bool) if among is None else among
        pairs = inside[counts.first] & inside[counts.second]
        sure = (counts.conditional() >= self.tau) & (counts.videos[counts.first] >= self.min_videos)
        return {
            "data": records.dataset.location,
            "split": self.split,
            "videos": len(records),
            "labels": {
                "mean": float(per_video.mean()),
                "max": int(per_video.max()),
                "unlabelled": int((per_video == 0).sum()),
            },
            "num_classes": correlation.num_classes,
            "classes": int((counts.videos > 0).sum()),
            "shown_classes": int(inside.sum()),
            "pairs": int(pairs.sum()) // 2,
            "tau": self.tau,
            "min_videos": self.min_videos,
            "implications": int((pairs & sure).sum()),
        }

    def _found(
        self, correlation: Correlation, among: NDArray[np.bool_] | None, chosen: int | None
    ) -> dict[str, list[Implication]]:
        """Return the implications to show: the strongest of all, or those of one class."""
        if chosen is None:
            rows = correlation.strongest(
                self.top, min_videos=self.min_videos, tau=self.tau, among=among
            )
            return {"strongest": rows}
        return {
            "implies": correlation.strongest(self.top, first=chosen, among=among),
            "implied_by": correlation.strongest(
                self.top, second=chosen, min_videos=self.min_videos, among=among
            ),
        }


def _about(chosen: int, correlation: Correlation) -> dict[str, Any]:
    videos = int(correlation.counts.videos[chosen])
    return {"class": chosen, "name": correlation.names[chosen], "videos": videos}


def _row(each: Implication, correlation: Correlation) -> dict[str, Any]:
    """Return an implication with the names of its classes."""
    names = correlation.names
    return {"name": names[each.first], "implied_name": names[each.second], **each._asdict()}


def _overview(facts: dict[str, Any]) -> Table:
    """Return the facts that are one line each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    labels, shown = facts["labels"], facts["shown_classes"]
    table.add_row("data", escape(facts["data"]))
    table.add_row("videos", f"{facts['videos']:,} of the split {facts['split']!r}")
    table.add_row(
        "labels",
        f"{labels['mean']:.2f} a video, at most {labels['max']}, "
        f"{labels['unlabelled']:,} videos without",
    )
    part = "" if shown == facts["num_classes"] else f"; {shown:,} of them shown"
    table.add_row("classes", f"{facts['classes']:,} of {facts['num_classes']:,} have a video{part}")
    table.add_row("pairs", f"{facts['pairs']:,} of classes appear together")
    least = facts["min_videos"]
    of = f", of classes with {least:,} videos or more" if least > 1 else ""
    table.add_row("implications", f"{facts['implications']:,} with P >= {facts['tau']:g}{of}")
    return table


def _table(
    kind: str, rows: list[Implication], correlation: Correlation, chosen: int | None, tau: float
) -> Table:
    """Return the implications, a line each; those below tau are dim."""
    title = "the most certain implications"
    if chosen is not None:
        name, videos = correlation.names[chosen], int(correlation.counts.videos[chosen])
        what = "implies" if kind == "implies" else "is implied by"
        title = f"{escape(name)} ({videos:,} videos) {what}{'' if rows else ' nothing'}"
    elif not rows:
        title = f"no class implies another with P >= {tau:g}"
    table = Table(
        box=None, pad_edge=False, title=f"\n{title}", title_justify="left", show_header=bool(rows)
    )
    table.add_column("class implies class", overflow="fold")
    for column in ("P", "at least", "videos"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in rows:
        first, second = correlation.names[each.first], correlation.names[each.second]
        table.add_row(
            f"{escape(first)} -> {escape(second)}",
            f"{each.prob:.2f}",
            f"{each.low:.2f}",
            f"{each.together:,} of {each.videos:,}",
            style="dim" if each.prob < tau else None,
        )
    return table
