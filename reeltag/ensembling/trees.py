"""Trees grown over predictions: their scores of rows, and the folder they are kept in.

    trees.json        how they were grown, over which models, sizes, times; the others' checksums
    booster-0.txt     LightGBM's own text, one file a fold
    folds.parquet     the videos they were fitted on, and the fold of each

Letters in shapes: N ids, P rows, M models, K boosters.
"""

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.arrow_files import arrow_sink, arrow_source
from reeltag.core.errors import DataError, reason_of
from reeltag.core.extras import check_extra
from reeltag.core.fields import from_json, parse_json
from reeltag.core.files import write_json
from reeltag.core.probability import mean_prob_logits
from reeltag.core.utf8_names import utf8_name
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.tree_rows import pieces

if TYPE_CHECKING:
    import lightgbm as lgb

_HINT = "Trees are grown by `reeltag blend ... --method lightgbm --save BLEND`."
_NOT_SEEN = -1
_FOLDS = "folds.parquet"


@dataclass(frozen=True, kw_only=True)
class BoosterInfo:
    """One booster: its size, its loss and the rows it was fitted on.

    Attributes:
        trees: number of trees, up to the best one.
        loss: binary cross-entropy of the stopping rows, nats per row.
        rows: fitted on.
        positives: among them.
        stopping_rows: that decide when to stop.
        seconds_binning: of reading the rows and putting them into bins.
        seconds: in all, binning included.
    """

    trees: int
    loss: float
    rows: int
    positives: int
    stopping_rows: int
    seconds_binning: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TreesInfo:
    """How trees were grown; stored with them.

    Attributes:
        num_classes: C.
        models: names of the M models, in the order of their columns.
        config: how they were grown.
        videos: with rows.
        rows: of all folds, set apart or not.
        bytes_on_disk: of the rows while the trees grew.
        seconds_building: of the rows.
        boosters: one a fold.
    """

    num_classes: int
    models: tuple[str, ...]
    config: TreeConfig
    videos: int
    rows: int
    bytes_on_disk: int
    seconds_building: float
    boosters: tuple[BoosterInfo, ...]


