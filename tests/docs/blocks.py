"""Code blocks of a page, to be run as they are typed."""

import re
from pathlib import Path
from typing import Any

from tests.conftest import PROJECT

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def python_blocks(page: str) -> list[str]:
    """Return the Python blocks of a page of docs/, in their order."""
    return _BLOCK.findall((PROJECT / "docs" / page).read_text(encoding="utf-8"))


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
