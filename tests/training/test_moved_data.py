"""A run goes on where its data are now, and says whether they are still the same."""

from pathlib import Path

import pytest

from reeltag.core.errors import DataError
from reeltag.data.class_list import ClassList
from reeltag.data.dataset import Dataset
from reeltag.models import logistic
from reeltag.training.config import Recipe
from reeltag.training.fit import resume, train
from tests.data.made import frame_record, write_shard

RECIPE = Recipe(batch_size=4, max_steps=2, accelerator="cpu")
OTHER = "has other training videos than when the run was begun"


def shard(folder: Path, name: str, first: int, count: int = 8) -> None:
    folder.mkdir(exist_ok=True)
    records = [frame_record(f"v{n}", labels=[n % 3]) for n in range(first, first + count)]
    write_shard(folder / f"{name}.tfrecord", records)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Return a run of 2 steps on the folder `data`, which is then moved to `moved`."""
    data = tmp_path / "data"
    shard(data, "train0", 0)
    shard(data, "validate0", 50)
    ClassList(("cat", "dog", "owl")).save(data / "classes.csv")
    train(Dataset.open(data, quiet=True), tmp_path / "run", logistic.TINY, RECIPE)
    data.rename(tmp_path / "moved")
    return tmp_path


def test_moved_data_are_asked_for_and_taken(begun: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"data: is not there\n.*--resume .*/run --data DATA"):
        resume(begun / "run", max_steps=3)
    assert resume(begun / "run", data=begun / "moved", max_steps=3).steps == 3
    assert OTHER not in " ".join(capfd.readouterr().err.split())


def test_other_training_videos_are_logged(begun: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shard(begun / "moved", "train1", 20, 5)
    assert resume(begun / "run", data=begun / "moved", max_steps=3).steps == 3
    logged = " ".join(capfd.readouterr().err.split())
    assert f"{OTHER}: 8 then, 13 now." in logged


def test_renamed_class_is_an_error(begun: Path) -> None:
    ClassList(("cat", "hound", "owl")).save(begun / "moved" / "classes.csv")
    with pytest.raises(DataError, match="class 1 is 'dog'; in .* 'hound'"):
        resume(begun / "run", data=begun / "moved", max_steps=3)


def test_run_of_an_earlier_version_goes_on(begun: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = begun / "run" / "config.json"
    lines = [line for line in path.read_text().splitlines() if '"records"' not in line]
    text = "\n".join(lines).replace('"videos": 8,', '"videos": 8')
    path.write_text(text)
    assert resume(begun / "run", data=begun / "moved", max_steps=3).steps == 3
    assert OTHER not in " ".join(capfd.readouterr().err.split())
