"""The player of the page of a video: copies of files that browsers do not play, and its clock."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.server.browser.conftest import Site

VIDEO = "film_001"
_JOB = {
    "key": "copy",
    "kind": "proxy",
    "title": "Copy of a film",
    "message": "",
    "result": "",
    "started_at": "2026-01-01T00:00:00+00:00",
    "seconds": 1,
}
_COUNT_TICKS = """
window.ticks = 0;
const next = requestAnimationFrame.bind(window);
window.requestAnimationFrame = (run) => {
  if (String(run).includes("#tick")) window.ticks += 1;
  return next(run);
};
window.countTicks = (pictures) => new Promise((resolve) => {
  const before = window.ticks;
  const step = (left) => (left ? next(() => step(left - 1)) : resolve(window.ticks - before));
  step(pictures);
});
"""


@pytest.fixture
def copied(site: Site) -> Iterator[Site]:
    """A site whose copies of videos are made by a job that is done as soon as one looks."""
    job = {**_JOB, "state": "done", "fraction": 1.0}
    body = f"retry: 100000\ndata: {json.dumps(job)}\n\n"
    site.page.route(
        "**/api/jobs/events",
        lambda route: route.fulfill(body=body, content_type="text/event-stream"),
    )
    started = {**_JOB, "state": "running", "fraction": 0.5}
    site.page.route("**/api/proxy?*", lambda route: route.fulfill(status=202, json=started))
    file = f"{site.address}/media/video?id={VIDEO}"
    site.page.route("**/media/proxy?*", lambda route: route.continue_(url=file))
    yield site
    site.page.unroute_all(behavior="ignoreErrors")


def open_with(site: Site, proxy: str) -> Page:
    """Open the video as if its file had to be copied to be played."""

    def answer(route: Route) -> None:
        page = route.fetch()
        text = page.text()
        assert '"proxy": "not needed"' in text
        route.fulfill(
            response=page, body=text.replace('"proxy": "not needed"', f'"proxy": "{proxy}"')
        )

    site.page.route("**/video?id=*", answer)
    return site.open(f"/video?id={VIDEO}")


def test_copy_that_is_done_at_once_is_played(copied: Site) -> None:
    page = open_with(copied, "needed")
    make = page.get_by_role("button", name="Make a playable copy")
    expect(make).to_be_enabled()
    page.locator("jobs-menu > button").click()
    expect(page.locator("#jobs-panel")).to_contain_text("Copy of a film")  # its end is known
    make.click()
    expect(page.locator("video-player video")).to_have_attribute("src", f"/media/proxy?id={VIDEO}")


def test_copy_that_is_being_made_is_waited_for(copied: Site) -> None:
    page = open_with(copied, "making")
    expect(page.locator("video-player video")).to_have_attribute("src", f"/media/proxy?id={VIDEO}")


def test_player_follows_the_time_once_a_picture(site: Site) -> None:
    site.page.add_init_script(_COUNT_TICKS)
    page = site.open(f"/video?id={VIDEO}")
    expect(page.locator(".tl-lane").first).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    for _ in range(6):
        page.keyboard.press("m")
    ticks = page.evaluate("countTicks(10)")
    assert isinstance(ticks, int) and 5 <= ticks <= 11


def test_sliders_of_the_time_line_say_where_they_are_and_how_far_they_go(site: Site) -> None:
    page = site.open(f"/video?id={VIDEO}")
    track = page.locator(".tl-lane.current [role=slider]")
    expect(track).to_have_attribute("aria-valuemin", "0.0")
    duration = page.evaluate("document.querySelector('time-line').data.duration")
    expect(track).to_have_attribute("aria-valuemax", f"{duration:.1f}")
    page.evaluate("document.querySelector('time-line').data.curves[0].prob.fill(0.5)")
    for key, time in (("ArrowRight", "1.0"), ("ArrowRight", "2.0"), ("ArrowLeft", "1.0")):
        page.keyboard.press(key)  # the probability is the same
        expect(track).to_have_attribute("aria-valuenow", time)
        expect(track).to_have_attribute("aria-valuetext", f"0:0{time}, probability .50")
    page.keyboard.press("a")
    start, end = (page.locator(f".tl-edge.{of}") for of in ("start", "end"))
    expect(start).to_have_attribute("aria-valuenow", "1.0")
    expect(start).to_have_attribute("aria-valuemax", "5.8")
    expect(end).to_have_attribute("aria-valuemin", "1.2")
    expect(end).to_have_attribute("aria-valuetext", "0:06.0")
