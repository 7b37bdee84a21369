"""All that README.md and the tutorials tell one to type works, and prints what they say."""

import re
import shutil
import tomllib
from collections.abc import Callable
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.results import PROJECT
from tests.pages.blocks import blocks_of, install_lines
from tests.pages.play import PageError, is_like, play, play_in
from tests.processes import HANG_S

README = PROJECT / "README.md"
TUTORIALS = sorted(
    page for page in (PROJECT / "docs" / "tutorials").glob("*.md") if page.stem != "index"
)
Played = Callable[[str], Path]
CONTEXT = get_context("forkserver")  # what imports take is taken once
CONTEXT.set_forkserver_preload(["tests.pages.play"])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return a function of the name of a tutorial: the folder in which it was typed, once."""

    @cache
    def typed(name: str) -> tuple[Path, AssertionError | None]:
        folder = tmp_path_factory.mktemp(name)
        try:
            type_page(PROJECT / "docs" / "tutorials" / f"{name}.md", folder)
        except AssertionError as error:
            return folder, error
        return folder, None

    def folder_of(name: str) -> Path:
        folder, error = typed(name)
        if error:
            raise error
        return folder

    return folder_of


def type_page(page: Path, folder: Path) -> None:
    """Type a page in a folder, in a process that has imported reeltag and done nothing else."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=play_in, args=(page, folder, sender))
    process.start()
    sender.close()
    try:
        error = receiver.recv() if receiver.poll(HANG_S) else "it did not end"
    except EOFError:
        error = "its process ended before it did"
    finally:
        process.kill()
        process.join()
    assert not error, error


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorial_prints_what_it_says(page: Path, played: Played) -> None:
    assert played(page.stem).is_dir()


@pytest.mark.slow
def test_readme_works_as_typed(played: Played, tmp_path: Path) -> None:
    films, features = played("own-videos") / "films", played("own-features")
    with (films / "labels.csv").open(
        encoding="utf-8"
    ) as file:  # folders are labels: of each film its first one
        labels = dict(reversed([line.strip().split(",") for line in file][1:]))
    for film, label in labels.items():
        (tmp_path / "videos" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(films / film, tmp_path / "videos" / label)
    shutil.copy(films / film, tmp_path / "clip.mp4")
    shutil.copytree(features / "features", tmp_path / "features")
    shutil.copy(films / "ratings.csv", tmp_path)
    for name in ("labels", "ratings"):
        shutil.copy(features / f"{name}.csv", tmp_path / f"archive-{name}.csv")
    type_page(README, tmp_path)


@pytest.mark.parametrize("page", [README, *TUTORIALS], ids=lambda page: page.stem)
def test_install_lines_name_what_is_there(page: Path) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(install_lines(page))
    assert lines[:2] == ["python3 -m venv .venv", "source .venv/bin/activate"]
    (install,) = lines[2:]
    extras = re.fullmatch(r"pip install '\.\[([\w,]+)\]'", install)
    assert extras and set(extras[1].split(",")) <= set(project["optional-dependencies"])


def test_readme_has_a_screen_and_a_half() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 110


@pytest.mark.parametrize(
    ("printed", "said", "like"),
    [
        ("a  b\nc", "a b c", True),
        ("a b c", "a ...", True),
        ("a b c", "... c", True),
        ("b", "...\nb\n...", True),
        ("a 1 b 2 c", "a ... b ... c", True),
        ("a 1 c 2 b", "a ... b ... c", False),
        ("a b c", "a b", False),
        ("a b c", "b ...", False),
        ("a b", "... c", False),
    ],
)
def test_three_dots_are_anything(printed: str, said: str, like: bool) -> None:
    assert is_like(printed, said) == like


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("```sh\necho one\n```\n\n```text\ntwo\n```\n", "it is said to print\ntwo\n"),
        ("```sh\nreeltag models no_such_model\n```\n", "`reeltag models no_such_model` ended with"),
        ("```sh\nfalse\n```\n", "`false` ended with 1"),
        ("```text\nof nothing\n```\n", "it is said to print"),
    ],
)
def test_page_that_is_wrong_is_an_error(
    text: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PageError, match=re.escape(rule)):
        play(page)


def test_page_is_typed_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '```python title="three.py"\nNUMBER = 3\n```\n\n'
        "```sh\nexport PYTHONPATH=.\necho 1 \\\n    2  # continued\n```\n\n```text\n1 2\n```\n\n"
        "```python\nimport three\nnumber = three.NUMBER\n```\n\n"
        "```python\nprint(number)\n```\n\n```text\n3\n```\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.setenv("PYTHONPATH", "")
    assert [block.kind for block in blocks_of(page)] == [
        "python",
        "sh",
        "text",
        *["python"] * 2,
        "text",
    ]
    play(page)
