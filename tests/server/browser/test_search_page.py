"""The pages of searching and comparing, in a browser, by keyboard."""

import re

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


def test_compare_page_says_what_is_missing(site: Site) -> None:
    page = site.open("/compare")
    expect(page.get_by_role("heading", name="Nothing to compare yet")).to_be_visible()
    assert not site.serious_violations() and not site.problems
