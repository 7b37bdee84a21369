"""`reeltag moments`: the segments of all videos where a class scores highest."""

import csv
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import tyro
from rich.markup import escape
from rich.table import Table

from reeltag.cli.predict import trained_splits, video_source
from reeltag.core.console import STDOUT, print_json, print_table, say
from reeltag.core.errors import ConfigError
from reeltag.core.files import whole_file
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.deploy.webvtt import Span, check_folder, write_webvtt
from reeltag.inference.moments import (
    Moment,
    Ratings,
    TopMoments,
    lengths_of,
    predicted_segments,
    rated_segments,
    ratings_of,
    scored_segments,
)
from reeltag.inference.policy import SegmentPolicy
from reeltag.inference.scoring import InferenceConfig
from reeltag.inference.stream import check_output
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import PredictionRows
from reeltag.tagger.tagger import Tagger


@dataclass(frozen=True, kw_only=True)
class Moments:
    """List the 5-second segments of the highest probability, for one class or several.

        reeltag moments RUN --data DATA --class "Guitar" --class 37 --top 20

    Prints video, start and end in seconds, probability and, where the segment is rated, the
    rating. Nothing but these lists is kept in memory. Of an archive that was scored before
    (`reeltag predict --segments`) give the file instead of the run: --predictions P.parquet.
    """

    checkpoint: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Run folder that `reeltag train` wrote."""
    data: Path | None = None
    """Folder of TFRecords (or one TFRecord); None: with --predictions, the data they are of."""
    class_: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="class")] = ()
    """Name of a class, in whatever case, or its number; may be given several times."""
    top: int = 20
    """Moments listed for each class."""
    min_prob: float = 0.0
    """Leave out moments that are less probable."""
    rated: bool = False
    """List only rated segments: to see what the model gets wrong."""
    predictions: Path | None = None
    """Prediction file with segments to read, instead of scoring with a run."""
    csv: Path | None = None
    """CSV file to write: class, name, id, start_s, end_s, prob, rated (1, 0, or empty)."""
    vtt: Path | None = None
    """Folder to write, with a WebVTT track for each listed video; listed segments of a class that
    follow each other are one cue (--min-prob: from which probability on)."""
    split: Literal["train", "validate", "test", "all"] | None = None
    """Which part of the data; None: test (all, where there is none), or what the predictions are
    of."""
    train: str | None = None
    """Pattern of the training shards, relative to DATA; None: as the checkpoint was trained."""
    validate: str | None = None
    """Pattern of the validation shards, likewise."""
    test: str | None = None
    """Pattern of the test shards, likewise."""
    policy: tyro.conf.OmitArgPrefixes[SegmentPolicy] = field(default_factory=SegmentPolicy)
    video_run: Path | None = None
    """Run folder of the video model for --candidates and --video-power; None: RUN itself."""
    video_predictions: Path | None = None
    """Prediction file of whole videos, in place of that run."""
    batch_size: int = 64
    """Videos scored at once; results do not depend on it."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the large products."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU where there is one."""
    overwrite: bool = False
    """Replace the files of --csv and --vtt if they are there."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Find the moments, print them, and write the files."""
        self._check_options()
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the default hoards
        names, source, where = self._from_run() if self.checkpoint else self._from_file()
        lists = source.lists
        for rows in source.rows:
            lists.add(rows)
        found = lists.moments(lengths_of(where, lists.ids()), source.ratings)
        facts = {"data": str(where.path), "split": source.split, "segments": lists.segments}
        if self.csv is not None:
            _write_csv(self.csv, found, names)
        tracks = self._write_tracks(found, names)
        if self.json:
            print_json({**facts, "classes": _described(found, names)})
        else:
            _print(found, names, lists.segments)
        if self.vtt is not None:
            say(f"{self.vtt}: {tracks:,} tracks" if tracks else f"{self.vtt}: no moment, no track")
        return 0

    def _check_options(self) -> None:
        """Raise ConfigError for what cannot work, before anything is loaded."""
        if (self.checkpoint is None) == (self.predictions is None):
            raise ConfigError("give either a RUN, or a file with --predictions")
        if not self.class_:
            raise ConfigError("name a class, as in --class Guitar; the option may be repeated")
        if self.top < 1:
            raise ConfigError(f"must be at least 1, got {self.top}", where="--top")
        if not 0 <= self.min_prob <= 1:
            raise ConfigError(f"must be in [0, 1], got {self.min_prob}", where="--min-prob")
        if self.csv is not None:
            check_output(self.csv, overwrite=self.overwrite, flag="--csv m.csv")
        if self.vtt is not None:
            check_folder(self.vtt, overwrite=self.overwrite)
        if self.checkpoint is not None and self.data is None:
            raise ConfigError("a RUN needs data to be scored: add --data DATA")
        if self.predictions is None:
            return
        given = [name for name in ("train", "validate", "test", "split") if getattr(self, name)]
        given += [name for name in ("video_run", "video_predictions") if getattr(self, name)]
        if given or self.policy != SegmentPolicy():
            what = f"--{given[0].replace('_', '-')}" if given else "how segments are scored"
            raise ConfigError(
                f"{what} was set when the predictions were written, and cannot be changed here",
                where=self.predictions,
                hint="Give it to `reeltag predict RUN --segments`, or RUN in place of the file.",
            )

    def _from_run(self) -> tuple[tuple[str, ...], "_Source", Dataset]:
        """Return a checkpoint's predictions of the split."""
        assert self.checkpoint is not None and self.data is not None
        _check_run(self.checkpoint)
        tagger = Tagger.load(self.checkpoint)
        splits = trained_splits(self.checkpoint, self.train, self.validate, self.test)
        data = Dataset.open(self.data, splits=splits, quiet=self.json)
        names = _names(tagger.class_names, data.classes)
        classes = self._classes(names)
        choices = InferenceConfig(
            videos=False,
            segments=True,
            segment_top_k=len(classes),
            segment_classes=classes,
            policy=self.policy,
            batch_size=self.batch_size,
            precision=self.precision,
            device=self.device,
        )
        split: Split = self.split or _split_to_search(data)
        rows = scored_segments(
            tagger,
            data,
            choices,
            split=split,
            video_source=video_source(self.video_run, self.video_predictions),
            pool=_pool(data, classes, len(names)),
        )
        return names, self._source(rows, data, classes, split), data

    def _from_file(self) -> tuple[tuple[str, ...], "_Source", Dataset]:
        """Return the predictions of a file."""
        assert self.predictions is not None
        about = open_predictions(self.predictions).info
        path = self.data or (Path(about.data) if about.data else None)
        if path is None or not path.exists():
            what = f"{path}, which is not there" if path else "data that it does not name"
            raise ConfigError(
                f"is about {what}", where=self.predictions, hint="Name them with --data DATA."
            )
        data = Dataset.open(path, quiet=self.json)
        numbered = ClassList.numbered(about.num_classes)
        numbered.check_same(data.classes, where=self.predictions, other_where=path)
        names = _names(numbered.names, data.classes)
        classes = self._classes(names)
        rows = predicted_segments(self.predictions)
        return names, self._source(rows, data, classes, "all"), data

    def _source(
        self,
        rows: Iterator[PredictionRows],
        data: Dataset,
        classes: tuple[int, ...],
        split: Split,
    ) -> "_Source":
        if self.rated:
            ratings = rated_segments(data, split, classes)
        elif data.kind == "video":
            ratings = {}
        else:
            ratings = ratings_of(data.select(split), classes)
        only = ratings if self.rated else None
        lists = TopMoments(classes, self.top, min_prob=self.min_prob, only=only)
        return _Source(rows, lists, ratings, split)

    def _classes(self, names: tuple[str, ...]) -> tuple[int, ...]:
        known = ClassList(names)
        return tuple(dict.fromkeys(known.index_of(name, where="--class") for name in self.class_))

    def _write_tracks(self, found: Mapping[int, list[Moment]], names: tuple[str, ...]) -> int:
        """Write a track for each video and return how many."""
        if self.vtt is None:
            return 0
        videos: dict[str, list[Span]] = {}
        for c, moments in found.items():
            for each in moments:
                span = Span(each.start_s, each.end_s, names[c], each.prob)
                videos.setdefault(each.id, []).append(span)
        return len(write_webvtt(self.vtt, videos, overwrite=self.overwrite))


