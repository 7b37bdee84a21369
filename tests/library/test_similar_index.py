"""Similar moments by an index: the moments of the exact search, an index that is kept, no faiss."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltag.core import extras
from reeltag.core.errors import OutputError
from reeltag.data.dataset import Dataset
from reeltag.library import similar
from reeltag.library.similar import MomentSearch
from reeltag.library.similarity import candidates
from reeltag.library.similarity.candidates import CandidateIndex
from tests.library.test_similar import WIDTHS, Frames, write_data

NUM_VIDEOS, LENGTH = 60, 40


def shots(number: int = NUM_VIDEOS) -> dict[str, Frames]:
    """Return videos of shots of 5 frames, each of one of 60 kinds, with some noise."""
    rng = np.random.default_rng(0)
    videos: dict[str, Frames] = {}
    kinds = {name: rng.normal(size=(60, width)) for name, width in WIDTHS.items()}
    for at in range(number):
        of = rng.integers(0, 60, LENGTH // 5).repeat(5)
        videos[f"v{at}"] = {
            name: (2 + kind[of] + 0.1 * rng.normal(size=(LENGTH, WIDTHS[name]))).astype(np.float32)
            for name, kind in kinds.items()
        }
    return videos


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the index decide: 100 candidates of 2,400 frames, of 8 lists of 37."""
    monkeypatch.setattr(similar, "_CANDIDATES", 100)
    monkeypatch.setattr(candidates, "PROBES", 8)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return write_data(tmp_path / "data", shots())


def indexed(data: Dataset, streams: tuple[str, ...] = (), **how: Any) -> MomentSearch:
    return MomentSearch(data, streams, quiet=True, index_from=1000, **how)


def files(data: Dataset) -> dict[str, int]:
    """Return the files of the index, and when they were written."""
    found = [*(data.path / ".reeltag").glob("similar-*.[fj]*")]
    return {path.name: path.stat().st_mtime_ns for path in found}


def test_index_in_a_folder_whose_name_is_no_utf8(tmp_path: Path) -> None:
    data = write_data(tmp_path / os.fsdecode(b"caf\xe9"), shots())
    asked: dict[str, Any] = {"at_s": 1.0, "window_s": 1.0, "top": 6}
    expected = MomentSearch(data, (), quiet=True).search("v1", **asked)
    for _ in range(2):  # built, and read
        found = indexed(data).search("v1", **asked)
        assert [(of.video, of.best_s) for of in found] == [(of.video, of.best_s) for of in expected]
        written = files(data)
        assert len(written) == 2
    indexed(data)
    assert files(data) == written


@pytest.mark.parametrize("streams", [(), ("rgb",)])
@pytest.mark.parametrize("window_s", [1.0, 3.0])
def test_index_finds_the_moments_of_the_exact_search(
    data: Dataset, streams: tuple[str, ...], window_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, search = MomentSearch(data, streams, quiet=True), indexed(data, streams)
    assert search.is_indexed and not exact.is_indexed
    monkeypatch.setattr(search, "_of_all", None)  # it is the index that finds them
    for at in range(5):
        asked: dict[str, Any] = {"at_s": 5.0 * at + 1, "window_s": window_s, "top": 6}
        expected = exact.search(f"v{at}", **asked)
        found = search.search(f"v{at}", **asked)
        assert [(of.video, of.best_s) for of in found] == [(of.video, of.best_s) for of in expected]
        similarities = [of.similarity for of in expected]
        # float32: sums of other portions
        assert [of.similarity for of in found] == pytest.approx(similarities, abs=1e-6)
        # the median is that of a sample: an end may differ by a frame
        assert sum(a.start_s != b.start_s for a, b in zip(found, expected, strict=True)) <= 1


def test_index_is_kept_until_the_data_change(data: Dataset, tmp_path: Path) -> None:
    first = indexed(data).search("v1", 7.0)
    kept = files(data)
    assert len(kept) == 2 and indexed(data).search("v1", 7.0) == first and files(data) == kept
    indexed(data, ("rgb",))
    assert len(files(data)) == 4 and kept.items() <= files(data).items()
    write_data(tmp_path / "more", shots(70))
    (tmp_path / "more" / "train1.tfrecord").rename(data.path / "train2.tfrecord")
    grown = Dataset.open(data.path, jobs=1, quiet=True)
    search = indexed(grown)
    assert len(files(data)) == 4 and not kept.keys() <= files(data).keys()
    assert len(search) == 70 * LENGTH and search._index is not None
    assert search._index._index.ntotal == len(search)


@pytest.mark.parametrize("damage", ["short", "other", "no json"])
def test_damaged_index_is_built_again(data: Dataset, damage: str) -> None:
    first = indexed(data).search("v1", 7.0)
    (index,) = (data.path / ".reeltag").glob("*.faiss")
    size = index.stat().st_size
    if damage == "short":
        index.write_bytes(index.read_bytes()[: size // 2])
    elif damage == "other":
        index.write_bytes(b"x" * size)
    else:
        (data.path / ".reeltag" / "similar-rgb+audio.json").write_text("[]")
    assert indexed(data).search("v1", 7.0) == first
    assert index.stat().st_size == size and index.read_bytes()[:1] != b"x"


def test_index_that_cannot_be_written_leaves_no_part(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faiss

    def fail(index: Any, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise RuntimeError("could not write to index: No space left on device")

    MomentSearch(data, quiet=True)
    before = sorted((data.path / ".reeltag").iterdir())
    monkeypatch.setattr(faiss, "write_index", fail)
    with pytest.raises(OutputError, match="cannot be written .No space left"):
        indexed(data)
    assert sorted((data.path / ".reeltag").iterdir()) == before


def test_too_few_candidates_are_made_more_and_then_all(data: Dataset) -> None:
    exact = MomentSearch(data, quiet=True)
    assert len(indexed(data).search("v0", 3.0, top=5000)) == len(exact.search("v0", 3.0, top=5000))


def test_small_data_and_exact_need_no_index(data: Dataset) -> None:
    assert not MomentSearch(data, quiet=True).is_indexed
    assert not indexed(data, exact=True).is_indexed and not files(data)


def test_without_faiss_all_frames_are_compared_and_a_line_says_so(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "_is_installed", lambda package: package != "faiss")
    search = indexed(data)
    assert not search.is_indexed and not files(data)
    assert search.search("v1", 7.0) == MomentSearch(data, quiet=True).search("v1", 7.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert "2,400 frames are compared" in line and "'reeltag[knn]'" in line


def test_memory_of_the_training_does_not_grow_with_the_data(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_MOST_LISTS", 4)
    monkeypatch.setattr(candidates, "_PCA_VALUES", 17 * 100)
    monkeypatch.setattr(candidates, "_ROWS", 128)
    sizes: list[int] = []
    search = MomentSearch(data, quiet=True)
    units = search._frames.units

    def counted(rows: Any) -> Any:
        sizes.append(len(rows))
        return units(rows)

    monkeypatch.setattr(search._frames, "units", counted)
    index = CandidateIndex(search._frames)
    assert max(sizes) == 128 and sum(sizes) == 100 + 4 * 64 + len(search)
    assert index._index.ntotal == len(search)
