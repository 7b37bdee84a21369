"""What a clone proves without the rest of the golden files."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.golden.selection import ELSEWHERE, HERE, golden_names, select
from tests.metrics.golden import read_case
from tests.models.golden import BUILDERS, builder_of
from tests.models.test_golden import ELSEWHERE as CHECKED_ELSEWHERE

NAMES = list(golden_names(HERE))
LAYERS = [Path(name).stem for name in NAMES if name.startswith("layers/")]
NO_NUMBERS = {"google_framelogistic", "willow_netvlad_gated"}  # no file of theirs exists


def test_selection_is_small() -> None:
    sizes = [path.stat().st_size for path in HERE.rglob("*") if path.is_file()]
    assert sum(sizes) <= 6_000_000
    assert max(sizes) <= 500_000


def test_selection_repeats(tmp_path: Path) -> None:
    whole = PROJECT.parent / "shared" / "golden"
    if not whole.is_dir():
        pytest.skip(f"no golden files at {whole}")
    select(whole, tmp_path)
    assert list(golden_names(tmp_path)) == NAMES
    for name in [*NAMES, ELSEWHERE]:
        assert (tmp_path / name).read_bytes() == (HERE / name).read_bytes(), name


@pytest.mark.parametrize("family", sorted(BUILDERS.keys() - NO_NUMBERS))
def test_selection_has_numbers_of_every_family(family: str) -> None:
    assert any(builder_of(stem) is BUILDERS[family] for stem in LAYERS if stem.startswith(family))


@pytest.mark.parametrize("start", sorted(CHECKED_ELSEWHERE.keys() - NO_NUMBERS))
def test_selection_has_numbers_of_every_loss_and_of_ceshine(start: str) -> None:
    assert any(stem.startswith(start) for stem in LAYERS)


def test_selection_has_every_kind_of_scores_and_labels() -> None:
    cases = [read_case(HERE / name) for name in NAMES if re.match(r"metrics/m(?!30)", name)]
    assert {case.tied for case in cases} == {case.soft for case in cases} == {True, False}
    positives = [case.labels.sum(0).gt(0) for case in cases]
    assert any(p.any() and not p.all() for p in positives)  # classes without positives, and none
    assert any(not p.any() for p in positives)
    assert any(case.scores.shape[1] == 3862 for case in cases)
    assert "metrics/m30_average_precision.npz" in NAMES
    assert {"golden_map.json", "segmap/expected.json"} <= {*NAMES}


def test_selection_has_every_kind_of_record_and_every_odd_one() -> None:
    cases = json.loads((HERE / "tfrecord" / "expected.json").read_text())["cases"]
    here = {Path(name).stem for name in NAMES if name.endswith(".tfrecord")} & cases.keys()
    sound = {name for name in cases if not name.startswith(("x_", "b_"))}
    assert {cases[name]["kind"] for name in here & sound} == {"frame", "segment", "video"}
    odd = set(
        re.findall(r"^\| `([xb]_\w+)`", (PROJECT / "docs/reference/records.md").read_text(), re.M)
    )
    assert odd <= here
