"""What to rate next: windows of classes, drawn with known chances by `reeltag.active.policies`.

Each class has a pool of its own: all windows of all videos, those of test included, that are not
rated for it and were not shown in this session. So the chance of a window is that among
the windows of its class that are left, and estimates of the class stay unbiased.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from threading import RLock, Thread
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reeltag.active.policies import Candidates, PolicyName, RatingChoice, choose
from reeltag.core.console import say
from reeltag.core.errors import ReeltagError
from reeltag.core.probability import prob_logits
from reeltag.core.seeding import derive_seed
from reeltag.data.selection import lists_of
from reeltag.library.database.ratings import LibraryRating
from reeltag.server.project.thresholds import threshold_prob
from reeltag.server.project.windows import (
    VideoWindow,
    WindowGrid,
    window_features,
    window_length,
    window_probs,
)

if TYPE_CHECKING:  # which has a queue
    from reeltag.server.project.project import Project

_AT_ONCE = 40_000  # windows whose features a request waits for; more are read beside it
_DEFAULT_CLASSES = 5  # where none is named
_MEMBERS = 4  # finders whose disagreement counts
WHY = {
    "random": "random: keeps the figures honest",
    "unsure": "the finder is unsure",
    "disputed": "finders disagree",
    "likely": "looks likely",
    "different": "unlike what was rated",
    "labelled": "a label of the video",
}


class RateQueue:
    """Draws windows to rate; safe for threads. What it has shown, it does not show again.

    Args:
        project: whose windows are rated.
    """

    def __init__(self, project: "Project") -> None:
        self._project, self._lock = project, RLock()
        self._grid: tuple[object, WindowGrid | None] = (None, None)
        self._features: tuple[WindowGrid | None, NDArray[np.float32] | None] = (None, None)
        self._reader: Thread | None = None
        self._shown = dict[str, set[VideoWindow]]()
        self._draws = 0

    @property
    def grid(self) -> WindowGrid:
        """All windows that can be rated."""
        videos, length_s = self._project.videos, window_length(self._project.curves)
        with self._lock:
            known = self._grid[1]
            if known is None or self._grid[0] != (id(videos), length_s):
                known = WindowGrid.of(videos, length_s)
                self._grid = (id(videos), length_s), known
            return known

    def draw(
        self, classes: Sequence[str], count: int, policy: PolicyName = "balanced"
    ) -> list[tuple[VideoWindow, str, float | None, str, float]]:
        """Return moments to rate with class, probability, reason and chance; class after class.

        Args:
            classes: names; none: those of the data with the fewest ratings.
            count: of all classes together, >= 0; fewer where fewer are left.
            policy: how they are chosen.

        Raises:
            NotThereError: there is no such class.
            ConfigError: there is no such policy.
        """
        with self._lock:
            ratings = self._project.ratings.all()
            number = Counter(rating.class_name for rating in ratings)
            names = [self._project.class_name(of) for of in classes] or self._fewest(number)
            turns = Counter[str]()
            for _ in range(count if names else 0):
                turns[min(names, key=lambda name: number[name] + turns[name])] += 1
            found = []
            for name in dict.fromkeys(names):
                if turns[name]:
                    mine = [rating for rating in ratings if rating.class_name == name]
                    found += self._draw(name, mine, turns[name], policy)
            return found

    def _draw(
        self, name: str, ratings: list[LibraryRating], count: int, policy: PolicyName
    ) -> list[tuple[VideoWindow, str, float | None, str, float]]:
        """Return moments of one class."""
        grid, shown = self.grid, self._shown.setdefault(name, set())
        left = np.flatnonzero(~grid.rated(ratings))
        new = np.array([grid.moment(at) not in shown for at in left.tolist()] if shown else True)
        if not np.any(new):  # all were shown and skipped: once more
            shown.clear()
            new = np.array(True)
        left = left[np.broadcast_to(new, left.shape)]
        features = self._window_features(grid)
        probs = self._probs(name, grid)
        candidates = self._candidates(name, ratings, grid, left, probs, features)
        if policy == "disagreement":
            candidates = replace(candidates, members=self._members(name, grid, left))
        self._draws += 1
        seed = derive_seed(0, "rate", name, len(ratings), self._draws)
        choice = choose(candidates, count, policy, np.random.default_rng(seed))
        return self._moments(name, grid, left, probs, choice)

    def _moments(
        self,
        name: str,
        grid: WindowGrid,
        left: NDArray[np.int64],
        probs: NDArray[np.float64] | None,
        choice: RatingChoice,
    ) -> list[tuple[VideoWindow, str, float | None, str, float]]:
        found = []
        for row, chance, why in zip(
            choice.rows.tolist(), choice.chances.tolist(), choice.reasons, strict=True
        ):
            window = int(left[row])
            moment = grid.moment(window)
            self._shown[name].add(moment)
            prob = None if probs is None or np.isnan(probs[window]) else float(probs[window])
            found.append((moment, name, prob, WHY.get(why, why), min(1.0, chance)))
        return found

    def _candidates(
        self,
        name: str,
        ratings: list[LibraryRating],
        grid: WindowGrid,
        left: NDArray[np.int64],
        probs: NDArray[np.float64] | None,
        features: NDArray[np.float32] | None,
    ) -> Candidates:
        """Return the windows that are left, with what the policies rank them by."""
        logits, thresholds, rated = None, None, None
        if probs is not None:
            logits = prob_logits(np.nan_to_num(probs[left]))
            curves = self._project.curves
            assert curves is not None  # the probabilities are of them
            level = threshold_prob(self._project, curves, name)
            thresholds = np.full(len(left), prob_logits(np.array([level]))[0])
        if features is not None:
            yes = self._windows_of(grid, [of for of in ratings if of.is_yes])
            no = self._windows_of(
                grid, [of for of in ratings if of.value is not None and not of.is_yes]
            )
            rated = features[[*yes, *no]]
            if logits is None and yes:
                logits, level = prototype_logits(features, yes, no)
                logits, thresholds = logits[left], np.full(len(left), level)
        return Candidates(
            windows=np.arange(len(left)),
            classes=np.zeros(len(left), np.int64),
            logits=logits,
            thresholds=thresholds,
            features=None if features is None else features[left],
            rated_features=rated,
            labelled=self._labelled(name, grid, left),
        )

    def _labelled(
        self, name: str, grid: WindowGrid, left: NDArray[np.int64]
    ) -> NDArray[np.bool_] | None:
        """Return whether the videos of the windows that are left are labelled with a class.

        None: no video is.
        """
        data = self._project.data
        if name not in data.classes.names:
            return None
        start, classes = lists_of(data.table, "labels")
        row = np.repeat(np.arange(len(data)), np.diff(start))
        has_label = np.zeros(len(data), bool)
        has_label[row[classes == data.classes.names.index(name)]] = True
        return has_label[grid.videos.rows[grid.video[left]]] if has_label.any() else None

    def _members(
        self, name: str, grid: WindowGrid, left: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """Return logits (M, N) of a class by the last finders that know it; None = there is one."""
        stores = map(self._project.curves_of, (of.key for of in self._project.finders.history))
        known = [of for of in stores if of is not None and name in of.class_places][:_MEMBERS]
        probs = [window_probs(of, of.class_places[name], grid)[left] for of in known]
        return prob_logits(np.nan_to_num(np.stack(probs))) if len(probs) > 1 else None

    def _windows_of(self, grid: WindowGrid, ratings: Sequence[LibraryRating]) -> list[int]:
        """Return the windows that have most of rated ones."""
        moments = [VideoWindow(of.video_id, of.start_s, of.end_s) for of in ratings if of.end_s]
        found = (grid.nearest(moment) for moment in moments)
        return [window for window in found if window is not None]

    def _probs(self, name: str, grid: WindowGrid) -> NDArray[np.float64] | None:
        """Return (W,) probabilities of a class; None = there is no curve of it."""
        curves = self._project.curves
        index = None if curves is None else curves.class_places.get(name)
        return None if curves is None or index is None else window_probs(curves, index, grid)

    def _window_features(self, grid: WindowGrid) -> NDArray[np.float32] | None:
        """Return (W, D) features; None = they are being read."""
        if self._features[0] is grid:
            return self._features[1]
        if self._project.data.kind == "video" or not len(grid):
            return None
        if len(grid) <= _AT_ONCE:
            self._read(grid)
            return self._features[1]
        if self._reader is None or not self._reader.is_alive():
            self._reader = Thread(target=self._read, args=(grid,), daemon=True)
            self._reader.start()
        return None

    def _read(self, grid: WindowGrid) -> None:
        try:
            self._features = grid, window_features(self._project.data, grid)
        except ReeltagError as error:
            say(f"windows to rate are not compared by their features: {error}")
            self._features = grid, None

    def _fewest(self, number: Counter[str]) -> list[str]:
        """Return the classes of the data with the fewest ratings, those with some first."""
        names = self._project.data.classes.names
        return sorted(names, key=lambda name: (not number[name], number[name]))[:_DEFAULT_CLASSES]


def prototype_logits(
    features: NDArray[np.float32], yes: Sequence[int], no: Sequence[int]
) -> tuple[NDArray[np.float64], float]:
    """Return (W,) how much nearer windows are to rated ones that show a class, and a threshold.

    The direction is from the mean of the others, or from the mean of all (0), to the mean of those
    that show it; the threshold is half way between them.

    Args:
        features: (W, D), centred.
        yes: windows that show the class, at least one.
        no: windows that do not.
    """
    there = features[list(yes)].mean(axis=0)
    elsewhere = features[list(no)].mean(axis=0) if no else np.zeros_like(there)
    direction = there - elsewhere
    scores = features @ direction
    level = float((there @ direction + elsewhere @ direction) / 2)
    return scores.astype(np.float64), level
