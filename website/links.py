"""Check a built site: each link leads to a file and an anchor, and nothing comes from elsewhere.

python -m website.links build/docs    name what leads nowhere; exit status 1 where there is some
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LINKS = {"a": "href", "link": "href", "img": "src", "script": "src", "iframe": "src"}
_LOADED = (
    "img",
    "script",
    "iframe",
)  # and style sheets and icons: what a browser fetches by itself


@dataclass
class _Page(HTMLParser):
    """What a page links to, loads and names."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links to or is called."""
        values = dict(attrs)
        self.anchors |= {name for name in (values.get("id"), values.get("name")) if name}
        target = values.get(_LINKS.get(tag, ""))
        if target is None:
            return
        self.links.append(target)
        if tag in _LOADED or (tag == "link" and "canonical" not in (values.get("rel") or "")):
            self.loaded.append(target)


def problems(site: Path) -> Iterator[str]:
    """Yield a line for each link of a site that leads nowhere, and for what other hosts serve.

    Args:
        site: folder of the built site.
    """
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    anchors = {path: page.anchors | {""} for path, page in pages.items()}
    for path, page in pages.items():
        here = path.relative_to(site)
        for target in page.loaded:
            if urlsplit(target).netloc:
                yield f"{here}: loads {target} from another host"
        for target in dict.fromkeys(page.links):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if to.is_dir():
                to /= "index.html"
            if not to.is_file():
                yield f"{here}: {target} is no file"
            elif unquote(parts.fragment) not in anchors.get(to, {unquote(parts.fragment)}):
                yield f"{here}: {target} is no anchor"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def main(arguments: list[str] | None = None) -> int:
    """Print what leads nowhere; return 1 where there is some, and 2 where there is no site."""
    parser = argparse.ArgumentParser(prog="python -m website.links", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("site", type=Path)
    site = parser.parse_args(arguments).site.resolve()
    if not (site / "index.html").is_file():
        print(f"{site}: there is no site here; `make docs` builds it", file=sys.stderr)
        return 2
    found = list(problems(site))
    print("\n".join(found) or f"{site / 'index.html'}: every link leads somewhere")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
