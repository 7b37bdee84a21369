"""The page of a video, in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from reeltag.server.project.project import Project
from tests.server.browser.conftest import Site, looking
from tests.server.conftest import Served

VIDEO = "film_001"
RATINGS = re.compile("/api/ratings$")  # as they are posted


def stored(page: Page) -> None:
    """Wait until the server has stored all that was rated here."""
    expect(page.locator(".outbox")).to_have_attribute("data-waiting", "0")


def line(page: Page, field: str) -> object:
    """Return a property of the time line."""
    return page.evaluate(f"document.querySelector('time-line').{field}")


def open_class(site: Site, served: Served) -> tuple[Page, str]:
    """Open the video with a class that is in it; there are moments of it."""
    name = next(of for video, _, _, of in served.truth() if video == VIDEO)
    page = site.open(f"/video?id={VIDEO}&class={quote(name)}")
    expect(page.locator("#moments-title")).to_contain_text(name)
    expect(page.locator(".tl-lane").first).to_be_visible()
    return page, name


def test_moment_is_found_and_rated_by_keys_alone(site: Site, served: Served) -> None:
    page, name = open_class(site, served)
    page.keyboard.press("n")
    moment = line(page, "selection")
    assert isinstance(moment, dict) and moment["name"] == name
    page.keyboard.press("y")
    expect(page.locator(".toast")).to_contain_text(f"Yes: {name}")
    stored(page)
    (rating,) = site.project.ratings.views(VIDEO)
    assert (rating.class_name, rating.answer, rating.origin) == (name, "yes", "timeline")
    assert (rating.start_s, rating.end_s) == (moment["start"], moment["end"])
    expect(page.locator("#moments .yes[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("x")  # changed, not doubled
    expect(page.locator("#moments .no[aria-pressed=true]")).to_have_count(1)
    assert page.locator(".toast").count() <= 1  # in place of the one before
    stored(page)
    assert [of.answer for of in site.project.ratings.views(VIDEO)] == ["no"]
    page.keyboard.press("z")
    expect(page.locator("#moments .yes[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("z")
    expect(page.locator("#moments [aria-pressed=true]")).to_have_count(0)
    stored(page)
    assert not site.project.ratings.views(VIDEO)


def test_rating_is_kept_while_the_server_is_away(site: Site, served: Served) -> None:
    page, name = open_class(site, served)
    page.route(RATINGS, lambda route: route.abort())
    page.keyboard.press("n")
    page.keyboard.press("y")
    expect(page.locator("#moments .yes[aria-pressed=true]")).to_have_count(1)
    expect(page.locator("#ratings")).to_contain_text("not stored yet")
    expect(page.locator(".outbox")).to_contain_text("1 rating not stored yet")
    assert not site.project.ratings.views(VIDEO)
    page.unroute(RATINGS)
    page.reload()  # a page that is opened later sends it
    expect(page.locator("#ratings-count")).to_have_text("(1)")
    expect(page.locator("#ratings")).to_contain_text(name)
    assert [of.answer for of in site.project.ratings.views(VIDEO)] == ["yes"]
    site.problems.clear()  # the browser tells of each request that failed


def test_focus_stays_on_the_answer_of_a_moment(site: Site, served: Served) -> None:
    page, _ = open_class(site, served)
    no = page.locator("#moments .no").first
    no.focus()
    page.keyboard.press("Enter")
    expect(no).to_have_attribute("aria-pressed", "true")
    stored(page)
    expect(no).to_be_focused()


def test_interval_is_dragged_and_its_edges_are_nudged(site: Site, served: Served) -> None:
    page, name = open_class(site, served)
    track = page.locator(".tl-lane", has_text=name).locator(".tl-track")
    box = track.bounding_box()
    assert box is not None
    y, duration = box["y"] + 6, line(page, "data.duration")
    assert isinstance(duration, float)
    page.mouse.move(box["x"] + 0.25 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], y)
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.up()
    drawn = line(page, "selection")
    assert isinstance(drawn, dict) and drawn["name"] == name
    a_pixel = duration / box["width"]
    assert drawn["start"] == pytest.approx(0.25 * duration, abs=0.05 + a_pixel)
    assert drawn["end"] == pytest.approx(0.5 * duration, abs=0.05 + a_pixel)  # to a tenth
    page.locator(".tl-edge.end").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".tl-edge.start").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("y")
    expect(page.locator("#ratings-count")).to_have_text("(1)")
    stored(page)
    (rating,) = site.project.ratings.views(VIDEO)
    assert rating.start_s == pytest.approx(drawn["start"] - 1)
    assert rating.end_s == pytest.approx(drawn["end"] + 0.1)


def test_new_class_is_made_by_its_name_and_names_are_no_markup(site: Site, served: Served) -> None:
    page, _ = open_class(site, served)
    name = "<img src=x onerror=alert(1)> & 'co'"
    page.keyboard.press("c")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator(".tl-lane.current .tl-label")).to_contain_text(name)
    assert name in site.project.class_names
    page.keyboard.press("a")
    page.keyboard.press("y")
    expect(page.locator("#ratings-count")).to_have_text("(1)")
    stored(page)
    page.reload()
    expect(page.locator("#ratings")).to_contain_text(name)
    assert page.locator("main img").count() == 0


def test_video_plays_zooms_and_follows_by_keys(site: Site, served: Served) -> None:
    page, _ = open_class(site, served)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert line(page, "time") == 6
    page.keyboard.press(",")
    assert line(page, "time") == pytest.approx(5.9)  # 10 frames/s
    page.keyboard.press("+")
    span = line(page, "span")
    assert isinstance(span, dict) and span["start"] < 5.9 < span["end"]
    assert span["end"] - span["start"] == pytest.approx(line(page, "data.duration / 2"))
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".controls .number")).to_contain_text(re.compile(r"^0:0[6-9]\.[1-9]"))
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_video_page_lets_everyone_in_and_stands_still(site: Site, served: Served) -> None:
    for scheme in ("light", "dark"):
        site.page.emulate_media(color_scheme=scheme)
        page, _ = open_class(site, served)
        page.keyboard.press("n")
        assert not site.serious_violations()
        assert site.shifted() < 0.01  # 0.1 is called good
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.fixture
def features_alone(browser: Browser, published: Path) -> Iterator[Site]:
    """Published features in a browser: no files, no library."""
    project = Project.open(published)
    with looking(browser, project) as opened:
        yield opened
        assert not opened.problems
    project.close()


def test_video_without_a_file_has_a_cursor_that_moves(features_alone: Site) -> None:
    page = features_alone.open("/")
    page.locator(".cell a").first.click()
    expect(page).to_have_url(re.compile("/video"))
    expect(page.locator(".no-player")).to_contain_text("There is no file to play")
    page.keyboard.press("Space")
    expect(page.locator(".controls .number")).not_to_contain_text("0:00.0")
    page.keyboard.press("Space")
    assert page.locator("video").count() == 0


def test_class_without_a_curve_is_not_said_to_be_improbable(site: Site) -> None:
    page = site.open("/video?id=film_001")
    expect(page.locator(".tl-lane").first).to_be_visible()
    curve: dict[str, Any] = {"name": site.project.class_names[0], "threshold": 0.5, "moments": []}
    view = {"basis": "finder", "hop_s": 1, "curves": [curve]}
    page.route(re.compile("/api/curves"), lambda route: route.fulfill(json=view))
    for prob, words in (([], "There is no curve of"), ([0.1, 0.1], "is probable enough")):
        curve["prob"] = prob
        page.reload()
        expect(page.locator("#moments")).to_contain_text(words)
