"""The command that a result is made for, printed after it: complete, and quoted for a shell.

What is known is filled in: data, patterns of shards, a batch that the data fill. DATA is for data
that are not known; RUN and P.parquet are new paths.
"""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reeltag.core.console import STDOUT
from reeltag.core.errors import ConfigError
from reeltag.data.splits import Split

if TYPE_CHECKING:
    from reeltag.data.dataset import Dataset

UNKNOWN_DATA = "DATA"


def print_next(*words: object) -> None:
    """Print `next: reeltag ...` on stdout; what --out names is not there yet.

    Args:
        *words: of the command, unquoted; paths and numbers are fine.
    """
    pairs = zip(["", *words], words, strict=False)
    texts = [_free(str(word)) if before == "--out" else str(word) for before, word in pairs]
    command = shlex.join(texts)
    STDOUT.print(f"next: reeltag {command}", highlight=False, markup=False, soft_wrap=True)


def _free(name: str) -> str:
    """Return a path as it is, or, where something is there, with the first number that is free."""
    path, number = Path(name), 2
    while path.exists() or path.is_symlink():
        path, number = Path(name).with_stem(f"{Path(name).stem}{number}"), number + 1
    return str(path)


def changed_options(config: Any, prefix: str = "", usual: Any = None) -> list[str]:  # noqa: ANN401
    """Return the options that give a dataclass of plain fields its values, without defaults.

    Args:
        config: such as `Splits`.
        prefix: of the options' names, such as "preprocessing.".
        usual: the defaults; None: those of its class.
    """
    usual, words = usual or type(config)(), list[str]()
    for name in (field.name for field in dataclasses.fields(config)):
        value = getattr(config, name)
        if value == getattr(usual, name):
            continue
        flag = prefix + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--{prefix}no-{flag.removeprefix(prefix)}")
        else:
            words += [f"--{flag}", *map(str, value if isinstance(value, tuple) else (value,))]
    return words


def batch_option(model: str, data: "Dataset") -> list[str]:
    """Return `--batch-size` where a model's own is more than there are training videos.

    Args:
        model: family or variant.
        data: to train on.
    """
    from reeltag.models import family_of, model_config  # needs torch
    from reeltag.training.recipes import recipe_for

    usual = recipe_for(family_of(model_config(model))).batch_size
    try:
        items = len(data.videos("train"))
    except ConfigError:  # none
        return []
    return ["--batch-size", str(max(1, items))] if usual > items else []


def print_next_predict(run: Path, data: "Dataset | None") -> None:
    """Print the command that predicts with a run: of the test split, or another that has shards.

    Args:
        run: folder.
        data: with the splits that the run remembers; None: not known.
    """
    words: list[object] = [
        "predict",
        run,
        "--data",
        UNKNOWN_DATA if data is None else data.location,
    ]
    if data is not None:
        words += split_option(data)
    print_next(*words, "--out", "P.parquet")


def split_option(data: "Dataset") -> list[str]:
    """Return `--split` with the first of validate and train that has shards, nothing with test."""
    splits: tuple[Split, ...] = ("test", "validate", "train")
    for split in splits:
        try:
            data.shards_of(split)
        except ConfigError:
            continue
        return [] if split == "test" else ["--split", split]
    return ["--split", "all"]
