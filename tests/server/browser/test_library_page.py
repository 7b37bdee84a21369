"""The page of all videos, in a browser."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Route, expect

from tests.server.browser.conftest import Site

_SCROLL_THROUGH = """async () => {
  const height = document.documentElement.scrollHeight;
  for (let step = 1; step <= 10; step += 1) {
    scrollTo(0, (step / 10) * height);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  }
}"""


def test_library_page_is_chosen_from_and_opened_by_keys(site: Site) -> None:
    page = site.open("/")
    expect(page.locator("#total")).to_contain_text("6 videos")
    expect(page.locator(".cell img")).to_have_count(6)
    page.keyboard.press("f")
    page.keyboard.type("film_00")
    page.keyboard.press("2")
    expect(page.locator(".cell .name")).to_have_text(["film_002.mp4"])
    assert parse_qs(urlsplit(page.url).query) == {"search": ["film_002"]}
    page.reload()  # the choice is in the address
    expect(page.locator(".cell .name")).to_have_text(["film_002.mp4"])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".cell .name")).to_have_count(6)
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")  # out of the field
    page.keyboard.press("v")
    expect(page.locator(".cell a").nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    site.enter()
    expect(page).to_have_url(re.compile(r"/video\?id=film_002"))


def test_video_has_the_focus_still_when_what_was_typed_before_is_found(site: Site) -> None:
    page = site.open("/")
    expect(page.locator(".cell .name")).to_have_count(6)
    held = list[Route]()
    page.route(re.compile("/api/videos"), lambda route: held.append(route))
    with page.expect_request(re.compile("/api/videos.*film_002")):
        page.keyboard.press("f")
        page.keyboard.insert_text("film_002")
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    expect(page.locator(".cell a").nth(0)).to_be_focused()
    for route in held:
        route.continue_()
    expect(page.locator(".cell .name")).to_have_text(["film_002.mp4"])
    expect(page.locator(".cell a")).to_be_focused()


def test_library_page_filters_by_a_class_that_is_completed(site: Site) -> None:
    page = site.open("/")
    name = site.project.curves.tags("film_001")[0][0] if site.project.curves else ""
    page.locator("#class-filter").fill(name[:3])
    page.locator("#choice [role=option]", has_text=name).first.click()
    expect(page.locator("#total")).to_contain_text("of 6")
    tagged = page.locator(".cell", has=page.locator(".chip.accent", has_text=name))
    expect(tagged).to_have_count(page.locator(".cell").count())
    page.locator("#state").select_option("error")
    expect(page.get_by_role("heading", name="No video is like that")).to_be_visible()
    page.get_by_role("button", name="Show all videos").click()
    expect(page.locator(".cell")).to_have_count(6)


def test_library_page_has_few_elements_for_ten_thousand_videos(site: Site) -> None:
    def answer(route: Route) -> None:
        offset = int(parse_qs(urlsplit(route.request.url).query)["offset"][0])
        facts = {"duration_s": 60, "state": "extracted", "reason": "", "tags": [], "num_ratings": 0}
        names = range(offset, min(offset + 60, 10_000))
        videos = [
            {"id": str(of), "name": f"number {of}", "has_poster": False, **facts} for of in names
        ]
        route.fulfill(json={"total": 10_000, "offset": offset, "videos": videos})

    page = site.open("/")
    page.route("**/api/videos?*", answer)
    page.locator("#search").fill("number")
    expect(page.locator("#total")).to_contain_text("10,000 videos")
    page.evaluate(_SCROLL_THROUGH)
    expect(page.locator(".cell", has_text="number 9999")).to_be_visible()
    assert page.locator(".cell").count() < 100


def test_library_page_fills_when_the_first_videos_come(site: Site) -> None:
    page = site.open("/")
    listed = {"total": 0, "offset": 0, "videos": list[object]()}
    page.route("**/api/videos?*", lambda route: route.fulfill(json=listed))
    page.locator("#search").fill("film")
    expect(page.locator("#none")).to_be_visible()
    expect(page.locator(".cell")).to_have_count(0)
    page.unroute("**/api/videos?*")
    expect(page.locator(".cell img")).to_have_count(6)
    expect(page.locator("#none")).to_be_hidden()


def test_library_page_says_what_failed_and_goes_on(site: Site) -> None:
    page = site.open("/")
    expect(page.locator(".cell")).to_have_count(6)
    words = {"error": "the shelf is empty", "hint": "Fill it."}
    page.route("**/api/videos?*", lambda route: route.fulfill(status=500, json=words))
    page.locator("#sort").select_option("length")
    expect(page.get_by_role("alert")).to_contain_text("the shelf is empty. Fill it.")
    page.unroute("**/api/videos?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator(".cell")).to_have_count(6)
    assert [of for of in site.problems if "500" in of]
    site.problems.clear()


def test_library_page_lets_everyone_in_and_stands_still(site: Site) -> None:
    for scheme in ("light", "dark"):
        site.page.emulate_media(color_scheme=scheme)
        page = site.open("/")
        expect(page.locator(".cell img")).to_have_count(6)
        assert not site.serious_violations()
        assert site.shifted() < 0.01  # 0.1 is called good
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_header_completes_a_class_and_shows_the_keys(site: Site) -> None:
    page = site.open("/")
    name = site.project.class_names[0]
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("search by name")
    page.keyboard.press("Escape")
    page.route("**/search?*", lambda route: route.fulfill(body="found"))
    page.keyboard.press("/")
    page.keyboard.type(name[:3].upper())
    expect(page.locator("search-box [role=option]").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    site.enter()
    expect(page).to_have_url(re.compile(r"/search\?class="))