@dataclass(frozen=True)
class _Source:
    """Where segments come from, and the lists that they go into."""

    rows: Iterator[PredictionRows]
    lists: TopMoments
    ratings: Ratings
    split: str


def _check_run(checkpoint: Path) -> None:
    """Raise ConfigError where the WORK of a solution is given, with the runs in it."""
    if (checkpoint / "config.json").exists():
        return
    runs = sorted(checkpoint.glob("train-*/run/config.json"), key=lambda run: run.stat().st_mtime)
    if runs:
        raise ConfigError(
            f"is the WORK of `reeltag solve`, which holds {len(runs):,} runs",
            where=checkpoint,
            hint=f"Give one of them; the last that was made is {runs[-1].parent}.",
        )


def _split_to_search(data: Dataset) -> Split:
    """Return test, or all where the data have no such part and no pattern names one."""
    try:
        data.shards_of("test")
    except ConfigError:
        if data.splits.test:
            raise
        say(f"{data.path} has no test part: all its videos are searched")
        return "all"
    return "test"


def _names(known: tuple[str, ...], classes: ClassList) -> tuple[str, ...]:
    """Return the names of the classes; those that are only numbered take the data's."""
    if len(classes) != len(known):  # the data have no list, and their labels need fewer
        return known
    numbered = ClassList.numbered(len(known)).names
    return tuple(
        theirs if ours == number else ours
        for ours, theirs, number in zip(known, classes.names, numbered, strict=True)
    )


