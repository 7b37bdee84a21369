"""Pages from templates: names are escaped, and nothing in a page is a script of its own."""

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from reeltag.core.text import visible

STATIC = Path(__file__).with_name("static")
PROGRAMS = ("/api/", "/media/", "/static/")  # what is asked for by programs and pages, not people


@cache
def templates() -> Environment:
    """Return the templates; all that they print is escaped, whatever their name ends with."""
    environment = Environment(
        loader=PackageLoader("reeltag.server"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
    environment.filters["plain"] = jsonable_encoder  # a view as what `tojson` takes
    return environment


def render(
    request: Request, template: str, context: dict[str, Any], *, status: int = 200
) -> HTMLResponse:
    """Return a page.

    Args:
        request: that asks for it.
        template: its file.
        context: what the template knows besides `request`, as {"view": ..., "project": ...}.
        status: of HTTP.
    """
    html = visible(templates().get_template(template).render(request=request, **context))
    return HTMLResponse(html, status)


def wants_page(request: Request) -> bool:
    """Return whether a person asks: for a page, by a browser."""
    path = request.url.path
    is_page = not path.startswith(PROGRAMS) and not path.endswith(".json")
    return is_page and "text/html" in request.headers.get("accept", "")
