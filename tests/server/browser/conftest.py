"""A browser, and servers for it to look at. Without chromium these tests are skipped."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from safetensors.torch import load_file, save_file

from reeltag.server.app import create_app
from reeltag.server.project.curves import curves_folder
from reeltag.server.project.project import Project
from tests.processes import HANG_S, wait_until
from tests.server.conftest import Served

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",  # root, as in a container, has no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 300_000  # for what comes at once; it only ends a test that would wait forever
expect.set_options(timeout=PATIENCE_MS)
_WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Site:
    """A server and a browser's page of it.

    Attributes:
        page: of the browser.
        project: that is served.
        problems: what the browser complained of: scripts that failed, refused addresses.
    """

    page: Page
    project: Project
    address: str
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open an address of the server."""
        self.page.goto(self.address + path)
        return self.page

    def enter(self) -> None:
        """Press Enter where that leaves the page; it is not released, for a page that is left may
        never say that it has heard so, and a key has no limit of time."""
        self.page.keyboard.down("Enter")

    def serious_violations(self) -> list[str]:
        """Return what axe finds on the page that keeps people out."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{of['id']}: {[node['target'] for node in of['nodes']]}"
            for of in found
            if of["impact"] in ("serious", "critical")
        ]

    def sideways(self) -> list[str]:
        """Return what is wider than its place: the page, or tables that scroll in their box."""
        boxes = "[document.documentElement, ...document.querySelectorAll('.scroll')]"
        wide = "(of) => of.scrollWidth > of.clientWidth"
        words = "(of) => of.ariaLabel ?? (of.id || of.localName)"
        found = self.page.evaluate(f"{boxes}.filter({wide}).map({words})")
        assert isinstance(found, list)
        return found

    def shifted(self) -> float:
        """Return how much of the page has moved by itself: the cumulative layout shift."""
        return float(self.page.evaluate("window.shifted"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; its loop would disturb other tests, so it ends with the module."""
    if not CHROMIUM.exists():
        pytest.skip("no chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS
        )
        with closing(launched) as opened:
            yield opened


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """Serve a project from a thread; yields its address."""
    config = uvicorn.Config(create_app(project), port=0, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    started = threading.Event()
    begin = server.startup

    async def startup(sockets: list[object] | None = None) -> None:
        await begin(sockets)  # type: ignore[arg-type]
        started.set()

    server.startup = startup  # type: ignore[method-assign, assignment]
    thread.start()
    try:
        wait_until(lambda: started.is_set() or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.force_exit = server.should_exit = True  # pages that listen are not waited for
        thread.join(HANG_S)


@contextmanager
def looking(browser: Browser, project: Project, **options: object) -> Iterator[Site]:
    """Open a project in a browser."""
    with serving(project) as address:
        size = {"width": 1280, "height": 900}
        with closing(browser.new_context(viewport=size, **options)) as context:  # type: ignore[arg-type]
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.add_init_script(_WATCH_SHIFTS)
            site = Site(page, project, address)

            def hear(message: ConsoleMessage) -> None:
                if message.type == "error":
                    site.problems.append(f"{message.text} {message.location.get('url', '')}")

            page.on("console", hear)
            page.on("pageerror", lambda error: site.problems.append(str(error)))
            yield site


@pytest.fixture
def site(browser: Browser, curved: Project) -> Iterator[Site]:
    """The films' project in a browser; its curves are computed."""
    with looking(browser, curved) as opened:
        yield opened
        assert not opened.problems


@pytest.fixture
def newer(site: Site, served: Served, tmp_path: Path) -> tuple[str, str]:
    """Two finders of the films with curves; returns the keys of the old and the new one."""
    project, old = site.project, site.project.finders.current
    assert old is not None
    run = shutil.copytree(served.run, tmp_path / "newer")
    weights = run / "model.safetensors"
    save_file({name: 1.01 * of for name, of in load_file(weights).items()}, weights)
    new = project.finders.add(run, 7)
    shutil.copytree(curves_folder(project.folder, old.key), curves_folder(project.folder, new.key))
    return old.key, new.key
