"""Prediction files aligned by id: every score is kept, whatever their order; bad ones are named."""

from pathlib import Path

import numpy as np
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.ensembling import alignment, ordering
from reeltag.ensembling.alignment import align_predictions
from reeltag.predictions import file as predictions
from reeltag.predictions.rows import Kind
from tests.ensembling.synthetic import Listed, drawn, write


def shuffled(listed: Listed, seed: int = 5) -> Listed:
    keys = list(listed)
    return {keys[at]: listed[keys[at]] for at in np.random.default_rng(seed).permutation(len(keys))}


Joined = dict[tuple[str, int], dict[int, list[float]]]


def as_dict(files: list[Path], kind: Kind = "videos", top_k: int = 0) -> Joined:
    """Return {(id, start): {class: [logit of each model]}}."""
    found: Joined = {}
    for block in align_predictions(files, kind, top_k):
        for at in range(len(block)):
            here = slice(block.indptr[at], block.indptr[at + 1])
            assert (np.diff(block.classes[here]) > 0).all()
            start = int(block.starts[at])
            pairs = zip(block.classes[here].tolist(), block.logits[here].tolist(), strict=True)
            found[block.ids[at].as_py(), start] = dict(pairs)
    return found


def by_hand(*models: Listed, top_k: int = 6) -> Joined:
    found = {}
    for key in models[0]:
        kept = {c for of in models for c in sorted(of[key], key=lambda c: -of[key][c])[:top_k]}
        found[key] = {c: [of[key].get(c, -np.inf) for of in models] for c in sorted(kept)}
    return found


@pytest.mark.parametrize("kind", ["videos", "segments"])
@pytest.mark.parametrize("top_k", [0, 2])
@pytest.mark.parametrize("small", [False, True])
def test_aligned_rows_have_every_class_and_the_logits_of_all_models(
    tmp_path: Path, kind: Kind, top_k: int, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small:  # blocks of 3 rows, temporary files of 7, portions of 5
        monkeypatch.setattr(alignment, "_CELLS", 18)
        monkeypatch.setattr(ordering, "_BUCKET_ROWS", 7)
        monkeypatch.setattr(ordering, "_HELD_PAIRS", 15)
        monkeypatch.setattr(predictions, "_READ_ROWS", 5)
    start = -1 if kind == "videos" else 0
    models = [drawn(seed, listed=2 + seed, start=start) for seed in range(3)]
    orders = [models[0], shuffled(models[1]), models[2]]
    files = [write(tmp_path / str(at), each) for at, each in enumerate(orders)]
    found = as_dict(files, kind, top_k)
    assert found == by_hand(*models, top_k=top_k or 6)
    assert list(found) == list(models[0])  # the order of the first file


def test_aligned_probabilities_are_0_for_unlisted_classes(tmp_path: Path) -> None:
    first, second = {("v", -1): {0: 2.0}}, {("v", -1): {3: -2.0}}
    (block,) = align_predictions([write(tmp_path / "1", first), write(tmp_path / "2", second)])
    yes = 1 / (1 + np.exp(-2))
    assert block.classes.tolist() == [0, 3]
    assert block.probs.tolist() == [[pytest.approx(yes), 0], [0, pytest.approx(1 - yes)]]


def test_alignment_refuses_files_with_other_rows(tmp_path: Path) -> None:
    listed = drawn(0, count=4)
    first = write(tmp_path / "first", listed)
    strange = {(f"w{at}", -1): each for at, each in enumerate(listed.values())}
    fewer = dict(list(listed.items())[:3])
    more = listed | {("w", -1): {0: 0.0}}
    for other, told in (
        (strange, r"none of its 4 videos is in .*'w0', 'w1', 'w2', ..."),
        (fewer, r"lacks 1 of the 4 videos of .*first: 'v3'"),
        (more, r"1 of its 5 videos are not in .*first: 'w'"),
    ):
        with pytest.raises(DataError, match=told):
            as_dict([first, write(tmp_path / "other", other)])
    with pytest.raises(DataError, match="holds no segments: an empty join"):
        as_dict([first], "segments")


def test_alignment_refuses_repeated_rows_classes_and_files(tmp_path: Path) -> None:
    listed = drawn(0, count=4)
    first = write(tmp_path / "first", listed)
    twice = write(tmp_path / "twice", listed, {("v2", -1): {0: 0.0}})
    for files in ([twice], [first, twice]):
        with pytest.raises(DataError, match="twice: has more than one row for 'v2'"):
            as_dict(files)
    with pytest.raises(ConfigError, match="is given twice"):
        as_dict([first, first])
    with pytest.raises(ConfigError, match="at least one file"):
        as_dict([])


def test_alignment_refuses_infinite_scores(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad", {("v", -1): {2: float("inf"), 1: 0.0}})
    with pytest.raises(DataError, match=r"row of 'v' holds an infinite score.* \(class 2\)"):
        as_dict([bad])


def test_alignment_refuses_other_classes(tmp_path: Path) -> None:
    listed = drawn(0, count=4)
    runs = [tmp_path / "run0", tmp_path / "run1"]
    for run, names in zip(runs, (["cat", "dog", *"cdef"], ["dog", "cat", *"cdef"]), strict=True):
        run.mkdir()
        lines = "\n".join(f"{at},{name}" for at, name in enumerate(names))
        (run / "classes.csv").write_text(f"index,name\n{lines}\n")
    first = write(tmp_path / "1", listed, run=str(runs[0]))
    with pytest.raises(DataError, match="has 7 classes; .* has 6"):
        as_dict([first, write(tmp_path / "2", listed, num_classes=7)])
    with pytest.raises(DataError, match="class 0 is 'dog'; in .* it is 'cat'"):
        as_dict([first, write(tmp_path / "2", listed, run=str(runs[1]))])
    assert as_dict([first, write(tmp_path / "2", listed, run=str(runs[0]))])
