"""The folder tree is a stack: a package imports only from packages strictly below it."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import reeltag
from tests.processes import run_program

LAYERS = [
    {"core"},
    {"metrics", "layers", "losses", "labels", "pipeline", "predictions"},
    {"data", "models"},
    {"encoders"},
    {"library", "testing"},
    {"tagger", "augment"},
    {"figures", "inference"},
    {"evaluation", "soft_labels"},
    {"active", "training"},
    {"ensembling"},
    {"deploy", "report"},
    {"papers"},
    {"server"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOT = Path(reeltag.__file__).parent


def imports(path: Path) -> set[str]:
    """Return the reeltag packages that a file imports, wherever in it the import is."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):  # relative ones are refused by ruff (TID252)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("reeltag.")}


def test_package_has_a_level() -> None:
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


def functions() -> Iterator[tuple[str, ast.FunctionDef, bool]]:
    """Yield path, node, and whether it is a method that has a self or a class."""
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        methods = {m for of in ast.walk(tree) if isinstance(of, ast.ClassDef) for m in of.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                static = any(ast.unparse(of) == "staticmethod" for of in node.decorator_list)
                yield f"{path.relative_to(ROOT)}:{node.name}", node, node in methods and not static


def test_function_has_at_most_60_lines() -> None:
    lengths = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node, _ in functions()}
    assert not {name: length for name, length in lengths.items() if length > 60}


def test_function_has_at_most_8_parameters_and_a_constructor_10() -> None:
    many = {}
    for name, node, bound in functions():
        of = node.args
        number = len([*of.posonlyargs, *of.args, *of.kwonlyargs]) - bound
        number += sum(rest is not None for rest in (of.vararg, of.kwarg))
        if number > (10 if node.name == "__init__" else 8):
            many[name] = number
    assert not many


def test_docstring_names_all_arguments_or_none() -> None:
    """By pydoclint, in a folder of its own: it needs another docstring_parser than tyro."""
    place = Path(sys.prefix) / "pydoclint"
    command: list[str | Path] = [sys.executable, ROOT.parent / ".ci" / "docstrings.py"]
    done = run_program(command, environment={"PYTHONPATH": str(place)}, statuses=(0, 1))
    assert not done.stdout and not done.stderr, done.stdout + done.stderr


def test_check_of_docstrings_finds_an_argument_that_is_not_named(tmp_path: Path) -> None:
    source = tmp_path / "wrong.py"
    source.write_text('def f(a, b):\n    """Return.\n\n    Args:\n        a: one.\n    """\n')
    place = Path(sys.prefix) / "pydoclint"
    command: list[str | Path] = [sys.executable, ROOT.parent / ".ci" / "docstrings.py", source]
    done = run_program(command, environment={"PYTHONPATH": str(place)}, statuses=(1,))
    assert "DOC103" in done.stdout and "b" in done.stdout


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
