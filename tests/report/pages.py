"""Pages as text, and what is read from it."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from reeltag.data.dataset import Dataset
from reeltag.evaluation.config import EvaluationConfig
from reeltag.report.page import Examples, ReportSource, write_report

CONFIG = {"split", "bootstrap"}  # fields that the tests change


def written(out: Path, **given: Any) -> str:
    """Write a page and return it with single blanks, and none between tags."""
    config = EvaluationConfig(**{"bootstrap": 0} | {k: given.pop(k) for k in CONFIG & given.keys()})
    examples = given.pop("examples", Examples())
    if "data" in given:
        given["data"] = Dataset.open(given["data"], quiet=True)
    write_report(out, ReportSource(**given), config, examples=examples, quiet=True)
    return re.sub(
        r"\s*(<[^>]*>)\s*(?=<)", r"\1", re.sub(r"\s+", " ", out.read_text(encoding="utf-8"))
    )


class Parsed(HTMLParser):
    """Collects what a browser would, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.unlabelled = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.unlabelled += tag == "svg" and not given.get("aria-label")
        self.unlabelled += tag == "th" and not given.get("scope")
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, column: str) -> list[list[str]]:
        """Return the rows of the first table with that column."""
        return next(rows[1:] for rows in self.tables if column in rows[0])


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>([^<]+)</h2>", page)
