"""The command line in odd places: no home, no UTF-8, read-only data, names that try to break out.

Each place has one process, which goes from data to a page (`tests/every_command.py`). What it
finds is what the same data give in an ordinary place.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest

from reeltag.cli.main import run
from reeltag.core.arrow_files import arrow_source
from reeltag.data.class_list import ClassList
from tests.data.made import rated_record, write_shard
from tests.processes import run_program

pytestmark = pytest.mark.system
PROGRAM = Path(__file__).with_name("every_command.py")
ROOT = PROGRAM.parent.parent
ASCII = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NOBODY = ("env", "-u", "HOME", "-u", "XDG_CACHE_HOME", "unshare", "--user", "--map-user=54321")
NOT_UTF8 = os.fsdecode(b"caf\xe9")
NAMES = (
    "\x1b[31mred\x1b[0m",
    "\"quoted\", 'twice' --> [bold]co[/bold]",
    "=1+1",
    "<script>alert(1)</script> &amp;",
    "e\u0301 \u03a8 \u5c0f \U0001f98a",
    "x" * 298 + "\xe9",
)
IDS = ("\x1b]0;title\x07", 'a"b', "=cmd", "<img>&", "../up", "y" * 290, "z\nz", "[red]w")
COMMANDS = re.compile(rb"[\0-\x08\x0b-\x1f\x7f]")  # to a terminal


@pytest.fixture(scope="module")
def can_be_nobody() -> None:
    """Skip where the system lets nobody be a user that it does not know."""
    if (
        shutil.which("unshare") is None
        or run_program([*NOBODY, "true"], statuses=range(256)).returncode
    ):
        pytest.skip("no user namespaces")


@dataclass(frozen=True)
class Found:
    """What the commands wrote."""

    scores: dict[str, Any]
    predictions: list[dict[str, Any]]
    moments: list[list[str]]
    tracks: dict[str, str]
    page: str

    @classmethod
    def read(cls, folder: Path, scores: dict[str, Any]) -> "Found":
        with (folder / "m.csv").open(encoding="utf-8", newline="") as file:
            moments = [*csv.reader(file)]
        return cls(
            scores=scores,
            predictions=pq.read_table(arrow_source(folder / "p.parquet")).to_pylist(),
            moments=moments,
            tracks={path.name: path.read_text("utf-8") for path in (folder / "vtt").iterdir()},
            page=(folder / "page.html").read_text("utf-8"),
        )

    def __eq__(self, other: object) -> bool:
        """Compare all but the page, which names folders and the day."""
        names = ("scores", "predictions", "moments", "tracks")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def every_command(
    data: Path,
    out: Path,
    environment: Mapping[str, str] | None = None,
    lead: Sequence[str] = (),
) -> tuple[Found, bytes]:
    """Run all commands in one process without a terminal.

    Returns:
        what they wrote, and what they printed on both streams.
    """
    out.mkdir()
    command: list[str | Path] = [*lead, sys.executable, PROGRAM, data, out]
    variables = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})}
    done = run_program(command, environment=variables, stdin=subprocess.DEVNULL, text=False)
    printed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    (scores,) = (each for each in printed if "gap@20" in each)
    return Found.read(out, scores), done.stdout + done.stderr


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """A synthetic corpus, and what the commands find in it in an ordinary place."""
    folder = tmp_path_factory.mktemp("ordinary")
    found, _ = every_command(folder / "data", folder / "out")
    assert len(found.predictions) == 12 and len(found.moments) > 6 and found.tracks
    return folder / "data", found


def test_without_home_by_a_user_that_the_system_does_not_know(
    ordinary: tuple[Path, Found], tmp_path: Path, can_be_nobody: None
) -> None:
    found, _ = every_command(tmp_path / "data", tmp_path / "out", {"TMPDIR": str(tmp_path)}, NOBODY)
    assert found == ordinary[1]


def test_in_a_locale_that_knows_ascii_alone(ordinary: tuple[Path, Found], tmp_path: Path) -> None:
    found, _ = every_command(tmp_path / "data", tmp_path / "out", ASCII)
    assert found == ordinary[1]


def test_paths_that_are_not_utf8(ordinary: tuple[Path, Found], tmp_path: Path) -> None:
    place = tmp_path / NOT_UTF8
    place.mkdir()
    found, printed = every_command(place / f"data {NOT_UTF8}", place / "out")
    assert found == ordinary[1] and b"caf\\udce9/out/page.html" in printed
    config = json.loads((place / "out" / "run" / "config.json").read_text("utf-8"))
    assert config["data"]["root"] == str(place / f"data {NOT_UTF8}")


def test_graphs_and_trees_in_paths_that_are_not_utf8(
    ordinary: tuple[Path, Found], tmp_path: Path
) -> None:
    corpus, trained = ordinary[0], ordinary[0].parent / "out" / "run"
    scores = []
    for name in ("plain", NOT_UTF8):
        place = Path(shutil.copytree(trained, tmp_path / name / "run")).parent
        data, graph = ["--data", str(corpus)], str(place / "g.onnx")
        fitted, tested = str(place / "fitted.parquet"), str(place / "tested.parquet")
        trees = ["--method", "lightgbm", "--trees.num-trees", "3", "--trees.min-in-leaf", "2"]
        saved = str(place / "blend")
        for command in (
            ["export", str(place / "run"), "--out", graph],
            ["predict", graph, *data, "--out", tested],
            ["predict", graph, *data, "--out", fitted, "--split", "validate"],
            ["blend", fitted, *trees, "--fit-on", str(corpus), "--save", saved],
            ["blend", tested, "--with", saved, "--out", str(place / "blended.parquet")],
        ):
            assert run(command) == 0, command
        files = ("tested", "fitted", "blended")
        scores.append([pq.read_table(arrow_source(place / f"{of}.parquet")) for of in files])
    assert scores[0] == scores[1]


def test_data_that_are_read_only(
    ordinary: tuple[Path, Found], tmp_path: Path, can_be_nobody: None
) -> None:
    data, expected = ordinary
    copy = Path(shutil.copytree(data, tmp_path / "data", ignore=lambda *_: {".reeltag"}))
    before = sorted(path.name for path in copy.iterdir())
    for path in (*copy.iterdir(), copy):
        path.chmod(path.stat().st_mode & ~0o222)
    found, _ = every_command(copy, tmp_path / "out", {"TMPDIR": str(tmp_path)}, NOBODY)
    assert found == expected
    assert sorted(path.name for path in copy.iterdir()) == before


def write_odd_data(folder: Path) -> set[str]:
    """Write videos whose ids and classes have odd names; return the ids."""
    folder.mkdir()
    ClassList(NAMES).save(folder / "classes.csv")
    ids = set[str]()
    for at, split in enumerate(("train", "validate", "test")):
        names = [f"{name}{split}" for name in IDS]
        records = [
            rated_record(
                name, 12, [(0, c, 1.0), (5, (c + 1) % 6, 0.0)], labels=np.array([c, (c + at) % 6])
            )
            for c, name in zip([0, 1, 2, 3, 4, 5, 0, 1], names, strict=True)
        ]
        write_shard(folder / f"{split}0.tfrecord", records)
        ids |= {*names}
    return ids


class Text(HTMLParser):
    """The text of a page, and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.tags = list[str](), set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("environment", [{}, ASCII], ids=["utf-8", "ascii"])
