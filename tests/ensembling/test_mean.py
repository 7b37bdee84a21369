"""The mean of predictions: against arithmetic, whatever the order of classes and the portions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltag.core.errors import ConfigError, DataError
from reeltag.ensembling import mean as ensembling
from reeltag.ensembling.mean import averaged, mean
from reeltag.inference.predictions import (
    About,
    Kind,
    Predictions,
    Rows,
    open_predictions,
    prediction_writer,
)

IDS = [f"v{i}" for i in range(7)]


def rows(scores: np.ndarray, starts: bool = True, ids: list[str] = IDS) -> Rows:
    """Return a row for each id, best class first."""
    order = np.argsort(-scores, axis=1)
    return Rows.of_matrix(
        ids,
        np.arange(len(ids), dtype=np.int32) * 5 if starts else None,
        order.astype(np.int32),
        np.take_along_axis(scores, order, 1).astype(np.float32),
    )


def written(path: Path, *parts: Rows, num_classes: int = 4) -> Path:
    with prediction_writer(path, About(num_classes=num_classes, family="logistic")) as writer:
        for part in parts:
            writer.write(part)
            writer.flush()
    return path


def read(path: Path, kind: str = "segments") -> dict[tuple[str, int], dict[int, float]]:
    found = {}
    for part in open_predictions(path).rows(kind):  # type: ignore[arg-type]
        for at in range(len(part)):
            here = slice(part.offsets[at], part.offsets[at + 1])
            assert (np.diff(part.scores[here]) <= 0).all()
            start = -1 if part.starts is None else int(part.starts[at])
            classes = part.classes[here].tolist()
            found[part.ids[at].as_py(), start] = dict(
                zip(classes, part.scores[here].tolist(), strict=True)
            )
    return found


def drawn(seed: int, count: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (count, 4))


def test_it_is_the_logit_of_the_mean_probability_of_each_class(tmp_path: Path) -> None:
    logits = [drawn(seed) for seed in range(3)]
    files = [written(tmp_path / f"{i}", rows(one)) for i, one in enumerate(logits)]
    assert mean(files, tmp_path / "mean") == {"segments": 7}
    probs = np.mean([1 / (1 + np.exp(-one)) for one in logits], axis=0)
    expected = np.log(probs / (1 - probs))
    found = read(tmp_path / "mean")
    for at, name in enumerate(IDS):
        got = found[name, 5 * at]
        assert [got[c] for c in range(4)] == pytest.approx(expected[at].tolist(), abs=1e-5)
    about = open_predictions(tmp_path / "mean").about
    assert about.num_classes == 4 and about.family == "mean of logistic"


def test_files_that_are_read_in_other_portions_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = drawn(0), drawn(1)
    parts = [rows(one, starts=False), rows(one)], [rows(other, starts=False), rows(other)]
    files = [written(tmp_path / name, *part) for name, part in zip("23", parts, strict=True)]
    whole = Predictions.rows

    def portions(self: Predictions, kind: Kind) -> Iterator[Rows]:
        """Yield 2 rows of the file "2" at a time, 3 of the file "3"."""
        size = int(self.path.name) if self.path.name in "23" else 100
        for part in whole(self, kind):
            for at in range(0, len(part), size):
                here, last = slice(at, at + size), min(at + size, len(part))
                yield Rows(
                    part.ids[here],
                    None if part.starts is None else part.starts[here],
                    part.offsets[at : last + 1] - part.offsets[at],
                    part.classes[part.offsets[at] : part.offsets[last]],
                    part.scores[part.offsets[at] : part.offsets[last]],
                )

    monkeypatch.setattr(Predictions, "rows", portions)
    assert mean(files, tmp_path / "mean") == {"videos": 7, "segments": 7}
    for starts, kind in ((True, "segments"), (False, "videos")):
        expected = averaged([rows(one, starts), rows(other, starts)])
        got = read(tmp_path / "mean", kind)
        assert [name for name, _ in got] == IDS
        scores = np.concatenate([list(found.values()) for found in got.values()])
        classes = np.concatenate([list(found) for found in got.values()])
        assert scores == pytest.approx(expected.scores)
        assert classes.tolist() == expected.classes.tolist()


def test_the_mean_of_one_or_of_equals_is_what_they_say_even_at_extremes() -> None:
    far = rows(np.array([[-200.0, -30.0, 30.0, 200.0]]), ids=["v"])
    for members in ([far], [far, far, far]):
        assert averaged(members).scores.tolist() == pytest.approx([200, 30, -30, -200])


def test_files_about_other_things_are_refused(tmp_path: Path) -> None:
    scores = drawn(0)
    first = written(tmp_path / "first", rows(scores))
    moved = rows(scores)
    later = Rows(moved.ids, moved.starts + 5, *list(vars(moved).values())[2:])  # type: ignore[operator, arg-type]
    fewer = Rows(
        moved.ids,
        moved.starts,
        np.arange(8, dtype=np.int64) * 2,
        np.tile(np.array([0, 1], np.int32), 7),
        np.zeros(14, np.float32),
    )
    named = Rows(pa.array(IDS[::-1]), *list(vars(moved).values())[1:])
    for other, told in (
        (rows(scores[:5], ids=IDS[:5]), "has fewer rows of segments"),
        (later, "about other segments"),
        (named, "about other segments"),
        (fewer, "holds other classes"),
    ):
        bad = written(tmp_path / "bad", other)
        with pytest.raises(DataError, match=told):
            mean([first, bad], tmp_path / "out")
        bad.unlink()
        assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="another number of classes"):
        mean([first, written(tmp_path / "bad", moved, num_classes=5)], tmp_path / "out")
    with pytest.raises(ConfigError, match="at least one"):
        ensembling.mean([], tmp_path / "out")
