"""The API as OpenAPI describes it: whatever is sent, the answer is one that is described."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.server.shells import HERE, PROGRAM
from tests.server.shown import Shown, showing

EXAMPLES = 4  # of each operation
CHOSEN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)
ENDLESS = "/api/jobs/events"
# of schemathesis' checks all are on, but for the one that takes each rule to be in the schema: that
# a search is for one of three things, or that a control character is in no path, is said in words
EXCLUDED = [positive_data_acceptance]


@pytest.fixture(scope="module")
def shown(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    place = tmp_path_factory.mktemp("api")
    (place / "none").mkdir()
    with showing(corpus, place / "none", place) as shown:
        yield shown


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_requests_of_any_kind_are_answered_as_described(shown: Shown, mode: GenerationMode) -> None:
    """Those that the description allows, and those that it does not."""
    app: Any = shown.client.app
    operations: Any = schemathesis.openapi.from_dict(app.openapi()).get_all_operations()
    seen = 0
    for result in operations:
        operation = result.ok()
        if operation.path == ENDLESS:
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @CHOSEN
        def run(case: Any) -> None:
            given = case.as_transport_kwargs(base_url=HERE)
            given["headers"] = {**dict(given.get("headers") or {}), **PROGRAM}
            given.pop("cookies", None)
            if isinstance(given.get("data"), bytes):
                given["content"] = given.pop("data")
            response = shown.client.request(**given)
            response.request.read()
            if response.status_code >= 400 and case.method != "HEAD":
                assert response.json()["error"]
            case.validate_response(response, excluded_checks=EXCLUDED)

        with suppress(Unsatisfiable):  # nothing that one could send is against the description
            run()
            seen += 1
    assert seen > 15
