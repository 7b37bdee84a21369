"""The members of an ensemble: prediction files with the same classes, and the runs they are of."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from reeltag.core.arrow_files import arrow_source
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike, to_paths
from reeltag.data.class_list import ClassList
from reeltag.predictions.file import Predictions
from reeltag.predictions.submissions import open_scores

_HINT = "Only predictions of models that were trained on the same classes can be joined."
_MANY = 100  # scores, of which logits have at least one outside [0, 1]


@dataclass(frozen=True, kw_only=True)
class EnsembleMember:
    """The model of a prediction file.

    Attributes:
        family: of the model.
        run: folder of the checkpoint; empty = not known.
        listed: most classes of a video, or of a segment where it holds no videos, that the file
            lists; 0 = not known.
    """

    family: str
    run: str = ""
    listed: int = 0

    @classmethod
    def of(cls, file: Predictions) -> "EnsembleMember":
        """Return the member that a file is of."""
        about = file.info
        listed = about.top_k if file.holds("videos") else about.segment_top_k
        return cls(family=about.family, run=about.run, listed=listed)

    def __str__(self) -> str:
        """Return family and run, as in "nextvlad /runs/a"."""
        return f"{self.family or '?'} {self.run}"


def open_members(paths: Sequence[PathLike], num_classes: int | None = None) -> list[Predictions]:
    """Open prediction files, or submissions of the challenges, that are to be blended.

    Args:
        paths: of the files, one per model.
        num_classes: C, for files that do not say it; None: that of the others, or as many as the
            classes of all need.

    Raises:
        ConfigError: there is no file, or one is given twice.
        DataError: a file is none of predictions, or about other classes than the first: another
            number of them, or other names in the run that it comes from, where that is still there;
            or its scores are probabilities, by the look of them.
    """
    paths = to_paths(paths)
    if not paths:
        raise ConfigError("give at least one file of predictions, as `reeltag predict` makes it")
    resolved = [path.resolve() for path in paths]
    for at, path in enumerate(resolved):
        if path in resolved[:at]:
            raise ConfigError("is given twice", where=paths[at])
    files = _of_same_size([open_scores(path) for path in paths], num_classes)
    for file in files:
        _check_logits(file)
    classes = [_classes(file) for file in files]
    named = next((at for at, found in enumerate(classes) if found.source), 0)
    for file, found in zip(files, classes, strict=True):
        where = files[named].path
        found.check_same(classes[named], where=file.path, other_where=where, hint=_HINT)
    return files


def _of_same_size(files: list[Predictions], num_classes: int | None) -> list[Predictions]:
    """Return the files; those that do not say their classes have as many as the others."""
    said = [file.info.num_classes for file in files if not file.info.inferred]
    size = num_classes or next(iter(said), max(file.info.num_classes for file in files))
    is_said = bool(said or num_classes)
    return [_of_size(file, size, is_said) if file.info.inferred else file for file in files]


def _of_size(file: Predictions, size: int, is_said: bool) -> Predictions:
    known = file.with_classes(size)
    return dataclasses.replace(known, info=dataclasses.replace(known.info, inferred=not is_said))


def _check_logits(file: Predictions) -> None:
    """Raise DataError where all of many scores are in [0, 1], by the file's own statistics.

    As logits these would be probabilities between 0.50 and 0.73, which no model has for everything
    that it lists. Submissions are probabilities and become logits, or are ranks.
    """
    if file.converted is not None or file.info.ranks:
        return
    about = pq.read_metadata(arrow_source(file.parquet))
    groups = [about.row_group(at) for at in range(about.num_row_groups)]
    columns = [group.column(at) for group in groups for at in range(group.num_columns)]
    scores = [column for column in columns if column.path_in_schema.startswith("scores")]
    known = [column.statistics for column in scores]
    if sum(column.num_values for column in scores) < _MANY or not all(
        one is not None and one.has_min_max for one in known
    ):
        return
    least, most = min(one.min for one in known), max(one.max for one in known)
    if least >= 0 and most <= 1:
        raise DataError(
            f"has scores from {least:.3g} to {most:.3g} alone: probabilities, it seems, where "
            "logits are needed",
            where=file.path,
            hint="Write log(p / (1 - p)), or predict again with `reeltag predict`.",
        )


def _classes(file: Predictions) -> ClassList:
    """Return the classes of the run that a file comes from; numbered ones where it is gone."""
    path = Path(file.info.run) / "classes.csv"
    numbered = ClassList.numbered(file.info.num_classes)
    if not file.info.run or not path.is_file():
        return numbered
    named = ClassList.open(path, full=True)
    return named if len(named) == len(numbered) else numbered
