"""Ratios to the originals: of the same machine and the same batch, or none."""

import pytest

from benchmarks.figure import meets
from benchmarks.models import cases, ratio_rows
from benchmarks.originals import Original, originals
from benchmarks.results import Row

DBOF = "dbof_k8192_h1024"


@pytest.fixture
def original() -> Original:
    return originals()[DBOF]


def row_of(original: Original, rate: float, **changes: object) -> Row:
    sizes = {"batch": original.batch, "frames": original.frames} | changes
    return {"name": f"train {DBOF} bf16", "value": rate, "details": sizes}


def test_ratio_is_to_the_middle_of_the_originals_rates(original: Original) -> None:
    low, high = original.videos_per_second
    row = {**row_of(original, low + high), "machine": original.source.machine}
    assert original.ratio(row) == 2.0


@pytest.mark.parametrize("changes", [{"batch": 1024}, {"frames": 300}])
def test_ratio_at_another_size_is_none(changes: dict[str, object], original: Original) -> None:
    row = {**row_of(original, 200.0, **changes), "machine": original.source.machine}
    assert original.ratio(row) is None


def test_ratio_row_has_the_target_of_the_original(original: Original) -> None:
    (row,) = ratio_rows(DBOF, row_of(original, 10_000.0), original.source.machine)
    assert row["name"] == f"ratio {DBOF} bf16"
    assert row["met"] and meets(original.target, row["target"])


def test_ratio_on_another_machine_is_not_shown_and_says_so(
    original: Original, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ratio_rows(DBOF, row_of(original, 200.0), "4 cores of another") == []
    assert "4 cores of another" in capfd.readouterr().err
    assert ratio_rows("logistic", row_of(original, 200.0), "4 cores of another") == []


def test_models_with_an_original_are_measured_at_its_batch() -> None:
    by_variant = {case.variant: case for case in cases()}
    for variant, original in originals().items():
        case = by_variant[variant]
        assert (case.batch, case.frames) == (original.batch, original.frames)


def test_every_source_of_originals_names_date_and_hardware() -> None:
    for original in originals().values():
        assert original.source.date and original.source.hardware and original.source.how
