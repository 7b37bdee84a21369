"""Names of files, classes and people that are HTML or scripts: pages show them as they are."""

import csv
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog

from reeltag.server.project import curve_job
from reeltag.server.project.curves import curves_folder
from reeltag.server.project.new_ratings import NewRating
from reeltag.server.project.project import Project
from tests.server.browser.conftest import looking
from tests.server.conftest import Served

pytestmark = pytest.mark.system
CLASSES = (
    "<script>alert('class')</script>",
    "\"><img src=x onerror=alert('class')>",
    "</script><!--",
    "javascript:alert(1)",
    "{{7*7}}${7*7}",
    "=1+1|cmd",
    "x" * 300,
)
FILES = (
    "<img src=x onerror=alert(1)>",
    "\"'><script>alert(2)<",
    "a\nb\x1b[31m",
    "\u202etxt",
    "y" * 250,
)
PEOPLE = ("<img src=x onerror=alert('who')>", "\"'><script>alert('who')</script>")
INJECTED = (
    "img[src='x'], script:not([src]):not([type='application/json']), "
    "[onerror], [onclick], [onload], [href^='javascript' i], [src^='javascript' i]"
)


def _rename_classes(path: Path, names: dict[str, str], column: str) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, column: names.get(row[column], row[column])} for row in rows)


@pytest.fixture
def hostile(served: Served, tmp_path: Path) -> Iterator[Project]:
    """The films' project, with a finder and curves, all of it with hostile names."""
    run = Path(shutil.copytree(served.run, tmp_path / "run"))
    with (served.data / "classes.csv").open() as file:
        old = [row["name"] for row in csv.DictReader(file)]
    names = dict(zip(old, CLASSES, strict=False))
    for folder in (served.data, run):
        _rename_classes(folder / "classes.csv", names, "name")
    _rename_classes(served.data / "labels.csv", names, "class")
    films = tmp_path / "films"
    films.mkdir()
    with sqlite3.connect(served.data / "library.sqlite") as library:
        for film, name in zip(sorted(served.films.glob("*.mp4")), FILES, strict=False):
            copy = shutil.copy2(film, films / f"{name}.mp4")
            library.execute("UPDATE videos SET path = ? WHERE path = ?", (str(copy), str(film)))
        assert library.total_changes == len(FILES)
    library.close()
    project = Project.open(served.data, run=run)
    current = project.finders.current
    assert current is not None
    given = [str(served.data), str(run), str(curves_folder(project.folder, current.key))]
    assert curve_job.main([*given, "--length", "1"]) == 0
    for video in project.videos.ids:
        for name, who in zip(CLASSES, PEOPLE * 4, strict=False):
            project.ratings.add(
                NewRating(video=video, start_s=1, end_s=3, class_name=name, answer="yes", who=who)
            )
    yield project
    project.close()


def test_names_are_never_html(browser: Browser, hostile: Project) -> None:
    videos = [quote(of) for of in hostile.videos.ids]
    names = [quote(of) for of in hostile.class_names]
    pages = ["/", "/learn", "/compare", *(f"/video?id={of}" for of in videos)]
    pages += [f"/{page}?class={name}" for page in ("search", "rate") for name in names]
    asked = [quote(of, safe="") for of in (*CLASSES[:5], "\u202e")]
    fields = ("?search=", "?class=", "search?text=", "compare?video=", "video?id=", "nowhere/")
    pages += [f"/{field}{of}" for field in fields for of in asked]
    shown, dialogs = set[str](), list[str]()
    with looking(browser, hostile) as site:

        def dismiss(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        site.page.on("dialog", dismiss)
        for address in pages:
            page = site.open(address)
            page.wait_for_function("document.querySelector('main').textContent.trim() != ''")
            assert page.locator(INJECTED).count() == 0, address
            shown.add(page.locator("main").text_content() or "")
        refused = [
            of for of in site.problems if "the server responded with a status of 4" not in of
        ]
        assert not refused and not dialogs  # a refusal of the policy would be among the problems
    text = "\n".join(shown)
    assert not [of for of in (*CLASSES[:4], *FILES[:2], *PEOPLE) if of not in text]
