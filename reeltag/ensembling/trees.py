"""Trees that were grown over predictions: what they say of rows, and the folder they are kept in.

    trees.json        how they were grown, over which models, how large it all was
    booster-0.txt     LightGBM's own text, one file a fold
    folds.parquet     which videos they were fitted on, and in which fold each was

Letters in shapes: N ids, P rows, M models, K boosters.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reeltag.core.errors import DataError, reason_of
from reeltag.core.extras import check_extra
from reeltag.core.fields import from_json
from reeltag.core.files import write_json
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.ensembling.tree_rows import pieces

if TYPE_CHECKING:
    import lightgbm as lgb

_HINT = "Trees are grown by `reeltag blend ... --method lightgbm --save BLEND`."
_NOT_SEEN = -1


@dataclass(frozen=True, kw_only=True)
class Grown:
    """One booster: how it came to be.

    Attributes:
        trees: it has, up to the best one.
        loss: binary cross-entropy of the rows it was stopped by, nats a row.
        rows: it was fitted on.
        positives: of them.
        stopping_rows: that told when to stop.
        seconds_binning: of reading the rows and putting them into bins.
        seconds: it took, binning included.
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
        config: they were grown by.
        videos: with rows.
        rows: of all folds, set apart or not.
        bytes_on_disk: that the rows took while the trees grew.
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
    boosters: tuple[Grown, ...]


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
        """Return (P,) the logit of what the trees say of each row.

        Of a row in fold k that is booster k alone, which has not seen it; of a row in no fold, the
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
                logits[mine[part]] = _mean([self._raw(booster, here) for booster in boosters])
        return logits

    def _raw(self, booster: "lgb.Booster", rows: NDArray[np.float32]) -> NDArray[np.float64]:
        threads = self.info.config.threads
        raw = booster.predict(rows, raw_score=True, num_threads=threads)
        return np.asarray(raw, np.float64)

    def importance(self) -> dict[str, dict[str, float]]:
        """Return what each column, "label id" or a model, gives to the trees, as shares of 1.

        `gain` is its share of the fall of the loss over all splits, `splits` its share of the
        splits; both are means over the boosters, 0 where no tree has a split. Models that say the
        same share what one of them would have alone.
        """
        shares = {
            kind: np.mean([_share(b.feature_importance(name)) for b in self.boosters], axis=0)
            for kind, name in (("gain", "gain"), ("splits", "split"))
        }
        names = ("label id", *self.info.models)
        return {
            name: {kind: float(share[at]) for kind, share in shares.items()}
            for at, name in enumerate(names)
        }

    def save(self, folder: Path) -> None:
        """Write the trees into a folder that exists.

        Raises:
            OutputError: the folder cannot be written to.
        """
        for number, booster in enumerate(self.boosters):
            booster.save_model(folder / f"booster-{number}.txt")
        table = pa.table({"key": pa.array(self.keys), "fold": pa.array(self.folds)})
        pq.write_table(table, folder / "folds.parquet", compression="zstd")
        about = {**dataclasses.asdict(self.info), "importance": self.importance()}
        write_json(folder / "trees.json", about)

    @classmethod
    def load(cls, folder: Path) -> "Trees":
        """Return what `save` wrote.

        Raises:
            DataError: something is missing or damaged.
        """
        path = _there(folder / "trees.json")
        try:
            told: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            what = f"cannot be read ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        told.pop("importance", None)
        info: TreesInfo = from_json(TreesInfo, told, where=path, field="trees")
        boosters = tuple(
            _read_booster(folder / f"booster-{number}.txt", 1 + len(info.models))
            for number in range(len(info.boosters))
        )
        path = _there(folder / "folds.parquet")
        try:
            table = pq.read_table(path)
            keys, folds = (table[name].to_numpy() for name in ("key", "fold"))
        except (OSError, KeyError, pa.ArrowException) as error:
            what = f"cannot be read ({reason_of(error)})"
            raise DataError(what, where=path, hint=_HINT) from error
        return cls(info, boosters, keys.astype(np.uint64), folds.astype(np.int16))


def _there(path: Path) -> Path:
    """Return the path of a file; DataError where there is none."""
    if not path.is_file():
        raise DataError("is not there", where=path, hint=_HINT)
    return path


def _read_booster(path: Path, width: int) -> "lgb.Booster":
    with check_extra("trees"):
        import lightgbm as lgb
    try:
        booster = lgb.Booster(model_file=_there(path))
    except (OSError, lgb.basic.LightGBMError) as error:
        what = f"cannot be read ({reason_of(error)})"
        raise DataError(what, where=path, hint=_HINT) from error
    if booster.num_feature() != width:
        what = f"has {booster.num_feature()} columns, trees.json tells of {width}"
        raise DataError(what, where=path, hint=_HINT)
    return booster


def _share(amounts: NDArray[Any]) -> NDArray[np.float64]:
    total = float(amounts.sum())
    return amounts / total if total > 0 else np.zeros(len(amounts))


def _mean(logits: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the logit of the mean probability; logits of -200 do not become -inf."""
    if len(logits) == 1:
        return logits[0]
    stacked = np.stack(logits)
    log_yes = np.logaddexp.reduce(-np.logaddexp(0, -stacked), axis=0)
    log_no = np.logaddexp.reduce(-np.logaddexp(0, stacked), axis=0)
    mean: NDArray[np.float64] = log_yes - log_no
    return mean
