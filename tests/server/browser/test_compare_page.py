"""The page that compares two finders, in a browser, by keyboard."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.server.browser.conftest import Site


def of_both(page: Page, field: str) -> list[Any]:
    """Return a property of the old finder's time line and of the new one's."""
    script = f"[...document.querySelectorAll('time-line')].map((of) => of.{field})"
    values = page.evaluate(script)
    assert isinstance(values, list)
    return values


def test_compare_page_says_what_is_missing(site: Site) -> None:
    page = site.open("/compare")
    expect(page.get_by_role("heading", name="Nothing to compare yet")).to_be_visible()
    assert not site.serious_violations() and not site.problems


def test_two_finders_are_compared_on_a_video_that_is_chosen_by_name(
    site: Site, newer: tuple[str, str]
) -> None:
    old, new = newer
    site.project.finders.use(old)  # none is before it: the newest two are compared
    page = site.open("/compare")
    expect(page.locator("select[name=new]")).to_have_value(new)
    expect(page.locator("select[name=old]")).to_have_value(old)
    name = site.project.videos.names[-1]
    expect(page.locator("h1")).not_to_have_text(name)
    page.locator("#video-name").press("ControlOrMeta+a")
    page.keyboard.type(name[:-1])
    site.enter()
    expect(page.locator("h1")).to_have_text(name)
    assert f"new={new}" in page.url
    expect(page.locator("#new-line canvas").first).to_be_visible()
    assert not site.serious_violations() and not site.problems


def test_compared_time_lines_move_together_by_the_keys_of_the_video_page(
    site: Site, newer: tuple[str, str]
) -> None:
    old, new = newer
    page = site.open(f"/compare?old={old}&new={new}&video=film_001")
    expect(page.locator(".tl-lane").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert of_both(page, "time") == [6, 6]
    expect(page.locator("#open")).to_have_attribute("href", "/video?id=film_001&at=6.0")
    duration = of_both(page, "data.duration")[0]
    page.keyboard.press("+")
    for start, end in zip(of_both(page, "span.start"), of_both(page, "span.end"), strict=True):
        assert start < 6 < end and end - start == pytest.approx(duration / 2)
    page.keyboard.press("0")
    assert of_both(page, "span.end") == [duration, duration]
    second = of_both(page, "lanes[1].name")
    page.keyboard.press("2")
    assert of_both(page, "current") == second
    page.keyboard.press("ArrowUp")
    assert of_both(page, "current") == of_both(page, "lanes[0].name")
    page.keyboard.press("r")
    names = [of.inner_text() for of in page.locator("section h2").all()[:2]]
    for name in names:
        expect(page.locator("#announcer")).to_contain_text(f"{name}: 0:06.0.")
    page.keyboard.press("End")
    assert of_both(page, "time") == [duration, duration]


@pytest.fixture
def choice(site: Site, newer: tuple[str, str]) -> Iterator[Page]:
    """The page of two finders, with the field of the video's name focused and empty."""
    old, new = newer
    page = site.open(f"/compare?old={old}&new={new}&video=film_001")
    page.locator("#video-name").press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    yield page
    page.unroute_all(behavior="ignoreErrors")


def offered(page: Page) -> list[str]:
    """Return the videos that are offered."""
    names = page.locator("#video-names option").evaluate_all("(of) => of.map((one) => one.value)")
    assert isinstance(names, list)
    return names


def found(*names: str) -> dict[str, object]:
    """Return an answer of videos, by their names."""
    return {"total": len(names), "offset": 0, "videos": [{"id": of, "name": of} for of in names]}


def test_name_that_others_begin_with_is_taken_by_enter_alone(site: Site, choice: Page) -> None:
    page = choice
    short, long = "film_00", "film_002"
    page.route("**/api/videos?*", lambda route: route.fulfill(json=found(short, long)))
    page.keyboard.type(short)
    expect(page.locator(f'#video-names option[value="{short}"]')).to_have_count(1)
    page.keyboard.type("2")
    expect(page.locator("#video-name")).to_have_value(long)  # and the page is still there
    site.enter()
    expect(page.locator("h1")).to_have_text("film_002.mp4")


def test_late_list_of_videos_leaves_what_is_typed_meanwhile(
    site: Site, newer: tuple[str, str]
) -> None:
    old, new = newer
    page, held = site.open(f"/compare?old={old}&new={new}&video=film_001"), list[Route]()

    def answer(route: Route) -> None:
        search = parse_qs(urlsplit(route.request.url).query).get("search", [""])[0]
        if search:
            route.fulfill(json=found(search))
        else:
            held.append(route)

    page.route("**/api/videos?*", answer)
    with page.expect_request("**/api/videos?*"):
        page.locator("#video-name").focus()
    page.locator("#video-name").evaluate("(of) => { of.value = 'film'; }")  # no list asked for yet
    with page.expect_response("**/api/videos?*"):
        held[0].fulfill(json=found("film"))
    expect(page.locator('#video-names option[value="film"]')).to_have_count(1)
    page.keyboard.type("_002")
    expect(page.locator("#video-name")).to_have_value("film_002")
    page.unroute_all(behavior="ignoreErrors")


def test_late_answer_about_videos_does_not_replace_a_newer_one(choice: Page) -> None:
    page, held = choice, list[Route]()

    def answer(route: Route) -> None:
        search = parse_qs(urlsplit(route.request.url).query)["search"][0]
        if search == "a":
            held.append(route)
        else:
            route.fulfill(json=found(search))

    page.route("**/api/videos?*", answer)
    with page.expect_request(lambda of: "search=a&" in of.url):
        page.keyboard.type("a")
    page.keyboard.type("b")
    expect(page.locator('#video-names option[value="ab"]')).to_have_count(1)
    with suppress(Error):  # the browser may have dropped it
        held[0].fulfill(json=found("a"))
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    assert offered(page) == ["ab"]


def test_compared_finders_fit_narrow_screens_and_say_when_they_were_made(
    site: Site, newer: tuple[str, str]
) -> None:
    rating = {"video": "film_001", "start_s": 3, "end_s": 8, "class_name": "beeps", "answer": "yes"}
    page = site.open("/learn")
    given = page.request.post(
        f"{site.address}/api/ratings", data=rating, headers={"X-Reeltag": "1"}
    )
    assert given.ok, given.text()
    old, new = newer
    site.open(f"/compare?old={old}&new={new}&video=film_001")
    expect(page.locator("#old-title")).to_contain_text("(")
    expect(page.locator("tbody tr")).to_have_count(1)
    for width in (320, 700, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        assert not site.sideways(), width
    assert not site.serious_violations() and not site.problems
