"""The site builds without a warning, every link leads somewhere, and search needs no server."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.results import PROJECT
from tests.processes import run_program
from tests.server.browser.conftest import PATIENCE_MS, browser
from website.links import problems

__all__ = ["browser"]
pytestmark = pytest.mark.slow  # the site takes half a minute to build


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; mkdocs has nothing to warn of."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    done = run_program(command, cwd=PROJECT, environment={"NO_MKDOCS_2_WARNING": "1"})
    assert done.stdout + done.stderr == ""
    return folder


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """The first page of the site, from the file system."""
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto((site / "index.html").as_uri())
        yield page


def test_links_lead_somewhere_and_nothing_comes_from_another_host(site: Path) -> None:
    assert list(problems(site)) == []


def test_search_from_the_file_system_finds_an_option_of_a_command(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("input.md-search__input").click()
    page.keyboard.type("soft-weight")
    found = page.locator(".md-search-result__link")
    expect(found.first).to_be_visible(timeout=PATIENCE_MS)
    assert any("reference/cli/" in str(of.get_attribute("href")) for of in found.all())
    assert all(url.startswith("file:") for url in asked)


def test_page_is_as_wide_as_a_narrow_window_and_dark_in_a_dark_system(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
