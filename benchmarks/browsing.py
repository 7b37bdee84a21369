"""How fast the video page is in a browser: when it first shows something, and when it is scrubbed.

    python -m benchmarks browsing

A synthetic film of 6 minutes at 720p, extracted and served as a person would, in Debian's chromium
without a GPU, 1280 x 900. First contentful paint is what the browser reports, from the request on,
each time in a fresh profile: nothing is cached. Scrubbing is the mouse button held on the time
line's ruler and moved over all of it and back; a frame is one of the page's animation frames, of
which the browser makes 60 a second at most.
"""

import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

from benchmarks.figure import figure
from benchmarks.proofs import reeltag
from benchmarks.results import Row
from benchmarks.served_process import served
from benchmarks.synthetic_films import repeat_film, write_unit

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
SECONDS, OPENINGS, SCRUBS = 360, 20, 5
STEPS = 150  # of the mouse, over the width of the time line
PAINT, FRAMES = "<= 1", ">= 50"
_COUNT_FRAMES = """
window.times = [];
const count = (now) => { window.times.push(now); window.counting = requestAnimationFrame(count); };
window.counting = requestAnimationFrame(count);
"""


def parts() -> dict[str, str]:
    """Return the parts of the benchmark: it has none."""
    return {}


def run(quick: bool) -> list[Row]:
    """Return the figures; none where there is no chromium.

    Args:
        quick: a film of 20 s, looked at once.
    """
    if not CHROMIUM.exists():
        return []
    seconds, openings, scrubs = (20, 1, 1) if quick else (SECONDS, OPENINGS, SCRUBS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = repeat_film(write_unit(folder / "unit.mp4"), folder / "film.mp4", seconds)
        reeltag(f"extract {film} --out {folder / 'data'}")
        with served(folder / "data") as server, server.client() as client:
            _wait_for_jobs(client)
            video = client.get("/api/videos").raise_for_status().json()["videos"][0]["id"]
            address = f"{server.url.rstrip('/')}/video?id={video}"
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                paints = [_first_paint(browser, address) for _ in range(openings)]
                intervals = _scrub(browser, address, scrubs)
                browser.close()
    rate = 1000 * len(intervals) / sum(intervals)
    late = statistics.quantiles(intervals, n=20)[-1]
    about: dict[str, object] = {"film_s": seconds, "openings": openings}
    p95 = statistics.quantiles(paints, n=20)[-1] if openings > 1 else paints[0]
    return [
        figure(
            "video page: first contentful paint, p95",
            p95 / 1000,
            "s",
            f"{PAINT} s",
            about | {"median_s": statistics.median(paints) / 1000},
        ),
        figure(
            "video page: scrubbing",
            rate,
            "frames/s",
            f"{FRAMES} frames/s",
            {"frames": len(intervals), "interval_p95_ms": late, "scrubs": scrubs},
        ),
    ]


def _wait_for_jobs(client: httpx.Client) -> None:
    """Wait until the curves are computed."""
    while any(job["state"] in ("waiting", "running") for job in client.get("/api/jobs").json()):
        time.sleep(0.5)


def _first_paint(browser: Browser, address: str) -> float:
    """Return the milliseconds from the request until the page first shows something."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.locator("time-line .tl-lane").first.wait_for()
    painted = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime",
    )
    context.close()
    return float(painted)


def _scrub(browser: Browser, address: str, scrubs: int) -> list[float]:
    """Return the milliseconds between animation frames while the time line is scrubbed."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.locator("time-line .tl-lane").first.wait_for()
    box = page.locator("time-line .tl-ruler").bounding_box()
    assert box is not None  # it is on the page
    middle, first, last = box["y"] + box["height"] / 2, box["x"] + 4, box["x"] + box["width"] - 4
    intervals = list[float]()
    for _ in range(scrubs):
        page.mouse.move(first, middle)
        page.mouse.down()
        page.evaluate(_COUNT_FRAMES)
        page.mouse.move(last, middle, steps=STEPS)
        page.mouse.move(first, middle, steps=STEPS)
        times = page.evaluate("cancelAnimationFrame(window.counting), window.times")
        page.mouse.up()
        intervals += [after - before for before, after in pairwise(times)]
    return intervals
