"""Videos without a picture: those whose mean rgb frame is nearly the same number everywhere.

Of the 1,133,323 test videos of YouTube-8M (2018) 576,949 have a standard deviation of `mean_rgb`,
over its 1024 values, of at most 0.1: they are no videos (Skalic & Austin 2018, code, fake_utils;
chuckcho/youtube-8m-axon looks for them too). Leaving them out halves the time of inference.

Shape letters: B videos, T frames, D features, R rows of an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.console import say, track
from reeltag.core.errors import ConfigError
from reeltag.core.timing import spread_frames
from reeltag.data.dataset import Dataset
from reeltag.data.loader import Loader
from reeltag.data.sampling import FrameChoice
from reeltag.data.splits import Split
from reeltag.layers.preprocessing import SCALE

FRAMES = 300  # of a video that are looked at: all that a published one has
_AT_ONCE = 64  # videos


@dataclass(frozen=True)
class BlankRule:
    """The rule: at most `std`, over the columns of the rgb stream, stored bytes dequantised.

    Of a longer video than 300 frames the first 300 are looked at, or, with `spread`, as many that
    are evenly spaced; YouTube-8M publishes no further ones.
    """

    std: float
    columns: slice
    spread: bool = False

    @classmethod
    def of(
        cls,
        streams: Sequence[tuple[str, int]],
        std: float,
        where: Path,
        *,
        spread: bool = False,
    ) -> "BlankRule":
        """Return the rule for batches of these streams, (name, width) each, side by side.

        Args:
            streams: (name, width) of each, in the order of the columns.
            std: the most that the mean of a blank video deviates over its rgb columns.
            where: the data, for the error.
            spread: look at frames of the whole of longer videos.

        Raises:
            ConfigError: none of them is called rgb.
        """
        first = 0
        for name, width in streams:
            if "rgb" in name:
                return cls(std, slice(first, first + width), spread)
            first += width
        raise ConfigError(
            f"blank_std needs the rgb stream; read are {', '.join(name for name, _ in streams)}",
            where=where,
            hint="Leave it out.",
        )

    def find(self, batch: FrameBatch) -> Tensor:
        """Return (B,) bool on the CPU, which videos are blank."""
        blank = []
        for frames_TD, mask_T in zip(batch.frames, batch.mask, strict=True):
            num_frames = int(mask_T.sum())
            real_TD = frames_TD[: min(num_frames, FRAMES), self.columns]
            if self.spread and num_frames > FRAMES:
                real_TD = frames_TD[spread_frames([num_frames], FRAMES)[0], self.columns]
            stored = real_TD.dtype == torch.uint8  # whose sums are exact, whatever the order
            total_D = real_TD.sum(dim=0, dtype=torch.int64 if stored else torch.float64)
            mean_D = total_D.double() / len(real_TD) * (SCALE if stored else 1)
            blank.append(bool(mean_D.std(correction=0) <= self.std))
        return torch.tensor(blank, dtype=torch.bool)


def blank_rows(
    data: Dataset, split: Split, std: float, *, quiet: bool = False
) -> NDArray[np.bool_]:
    """Return (R,) which rows of the index's table are blank videos of a split; others are False.

    The rgb stream of the split is read once; their number is logged.

    Args:
        data: with an rgb stream.
        split: that is read.
        std: the most that the mean of a blank video deviates over its rgb columns.
        quiet: show no progress.

    Raises:
        ConfigError: there is no rgb stream, the split is empty, or nothing else is in it.
        DataError: a shard cannot be read.
    """
    streams = tuple((stream.name, stream.width) for stream in data.streams)
    rgb = tuple(stream for stream in streams if "rgb" in stream[0])[:1]
    rule = BlankRule.of(rgb or streams, std, data.path)
    items = data.videos(split, streams=(rgb[0][0],))
    rows, found = data.rows(split), np.zeros(len(data), bool)
    choice = (
        FrameChoice(max_frames=FRAMES)
        if items.features.is_published
        else FrameChoice(how="regular", num_frames=FRAMES)
    )
    batches = Loader(
        items,
        batch_size=_AT_ONCE,
        frames=choice,
        labels=False,
        reuse_buffers=True,
    )
    done = 0
    for batch in batches if quiet else track(batches, f"looking for blank videos of {split}"):
        found[rows[done : done + len(batch)]] = rule.find(batch).numpy()
        done += len(batch)
    blank = int(found.sum())
    if blank == len(items):
        raise ConfigError(
            f"all {blank:,} videos of the split {split!r} are blank by a std of {std:g}",
            where=data.location,
            hint="YouTube-8M's limit is 0.1; features of another scale need another one.",
        )
    if not quiet:
        say(f"{blank:,} of {len(items):,} videos of the split {split!r} are blank: left out")
    return found