@dataclass(frozen=True, eq=False)
class Trees:
    """K boosters, and the videos that each has not seen.

    Attributes:
        info: how they were grown.
        boosters: K of them.
        keys: (V,) uint64, rising: the videos they were fitted on (`tree_rows.keys_of`).
        folds: (V,) int16, the fold of each; booster k has not seen fold k, unless it is the only
            one.
    """

    info: TreesInfo
    boosters: tuple["lgb.Booster", ...]
    keys: NDArray[np.uint64]
    folds: NDArray[np.int16]

    def folds_of(self, keys: NDArray[np.uint64]) -> NDArray[np.int16]:
        """Return (N,) the fold of each video, -1 where the trees were not fitted on it."""
        if not len(self.keys):
            return np.full(len(keys), _NOT_SEEN, np.int16)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.folds[place], _NOT_SEEN).astype(np.int16)

    def logits(self, rows: NDArray[np.float32], folds: NDArray[np.int16]) -> NDArray[np.float32]:
        """Return (P,) the logit of the trees' probability of each row.

        A row in fold k is scored by booster k alone, which has not seen it; a row in no fold by the
        mean probability of all K.

        Args:
            rows: (P, 1 + M), see `tree_rows`.
            folds: (P,) of each row's video, -1 = none.
        """
        logits = np.empty(len(rows), np.float32)
        single = len(self.boosters) == 1
        for fold in np.unique(folds).tolist():
            mine = np.flatnonzero(folds == fold)
            for part in pieces(rows[mine]):
                here = rows[mine[part]]
                unseen = single or fold == _NOT_SEEN
                boosters = self.boosters if unseen else (self.boosters[fold],)
                logits[mine[part]] = mean_prob_logits(
                    [self._raw(booster, here) for booster in boosters]
                )
        return logits

    def _raw(self, booster: "lgb.Booster", rows: NDArray[np.float32]) -> NDArray[np.float64]:
        threads = min(self.info.config.threads, os.cpu_count() or 1)  # else libgomp may exit
        raw = booster.predict(rows, raw_score=True, num_threads=threads)
        return np.asarray(raw, np.float64)

    def importance(self) -> dict[str, dict[str, float]]:
        """Return the importance of each column, "label id" or a model, as fractions of 1.

        `gain` is its fraction of the decrease of the loss over all splits, `splits` its fraction of
        the splits; both are means over the boosters, 0 where no tree has a split. Equal models
        divide the importance of one of them.
        """
        importance = {
            kind: np.mean([_fractions(b.feature_importance(name)) for b in self.boosters], axis=0)
            for kind, name in (("gain", "gain"), ("splits", "split"))
        }
        names = ("label id", *self.info.models)
        return {
            name: {kind: float(of[at]) for kind, of in importance.items()}
            for at, name in enumerate(names)
        }

    def save(self, folder: Path) -> None:
        """Write the trees into a folder that exists.

        Args:
            folder: to write to.

        Raises:
            OutputError: the folder cannot be written to.
        """
        for number, booster in enumerate(self.boosters):
            text = booster.model_to_string()  # save_model says nothing of a full disk
            (folder / _booster_name(number)).write_text(text, encoding="utf-8")
        table = pa.table({"key": pa.array(self.keys), "fold": pa.array(self.folds)})
        with arrow_sink(folder / _FOLDS) as sink:
            pq.write_table(table, sink, compression="zstd")
        names = [_booster_name(number) for number in range(len(self.boosters))]
        about = {
            **dataclasses.asdict(self.info),
            "importance": self.importance(),
            "sha256": {name: _digest(folder / name) for name in (*names, _FOLDS)},
        }
        write_json(folder / "trees.json", about)

    @classmethod
    def load(cls, folder: Path) -> "Trees":
        """Return what `save` wrote.

        Args:
            folder: that it wrote to.

        Raises:
            DataError: something is missing or damaged.
        """
        path = _there(folder / "trees.json")
        try:
            stored: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            what = f"cannot be read ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        if not isinstance(stored, dict):
            raise DataError("holds no object of fields", where=path, hint=_HINT)
        stored.pop("importance", None)
        digests = stored.pop("sha256", None)
        info: TreesInfo = from_json(TreesInfo, stored, where=path, field="trees")
        boosters = tuple(
            _read_booster(_sound(folder / _booster_name(number), digests), 1 + len(info.models))
            for number in range(len(info.boosters))
        )
        path = _sound(folder / _FOLDS, digests)
        try:
            table = pq.read_table(arrow_source(path))
            keys, folds = (table[name].to_numpy() for name in ("key", "fold"))
            keys, folds = keys.astype(np.uint64), folds.astype(np.int16)
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            what = f"cannot be read ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        least, most = (folds.min(), folds.max()) if len(folds) else (0, 0)
        if not -1 <= least <= most < len(boosters):
            what = f"has folds that none of {len(boosters)} boosters has left out"
            raise DataError(what, where=path, hint=_HINT)
        return cls(info, boosters, keys, folds)


def _there(path: Path) -> Path:
    """Return the path of a file; DataError where there is none."""
    if not path.is_file():
        raise DataError("is not there", where=path, hint=_HINT)
    return path


def _booster_name(number: int) -> str:
    return f"booster-{number}.txt"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sound(path: Path, digests: object) -> Path:
    """Return the path of a file that is as it was written; DataError where it is not.

    LightGBM believes what is in a file: of a damaged one it crashes, or never returns.
    """
    expected = digests.get(path.name) if isinstance(digests, dict) else None
    if _digest(_there(path)) != expected:
        what = "does not match its checksum in trees.json: it is damaged, or of another version"
        raise DataError(what, where=path, hint=_HINT)
    return path


def _read_booster(path: Path, width: int) -> "lgb.Booster":
    with check_extra("trees"):
        import lightgbm as lgb
    try:
        with utf8_name(path) as name:
            booster = lgb.Booster(model_file=name)
    except (OSError, lgb.basic.LightGBMError) as error:
        what = f"cannot be read ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
    if booster.num_feature() != width:
        what = f"has {booster.num_feature()} columns, trees.json has {width}"
        raise DataError(what, where=path, hint=_HINT)
    return booster


def _fractions(amounts: NDArray[Any]) -> NDArray[np.float64]:
    total = float(amounts.sum())
    return amounts / total if total > 0 else np.zeros(len(amounts))
