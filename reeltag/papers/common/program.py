"""A paper as a program: what it needs and reaches, its config, and the graph of its steps."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.synth.config import SynthConfig
from reeltag.papers.common.tables import Table
from reeltag.pipeline.steps import Step

FolderOf = Callable[[Step], Path]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a program is for: its last steps, and what is read from them when they are there.

    Attributes:
        steps: the last ones.
        tables: returns the tables, given where steps are; reads nothing but these steps.
        closing: returns words below the tables: how good it is, what to type next; "" = none.
        best: step with the best predictions, which a report shows.
        run: returns the run folder (or graph) that the program is for; None = it makes none.
    """

    steps: tuple[Step, ...]
    tables: Callable[[FolderOf], Sequence[Table]]
    closing: Callable[[FolderOf], str] = lambda folder: ""
    best: Step | None = None
    run: Callable[[FolderOf], Path | None] = lambda folder: None


@dataclass(frozen=True, kw_only=True)
class Program:
    """What `reeltag solve` lists, explains and runs.

    Attributes:
        name: of the command and of the folder of the paper.
        title: what it does, in a sentence.
        paper: who, when, where.
        needs: which data (frames? rated segments?), which machine.
        cost: how long it takes and how much disk, at which size.
        reaches: what was measured here, with the paper's own figure.
        departs: differences from the paper (docs/reference/departures.md).
        notes: more for `--help`.
        config: frozen, keyword-only dataclass of sizes, seeds, scale; the paper's are the defaults.
            Each field has a sentence under it and becomes a flag; names of the flags of `reeltag
            solve` itself are taken. `field(compare=False)` marks what does not change results.
        tiny: a config with which the whole program takes less than half a minute on a CPU.
        tiny_data: the corpus for `--tiny` without data, and for the tests.
        solve: builds the graph; nothing runs yet. Unusable data raise here, before hours have
            passed: DataError that names what is needed and which command makes it.
    """

    name: str
    title: str
    paper: str
    needs: str
    cost: str
    reaches: str
    departs: str
    notes: str = ""
    config: type[Any]
    tiny: Any
    tiny_data: SynthConfig
    solve: Callable[[Dataset, Any], Goal]


def program_named(name: str, programs: Sequence[Program]) -> Program:
    """Return a program by its name.

    Args:
        name: that is looked for.
        programs: that there are.

    Raises:
        ConfigError: there is none of that name; the error lists close ones.
    """
    by_name = {program.name: program for program in programs}
    if name in by_name:
        return by_name[name]
    close = difflib.get_close_matches(name.casefold(), by_name, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(by_name)}."
    raise ConfigError(
        f"there is no program {name!r}", hint=hint if by_name else "`reeltag solve` lists them."
    )
