"""The page of what can be learned, in a browser."""

import re
from typing import Any

from playwright.sync_api import Route, expect

from tests.server.browser.conftest import Site

JOB = {
    "key": "1",
    "kind": "learn",
    "title": "Learning from 2 ratings",
    "state": "running",
    "fraction": 0.5,
    "message": "half of it",
    "result": "",
    "started_at": "2026-01-01T00:00:00+00:00",
    "seconds": 1.0,
}
DIFFERENCE = {
    "name": "a class of some words",
    "old": 0.5,
    "new": 0.62,
    "low": -0.03,
    "high": 0.22,
    "num_ratings": 40,
    "verdict": "no difference shown",
}
COMPARISON = {
    "old": {"key": "1", "name": "finder of 222 ratings", "made_at": "2026-01-01T00:00:00+00:00"},
    "new": {"key": "2", "name": "finder of 276 ratings", "made_at": "2026-01-02T00:00:00+00:00"},
    "words": "no difference shown on 1 class",
    "num_ratings": 245,
    "classes": [DIFFERENCE],
}


def test_learning_begins_by_a_key_and_only_once(site: Site) -> None:
    page = site.open("/learn")
    asked: list[Any] = []

    def answer(route: Route) -> None:
        asked.append(route.request.method)
        route.fulfill(status=202, json=JOB)

    page.route(re.compile("/api/learn$"), answer)
    expect(page.locator("#learn")).to_be_enabled()
    page.keyboard.press("l")
    expect(page.locator("#job")).to_contain_text("Learning from 2 ratings")
    expect(page.locator("#learn")).to_be_disabled()
    page.keyboard.press("l")
    assert asked == ["POST"]


def test_learning_that_ends_while_the_page_is_away_is_noticed(site: Site) -> None:
    jobs: list[Any] = [JOB]
    site.page.route(re.compile("/api/jobs$"), lambda route: route.fulfill(json=jobs))
    page = site.open("/learn")
    expect(page.locator("#job")).to_contain_text("Learning from 2 ratings")
    expect(page.locator("#learn")).to_be_disabled()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    jobs[:] = [JOB | {"state": "done", "seconds": 2.0}]
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))")
    expect(page.locator(".toast")).to_contain_text("Learning from 2 ratings: done")
    expect(page.locator("#learn")).to_be_enabled()


def test_row_of_a_job_stays_while_it_goes_on(site: Site) -> None:
    page = site.open("/learn")
    page.route(
        re.compile("/api/learn$"),
        lambda route: route.fulfill(status=202, json=JOB),
    )
    page.keyboard.press("l")
    stop = page.get_by_role("button", name="Stop: Learning from 2 ratings")
    stop.focus()
    kept = page.evaluate(
        """async (job) => {
          const { showJobs } = await import("/static/jobs.js");
          const list = document.querySelector("#job");
          const row = list.firstElementChild;
          showJobs(list, [{ ...job, fraction: 0.75, message: "more of it" }]);
          return row === list.firstElementChild;
        }""",
        JOB,
    )
    assert kept
    expect(page.locator("#job")).to_contain_text("75 %")
    expect(page.locator("#job")).to_contain_text("more of it")
    expect(stop).to_be_focused()


def test_learn_page_lets_everyone_in(site: Site) -> None:
    for scheme in ("light", "dark"):
        site.page.emulate_media(color_scheme=scheme)
        page = site.open("/learn")
        expect(page.locator(".class-table tbody tr").first).to_be_visible()
        assert not site.serious_violations()
    page.set_viewport_size({"width": 320, "height": 640})
    meter = page.locator("#classes .meter").first
    assert meter.evaluate("of => of.clientWidth") > 100  # it is as wide as its cell
    assert not site.sideways() and not site.serious_violations()


def test_finders_and_their_comparison_fit_narrow_screens(
    site: Site, newer: tuple[str, str]
) -> None:
    page = site.open("/learn")
    expect(page.locator("#finders tr")).to_have_count(2)
    script = """async (view) => {
      const { showComparison } = await import("/static/learn-comparison.js");
      showComparison(document.querySelector("#comparison"), view, []);
    }"""
    page.evaluate(script, COMPARISON)
    told = page.locator("#comparison p.muted")
    expect(told).to_contain_text(
        re.compile(r"New: finder of 276 ratings \(.+\)\. Old: finder of 222 ratings \(.+\)\.")
    )
    for width in (320, 500, 700, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        assert not site.sideways(), width
    page.set_viewport_size({"width": 320, "height": 640})
    assert not site.serious_violations()
    row = page.get_by_role("table").get_by_role("row").filter(has_text="some words")
    expect(row.get_by_role("cell")).to_have_count(5)
    expect(row.get_by_role("rowheader")).to_have_text("a class of some words")