def _pool(data: Dataset, classes: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    """Return the classes that a video's candidates are taken from: those of the data's list."""
    found = data.segment_classes()
    listed = range(num_classes) if found is None else found.listed
    return tuple(sorted({c for c in listed if c < num_classes} | set(classes)))


def _described(found: Mapping[int, list[Moment]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"class": c, "name": names[c], "moments": [dataclasses.asdict(each) for each in moments]}
        for c, moments in found.items()
    ]


def _write_csv(path: Path, found: Mapping[int, list[Moment]], names: tuple[str, ...]) -> None:
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("class", "name", "id", "start_s", "end_s", "prob", "rated"))
        for c, moments in found.items():
            for each in moments:
                rated = "" if each.rated is None else int(each.rated)
                row = (c, names[c], each.id, each.start_s, each.end_s, repr(each.prob), rated)
                writer.writerow(row)


def _print(found: Mapping[int, list[Moment]], names: tuple[str, ...], segments: int) -> None:
    any_rated = any(each.rated is not None for moments in found.values() for each in moments)
    for c, moments in found.items():
        what = f"best {len(moments):,} of {segments:,} segments" if moments else "no segment"
        title = f"{names[c]} (class {c}): {what}"
        STDOUT.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
        if not moments:
            continue
        table = Table(box=None, pad_edge=False)
        table.add_column("id", overflow="fold")  # an id that is cut finds nothing
        for column in ("start", "end", "prob"):
            table.add_column(column, justify="right", no_wrap=True)
        if any_rated:
            table.add_column("rated")
        for each in moments:
            rating = {True: "yes", False: "no", None: ""}[each.rated]
            cells = [str(each.start_s), str(each.end_s), f"{each.prob:.4f}"]
            table.add_row(escape(each.id), *cells, *([rating] if any_rated else []))
        print_table(table)
