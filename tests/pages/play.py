"""Type all that a page says, in order.

Commands of reeltag are called in this process, as are blocks of Python; other lines are those of a
shell. Nothing is installed but packages that the page makes, which pip puts into `installed/`.
"""

import importlib
import io
import os
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from reeltag.cli.main import run
from reeltag.server import serving
from reeltag.server.app import create_app
from reeltag.server.project.project import Project
from reeltag.server.settings import ServerSettings
from tests.pages.blocks import FOLDER_OF_A_PACKAGE, INSTALL, Block, blocks_of, lines_of

_PIP = (
    "-m pip install --quiet --no-deps --no-index --no-build-isolation --disable-pip-version-check"
)


class PageError(Exception):
    """A page says what is not so."""


def play(page: Path) -> None:
    """Type all that a page says; PageError at the first block that does not do what it says."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = None
    for block in blocks_of(page):
        where = f"{page}:{block.line}"
        if block.kind == "text":
            if printed is None or not is_like(printed, block.text):
                raise PageError(
                    f"{where}: it is said to print\n{block.text}\nand prints\n{printed}"
                )
            continue
        with _printing() as output:
            if block.title:
                path = Path(block.title)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.kind == "sh":
                _type(block, where, output)
            elif block.kind == "python":
                exec(compile(block.text, where, "exec"), namespace)
        printed = output.getvalue()


def is_like(printed: str, said: str) -> bool:
    """Return whether a text is what a page says, where `...` is anything; spaces do not count.

    >>> is_like("moe   0.25  in 3 s", "moe 0... in ... s"), is_like("moe 0.25", "moe 0.2")
    (True, False)
    """
    first, *others = (" ".join(part.split()) for part in said.split("..."))
    rest = " ".join(printed.split())
    if not others:
        return rest == first
    if not rest.startswith(first):
        return False
    rest = rest[len(first) :]
    *between, last = others
    for part in between:
        _, found, rest = rest.partition(part) if part else ("", " ", rest)
        if not found:
            return False
    return rest.endswith(last)


def _type(block: Block, where: str, output: io.StringIO) -> None:
    """Type the lines of a block of sh."""
    for line in lines_of(block):
        words = shlex.split(line, comments=True)
        package = FOLDER_OF_A_PACKAGE.match(line)
        if package is not None:
            _install(Path(package[1]))
        elif words[0] == "reeltag":
            status = run(words[1:])
            if status:
                raise PageError(f"{where}: `{line}` ended with {status}\n{output.getvalue()}")
        elif words[0] == "export":
            name, _, value = words[1].partition("=")
            os.environ[name] = value
            if name == "PYTHONPATH":
                sys.path.insert(0, value)
        elif not INSTALL.match(line):
            shell = ["bash", "-c", line]
            done = subprocess.run(
                shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            print(done.stdout, end="")
            if done.returncode:
                raise PageError(f"{where}: `{line}` ended with {done.returncode}\n{done.stdout}")


def _install(source: Path) -> None:
    """Install a package that the page has written, for this process."""
    command = [sys.executable, *_PIP.split(), "--target", "installed", f"./{source}"]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(Path("installed").resolve()))
    importlib.invalidate_caches()


@contextmanager
def _printing() -> Iterator[io.StringIO]:
    """Yield what is printed in the block, results and words alike, in their order."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        yield output


def _serve(data: Path, settings: ServerSettings, *, run: Path | None = None, **_: object) -> None:
    """Look at the first page as `serve` shows it, and end."""
    project = Project.open(data, run=run)
    try:
        client = TestClient(create_app(project, settings), base_url=settings.url(8765))
        assert client.get("/").status_code == 200
        assert run is None or project.finders.current is not None
    finally:
        project.close()


def play_in(page: Path, folder: Path, answer: Connection) -> None:
    """Type all that a page says in a folder; the answer is what went wrong, or "".

    Args:
        page: to type.
        folder: in which it is typed.
        answer: takes the trace of what went wrong.
    """
    os.chdir(folder)
    sys.path.insert(0, "")
    serving.serve = _serve
    try:
        play(page)
    except PageError as error:
        answer.send(str(error))
    except BaseException:
        answer.send(traceback.format_exc())
        raise
    else:
        answer.send("")
