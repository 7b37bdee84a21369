"""oldest.txt, with which `make oldest` tests, holds the lower bounds of pyproject.toml."""

import itertools
import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1]
UNTESTED = {"encoders", "all", "dev", "docs"}  # weights from the internet; others; tools


def test_oldest_releases_are_the_lower_bounds() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    tested = [wanted for extra, wanted in extras.items() if extra not in UNTESTED]
    bounds = dict[str, str]()
    for requirement in [*project["dependencies"], *itertools.chain(*tested)]:
        if requirement.startswith("reeltag["):  # another extra
            continue
        found = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?[>=]=([\d.]+)(?:,<[\d.]+)?", requirement)
        assert found, requirement
        name, bound = found.groups()
        assert bounds.setdefault(name, bound) == bound, f"{name} has two lower bounds"
    torch = bounds.pop("torch")
    pins = (PROJECT / "constraints.txt").read_text()
    assert f"torch=={torch}." in pins  # the one release that constraints.txt installs
    lines = (PROJECT / "oldest.txt").read_text().split()
    assert dict(line.split("==") for line in lines) == bounds