def test_odd_names_are_kept_in_files_and_harmless_where_they_are_shown(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    ids = write_odd_data(tmp_path / "data")
    found, printed = every_command(tmp_path / "data", tmp_path / "out", environment)
    assert {row["id"] for row in found.predictions} == {of for of in ids if of.endswith("test")}
    head, *moments = found.moments
    assert {row[head.index("name")] for row in moments} == {*NAMES}
    assert {row[head.index("id")] for row in moments} <= ids
    assert not COMMANDS.search(printed)
    assert b"\\x1b[31mred\\x1b[0m" in printed and b"[bold]co[/bold]" in printed
    for track in found.tracks.values():
        cues = [line for line in track.splitlines() if "-->" in line]
        assert cues and all(re.fullmatch(r"[\d:.]+ --> [\d:.]+", cue) for cue in cues)
        assert "<" not in track and "\x1b" not in track
    text = Text(found.page)
    assert {"script", "img"}.isdisjoint(text.tags)
    assert any("<script>alert(1)</script> &amp;" in words for words in text.words)
    assert not COMMANDS.search(found.page.encode())
    drawings = re.findall(r"<svg.*?</svg>", found.page, re.DOTALL)
    assert drawings and all(ElementTree.fromstring(drawing).tag for drawing in drawings)
