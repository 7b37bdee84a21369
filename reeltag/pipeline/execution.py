"""Execution of one step: begin or resume its folder, call its function, rename the folder."""

import time
from collections.abc import Callable
from pathlib import Path

from reeltag.pipeline.keys import resolved
from reeltag.pipeline.steps import Step
from reeltag.pipeline.store import Record, begin, finish, locator, part_of


def execute(step: Step, root: Path, on_start: Callable[[Record], None]) -> Record:
    """Run a step whose inputs are finished, and return its record.

    The caller holds its lock. An error of the step passes, with a note that says how to resume.

    Args:
        step: not finished yet.
        root: folder for all results.
        on_start: called before the function, with the record of the session that begins.
    """
    part, locate, record = part_of(step, root), locator(root), begin(step, root)
    on_start(record)
    started = time.monotonic()
    try:
        if not record.finished:
            inputs = [given.locate(locate) for given in step.inputs]
            options = {name: resolved(value, locate) for name, value in step.config.items()}
            step.fn(part, *inputs, **options, **step.runtime)
        return finish(step, root, record, time.monotonic() - started)
    except BaseException as error:
        error.add_note(f"in step {step.name}; {resume_hint(step, root)}")
        raise


def resume_hint(step: Step, root: Path) -> str:
    """Return where an unfinished step is, and how to resume it."""
    return f"its partial results are in {part_of(step, root)}: the same command resumes from there"


def format_sessions(record: Record) -> str:
    """Return in how many sessions a step ran; "" for one."""
    return f"in {record.sessions} sessions" if record.sessions > 1 else ""
