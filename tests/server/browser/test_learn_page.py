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
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    table = page.locator("#classes .scroll")
    assert table.evaluate("of => of.scrollWidth <= of.clientWidth")  # nor does the table scroll
    assert not site.serious_violations()
