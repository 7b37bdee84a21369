"""HEAD: what GET says, without the body, at every address that can be read."""

import pytest
from starlette.testclient import TestClient

ENDLESS = "/api/jobs/events"
PAGES = ("/", "/video", "/search", "/rate", "/learn", "/compare")
LENGTH = "content-length"


def addresses(client: TestClient) -> list[str]:
    described = client.get("/api/openapi.json").json()["paths"]
    readable = [path for path, of in described.items() if "get" in of and "{" not in path]
    return [*PAGES, *(f"{path}.json" for path in PAGES[1:]), *readable]


def test_head_is_get_without_its_body(client: TestClient) -> None:
    found = [path for path in addresses(client) if path != ENDLESS]
    assert {"/api/project", "/media/video"} <= set(found)
    query = {"id": "film_000", "class": "cat"}
    for path in (*found, "/static/dom.js", "/nowhere"):
        get, head = (client.request(of, path, params=query) for of in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert set(head.headers) == set(get.headers), path
        if head.status_code == 200:
            assert head.headers.get(LENGTH) == get.headers.get(LENGTH), path


@pytest.mark.parametrize("path", PAGES)
def test_head_of_a_page_is_that_of_html(client: TestClient, path: str) -> None:
    headers = {"accept": "text/html"}
    head = client.head(path, params={"id": "film_000"}, headers=headers)
    assert head.headers["content-type"].startswith("text/html")
    assert int(head.headers[LENGTH]) > 0 and head.content == b""


def test_head_of_what_never_ends_ends_and_keeps_no_place(client: TestClient) -> None:
    for _ in range(300):  # more than there are places for pages that listen
        head = client.head(ENDLESS)
        assert head.status_code == 200
        assert head.headers["content-type"].startswith("text/event-stream")


def test_head_changes_nothing(client: TestClient) -> None:
    assert client.head("/api/proxy", params={"id": "film_000"}).status_code == 405
