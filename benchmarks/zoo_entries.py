"""Who runs in which race of the zoo: the model, its sizes here, its learning rate.

The learning rate is one for each kind of model and was not tuned for an entry; where it is another
than its kind's, a word says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model with its sizes, and the flags that it has in each race."""

    model: str
    races: Mapping[str, str]


def _entry(model: str, rate: float, races: str, flags: str = "") -> Entry:
    """Return an entry with one learning rate and the same further flags in all its races."""
    line = f"--learning-rate {rate} {flags}".strip()
    return Entry(model=model, races=dict.fromkeys(races.split(), line))


FRAMES = "audioset mosaics"
ENTRIES = {
    "logistic": _entry("logistic", 0.01, "yt8m audioset mosaics"),
    "moe_2": _entry("moe_2", 0.01, "yt8m audioset mosaics"),
    "moe_16": _entry("moe_16", 0.01, "yt8m"),
    "netvlad": _entry("netvlad --model.num-clusters 64 --model.hidden 512", 0.001, FRAMES),
    "nextvlad": _entry("nextvlad --model.num-clusters 64 --model.hidden 1024", 0.001, FRAMES),
}
