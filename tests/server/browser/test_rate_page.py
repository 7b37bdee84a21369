"""The page that asks about windows, in a browser."""

import re

import pytest
from playwright.sync_api import Route, expect

from reeltag.server.project.new_ratings import NewRating
from reeltag.server.views.ratings import Answer
from tests.server.browser.conftest import Site


@pytest.mark.usefixtures("at_noon")
def test_windows_are_rated_and_taken_back_by_keys_alone(site: Site) -> None:
    page = site.open("/rate")
    done = page.locator("#done li")
    expect(page.locator("#question")).to_contain_text("Is this ")
    for number, key in enumerate("yxus", start=1):
        page.keyboard.press(key)
        expect(done).to_have_count(number)
    expect(page.locator("#today")).to_contain_text("3 ratings today")  # once all are stored
    given = site.project.ratings.views()
    assert sorted(of.answer for of in given) == ["no", "unsure", "yes"]  # a skip is none
    assert {of.origin for of in given} == {"queue"}
    page.keyboard.press("z")  # the skip
    page.keyboard.press("z")
    expect(done).to_have_count(2)
    expect(page.locator("#today")).to_contain_text("2 ratings today")
    assert sorted(of.answer for of in site.project.ratings.views()) == ["no", "yes"]


def test_two_pages_send_each_rating_once(site: Site) -> None:
    posted = re.compile("/api/ratings$")
    site.page.context.route(posted, lambda route: route.abort())
    pages = [site.page, site.page.context.new_page()]
    for page in pages:
        page.goto(f"{site.address}/rate")
        page.keyboard.press("y")
        expect(page.locator(".outbox")).to_contain_text("1 rating not stored yet")
    site.page.context.unroute(posted)
    for page in pages:
        page.evaluate("dispatchEvent(new Event('online'))")
    for page in pages:
        expect(page.locator(".outbox")).to_have_attribute("data-waiting", "0")
    library = site.project.library
    assert library is not None
    assert len(library.ratings.all(history=True)) == 2
    for page in pages:  # each knows what it gave
        page.keyboard.press("z")
        expect(page.locator("#done li")).to_have_count(0)
        expect(page.locator(".outbox")).to_have_attribute("data-waiting", "0")
    assert not site.project.ratings.views()
    site.problems.clear()  # the browser tells of each request that failed


@pytest.mark.parametrize("is_unanswered", [False, True])
def test_rating_whose_answer_is_lost_is_stored_once_and_taken_back(
    site: Site, is_unanswered: bool
) -> None:
    posted = re.compile("/api/ratings$")

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    library, page = site.project.library, site.page
    assert library is not None
    page.route(posted, lose_answer)
    page.goto(f"{site.address}/rate")
    page.keyboard.press("y")
    outbox = page.locator(".outbox")
    expect(outbox).to_contain_text("1 rating not stored yet")
    if is_unanswered:
        page.keyboard.press("z")
        expect(page.locator("#done li")).to_have_count(0)
    page.unroute(posted)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(outbox).to_have_attribute("data-waiting", "0")
    if not is_unanswered:
        assert len(site.project.ratings.views()) == 1
        page.keyboard.press("z")
        expect(page.locator("#done li")).to_have_count(0)
        expect(outbox).to_have_attribute("data-waiting", "0")
    assert not site.project.ratings.views()
    given = [of for of in library.ratings.all(history=True) if of.value is not None]
    assert len(given) == 1 and given[0].client_id
    site.problems.clear()  # the browser tells of each request that failed


def test_what_raters_disagree_on_is_shown_and_opens(site: Site) -> None:
    name = site.project.data.classes.names[0]
    said: list[tuple[str, Answer]] = [("Ada", "yes"), ("Ben", "no")]
    for who, answer in said:
        site.project.ratings.add(
            NewRating(
                video="film_001", start_s=2.0, end_s=5.0, class_name=name, answer=answer, who=who
            )
        )
    page = site.open("/rate")
    part = page.locator("#disagreements")
    expect(part).to_contain_text("1 window")
    expect(part.locator("li p")).to_have_text("yes Ada" + "no Ben")
    part.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/video\?id=film_001&at=2&class="))
    page = site.open("/rate")
    site.project.ratings.add(
        NewRating(
            video="film_001", start_s=2.0, end_s=5.0, class_name=name, answer="yes", who="Ben"
        )
    )
    page.keyboard.press("u")  # what is stored is looked at again
    expect(part).to_be_hidden()


def test_more_windows_are_waited_for_and_nothing_else_is_said(site: Site) -> None:
    page = site.page
    held: list[Route] = []
    is_held = True

    def hold(route: Route) -> None:
        held.append(route)
        if not is_held:
            route.continue_()

    page.route(re.compile("/api/rate[?]"), hold)
    site.open("/rate")
    done = page.locator("#done li")
    asked = page.evaluate("JSON.parse(document.querySelector('#view').textContent).windows.length")
    for number in range(1, asked + 1):
        page.keyboard.press("s")
        expect(done).to_have_count(min(number, 6))
    expect(page.locator("#question")).to_have_text("Choosing what to ask next …")
    expect(page.locator("#yes")).to_be_disabled()
    expect(page.locator("#nothing")).to_be_empty()
    is_held = False
    held[0].continue_()  # it is one at a time
    expect(page.locator("#question")).to_contain_text("Is this ")
    expect(page.locator("#yes")).to_be_enabled()


def test_rate_page_lets_everyone_in(site: Site) -> None:
    for scheme in ("light", "dark"):
        site.page.emulate_media(color_scheme=scheme)
        page = site.open("/rate")
        page.keyboard.press("x")
        expect(page.locator("#done li")).to_have_count(1)
        assert not site.serious_violations()
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
