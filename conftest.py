"""What the examples in the docstrings of `reeltag._api` find: DATA, RUN, PREDICTIONS and TMP."""

import gc
from pathlib import Path
from typing import Any

import pytest

gc.disable()  # what is imported stays: to look through it for garbage is a fifth of a collection


def pytest_collection_finish() -> None:
    """Collect garbage again, but of the tests alone."""
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A synthetic corpus of 4 classes, a run on it, and its predictions of the test split."""
    import reeltag  # here, so that collecting other tests does not import it

    root = tmp_path_factory.mktemp("examples")
    data = reeltag.synth(root / "data", videos=40, classes=4, rgb=16, audio=4, shards=3)
    recipe = reeltag.Recipe(max_steps=4, batch_size=8)
    run = reeltag.train(data, "logistic", root / "run", recipe=recipe).run
    reeltag.predict(run, data, root / "predictions.parquet")
    return {"DATA": data, "RUN": run, "PREDICTIONS": root / "predictions.parquet"}


@pytest.fixture(autouse=True)
def _names_of_examples(
    request: pytest.FixtureRequest, doctest_namespace: dict[str, Any], tmp_path: Path
) -> None:
    if "reeltag/_api.py" in request.node.nodeid:
        doctest_namespace |= {**request.getfixturevalue("examples"), "TMP": tmp_path}
        doctest_namespace |= {"Recipe": __import__("reeltag").Recipe}
