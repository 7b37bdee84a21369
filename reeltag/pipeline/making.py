"""One step is made: its folder begun or gone on with, its function called, its name given."""

import time
from collections.abc import Callable
from pathlib import Path

from reeltag.pipeline.keys import resolved
from reeltag.pipeline.steps import Step
from reeltag.pipeline.store import Record, begin, finish, folders, part_of


def make(step: Step, root: Path, on_begin: Callable[[Record], None]) -> Record:
    """Make a step that is not there, and return what is written down of it.

    The caller holds its lock. Whatever the step raises passes, with a note that says how to go on.

    Args:
        step: what all its inputs are there for.
        root: folder for all results.
        on_begin: called before the function is, with the record of the session that begins.
    """
    part, place, record = part_of(step, root), folders(root), begin(step, root)
    on_begin(record)
    begun = time.monotonic()
    try:
        if not record.finished:
            inputs = [given.located(place) for given in step.inputs]
            options = {name: resolved(value, place) for name, value in step.config.items()}
            step.fn(part, *inputs, **options, **step.runtime)
        return finish(step, root, record, time.monotonic() - begun)
    except BaseException as error:
        error.add_note(f"in step {step.name}; {kept(step, root)}")
        raise


def kept(step: Step, root: Path) -> str:
    """Say where an unfinished step lies, and how to go on."""
    return f"what it has made is kept in {part_of(step, root)}: the same command goes on from there"


def sessions(record: Record) -> str:
    """Say in how many sessions a step was made, if in more than one."""
    return f"in {record.sessions} sessions" if record.sessions > 1 else ""
