"""The best classes of a row, and the best rows of a class.

Equal scores are ordered too, so that nothing depends on the batch size: within a row
the lower class comes first, within a class the row that came first.

Letters in shapes: N rows, C classes, k classes kept for a row, P pairs of a row and a class.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_PENDING_PAIRS = 1 << 22  # pairs gathered between two selections: 12 bytes each, 50 MB
_PER_KEPT = 16  # at most one pending pair per so many that are kept ...
_FEW_PAIRS = 1 << 16  # ... but at least these


def top_classes(logits_NC: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k best classes of each row: scores (N, k) and classes (N, k) int64, best first.

    Among equal logits the lowest classes are kept, and come first.

    Args:
        logits_NC: no NaN.
        k: at most C are returned.
    """
    k = min(k, logits_NC.shape[1])
    if k == 0:
        return logits_NC[:, :0], logits_NC.new_zeros((len(logits_NC), 0), dtype=torch.int64)
    if 2 * k > logits_NC.shape[1]:  # most of them: one sort costs less than the steps below
        classes = logits_NC.argsort(dim=1, descending=True, stable=True)[:, :k]
        return logits_NC.gather(1, classes), classes
    scores, classes = logits_NC.topk(k, dim=1)
    tied = (logits_NC >= scores[:, -1:]).sum(dim=1) > k  # the cut goes through equal logits
    if tied.any():
        order = logits_NC[tied].argsort(dim=1, descending=True, stable=True)[:, :k]
        classes[tied] = order
    classes = classes.sort(dim=1).values
    scores = logits_NC.gather(1, classes)
    order = scores.argsort(dim=1, descending=True, stable=True)
    return scores.gather(1, order), classes.gather(1, order)


class BestOfClass:
    """For every class, the k best of a stream of (score, position) pairs, in bounded memory.

    A pair is packed into 64 bits: the score, so mapped that larger is better, then the position,
    so mapped that earlier is better. Selection is then one `partition` of integers, and ties
    need no rule of their own. Memory: 8 bytes * C * k for the kept pairs and, while a selection
    runs, 45 bytes for each pending pair, of which there are C * k / 16, but at most 4 million: at
    most 1.0 GB for 1000 classes of 100,000.

    Args:
        num_classes: C.
        k: pairs kept per class, >= 1.
    """

    def __init__(self, num_classes: int, k: int) -> None:
        self.num_classes, self.k = num_classes, k
        self._kept = [np.empty(0, np.uint64) for _ in range(num_classes)]
        self._worst_kept = np.zeros(num_classes, np.uint64)  # 0 until a class has k pairs
        self._worst_score = np.full(num_classes, -np.inf, np.float32)  # of these
        self._pending: list[tuple[NDArray[np.int32], NDArray[np.uint64]]] = []
        self._num_pending = 0
        self._most_pending = min(_PENDING_PAIRS, max(_FEW_PAIRS, num_classes * k // _PER_KEPT))

    @property
    def floors(self) -> NDArray[np.float32]:
        """(C,) scores below which `may_enter` is False at any position; -inf = there are none."""
        return self._worst_score

    def may_enter(
        self,
        classes: NDArray[np.int32],
        scores: NDArray[np.float32],
        positions: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Return (P,) False where k better pairs of the class are known already."""
        enters = np.asarray(scores >= self._worst_score[classes])  # nearly all fail here
        kept = self._worst_kept[classes[enters]]
        enters[enters] = _pack(scores[enters], positions[enters]) >= kept
        return enters

    def add(
        self,
        classes: NDArray[np.int32],
        scores: NDArray[np.float32],
        positions: NDArray[np.int64],
    ) -> None:
        """Add P pairs.

        Args:
            classes: (P,) in 0..C-1.
            scores: (P,) no NaN.
            positions: (P,) in 0..2^32-1; a (class, position) is given once.
        """
        self._pending.append((classes.copy(), _pack(scores, positions)))
        self._num_pending += len(classes)
        if self._num_pending >= self._most_pending:
            self.select()

    def select(self) -> None:
        """Merge the pending pairs, so that `may_enter` compares with them.

        After the last `add` and this, `may_enter` is True for the kept pairs and for no other.
        """
        if not self._num_pending:
            return
        classes = np.concatenate([classes for classes, _ in self._pending])
        pairs = np.concatenate([pairs for _, pairs in self._pending])
        self._pending, self._num_pending = [], 0
        order = classes.argsort(kind="stable")
        classes, pairs = classes[order], pairs[order]
        present, begins = np.unique(classes, return_index=True)
        for c, new in zip(present.tolist(), np.split(pairs, begins[1:]), strict=True):
            merged = np.concatenate([self._kept[c], new])
            if len(merged) > self.k:
                merged.partition(len(merged) - self.k)
                merged = merged[-self.k :].copy()
            if len(merged) == self.k:
                self._worst_kept[c] = worst = merged.min()
                self._worst_score[c] = _unpack(np.array([worst]))[0][0]
            self._kept[c] = merged

    def best(self, class_index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores (n,) and positions (n,), n <= k, of one class, best first."""
        self.select()
        return _unpack(np.sort(self._kept[class_index])[::-1])


def _pack(scores: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    bits = (scores + np.float32(0)).view(np.uint32)  # -0 becomes 0
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    earlier = np.uint64(0xFFFFFFFF) - positions.astype(np.uint64)
    return np.asarray((ordered.astype(np.uint64) << np.uint64(32)) | earlier)


def _unpack(pairs: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    ordered = (pairs >> np.uint64(32)).astype(np.uint32)
    bits = np.where(ordered >> 31, ordered & np.uint32(0x7FFFFFFF), ~ordered)
    positions = np.uint64(0xFFFFFFFF) - (pairs & np.uint64(0xFFFFFFFF))
    return bits.view(np.float32), positions.astype(np.int64)
