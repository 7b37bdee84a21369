"""`reeltag ratings DATA --from FILE`: what people rated in another tool, back into the data."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from reeltag.core.addresses import check_is_local
from reeltag.core.console import print_json, say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.extras import check_extra
from reeltag.data.class_list import folder_of
from reeltag.data.dataset import Dataset
from reeltag.data.rating_table import MergeCounts, Rating, RatingTable
from reeltag.deploy.moment_formats.contract import DEFAULT_FPS, MomentExport
from reeltag.deploy.moment_formats.reading import ReadRatings, read_ratings
from reeltag.library.media.finding import LIBRARY_FILE

WHO = "reeltag ratings"  # rated, in the history of a library
_SHOWN = 3  # of what is left out


@dataclass(frozen=True, kw_only=True)
class TakeRatings:
    """Take ratings that people made in another tool into DATA/ratings.csv.

        reeltag ratings DATA --from moments.csv          # its column value filled with 1 or 0
        reeltag ratings DATA --from labels/              # Audacity: "Guitar yes", "Guitar no"
        reeltag ratings DATA --from export.json          # Label Studio
        reeltag ratings DATA --from labels.json          # FiftyOne

    Moments are exported by `reeltag moments RUN --data DATA --export FORMAT:PATH`. Ratings that are
    in the file stay; one that is given again with another value is changed.
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder of the data set."""
    from_: Annotated[
        tyro.conf.UseAppendAction[tuple[Path, ...]], tyro.conf.arg(name="from", metavar="PATH")
    ]
    """File, or folder of files, to read; may be given several times."""
    format: Literal["auto", "csv", "label-studio", "fiftyone", "elan", "audacity"] = "auto"
    """Format of the files; auto: by their endings, and JSON by what it holds."""
    unrated: Literal["skip", "yes"] = "skip"
    """Unrated moments of an export (with a probability, or an empty value): skip, or
    yes where the wrong ones were deleted and what was left is right."""
    fps: float = DEFAULT_FPS
    """Frames/s of Label Studio's tasks that do not name it, and of detections of FiftyOne that are
    given by frames."""
    dry_run: bool = False
    """Count, and write nothing."""
    json: bool = False
    """Print one JSON object on stdout and nothing else there."""

    def run(self) -> int:
        """Read, merge, write, and print the counts; 0."""
        if not self.from_:
            raise ConfigError("names no file", where="--from", hint="Add --from FILE.")
        MomentExport(moments=(), class_names=(), fps=self.fps)
        check_is_local(self.data)
        data = Dataset.open(self.data, ratings=(), quiet=self.json)
        check_is_local(data.location)
        if data.classes.inferred:  # there may be more, which only ratings name
            data = Dataset.open(self.data, quiet=self.json)
        read = read_ratings(
            self.from_,
            data,
            format=None if self.format == "auto" else self.format,
            fps=self.fps,
            unrated=1.0 if self.unrated == "yes" else None,
        )
        self._check(read, data)
        table = RatingTable.open(data)
        counts = table.merge(read.ratings)
        is_written = not self.dry_run and bool(counts.new or counts.changed)
        if is_written:
            table.save()
            _add_to_library(data, table.merged)
        self._print(read, counts, table, is_written)
        return 0

    def _check(self, read: ReadRatings, data: Dataset) -> None:
        """Raise DataError where something was given and nothing of it can be used."""
        lost = [*read.unknown_ids, *read.unknown_classes, *read.out_of_range]
        if read.ratings or not lost:
            return
        what = [
            f"{what}: {_listed(names)}"
            for what, names in (
                (f"ids that are not in {data.path}", read.unknown_ids),
                ("unknown classes", read.unknown_classes),
                ("out of range", Counter(read.out_of_range)),
            )
            if names
        ]
        raise DataError(
            f"no rating can be used ({'; '.join(what)})",
            where=", ".join(map(str, self.from_)),
            hint="Files must be named as the exported ones, and classes as in the class list.",
        )

    def _print(
        self, read: ReadRatings, counts: MergeCounts, table: RatingTable, is_written: bool
    ) -> None:
        if self.json:
            lost = {"unknown_ids": read.unknown_ids, "unknown_classes": read.unknown_classes}
            others = {"unrated": read.unrated, "twice": read.twice, "total": len(table)}
            found = {**asdict(counts), **others, "out_of_range": read.out_of_range, **lost}
            print_json({"file": str(table.path), "written": is_written, **found})
            return
        say(
            f"{table.path}: {counts.new:,} ratings are new, {counts.changed:,} changed, "
            f"{counts.same:,} the same; {len(table):,} in all"
            + ("" if is_written else " (nothing was written)")
        )
        if read.twice:
            say(f"{read.twice:,} were given with different values: their means count")
        if read.unrated and self.unrated == "skip":
            say(f"{read.unrated:,} moments were not rated and are left out (--unrated yes)")
        for names, what in (
            (read.unknown_ids, "of ids that are not in the data"),
            (read.unknown_classes, "of unknown classes"),
            (Counter(read.out_of_range), "out of range"),
        ):
            if names:
                say(f"{names.total():,} are {what} and left out: {_listed(names)}")


def _add_to_library(data: Dataset, ratings: list[Rating]) -> None:
    """Keep ratings in the history of the data's library, where there is one."""
    folder = folder_of(data.path)
    if not (folder / LIBRARY_FILE).is_file():
        return
    check_extra("video", "sqlalchemy", "alembic")
    from reeltag.library.database.library import Library
    from reeltag.library.database.ratings import LibraryRating

    with Library.open(folder) as library:
        ids = {video.id for video in library.videos()}
        library.ratings.add(
            LibraryRating(
                video_id=rating.id,
                start_s=rating.start_s,
                end_s=rating.end_s,
                class_name=data.classes.names[rating.category],
                value=rating.value,
                who=WHO,
            )
            for rating in ratings
            if rating.id in ids
        )


def _listed(names: Counter[str]) -> str:
    """Return the first names, in printable form."""
    shown = [repr(name) for name in list(names)[:_SHOWN]]
    return ", ".join(shown) + ", ..." * (len(names) > _SHOWN)
