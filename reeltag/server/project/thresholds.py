"""From which probability on a class counts, by the finder that its curve is of."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reeltag.core.errors import DataError
from reeltag.server.project.curves import CurveStore, curves_folder
from reeltag.server.project.finders import weights_of
from reeltag.tagger.moments import DEFAULT_PROB
from reeltag.tagger.thresholds import THRESHOLDS_FILE, ClassThreshold, Thresholds

if TYPE_CHECKING:  # which has finders
    from reeltag.server.project.project import Project

ENCODER_PROB = 0.2  # from which on a class of an encoder counts: it has more than a thousand


class CurveThreshold(NamedTuple):
    """From which probability on a class counts.

    Attributes:
        prob: of the finder's run; the default where it has none that is good enough.
        promised: it keeps the precision that was asked for.
        chosen: what is known of it; None = nothing.
    """

    prob: float
    promised: bool
    chosen: ClassThreshold | None


def thresholds_of(project: "Project", curves: CurveStore) -> tuple[CurveThreshold, ...]:
    """Return the thresholds of C classes: those of the finder's run, or else the default."""
    found = None
    if curves.meta.basis == "finder":
        finder = next((of for of in project.finders.history if of.key == curves.meta.key), None)
        kept = curves_folder(project.folder, curves.meta.key) / curves.meta.token
        folders = [kept] if finder is None else [weights_of(Path(finder.path)).parent, kept]
        found = next((of for of in map(_read, folders) if of is not None), None)
    default = DEFAULT_PROB if curves.meta.basis == "finder" else ENCODER_PROB
    if found is None or len(found.classes) != len(curves.classes):
        return (CurveThreshold(default, False, None),) * len(curves.classes)
    promised = found.precision is not None
    return tuple(
        CurveThreshold(default, False, of)
        if of.prob is None
        else CurveThreshold(of.prob, promised, of)
        for of in found.classes
    )


def threshold_prob(project: "Project", curves: CurveStore, name: str) -> float:
    """Return from which probability on a class of the curves counts; KeyError where it is none."""
    return thresholds_of(project, curves)[curves.class_places[name]].prob


def _read(folder: Path) -> Thresholds | None:
    path = folder / THRESHOLDS_FILE
    try:
        return _opened(path, path.stat().st_mtime_ns)
    except (OSError, DataError):
        return None


@lru_cache(maxsize=64)
def _opened(path: Path, _mtime_ns: int) -> Thresholds:
    return Thresholds.open(path)
