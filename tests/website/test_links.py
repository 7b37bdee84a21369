"""Links of a built site that lead nowhere are named; what another host serves is, too."""

from pathlib import Path

import pytest

from website.links import main, problems
from website.root_pages import relinked

PAGE = '<a href="b.html#there">b</a><a href="https://example.org/">elsewhere</a><p id="here"></p>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1><a href="index.html#here">a</a>')
    return tmp_path


def test_sound_site_has_no_problems(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(site)]) == 0
    assert "every link leads somewhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ('<a href="c.html">', "index.html: c.html is no file"),
        ('<a href="b.html#gone">', "index.html: b.html#gone is no anchor"),
        ('<a href="#gone">', "index.html: #gone is no anchor"),
        ('<img src="gone.png">', "index.html: gone.png is no file"),
        ('<script src="https://x.org/a.js">', "index.html: loads https://x.org/a.js from another"),
        ('<link rel="stylesheet" href="//x.org/a.css">', "index.html: loads //x.org/a.css from"),
    ],
)
def test_broken_link_is_named(
    site: Path, added: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "index.html").write_text(PAGE + added)
    assert main([str(site)]) == 1
    assert capsys.readouterr().out.startswith(problem)
    assert len(list(problems(site))) == 1


def test_folder_without_a_site_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "make docs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "page", "link", "there"),
    [
        (".", "about/changelog.md", "docs/how-to/serve.md#pages", "../how-to/serve.md#pages"),
        (".", "about/security.md", "SECURITY.md", "security.md"),
        ("docs/how-to", "how-to/serve.md", "../../SECURITY.md", "../about/security.md"),
        ("docs/how-to", "how-to/serve.md", "moments.md", "moments.md"),
        (
            "docs/how-to",
            "how-to/serve.md",
            "https://example.org/docs/",
            "https://example.org/docs/",
        ),
    ],
)
def test_links_to_files_of_the_root_lead_to_their_pages(
    folder: str, page: str, link: str, there: str
) -> None:
    assert relinked(f"see [it]({link}).", folder, page) == f"see [it]({there})."
