"""Fenced blocks of a page of the documentation.

A block of `sh` is typed, one of `python` is executed, or, with a title, is the content of that
file; a block of `text` is what the block before it prints, where `...` is anything. Others are
only shown.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)(?: title=\"(?P<title>[^\"]+)\")? *\n"
    r"(?P<text>.*?)^(?P=indent)``` *$",
    re.MULTILINE | re.DOTALL,
)
# typed once by a person to install; `test_install_lines_name_what_is_there` checks them
INSTALL = re.compile(r"(git clone|cd reeltag|python3? -m venv|source|pip install|make) ?(.*)")
FOLDER_OF_A_PACKAGE = re.compile(r"pip install \./(\w[\w-]*)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        kind: the word after the fence.
        title: of the file that it is; "" = of none.
        text: its content.
        line: of the page, on which the content begins.
    """

    kind: str
    title: str
    text: str
    line: int


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(found["kind"], found["title"] or "", found["text"], line)


def lines_of(block: Block) -> Iterator[str]:
    """Yield the command lines of a block of sh, joined where they are continued."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if shlex.split(line, comments=True):
            yield line


def install_lines(page: Path) -> Iterator[str]:
    """Yield the lines of a page that install, but those of a package that the page itself makes."""
    for block in blocks_of(page):
        if block.kind == "sh":
            yield from (line for line in lines_of(block) if _installs(line))


def _installs(line: str) -> bool:
    return INSTALL.match(line) is not None and FOLDER_OF_A_PACKAGE.match(line) is None
