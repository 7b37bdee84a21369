"""`reeltag augment`: make samples around the videos of rare labels, thin out frequent ones."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from reeltag.augment.output import prepare_folder, settings, works_of, write_all
from reeltag.augment.plan import PUBLISHED_PIVOT, YT8M_VIDEOS, Plan, PlanConfig, plan_of
from reeltag.augment.volume import Chunk, Volume, chunks_of, volume_of
from reeltag.augment.writing import SampleConfig
from reeltag.cli.next_command import batch_option, changed_options, print_next
from reeltag.core.console import STDOUT, print_json, say
from reeltag.core.csv_rows import CsvWriter
from reeltag.core.errors import ConfigError
from reeltag.core.files import hold_result, whole_file
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.data.items import VideoSet
from reeltag.data.origin import check_not_augmented, count_kinds
from reeltag.data.splits import Split, Splits

SMALL = YT8M_VIDEOS // 10  # videos; below, the published pivot over-samples nearly everything


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Make samples around the videos of rare labels, and thin out frequent ones (Axon AI 2018).

    For video-level records (one vector per video: mean_rgb, mean_audio). OUT becomes a data folder
    with shards of the same names, in YouTube-8M's format; those of the other splits are links. So
    `reeltag train` takes OUT where it took DATA, with the same options. Ids are the origin:
    02aa~i~7Xcd is between 02aa, whose labels it has, and 7Xcd, 02aa~x~7Xcd beyond 02aa, 02aa~n1
    has noise. A run that was stopped resumes when the same command is given again. Next to the
    shards are label_counts.csv and .svg, before and after.
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder of TFRecords (or one TFRecord) with one vector per video."""
    out: Path | None = None
    """The folder to make, outside of DATA; not needed with --plan-only."""
    split: Split = "train"
    """Which part of the data; all shards of the others are linked as they are."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards train, validate and test."""
    plan: tyro.conf.OmitArgPrefixes[PlanConfig] = field(default_factory=PlanConfig)
    """How many samples a label should have."""
    sampling: tyro.conf.OmitArgPrefixes[SampleConfig] = field(default_factory=SampleConfig)
    """How new samples are made."""
    seed: int = 0
    """Random seed of the videos that are kept, and of the noise."""
    jobs: int | None = None
    """Processes, each with the vectors of a chunk in memory; None: one per core. The bytes do not
    depend on it."""
    plan_only: bool = False
    """Print what would be written, from the index alone, and stop."""
    tsne: str = ""
    """Draw OUT/tsne.svg: classes by number or name, joined by commas (8 at most), or auto: the 5
    over-sampled ones with the most videos."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Write the new shards and print what they hold; 0."""
        from reeltag.figures.tsne import fullest_classes, named_classes  # these need the extra

        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"must be at least 1, got {self.jobs}", where="jobs")
        if self.out is None and not self.plan_only:
            raise ConfigError(
                "is missing: the folder to make",
                where="--out",
                hint="Give --out FOLDER, or --plan-only to see what would be written.",
            )
        data = self._opened(self.data)
        if data.kind != "video":
            raise ConfigError(
                "holds frames; neighbours are looked for among videos, so one vector per video is "
                "needed (float features such as mean_rgb and mean_audio)",
                where=data.location,
                hint="Take YouTube-8M's video-level files, or `reeltag synth --level video`.",
            )
        items = data.videos(self.split)
        check_not_augmented(items)
        columns = self.sampling.columns(items)
        given = [] if self.tsne in ("", "auto") else self.tsne.split(",")
        shown = named_classes(given, data.classes) if given else []
        plan = plan_of(items, self.plan, seed=self.seed)
        if self.tsne == "auto":
            shown = fullest_classes(plan)
        chunks = chunks_of(items, self.sampling.chunk_shards)
        volume = volume_of(items, plan, chunks, self.sampling)
        if self.plan.pivot == PUBLISHED_PIVOT and len(items) < SMALL:
            say(
                f"note: the pivot of 10,000 is made for {YT8M_VIDEOS:,} videos; here are "
                f"{len(items):,}, and --pivot auto scales it"
            )
        if self.out is None or self.plan_only:
            return self._print_plan(plan, volume)
        found = self._write(self.out, items, plan, chunks)
        return self._print_result(
            self._looked_at(self.out, plan, data.classes, shown, columns), volume, found
        )

    def _opened(self, path: Path) -> Dataset:
        return Dataset.open(path, splits=self.splits, jobs=self.jobs, quiet=self.json)

    def _write(
        self, out: Path, items: VideoSet, plan: Plan, chunks: list[Chunk]
    ) -> tuple[int, float]:
        """Write what is not there yet; return how many videos were read, and seconds."""
        prepare_folder(out, items, settings(items, plan, self.sampling, self.seed))
        works = works_of(out, items, plan, chunks, self.sampling, self.seed)
        begin = time.monotonic()
        with hold_result(out):
            done = write_all(items, works, jobs=self.jobs, quiet=self.json)
        return done, time.monotonic() - begin

    def _looked_at(
        self, out: Path, plan: Plan, names: ClassList, shown: list[int], columns: slice
    ) -> dict[str, Any]:
        """Read back what was written, draw it, and return its numbers."""
        from reeltag.figures.label_counts import draw_label_counts
        from reeltag.figures.tsne import draw_map, fit_map, sample_classes

        items = self._opened(out).videos(self.split)
        after = np.zeros_like(plan.counts)
        counted = items.label_counts()
        after[: len(counted)] = counted
        with (
            whole_file(out / "label_counts.csv") as part,
            part.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = CsvWriter(file)
            writer.writerow(("index", "name", "before", "after"))
            rows = zip(names.names, plan.counts.tolist(), after.tolist(), strict=True)
            writer.writerows((number, *row) for number, row in enumerate(rows))
        pictures = {"label_counts.svg": draw_label_counts(plan.counts, after, plan.config.number)}
        if shown:
            cloud = sample_classes(items, plan.counts, shown, names, columns, self.seed)
            pictures["tsne.svg"] = draw_map(cloud, fit_map(cloud, self.seed))
        for name, drawn in pictures.items():
            with whole_file(out / name) as part:
                part.write_text(drawn, encoding="utf-8")
        kinds = count_kinds(items.records.table["id"])
        return {
            "samples": len(items),
            **{str(kind): number for kind, number in kinds.items()},
            "labels_before": _spread(plan.counts),
            "labels_after": _spread(after),
            "files": ["label_counts.csv", *pictures],
        }

    def _print_plan(self, plan: Plan, volume: Volume) -> int:
        """Print what would be written."""
        kept = volume.videos - volume.dropped
        if self.json:
            print_json(
                {
                    "data": str(self.data),
                    "split": self.split,
                    **asdict(volume),
                    "kept": kept,
                    "planned_neighbours": int(plan.neighbours.sum(dtype=np.int64)),
                    "pivot": plan.config.number,
                    "labels_before": _spread(plan.counts),
                }
            )
            return 0
        _say_plan(plan, volume)
        return 0

    def _print_result(self, found: dict[str, Any], volume: Volume, done: tuple[int, float]) -> int:
        """Print what was written."""
        number, seconds = done
        factor = found["samples"] / volume.videos
        if self.json:
            summary = {"out": str(self.out), "split": self.split, "videos": volume.videos, **found}
            more = {"factor": factor, "read": number, "seconds": seconds, "shards": volume.shards}
            print_json({**summary, **more, "dropped": volume.dropped, "alone": volume.alone})
            return 0
        _print(
            f"{self.out}: {found['samples']:,} samples of {volume.videos:,} videos "
            f"(x {factor:.2f}): {found['original']:,} videos, {found['interpolated']:,} "
            f"interpolated, {found['extrapolated']:,} extrapolated, {found['noisy']:,} noisy; "
            f"{volume.dropped:,} videos left out"
        )
        _print(f"videos per label, before: {_words(found['labels_before'])}")
        _print(f"                 after: {_words(found['labels_after'])}")
        if number:
            speed = number / max(seconds, 1e-9)
            _print(f"{volume.shards:,} shards, {seconds:.1f} s, {speed:,.0f} videos/s")
        else:
            _print("all shards were there already")
        _print(f"drawn: {', '.join(found['files'][1:])}")
        print_next(*self._train_words(self._opened(self.out or self.data)))
        return 0

    def _train_words(self, made: Dataset) -> list[object]:
        """Return the command that trains on OUT, by the same rule of splits as here."""
        family, patterns = "moe_16", changed_options(self.splits)
        given: list[object] = ["train", family, "--data", self.out, *patterns]
        return [*given, *batch_option(family, made), "--out", "RUN"]


def _say_plan(plan: Plan, volume: Volume) -> None:
    kept = volume.videos - volume.dropped
    low, high = kept + volume.least, kept + volume.most
    _print(f"{volume.videos:,} videos, pivot {plan.config.number:,.0f}: {kept:,} stay")
    _print(
        f"{volume.over_sampled:,} are over-sampled ({volume.alone:,} are alone in their chunk), "
        f"{volume.dropped:,} left out"
    )
    _print(
        f"samples: {low:,} to {high:,} (x {low / volume.videos:.2f} to {high / volume.videos:.2f}),"
        f" {volume.noisy:,} of them noisy; how many neighbours are mutual is seen on the way"
    )
    _print(
        f"size: {volume.least_bytes / 1e9:,.2f} to {volume.most_bytes / 1e9:,.2f} GB in "
        f"{volume.shards:,} shards; {volume.chunks:,} chunks, {volume.memory / 1e9:,.2f} GB of "
        "vectors a process at most"
    )
    _print(f"videos per label, before: {_words(_spread(plan.counts))}")


def _print(text: str) -> None:
    STDOUT.print(text, highlight=False, markup=False, soft_wrap=True)


def _spread(counts: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, float]:
    """Return how the videos of the labels that occur are spread."""
    held = counts[counts > 0]
    return {
        "classes": len(held),
        "min": int(held.min(initial=counts.max(initial=0))),
        "median": float(np.median(held)) if len(held) else 0.0,
        "max": int(held.max(initial=0)),
    }


def _words(spread: dict[str, float]) -> str:
    return "min {min:,}, median {median:,.0f}, max {max:,} ({classes:,} labels)".format(**spread)
