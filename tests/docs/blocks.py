"""Code blocks of a page, to be run as they are typed."""

from pathlib import Path
from typing import Any

from tests.conftest import PROJECT
from tests.pages.blocks import blocks_of


def python_blocks(page: str) -> list[str]:
    """Return the Python blocks of a page of docs/, in their order."""
    return [of.text for of in blocks_of(PROJECT / "docs" / page) if of.kind == "python"]


def run_block(block: str, page: str, **names: Any) -> dict[str, Any]:
    """Run a block in the current folder; return the names that it leaves.

    Args:
        block: of `python_blocks`.
        page: that it is from, for tracebacks.
        names: that it may use.
    """
    left = {"__name__": Path(page).stem, **names}
    exec(compile(block, page, "exec"), left)
    return left
