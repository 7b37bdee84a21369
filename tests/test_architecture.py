"""The folder tree is a stack: a package imports only from packages strictly below it."""

import ast
from pathlib import Path

import reeltag

LAYERS = [
    {"core"},
    {"metrics", "layers", "losses", "labels", "pipeline", "predictions"},
    {"data", "models"},
    {"tagger", "augment"},
    {"figures", "inference"},
    {"evaluation", "soft_labels"},
    {"training"},
    {"ensembling"},
    {"deploy", "report"},
    {"papers"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOT = Path(reeltag.__file__).parent


def imports(path: Path) -> set[str]:
    """Return the reeltag packages that a file imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):  # relative ones are refused by ruff (TID252)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("reeltag.")}


def test_every_package_has_a_level() -> None:
    assert {p.name for p in ROOT.iterdir() if p.is_dir() and p.name[0] != "_"} == set(LEVEL)


def test_imports_point_strictly_down() -> None:
    up = []
    for path in ROOT.rglob("*/*.py"):
        here = path.relative_to(ROOT).parts[0]
        up += [f"{path}: {to}" for to in imports(path) if to != here and LEVEL[to] >= LEVEL[here]]
    assert not up
