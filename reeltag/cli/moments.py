"""`reeltag moments`: when which class is in which video, as intervals of any length."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import tyro
from numpy.typing import NDArray

from reeltag.cli.moment_exports import Exports
from reeltag.cli.moment_lists import MomentLists, log_unreached
from reeltag.cli.moment_videos import names_of, rows_of, split_to_search
from reeltag.cli.predict import trained_splits
from reeltag.cli.run_argument import RunPath
from reeltag.core.addresses import address_of
from reeltag.core.console import print_json_list, say
from reeltag.core.errors import ConfigError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Split
from reeltag.deploy.moment_formats.contract import DEFAULT_FPS
from reeltag.evaluation.rating_scores import RatingScores, ratings_within, score_ratings
from reeltag.evaluation.truth import Truth, read_truth
from reeltag.inference.moment_shares import MomentJob, find_intervals_on
from reeltag.inference.moments import BestIntervals, find_intervals_in, read_windows, score_windows
from reeltag.pipeline.worker_config import WorkerConfig
from reeltag.predictions.file import PredictionInfo, open_predictions
from reeltag.predictions.interval_rows import Intervals, ScoredWindows
from reeltag.predictions.intervals import IntervalConfig
from reeltag.tagger.hub_runs import hub_address
from reeltag.tagger.loading import any_tagger, is_graph
from reeltag.tagger.moments import DEFAULT_PROB, thresholds_for
from reeltag.tagger.run_files import find_run
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.thresholds import THRESHOLDS_FILE, Thresholds

SplitName = Literal["train", "validate", "test", "all"]


@dataclass(frozen=True, kw_only=True)
class Moments:
    """List when which class is in which video: intervals of any length, best first.

        reeltag moments RUN --data DATA --class Guitar --class 37
        reeltag moments RUN --data DATA --video ID --csv moments.csv

    Windows are laid over each video and scored; where their mean probability reaches the threshold
    of a class is a moment. Thresholds are those of the run (thresholds.json), or --precision
    chooses them on ratings, or --prob is that of all classes. An archive that was scored before
    (`reeltag predict --segments --length 5 --hop 1`) is searched with --predictions P.parquet.
    """

    checkpoint: Annotated[
        RunPath | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|MODEL.onnx")
    ] = None
    """Run folder of `reeltag train`, run on the hub (hf://user/name), WORK of `reeltag solve`, or
    file of `reeltag export`."""
    data: Path | None = None
    """Folder of TFRecords (or one TFRecord); None: with --predictions, the data they are of."""
    class_: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="class")] = ()
    """Name of a class, in whatever case, or its number; may be given several times. None: all."""
    video: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Id of a video to search; may be given several times. None: all of the split."""
    precision: float | None = None
    """Choose for each class the lowest threshold that promises this precision, in (0, 1), on
    held-out ratings; they are written into the run."""
    thresholds_split: SplitName = "validate"
    """Part of the data whose ratings --precision chooses on; it must not have trained the run."""
    save: bool = True
    """Write the thresholds that --precision chose into the run, as thresholds.json."""
    prob: float | None = None
    """Threshold of all classes, a probability in (0, 1), in place of those of the run."""
    ranked: bool = False
    """Rank intervals of all lengths by how far they stand out of what is around them, whatever the
    thresholds; prob is then by how much the mean probability within is above that around it."""
    length: float = 5.0
    """Seconds of a window."""
    hop: float = 1.0
    """Seconds from the start of a window to that of the next, and the resolution of moments."""
    smooth: float = 0.0
    """Seconds that the probabilities are averaged over."""
    min_length: float = 2.0
    """Seconds of the shortest moment."""
    merge_gap: float = 2.0
    """Moments of a class that are at most so many seconds apart become one."""
    top: int | None = None
    """Best moments of each class that are listed. None: all; a table on the terminal has 20."""
    rated: bool = False
    """List only moments with a rating in them: to see what the model gets wrong."""
    predictions: Path | None = None
    """Prediction file with segments to read, instead of scoring with a run."""
    csv: Path | None = None
    """CSV file to write: class, name, id, start_s, end_s, peak_s, prob (at the peak), mean_prob,
    precision, precision_low, precision_high (of the class on held-out ratings, and the ends of its
    95 % interval; empty = not measured), yes, no (ratings of the class within the moment), value
    (empty, to be filled with 1 or 0 for `reeltag ratings`)."""
    vtt: Path | None = None
    """Folder to write, with a WebVTT track for each listed video."""
    export: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="FORMAT:PATH")
    ] = ()
    """Write for another tool; may be given several times. A file: csv, json, activitynet. A folder:
    webvtt, audacity, youtube, raven, elan, label-studio, fiftyone, edl, otio."""
    fps: float = DEFAULT_FPS
    """Frames/s in exports that count frames: edl, otio, label-studio. 29.97 is 30000/1001."""
    split: SplitName | None = None
    """Which part of the data; None: test (all, where there is none), or with --video or
    --predictions all."""
    train: str | None = None
    """Pattern of the training shards, relative to DATA; None: as the checkpoint was trained."""
    validate: str | None = None
    """Pattern of the validation shards, likewise."""
    test: str | None = None
    """Pattern of the test shards, likewise."""
    batch_size: int = 64
    """Videos scored at once; scores depend on it in their last bits alone (1e-5)."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU where there is one."""
    on: tyro.conf.OmitArgPrefixes[WorkerConfig] = field(default_factory=WorkerConfig)
    overwrite: bool = False
    """Replace the files of --csv, --vtt and --export if they are there."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Find the moments, print them, and write the files."""
        config = self._config()
        self._check_options()
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the default hoards
        source = self._of_run(config) if self.checkpoint else self._of_file()
        thresholds = source.thresholds
        if self.ranked:  # without what they promise
            thresholds = Thresholds.at_prob(source.names, DEFAULT_PROB)
        elif not source.chosen:
            log_unreached(thresholds, source.classes)
        truth = source.truth
        has_ratings = len(truth.ratings) > 0
        if self.rated and not has_ratings:
            raise ConfigError(
                f"none of the {len(truth):,} videos of the split {source.split!r} is rated",
                where=source.data.location,
                hint="Leave out --rated, or take a split that was rated, with --split.",
            )

        def is_rated(intervals: Intervals) -> NDArray[np.bool_]:
            yes, no = ratings_within(intervals, truth)
            rated: NDArray[np.bool_] = yes + no > 0
            return rated

        best = self._search(source, config, thresholds, is_rated if self.rated else None)
        found = best.ranked()
        lists = MomentLists(
            found,
            source.names,
            thresholds,
            best.counts,
            source.classes if self.class_ else (),
            ratings_within(found, truth) if has_ratings else None,
            self.ranked,
        )
        written = self._exports().write(lists, source.data, fps=self.fps)
        facts = {"data": source.data.location, "split": source.split, "windows": best.windows}
        facts |= {"written": written} if written else {}
        if self.json:
            facts["unreached"] = thresholds.unreached
            print_json_list(facts, "classes", lists.described())
        else:
            lists.print(best.windows)
        return 0

    def _search(
        self,
        source: "_Source",
        config: IntervalConfig,
        thresholds: Thresholds,
        keep: Callable[[Intervals], NDArray[np.bool_]] | None,
    ) -> BestIntervals:
        """Return the intervals of the videos, found by this process or by several."""
        classes, top = source.classes, self.top
        if not self.on.is_divided:
            return find_intervals_in(
                source.windows, config, thresholds, classes=classes, top=top, keep=keep
            )
        assert self.checkpoint is not None and self.data is not None
        job = MomentJob(
            checkpoint=self.checkpoint,
            data=self.data,
            splits=source.data.splits,
            split=source.split,
            videos=self.video,
            config=config,
            classes=classes,
            top=top,
            batch_size=self.batch_size,
            device=self.device,
        )
        return find_intervals_on(job, self.on, thresholds, keep)

    def _exports(self) -> Exports:
        return Exports.chosen(self.export, csv=self.csv, vtt=self.vtt, overwrite=self.overwrite)

    def _config(self) -> IntervalConfig:
        return IntervalConfig(
            length_s=self.length,
            hop_s=self.hop,
            smooth_s=self.smooth,
            min_length_s=self.min_length,
            merge_gap_s=self.merge_gap,
            ranked=self.ranked,
        )

    def _check_options(self) -> None:
        """Raise ConfigError for what cannot work, before anything is loaded."""
        if (self.checkpoint is None) == (self.predictions is None):
            raise ConfigError("give either a RUN, or a file with --predictions")
        if self.precision is not None and self.prob is not None:
            raise ConfigError("--precision and --prob both set the thresholds; give one")
        if self.ranked and (self.precision is not None or self.prob is not None):
            raise ConfigError("--ranked needs no threshold: leave out --precision and --prob")
        for name in ("precision", "prob"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ConfigError(f"must be in (0, 1), got {value}", where=f"--{name}")
        for name, least in (("top", 1), ("batch_size", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                where = f"--{name.replace('_', '-')}"
                raise ConfigError(f"must be at least {least}, got {value}", where=where)
        self._exports().check(self.fps)
        if self.checkpoint is not None and self.data is None:
            raise ConfigError("a RUN needs data to be scored: add --data DATA")
        if self.predictions is not None and self.on.is_divided:
            raise ConfigError(
                "scores that are there are read by one process",
                where=self.predictions,
                hint="Leave out --devices, --workers and --engine.",
            )
        given = [name for name in ("train", "validate", "test", "split") if getattr(self, name)]
        given += ["length"] if self.length != Moments.length else []
        if self.predictions is not None and given:
            raise ConfigError(
                f"--{given[0]} was set when the predictions were written, and cannot be changed "
                "here",
                where=self.predictions,
                hint="Give it to `reeltag predict RUN --segments`, or RUN in place of the file.",
            )

    def _of_run(self, config: IntervalConfig) -> "_Source":
        """Return the windows of a split, scored by a checkpoint."""
        assert self.checkpoint is not None and self.data is not None
        tagger = any_tagger(self.checkpoint)
        splits = trained_splits(self.checkpoint, self.train, self.validate, self.test)
        data = Dataset.open(self.data, splits=splits, quiet=self.json)
        names = names_of(tagger.class_names, data.classes)
        classes = self._classes(names)
        split: Split = self.split or ("all" if self.video else split_to_search(data))
        rows = rows_of(data, self.video)
        thresholds = self._chosen(tagger, data, names, classes)
        thresholds = (thresholds or thresholds_for(tagger, self.prob)).renamed(names)
        self._log_default(tagger.thresholds)
        windows = score_windows(
            tagger,
            data,
            config,
            split=split,
            rows=rows,
            batch_size=self.batch_size,
            device=self.device,
        )
        truth = read_truth(data, split, tagger.num_classes, quiet=True)
        return _Source(
            windows, data, split, names, classes, thresholds, truth, self.precision is not None
        )

    def _chosen(
        self, tagger: AnyTagger, data: Dataset, names: tuple[str, ...], classes: tuple[int, ...]
    ) -> Thresholds | None:
        """Return thresholds for --precision, and write them into the run; None without it."""
        if self.precision is None:
            return None
        assert self.checkpoint is not None
        split = self.thresholds_split
        scores = score_ratings(tagger, data, split, batch_size=self.batch_size, device=self.device)
        thresholds = scores.thresholds(tagger.class_names, self.precision)
        say(
            f"thresholds for a precision of {self.precision:g} chosen on {scores.num_scored:,} "
            f"ratings of {split!r}"
            + (", which must not have trained the run" if split in ("train", "all") else "")
        )
        log_unreached(thresholds.renamed(names), classes)
        if self.save and is_graph(self.checkpoint):
            say("a graph keeps the thresholds it was exported with: these are not saved")
        elif self.save and (address := hub_address(self.checkpoint)):
            say(f"{address} keeps its thresholds: these are not saved")
        elif self.save:
            run = find_run(self.checkpoint)
            thresholds.save(run)
            say(f"{run / THRESHOLDS_FILE}: written; --precision is not needed again")
        return thresholds

    def _of_file(self) -> "_Source":
        """Return the windows of a prediction file."""
        assert self.predictions is not None
        about = open_predictions(self.predictions).info
        path = self.data or (Path(about.data) if about.data else None)
        if path is None or not (address_of(path) or path.exists()):
            what = f"{path}, which is not there" if path else "data that it does not name"
            raise ConfigError(
                f"is about {what}", where=self.predictions, hint="Name them with --data DATA."
            )
        data = Dataset.open(path, quiet=self.json)
        numbered = ClassList.numbered(about.num_classes)
        numbered.check_same(data.classes, where=self.predictions, other_where=path)
        names = names_of(numbered.names, data.classes)
        windows = read_windows(self.predictions, data, rows_of(data, self.video))
        truth = read_truth(data, "all", about.num_classes, quiet=True)
        classes = self._classes(names)
        thresholds = self._of_ratings(data, names, classes) or self._of_named_run(about, names)
        return _Source(
            windows, data, "all", names, classes, thresholds, truth, self.precision is not None
        )

    def _of_ratings(
        self, data: Dataset, names: tuple[str, ...], classes: tuple[int, ...]
    ) -> Thresholds | None:
        """Return thresholds for --precision by what the file predicts of rated windows."""
        if self.precision is None:
            return None
        assert self.predictions is not None
        truth = read_truth(data, self.thresholds_split, len(names), quiet=True)
        scores = RatingScores.of_rows(open_predictions(self.predictions).rows("segments"), truth)
        if not scores.num_scored:
            raise ConfigError(
                f"holds no rated window of the split {self.thresholds_split!r}",
                where=self.predictions,
                hint="Name the split of its ratings with --thresholds-split, or give one threshold "
                "for all classes: --prob 0.5.",
            )
        thresholds = scores.thresholds(names, self.precision)
        log_unreached(thresholds, classes)
        return thresholds

    def _of_named_run(self, about: PredictionInfo, names: tuple[str, ...]) -> Thresholds:
        """Return --prob, or the thresholds of the run that wrote the predictions, or 0.5."""
        found = None
        if self.prob is None and about.run:
            found = Thresholds.find(Path(about.run), names)
        self._log_default(found)
        thresholds = found or Thresholds.at_prob(names, self.prob or DEFAULT_PROB)
        return thresholds.renamed(names)

    def _log_default(self, found: Thresholds | None) -> None:
        if found is None and self.precision is None and self.prob is None and not self.ranked:
            say(
                f"the run has no thresholds: {DEFAULT_PROB} is that of all classes (--prob); "
                "--precision 0.9 chooses them on ratings"
            )

    def _classes(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Return the classes to search, ascending."""
        known = ClassList(names)
        chosen = {known.index_of(name, where="--class") for name in self.class_}
        return tuple(sorted(chosen)) if chosen else tuple(range(len(names)))


@dataclass(frozen=True)
class _Source:
    """Where windows come from, and what is known of their videos and classes."""

    windows: Iterator[ScoredWindows]
    data: Dataset
    split: Split
    names: tuple[str, ...]
    classes: tuple[int, ...]
    thresholds: Thresholds
    truth: Truth
    chosen: bool  # the thresholds, just now
