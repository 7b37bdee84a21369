"""docs/reference/http-api.md lists the requests that the server answers, and no others."""

import re

from fastapi.routing import APIRoute

from benchmarks.results import PROJECT
from reeltag.server.app import _routers

TEXT = (PROJECT / "docs" / "reference" / "http-api.md").read_text()


def listed(table: str) -> set[tuple[str, str]]:
    """Return method and path of each request in the first column of a table."""
    found = set()
    for cell in re.findall(r"^\| ((?:GET|POST|DELETE).*?) \| ", table, re.MULTILINE):
        for part in cell.split("; "):
            methods, paths = re.findall(r"\b[A-Z]{3,}\b", part), re.findall(r"/[^\s,?]+", part)
            found |= {(method, path) for method in methods for path in paths}
    return found


def test_requests_of_the_page_are_those_of_the_server() -> None:
    routes = [
        route
        for router in _routers()
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    served = {(method, route.path) for route in routes for method in route.methods or ()}
    assert listed(TEXT) == served - {of for of in served if of[0] == "HEAD"}


def test_cells_name_methods_and_paths() -> None:
    table = "| GET, POST /api/a; DELETE /api/a/{key} | x |\n| GET /api/b?id=, /api/c | y |\n"
    assert listed(table) == {
        ("GET", "/api/a"),
        ("POST", "/api/a"),
        ("DELETE", "/api/a/{key}"),
        ("GET", "/api/b"),
        ("GET", "/api/c"),
    }
