"""Snapshots of ratings: what a finder learns from is a file that does not change.

FOLDER/learn/snapshots/HASH/    ratings.csv classes.csv about.json, and run.json when learned
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import whole_file, write_json
from reeltag.core.parts import remove_ours
from reeltag.core.writing import make_folder
from reeltag.data.annotation_tables import write_rows
from reeltag.data.selection import column_of, lists_of
from reeltag.library.database.ratings import LibraryRating
from reeltag.server.project.learned import LearnedFrom
from reeltag.server.project.new_ratings import ConflictError
from reeltag.server.project.ratings import key_of
from reeltag.training.frame_regression import YES

if TYPE_CHECKING:  # which has ratings
    from reeltag.server.project.project import Project

RATINGS, CLASSES, ABOUT_FILE, RUN_FILE = "ratings.csv", "classes.csv", "about.json", "run.json"
_DIGITS = 16


@dataclass(frozen=True)
class SnapshotRow:
    """A rating as a finder learns it."""

    id: str
    start_s: float
    end_s: float
    class_name: str
    value: float


def learnable_rows(project: "Project") -> list[SnapshotRow]:
    """Return the ratings that a finder can learn from, one a window and class.

    The values of several people are averaged. Left out are those of videos without features, and a
    yes to a whole video, which does not say when; a no to it is one of all its seconds.
    """
    videos, same = project.videos, dict[object, list[LibraryRating]]()
    for rating in project.ratings.all():
        at = videos.places.get(rating.video_id, -1)
        if rating.value is None or at < 0 or videos.rows[at] < 0:
            continue
        if rating.end_s is not None or not rating.is_yes:
            same.setdefault(key_of(rating), []).append(rating)
    rows = []
    for some in same.values():
        first, values = some[0], [of.value for of in some if of.value is not None]
        end_s = first.end_s or float(videos.seconds[videos.places[first.video_id]])
        window = first.video_id, first.start_s, end_s, first.class_name
        rows.append(SnapshotRow(*window, round(fmean(values), 6)))
    return sorted(rows, key=lambda row: (row.id, row.start_s, row.class_name))


def why_not_learn(project: "Project") -> str:
    """Return in words why nothing can be learned; "" = it can be."""
    data = project.data
    if data.kind == "video":
        return "The data hold one vector per video: there are no moments to find."
    if _num_labels(project):
        return ""
    rows = training_rows(project, learnable_rows(project))
    yes = {row.class_name for row in rows if row.value > YES}
    no = {row.class_name for row in rows if row.value <= YES}
    if yes & no:
        return ""
    if not rows:
        return "There is no rating and no label yet: rate a moment with yes, and one with no."
    if not yes:
        return "All ratings are no: find a moment that shows a class, and say yes."
    return "No class has a yes and a no: rate a moment that does not show it."


def training_rows(project: "Project", rows: list[SnapshotRow]) -> list[SnapshotRow]:
    """Return the ratings of videos that train: those of test never do."""
    splits, places = project.videos.splits, project.videos.places
    return [row for row in rows if splits[places[row.id]] != "test"]


def _num_labels(project: "Project") -> int:
    """Return how many labels the videos have that train."""
    table = project.data.table
    usable = ~column_of(table, "skip")
    videos = project.videos
    test = videos.rows[[split == "test" for split in videos.splits]]
    usable[test[test >= 0]] = False
    return len(lists_of(table.filter(usable).combine_chunks(), "labels")[1])


def write_snapshot(project: "Project") -> Path:
    """Write the ratings as they are now, and return the folder.

    Args:
        project: that has the ratings.

    Raises:
        ConflictError: nothing can be learned from them.
        OutputError: it cannot be written.
    """
    problem = why_not_learn(project)
    if problem:
        raise ConflictError("there is nothing to learn from yet", hint=problem)
    rows = learnable_rows(project)
    trained = training_rows(project, rows)
    table = [("id", "start_s", "end_s", "class", "value")]
    cells = [(row.id, row.start_s, row.end_s, _class_cell(project, row), row.value) for row in rows]
    names = project.data.classes.names
    text = json.dumps([names, cells])
    folder = project.folder / "learn" / "snapshots" / hashlib.sha256(text.encode()).hexdigest()
    folder = folder.with_name(folder.name[:_DIGITS])
    make_folder(folder)
    project.data.classes.save(folder / CLASSES)
    if rows:
        with whole_file(folder / RATINGS) as part:
            write_rows(part, [*table, *cells])
    library = project.library
    about = LearnedFrom(
        last_key=0 if library is None else library.ratings.last_key(),
        num_ratings=len(trained),
        per_class=dict(Counter(row.class_name for row in trained)),
    )
    write_json(folder / ABOUT_FILE, asdict(about))
    return folder


def _class_cell(project: "Project", row: SnapshotRow) -> int:
    """Return the index of a class: names may look like something else."""
    return project.data.classes.names.index(row.class_name)


def read_about(snapshot: Path) -> LearnedFrom:
    """Return what a snapshot holds."""
    return LearnedFrom(**json.loads((snapshot / ABOUT_FILE).read_text(encoding="utf-8")))


def learned_run(snapshot: Path) -> Path:
    """Return the run that was trained on a snapshot; DataError where it was not, to its end."""
    path = snapshot / RUN_FILE
    try:
        return Path(json.loads(path.read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"no finder was learned ({reason_of(error)})", where=path) from error


def remove_unused(project: "Project", learned: Path) -> None:
    """Remove the snapshots that no finder of a project was trained on.

    One that is newer than the last learned one stays: it may wait to be learned from.

    Args:
        project: with its finders.
        learned: the snapshot that was learned from last.
    """
    runs = {Path(finder.path) for finder in project.finders.history if finder.is_there}
    last = (learned / ABOUT_FILE).stat().st_mtime_ns
    for about in learned.parent.glob(f"*/{ABOUT_FILE}"):
        try:
            is_used = learned_run(about.parent).resolve() in runs
        except DataError:
            is_used = False
        if not is_used and about.stat().st_mtime_ns < last:
            remove_ours(about.parent)
