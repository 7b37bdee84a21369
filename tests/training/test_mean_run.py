"""The mean of runs: its weights, what it says of itself, and what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.files import write_json
from reeltag.models import find_family
from reeltag.tagger.tagger import Tagger
from reeltag.training.fit import resume
from reeltag.training.mean_run import average_runs

STREAMS = [("rgb", 6), ("audio", 2)]


def made_run(folder: Path, seed: int, family: str = "nextvlad", **changes: Any) -> Path:
    """Write a run folder of random weights; `changes` are of its recipe."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    module = find_family(family)
    config = dataclasses.replace(module.tiny, num_classes=5, dims=(6, 2))
    names = [f"class {c}" for c in range(5)]
    tagger = Tagger(config, STREAMS, names)
    for name, tensor in tagger.state_dict().items():
        if not name.startswith("prepare."):
            tensor.copy_(torch.rand(tensor.shape))
    tagger.save_weights(folder)
    tagger.save_classes(folder)
    splits = {"train": "", "validate": "", "test": "", "holdout": 0.1}
    fold = {"count": 0, "hold_out": 0, "seed": 0, "by": "labels"}
    recipe = {"init": "START", "fold": fold, **changes}
    write_json(
        folder / "config.json", {**tagger.describe(), "data": {"splits": splits}, "recipe": recipe}
    )
    return folder


def edited(run: Path, edit: dict[str, Tensor]) -> None:
    save_file(load_file(run / "model.safetensors") | edit, run / "model.safetensors")


def config_of(run: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((run / "config.json").read_text())
    return config


def test_mean_run_tensors_are_means_in_float64(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / str(seed), seed) for seed in range(3)]
    average_runs(runs, tmp_path / "mean")
    parts = [load_file(run / "model.safetensors") for run in runs]
    found = load_file(tmp_path / "mean" / "model.safetensors")
    assert found.keys() == parts[0].keys() and any("running_var" in name for name in found)
    for name, value in found.items():
        expected = torch.stack([part[name].double() for part in parts]).mean(0).float()
        assert torch.equal(value, expected), name
    assert config_of(tmp_path / "mean")["averaged"] == [str(run) for run in runs]
    frames = torch.randint(0, 256, (9, 8), dtype=torch.uint8)
    assert len(Tagger.load(tmp_path / "mean").predict(frames, top_k=3)) == 3


def test_mean_of_one_run_with_itself_is_that_run(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", 0)
    average_runs([run, run, run / "model.safetensors"], tmp_path / "mean")
    one, other = (load_file(of / "model.safetensors") for of in (run, tmp_path / "mean"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_checkpoints_of_one_run_are_averaged_too(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", 0)
    later = {name: value + 2 for name, value in load_file(run / "model.safetensors").items()
             if not name.startswith("prepare.")}  # fmt: skip
    save_file(load_file(run / "model.safetensors") | later, run / "later.safetensors")
    average_runs([run, run / "later.safetensors"], tmp_path / "mean")
    found = load_file(tmp_path / "mean" / "model.safetensors")
    for name, value in later.items():
        torch.testing.assert_close(found[name], value - 1)


def test_mean_over_folds_has_seen_all_of_them(tmp_path: Path) -> None:
    fold = {"count": 3, "hold_out": 0, "seed": 0, "by": "labels"}
    one = made_run(tmp_path / "one", 0, fold=fold)
    two = made_run(tmp_path / "two", 1, fold=fold)
    three = made_run(tmp_path / "three", 2, fold={**fold, "hold_out": 1})
    average_runs([one, two], tmp_path / "same")
    average_runs([one, three], tmp_path / "mixed")
    assert config_of(tmp_path / "same")["recipe"]["fold"] == fold
    assert config_of(tmp_path / "mixed")["recipe"]["fold"]["count"] == 0


def test_runs_that_began_apart_are_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = made_run(tmp_path / "one", 0), made_run(tmp_path / "two", 1)
    fresh = made_run(tmp_path / "fresh", 2, init="")
    tuned = made_run(tmp_path / "tuned", 3, init=str(fresh))
    average_runs([one, two], tmp_path / "a")
    average_runs([fresh, tuned], tmp_path / "b")
    assert capsys.readouterr().err == ""
    average_runs([one, fresh], tmp_path / "c")
    assert "began with different weights (2 starts)" in capsys.readouterr().err


def test_runs_of_other_kinds_raise_and_what_differs_is_named(tmp_path: Path) -> None:
    one = made_run(tmp_path / "one", 0)

    def refused(other: Path, match: str) -> None:
        with pytest.raises(ConfigError, match=match):
            average_runs([one, other], tmp_path / "out")
        assert not (tmp_path / "out").exists()

    refused(made_run(tmp_path / "moe", 0, "moe"), "has family 'moe'; the first has 'nextvlad'")
    for number, (key, value, match) in enumerate(
        [
            ("model", {"hidden": 10}, "has model.hidden 10; the first has"),
            ("streams", [["a", 6], ["b", 2]], r"has streams \[\['a', 6\]"),
            ("preprocessing", {"dequantise": "samsung"}, "has preprocessing {"),
            ("data", {"splits": {"train": "x*"}}, "has splits {'train': 'x"),
        ]
    ):
        other = made_run(tmp_path / f"other{number}", 0)
        config = config_of(other)
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
        write_json(other / "config.json", config)
        refused(other, match)
    other = made_run(tmp_path / "classes", 0)
    (other / "classes.csv").write_text("index,name\n0,cat\n")
    refused(other, r"another class list \(1 classes\) than the first \(5\)")
    other = made_run(tmp_path / "whitened", 0)
    edited(other, {"prepare.scale": torch.full((8,), 2.0)})
    refused(other, r"'prepare.scale' differs: other eigenvalues\?")


def test_whole_numbers_are_never_averaged(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / str(seed), 0) for seed in range(2)]
    name = next(n for n in load_file(runs[0] / "model.safetensors") if n.endswith("running_mean"))
    shape = load_file(runs[0] / "model.safetensors")[name].shape
    counter = name.replace("running_mean", "num_batches")
    for run, count in zip(runs, (4, 9), strict=True):
        edited(run, {counter: torch.tensor(count), name: torch.ones(shape, dtype=torch.long)})
    average_runs(runs, tmp_path / "mean")
    assert load_file(tmp_path / "mean" / "model.safetensors")[counter] == 9
    edited(runs[1], {name: torch.zeros(shape, dtype=torch.long)})
    with pytest.raises(ConfigError, match=r"whole numbers .*running_mean' differ"):
        average_runs(runs, tmp_path / "again")


def test_mean_run_names_what_cannot_be_read(tmp_path: Path) -> None:
    one, two = made_run(tmp_path / "one", 0), made_run(tmp_path / "two", 1)
    with pytest.raises(OutputError, match="exists already"):
        average_runs([one, two], two)
    name = next(n for n in load_file(two / "model.safetensors") if "weight" in n)
    edited(two, {name: torch.full_like(load_file(two / "model.safetensors")[name], torch.nan)})
    with pytest.raises(DataError, match=f"'{name}' has NaN or infinity"):
        average_runs([one, two], tmp_path / "out")
    (two / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(DataError, match="damaged, or cut short"):
        average_runs([one, two], tmp_path / "out")
    (two / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"has no model.safetensors"):
        average_runs([one, two], tmp_path / "out")


def test_mean_is_no_training_that_could_go_on(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / str(seed), seed) for seed in range(2)]
    average_runs(runs, tmp_path / "mean")
    with pytest.raises(ConfigError, match="is the mean of other runs"):
        resume(tmp_path / "mean")
