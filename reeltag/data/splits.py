"""Splits: which shards are for training, validation and test."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from reeltag.core.bounds import CheckedFields, Fraction
from reeltag.core.errors import ConfigError
from reeltag.data.indexing.shard_names import without_ending

if TYPE_CHECKING:  # options need no pyarrow
    from reeltag.data.index import Index

Split: TypeAlias = Literal["train", "validate", "test", "all"]
SPLITS: tuple[Split, ...] = get_args(Split)

# As YouTube-8M (train*, validate*, test*) and AudioSet (bal_train*, unbal_train*, eval*) are
# published. AudioSet's evaluation set is its test set.
_PUBLISHED: dict[str, Split] = {
    "train": "train",
    "bal_train": "train",
    "unbal_train": "train",
    "validate": "validate",
    "test": "test",
    "eval": "test",
}
# As others call them; whole words alone: "valley" and "device" are no splits.
_USUAL: dict[str, Split] = {
    "training": "train",
    "val": "validate",
    "valid": "validate",
    "validation": "validate",
    "dev": "validate",
    "testing": "test",
}


@dataclass(frozen=True, kw_only=True)
class Splits(CheckedFields):
    """The rule that gives each shard of a data folder its split.

    A pattern is relative to the data folder, with *, ? and [] as in a shell (* also crosses
    folders); several are joined by commas; `.tfrecord` and `.gz` at the end may be left out; one
    without a slash is compared with the bare file name. A shard that a pattern names belongs to
    that split and to no other; the published and the usual names decide about the others.
    """

    train: str = ""
    """Pattern of the training shards; empty: train*, bal_train*, unbal_train*, also as a folder."""
    validate: str = ""
    """Pattern of the validation shards; empty: validate*, val*, valid*, dev*, also as a folder, and
    eval* where train* alone would be left to them; else some of the training shards."""
    test: str = ""
    """Pattern of the test shards; empty: test*, eval* (AudioSet's), also as a folder."""
    holdout: Fraction = 0.1
    """Fraction of the training shards, the last by name, for validation where no shards are."""

    def shards(self, index: "Index", split: Split) -> list[int]:
        """Return the numbers of the shards of `split`, ascending; never an empty list.

        Without any shard to validate on, the last `holdout` of the training shards (rounded up)
        are held out; a single training shard cannot be divided.

        Args:
            index: whose shards are split.
            split: train, validate or test.

        Raises:
            ConfigError: the split is empty, or two patterns name the same shard.
        """
        every = list(range(len(index.shards)))
        found = every if split == "all" else self._assigned(index)[split]
        if not found:
            raise self._nothing(index, split)
        return found

    def _assigned(self, index: "Index") -> dict[Split, list[int]]:
        """Return the shards of each split but "all"."""
        patterns: dict[Split, str] = {
            "train": self.train,
            "validate": self.validate,
            "test": self.test,
        }
        shards: dict[Split, list[int]] = {split: [] for split in patterns}
        by_name = _splits_by_name(index.shards, eval_may_validate=not self.validate)
        for number, name in enumerate(index.shards):
            named = [split for split, pattern in patterns.items() if _matches(name, pattern)]
            if len(named) > 1:
                raise ConfigError(
                    f"is named by the patterns of both {named[0]} and {named[1]}",
                    where=index.root / name,
                    hint="Make the patterns disjoint: nothing is both trained on and evaluated.",
                )
            split = named[0] if named else by_name[number]
            if split and (named or not patterns[split]):
                shards[split].append(number)
        train, validate = shards["train"], shards["validate"]
        if not validate and not self.validate and self.holdout and len(train) > 1:
            num_held = min(math.ceil(self.holdout * len(train)), len(train) - 1)
            shards["train"], shards["validate"] = train[:-num_held], train[-num_held:]
        return shards

    def unassigned(self, index: "Index") -> list[str]:
        """Return the names of the shards that belong to no split."""
        assigned = {number for numbers in self._assigned(index).values() for number in numbers}
        return [name for number, name in enumerate(index.shards) if number not in assigned]

    def _nothing(self, index: "Index", split: Split) -> ConfigError:
        """Return the error for an empty split: what was looked for, and what is there."""
        pattern = "" if split == "all" else getattr(self, split)
        wanted = f"the pattern {pattern!r}" if pattern else "the published names"
        names = ", ".join(index.shards[:3]) + (", ..." if len(index.shards) > 3 else "")
        there = f"{len(index.shards)} shards: {names}" if index.shards else "no shards at all"
        if split == "validate" and not pattern:
            hint = "Name some shards with --validate, or give two training shards to hold one out."
        elif split == "all":
            hint = "Give a folder that holds shards, *.tfrecord for example."
        else:
            hint = f"Name the shards with --{split} GLOB, relative to that folder."
        return ConfigError(
            f"no shard belongs to the split {split!r} by {wanted}; found {there}",
            where=index.root,
            hint=hint,
        )


PUBLISHED_SPLITS = Splits()


def split_by_name(shard: str) -> Split | None:
    """Return the split that a shard has by its published or usual name, or by its nearest folder.

    Args:
        shard: name relative to the data folder, with / between folders.

    Example:
        >>> split_by_name("frame/validate0012.tfrecord"), split_by_name("eval/_a.tfrecord")
        ('validate', 'test')
    """
    word = _split_word(shard)
    return None if word is None else (_PUBLISHED | _USUAL)[word]


def _split_word(shard: str) -> str | None:
    """Return the published or usual word that gives a shard its split."""
    path = PurePosixPath(shard)
    first = _first_word(path.name)
    if first in _USUAL:
        return first
    for prefix in _PUBLISHED:
        if path.name.startswith(prefix):
            return prefix
    words = (_first_word(folder) for folder in reversed(path.parent.parts))
    return next((word for word in words if word in _PUBLISHED or word in _USUAL), None)


def _first_word(name: str) -> str:
    """Return the word at the start of a name: that of "evaluation" is not "eval"."""
    word = re.match(r"(?:(?:un)?bal_)?[a-z]+(?![a-z])", name)
    return word[0] if word else ""


def _splits_by_name(shards: Sequence[str], *, eval_may_validate: bool) -> list[Split | None]:
    """Return the split of each shard by its name.

    "eval" is AudioSet's test set. Next to shards called train (not bal_train), where no other are
    for validation, it is what is validated on.
    """
    words = [_split_word(shard) for shard in shards]
    splits = [None if word is None else (_PUBLISHED | _USUAL)[word] for word in words]
    there = set(words)
    is_own = bool(there & {"train", "training"}) and not there & {"bal_train", "unbal_train"}
    if eval_may_validate and is_own and "validate" not in splits:
        pairs = zip(words, splits, strict=True)
        return ["validate" if word == "eval" else split for word, split in pairs]
    return splits


def _matches(shard: str, patterns: str) -> bool:
    """Return whether one of the patterns, joined by commas, names the shard."""
    for pattern in filter(None, (part.strip() for part in patterns.split(","))):
        name = shard if "/" in pattern else PurePosixPath(shard).name
        if fnmatchcase(name, pattern) or fnmatchcase(without_ending(name), pattern):
            return True
    return False
