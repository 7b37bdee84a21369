"""The API as OpenAPI describes it: whatever is sent, no request is a failure of the server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings

from tests.server.shells import HERE, PROGRAM
from tests.server.shown import Shown, showing

EXAMPLES = 4  # of each operation
ENDLESS = "/api/jobs/events"


@pytest.fixture(scope="module")
def shown(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    place = tmp_path_factory.mktemp("api")
    (place / "none").mkdir()
    with showing(corpus, place / "none", place) as shown:
        yield shown


def test_requests_of_any_kind_are_no_failure_of_the_server(shown: Shown) -> None:
    app: Any = shown.client.app
    operations: Any = schemathesis.openapi.from_dict(app.openapi()).get_all_operations()
    seen = 0
    for result in operations:
        operation = result.ok()
        if operation.path == ENDLESS:
            continue

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
        def run(case: Any) -> None:
            given = case.as_transport_kwargs(base_url=HERE)
            given["headers"] = {**dict(given.get("headers") or {}), **PROGRAM}
            given.pop("cookies", None)
            if isinstance(given.get("data"), bytes):
                given["content"] = given.pop("data")
            response = shown.client.request(**given)
            assert response.status_code < 500, (case.method, given["url"], response.text)
            if response.status_code >= 400:
                assert response.json()["error"]

        run()
        seen += 1
    assert seen > 20
