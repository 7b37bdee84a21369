"""Python blocks of all pages name what is there, and call it with arguments that it takes."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.blocks import blocks_of

PROJECT = Path(__file__).parents[2]
PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")))
MISSING = object()


def blocks() -> list[Any]:
    """Return a case for each block of Python."""
    return [
        pytest.param(block.text, id=f"{page.relative_to(PROJECT)}:{block.line}")
        for page in PAGES
        for block in blocks_of(page)
        if block.kind == "python"
    ]


def imported(tree: ast.AST) -> dict[str, Any]:
    """Return what a block imports of the package, by the name that it has there."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "reeltag":
                    found[name.asname or "reeltag"] = importlib.import_module(name.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "reeltag":
            module = importlib.import_module(str(node.module))
            for name in node.names:
                found[name.asname or name.name] = getattr(module, name.name)
    return found


def meant(node: ast.expr, known: dict[str, Any]) -> Any:
    """Return what a dotted name of the package means; MISSING where it is of something else."""
    if isinstance(node, ast.Name):
        return known.get(node.id, MISSING)
    if isinstance(node, ast.Attribute):
        owner = meant(node.value, known)
        return MISSING if owner is MISSING else getattr(owner, node.attr)
    return MISSING


def faults(text: str) -> Iterator[str]:
    """Yield each call of the package that its signature does not allow."""
    tree = ast.parse(text)
    known = imported(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or (called := meant(node.func, known)) is MISSING:
            continue
        if any(isinstance(value, ast.Starred) for value in node.args):
            continue
        values = [None] * len(node.args)
        named = {each.arg: None for each in node.keywords if each.arg}
        try:
            inspect.signature(called).bind(*values, **named)
        except TypeError as error:
            yield f"{ast.unparse(node)}: {error}"


@pytest.mark.parametrize("text", blocks())
def test_python_block_fits_the_package(text: str) -> None:
    assert list(faults(text)) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('reeltag.train("DATA", "moe", "RUN", stepz=3)', "stepz"),
        ('reeltag.load("RUN", "DATA", 3)', "too many"),
    ],
)
def test_call_that_does_not_fit_is_found(line: str, fault: str) -> None:
    (found,) = faults(f"import reeltag\n{line}\n")
    assert re.search(fault, found)


def test_name_that_is_not_there_is_found() -> None:
    with pytest.raises(AttributeError, match="trian"):
        list(faults("import reeltag\nreeltag.trian()\n"))
