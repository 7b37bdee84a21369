"""The page of searching, in a browser, by keyboard."""

import re

import pytest
from playwright.sync_api import expect

from reeltag.server.project import search
from reeltag.server.project.text_classes import TextMeaning
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


def test_arrow_keys_lead_through_the_grid_and_the_threshold_has_valid_ends(site: Site) -> None:
    site.page.set_viewport_size({"width": 600, "height": 700})  # two moments in a row
    name = site.project.data.classes.names[0]
    page = site.open(f"/search?class={name}&threshold=0.5")
    with page.expect_response(lambda of: "/api/search" in of.url) as found:
        page.locator("#threshold").press("Home")
    assert found.value.status == 200
    items = page.locator("#moments > li")
    expect(items).to_have_count(found.value.json()["total"])
    items.first.locator(".moment-link").focus()
    for key, place in (("ArrowDown", 2), ("ArrowRight", 3), ("ArrowUp", 1), ("Home", 0)):
        page.keyboard.press(key)
        expect(items.nth(place).locator(".moment-link")).to_be_focused()
    page.keyboard.press("x")
    expect(items.nth(1).locator(".moment-link")).to_be_focused()  # on to the next
    assert not site.serious_violations()  # that of a moment said no to, too


def test_moments_are_exported_and_a_refusal_is_reported_and_not_saved(site: Site) -> None:
    name = site.project.data.classes.names[0]
    page = site.open(f"/search?class={name}")
    page.locator("#export summary").press("Enter")
    with page.expect_download() as saved:
        page.locator("#export button", has_text="csv").press("Enter")
    assert saved.value.suggested_filename.endswith(".csv")
    told = {"error": "nothing was written", "hint": "Take another format."}
    page.route(re.compile("/api/search/export"), lambda route: route.fulfill(status=422, json=told))
    page.locator("#export summary").press("Enter")
    page.locator("#export button", has_text="youtube").press("Enter")
    expect(page.locator("#toasts")).to_have_text("nothing was written. Take another format.")
    site.problems.clear()  # the browser speaks of the 422


def test_text_that_means_no_class_leads_to_the_nearest_ones(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = site.project.data.classes.names
    nothing = TextMeaning("", alike=names[:2])
    monkeypatch.setattr(search, "meaning_of", lambda text, names: nothing)
    page = site.open("/search?text=zzzz")
    expect(page.get_by_role("heading", name="No class is like “zzzz”")).to_be_visible()
    expect(page.locator("#suggestions")).to_have_text(f"Did you mean{''.join(names[:2])}")
    assert page.locator("#threshold-row").is_hidden() and page.locator("#rate-as-row").is_hidden()
    assert not site.serious_violations()
    page.locator("#suggestions a").first.press("Enter")
    expect(page.locator("#what")).to_have_text(names[0])
    assert not site.problems


def test_rating_is_taken_back_on_the_moments_of_another_threshold(site: Site) -> None:
    name = site.project.data.classes.names[0]
    page = site.open(f"/search?class={name}&threshold=0.5")
    first = page.locator("moment-card").first
    first.locator(".moment-link").focus()
    page.keyboard.press("y")
    expect(first).to_have_attribute("data-verdict", "yes")
    with page.expect_response(lambda of: "/api/search?" in of.url):
        page.locator("#threshold").press("ArrowLeft")
    expect(page.locator("#moments")).to_have_attribute("aria-busy", "false")
    expect(page.locator("moment-card[data-verdict=yes]")).to_have_count(1)
    page.locator("#threshold").blur()
    page.keyboard.press("z")
    expect(page.locator("moment-card[data-verdict=yes]")).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('moment-card') !== null")


def test_stills_have_the_shape_of_their_videos(site: Site) -> None:
    name = site.project.data.classes.names[0]
    video = f"{site.address}/api/video?id={site.project.videos.ids[0]}"
    sprite = site.page.request.get(video).json()["sprite"]
    page = site.open(f"/search?class={name}&threshold=0.5")
    still = page.locator("moment-loop > .thumbnail").first
    expect(still).to_be_visible()
    box, place = still.bounding_box(), page.locator("moment-loop").first.bounding_box()
    assert box is not None and place is not None
    assert box["width"] / box["height"] == pytest.approx(sprite["width"] / sprite["height"], 0.02)
    assert box["height"] == pytest.approx(place["height"], abs=1)  # as large as there is room
