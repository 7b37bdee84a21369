"""Files of the project's root as pages of the site, and links to them."""

import os.path
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PAGES = {  # file in the root: page below docs/
    "CHANGELOG.md": "about/changelog.md",
    "CODE_OF_CONDUCT.md": "about/conduct.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "SECURITY.md": "about/security.md",
}
_CITED = re.compile(r"(?<![\w/`(\[])docs/([\w-]+(?:/[\w-]+)*\.md)")
_TARGET = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def pages() -> dict[str, str]:
    """Return the Markdown of each page by its path below docs/."""
    return {
        page: relinked((PROJECT / name).read_text(encoding="utf-8"), ".", page)
        for name, page in PAGES.items()
        if (PROJECT / name).is_file()
    }


def relinked(text: str, folder: str, page: str) -> str:
    """Return Markdown whose links work in the site.

    Args:
        text: with links relative to the folder that it is in.
        folder: that folder, relative to the project's root.
        page: path of the page below docs/.
    """

    def target(match: re.Match[str]) -> str:
        path = os.path.normpath(os.path.join(folder, match[1]))
        if path in PAGES:
            to = PAGES[path]
        elif path.startswith("docs/"):
            to = path.removeprefix("docs/")
        else:
            return match[1]
        return os.path.relpath(to, os.path.dirname(page))

    return _TARGET.sub(target, text)


def cited(text: str, page: str) -> str:
    """Return Markdown in which a page that is named, as docs/how-to/serve.md, is a link.

    Args:
        text: such as a help text.
        page: path of the page below docs/.

    >>> cited("as docs/how-to/serve.md says", "reference/cli/serve.md")
    'as [how-to/serve](../../how-to/serve.md) says'
    """

    def link(match: re.Match[str]) -> str:
        to = os.path.relpath(match[1], os.path.dirname(page))
        return f"[{match[1].removesuffix('.md')}]({to})"

    return _CITED.sub(link, text)
