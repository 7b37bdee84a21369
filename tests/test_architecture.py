"""The folder tree is a stack: a package imports only from packages strictly below it."""

import ast
import re
from collections import defaultdict
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


def test_source_file_has_at_most_400_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > 400}


def test_public_class_name_is_given_once() -> None:
    """But for a family's or a paper's Config, which its module names."""
    homes = defaultdict(list)
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(ROOT)))
    homes.pop("Config")
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}


def test_source_silences_the_type_checker_at_most_20_times() -> None:
    assert sum(path.read_text().count("type: ignore") for path in ROOT.rglob("*.py")) <= 20


def test_source_cites_no_file_that_is_not_here() -> None:
    citation = re.compile(
        r"(?<![\w/.])(?:reference|papers)/[a-z-]+(?:[0-9]{4})?[a-z-]*\.(?:md|txt)"
    )
    cited = {str(path): citation.findall(path.read_text()) for path in ROOT.rglob("*.py")}
    assert not {path: found for path, found in cited.items() if found}


def test_functions_have_at_most_60_lines_and_8_parameters() -> None:
    """But for constructors of classes, which may have 10 parameters."""
    long = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
                names = [name for name in names if name not in ("self", "cls")]
                number = len(names) + len(node.args.kwonlyargs)
                if lines > 60 or number > (10 if node.name == "__init__" else 8):
                    long.append(f"{path}: {node.name}, {lines} lines, {number} parameters")
    assert not long
