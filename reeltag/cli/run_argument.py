"""The argument RUN of a command: the path of a run, or a run on the hub, which is downloaded."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, cast

from tyro.constructors import PrimitiveConstructorSpec


def _local(words: list[str]) -> Path:
    """Return the folder of a run, by the one function that finds it."""
    if not words[0].startswith("hf:/"):
        return Path(words[0])
    # help and local runs need not wait for what reads runs
    return cast(Path, import_module("reeltag.tagger.hub_runs").local_run(words[0]))


RunPath = Annotated[
    Path,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="RUN",
        instance_from_str=_local,
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    ),
]
