"""`reeltag train`: no flag is without effect."""

from pathlib import Path

import pytest

from reeltag.cli.main import run
from reeltag.models import moe
from reeltag.tagger.run_files import read_config


@pytest.mark.parametrize(
    "size", ["--model.num-classes=7", "--model.num_classes 7", "--model.dims 3 3"]
)
def test_train_raises_for_sizes_that_the_data_decide(
    corpus: Path, tmp_path: Path, size: str, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "moe", "--data", str(corpus), "--out", str(tmp_path / "run"), "--tiny"]
    assert run([*command, *size.split()]) == 2
    error = capfd.readouterr().err
    assert "has no effect" in error and "those of the data" in error
    assert not (tmp_path / "run").exists()


def test_train_tiny_makes_a_repeated_run_small(corpus: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    large = ["--model.num-experts", "5", "--max-steps", "2", "--batch-size", "8"]
    assert run(["train", "moe", "--data", str(corpus), "--out", str(first), *large]) == 0
    tiny = ["--tiny", "--max-steps", "1"]  # what is given wins over it
    assert run(["train", "--config", str(first), "--out", str(second), *tiny]) == 0
    config = read_config(second)
    assert config["model"]["num_experts"] == moe.TINY.num_experts != 5
    assert config["recipe"]["max_steps"] == 1 and config["recipe"]["batch_size"] == 16
