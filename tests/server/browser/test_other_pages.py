"""Searching, rating, learning and comparing, in a browser, by keyboard."""

import re

import pytest
from playwright.sync_api import expect

from tests.server.browser.conftest import Site


def test_search_page_shows_moments_and_rates_them(site: Site) -> None:
    name = site.project.data.classes.names[0]
    page = site.open("/search")
    page.locator("#class-list a", has_text=name).first.click()
    expect(page.locator("#what")).to_have_text(name)
    expect(page.locator("#count")).to_contain_text(re.compile(r"\d+ moment"))
    before = len(site.project.ratings.all())
    page.locator("#moments > li").first.focus()
    with page.expect_response(lambda of: of.url.endswith("/api/ratings")) as stored:
        page.keyboard.press("y")
    assert stored.value.status == 201
    expect(page.locator("#moments [aria-pressed=true]").first).to_be_visible()
    assert len(site.project.ratings.all()) == before + 1
    assert not site.serious_violations() and not site.problems


def test_rate_page_stores_an_answer_at_once_and_takes_it_back(site: Site) -> None:
    page = site.open("/rate")
    expect(page.locator("#question")).to_contain_text("Is this")
    before = len(site.project.ratings.all())
    with page.expect_response(lambda of: of.url.endswith("/api/ratings")) as stored:
        page.keyboard.press("x")
    assert stored.value.status == 201
    assert len(site.project.ratings.all()) == before + 1
    with page.expect_response(lambda of: of.request.method == "DELETE"):
        page.keyboard.press("z")
    assert len(site.project.ratings.all()) == before
    assert not site.serious_violations() and not site.problems


@pytest.mark.parametrize(("path", "words"), [("/learn", "Learn"), ("/compare", "compare")])
def test_pages_of_finders_say_what_there_is(site: Site, path: str, words: str) -> None:
    page = site.open(path)
    expect(page.locator("h1")).to_contain_text(words)
    if path == "/learn":
        expect(page.locator("#classes tbody tr")).to_have_count(site.project.data.num_classes)
    assert not site.serious_violations() and not site.problems
