"""What the pages in docs/ must name: every public name and every command."""

import dataclasses
import re

import pytest

import reeltag
from benchmarks.results import PROJECT
from reeltag.cli.main import COMMANDS
from reeltag.models import families
from website import families as family_pages
from website import modules

DOCS = PROJECT / "docs"
PYTHON = DOCS / "reference" / "python"
HOW_TO = "\n".join(
    path.read_text()
    for folder in ("how-to", "tutorials")
    for path in sorted((DOCS / folder).glob("*.md"))
)


def test_each_public_name_is_documented_once_and_listed() -> None:
    described = [
        name
        for path in PYTHON.glob("*.md")
        for name in re.findall(r"^::: reeltag\.(\w+)$", path.read_text(), re.MULTILINE)
    ]
    listed = re.findall(r"`(\w+)`(?=[^\n]*\.md\) \|$)", (PYTHON / "index.md").read_text(), re.M)
    assert sorted(described) == sorted(listed) == sorted({*reeltag.__all__} - {"__version__"})


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_in_a_how_to_page(name: str) -> None:
    assert re.search(rf"^( {{4}})?(.*&& )?reeltag {name}\b(?!-)", HOW_TO, re.MULTILINE)


def test_modules_have_a_page_for_each_package_but_commands_server_and_papers() -> None:
    tops = {path.parent.name for path in (PROJECT / "reeltag").glob("*/__init__.py")}
    assert tops - {*modules.PACKAGES} == {"cli", "figures", "papers", "server"}
    assert {"data.records", "library.media"} <= {*modules.packages()}
    text = modules.page("losses")
    assert text.count("\n::: reeltag.losses.focal\n") == 1 and "migrations" not in text


def test_page_of_the_models_has_each_family_its_fields_and_variants() -> None:
    (text,) = family_pages.pages().values()
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == [of.name for of in families()]
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    for family in families():
        section = sections[family.name]
        assert all(f"| `{name}` |" in section for name in family.variants)
        fields = {field.name for field in dataclasses.fields(family.config)}
        flags = {flag.replace("-", "_") for flag in re.findall(r"<code>--model\.([\w-]+)", section)}
        assert flags == fields - {"num_classes", "dims"}
