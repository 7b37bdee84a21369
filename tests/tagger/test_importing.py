"""Checkpoints of the authors as runs: their numbers, their sizes, and arrays that do not fit."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import reeltag
from reeltag.cli.main import run
from reeltag.core.errors import OutputError
from reeltag.models import _registry, moe, register_model
from reeltag.tagger.importing import TensorflowArrays
from reeltag.tagger.run_files import read_class_names, read_config
from tests.conftest import golden_files
from tests.data.importing.archives import ask_for_password
from tests.models.golden import Golden, builder_of

Arrays = dict[str, Any]
FAMILIES: dict[
    str, tuple[str, dict[str, Any]]
] = {  # start of a golden file's name -> family, and the options that no array shows
    "google_logistic": ("logistic", {}),
    "google_moe": ("moe", {}),
    "google_dbof_medium": ("dbof", {"activation": "sigmoid"}),
    "google_dbof_nobn": ("dbof", {"activation": "sigmoid"}),
    "google_dbof_relu6_max": ("dbof", {}),
    "google_dbof_sigmoid_average": ("dbof", {"activation": "sigmoid", "pooling": "mean"}),
    "google_dbof_sigmoid_max": ("dbof", {"activation": "sigmoid"}),
    "google_lstm": ("lstm", {}),
    "lin_moe": ("moe", {}),
    "lin_model_nextvlad": ("nextvlad", {}),
    "linv3_model_nextvlad_logistic": ("nextvlad", {}),
    "lin_model_mix": ("mix_nextvlad", {"count_padding": True}),
    "willow_moe2": ("moe", {}),
    "willow_moe2_probgate_nodiag": ("moe", {"remove_diagonal": True}),
    "willow_model_netvlad": ("netvlad", {}),
    "willow_model_netrvlad": ("netvlad", {}),
    "willow_model_netvlagd": ("netvlad", {}),
    "willow_model_netfv": ("netfv", {}),
    "willow_model_softdbow": ("soft_dbow", {}),
    "willow_model_gateddbow": ("soft_dbow", {}),
    "willow_model_lstm": ("lstm", {}),
    "willow_model_lstm_backward": ("lstm", {"backward": True}),
    "willow_model_gru": ("gru", {}),
}
RAW = ["--preprocessing.normalise", "none", "--preprocessing.no-reverse-whitening"]


def family_of_golden(stem: str) -> tuple[str, dict[str, Any]] | None:
    starts = [start for start in FAMILIES if stem.startswith(start)]
    return FAMILIES[max(starts, key=len)] if starts else None


FILES = [
    Golden(path, make)
    for path in golden_files("layers/*.npz")
    if family_of_golden(path.stem) and (make := builder_of(path.stem))
]


def dump(golden: Golden, path: Path) -> Path:
    """Write the weights of a golden file as a checkpoint's dump, with an optimiser's variables."""
    arrays: Arrays = {f"tower/{name}": array for name, array in golden.group("var").items()}
    arrays |= {f"{name}/{slot}": arrays[name] for name in arrays for slot in ("Adam", "Adam_1")}
    np.savez(path, **arrays, global_step=np.array(7), beta1_power=np.float32(0.9))
    return path


@pytest.fixture
def arrays(rng: torch.Generator) -> Arrays:
    """Variables of a mixture of 2 experts for 8 classes and streams of 16 + 4."""
    sizes = {"gates/weights": (20, 24), "experts/weights": (20, 16), "experts/biases": (16,)}
    return {f"tower/{n}": torch.randn(size, generator=rng).numpy() for n, size in sizes.items()}


@pytest.fixture
def file(arrays: Arrays, tmp_path: Path) -> Path:
    np.savez(tmp_path / "model.npz", **arrays)
    return tmp_path / "model.npz"


@pytest.fixture
def fails(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run an import that must fail with status 2; return its words in one line."""

    def message(*arguments: object) -> str:
        assert run(["import-weights", *map(str, arguments)]) == 2
        captured = capfd.readouterr()
        assert not captured.out and "should not happen" not in captured.err
        return " ".join(captured.err.split())

    return message


@pytest.mark.golden
@pytest.mark.parametrize("golden", FILES, ids=lambda g: str(g.path.stem))
def test_imported_run_gives_the_authors_predictions(golden: Golden, tmp_path: Path) -> None:
    family, options = family_of_golden(golden.path.stem) or ("", {})
    file, out = dump(golden, tmp_path / "model.npz"), tmp_path / "run"
    flags = [f"--model.{name.replace('_', '-')}" for name in options]
    values = [str(value) for value in options.values()]
    given = [word for pair in zip(flags, values, strict=True) for word in pair if word != "True"]
    assert run(["import-weights", family, str(file), "--out", str(out), *given, *RAW]) == 0
    tagger = reeltag.load(out)
    frames, mask = golden.inputs(torch.float32)
    probs = tagger(frames, mask).sigmoid()
    theirs = torch.from_numpy(golden.arrays["eval_f64.predictions"]).float()
    torch.testing.assert_close(probs, theirs, rtol=1e-5, atol=1e-5)


def test_imported_run_predicts_evaluates_exports_and_starts_a_training(
    file: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, predicted = tmp_path / "run", tmp_path / "p.parquet"
    classes = ["--classes", str(corpus / "vocabulary.csv")]
    command = ["import-weights", "moe", str(file), "--out", str(out), "--dims", "16", "4", *classes]
    assert run([*command, "--json"]) == 0
    summary = json.loads(capfd.readouterr().out)
    assert summary["streams"] == {"rgb": 16, "audio": 4} and summary["num_classes"] == 8
    assert summary["model"]["num_experts"] == 2 and summary["unused"] == []
    data = ["--data", str(corpus)]
    assert run(["predict", str(out), *data, "--out", str(predicted)]) == 0
    assert run(["evaluate", str(predicted), *data]) == 0
    onward = ["train", "moe", *data, "--out", str(tmp_path / "tuned"), "--init", str(out)]
    assert run([*onward, "--max-steps", "1", "--batch-size", "8"]) == 0
    pytest.importorskip("onnxscript")
    assert run(["export", str(out), "--out", str(tmp_path / "model.onnx")]) == 0
    capfd.readouterr()
    for again in (["--resume", str(out)], ["--config", str(out), "--out", str(tmp_path / "new")]):
        assert run(["train", *again]) == 2
        assert "has no training to go on with or to repeat" in capfd.readouterr().err


def test_import_without_class_names_numbers_them(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    tagger = reeltag.import_weights(file, "moe_2", out, streams=["mean_rgb"])
    assert tagger.streams == (("mean_rgb", 20),) and not tagger.training
    assert read_class_names(out) == [f"class {c}" for c in range(8)]
    assert read_config(out)["imported"] == {"file": str(file)}


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_import_reads_floats_of_other_sizes_as_float32(
    arrays: Arrays, dtype: type, tmp_path: Path
) -> None:
    np.savez(tmp_path / "m.npz", **{name: array.astype(dtype) for name, array in arrays.items()})
    tagger = reeltag.import_weights(tmp_path / "m.npz", "moe", tmp_path / "run")
    bias = tagger.state_dict()["model.head.experts.bias"].view(2, 8)  # ours are expert by expert
    theirs = arrays["tower/experts/biases"].astype(dtype).astype(np.float32).reshape(8, 2)
    np.testing.assert_array_equal(bias.numpy(), theirs.T)


def test_import_takes_averages_where_they_are_asked_for(arrays: Arrays, tmp_path: Path) -> None:
    file = tmp_path / "m.npz"
    averages = {f"{name}/ExponentialMovingAverage": array + 1 for name, array in arrays.items()}
    np.savez(file, **arrays, **averages)
    last, mean = TensorflowArrays.open(file), TensorflowArrays.open(file, averages=True)
    name = "experts/biases"
    np.testing.assert_array_equal(mean.weights[name], last.weights[name] + 1)
    assert set(last.unused) == set(averages) and set(mean.unused) == set(arrays)


def test_import_without_averages_refuses_to_take_them(
    file: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    words = fails("moe", file, "--out", tmp_path / "run", "--averages")
    assert "model.npz: has no averages" in words and "Leave --averages out" in words


FAULTS: list[tuple[Arrays, str]] = [
    ({"tower/gates/weights": None}, "missing: gates/weights (20, 24)"),
    ({"tower/gates/biases:0": np.zeros(3)}, "unknown to the model: gates/biases (3,)"),
    ({"tower/gates/weights": np.zeros((19, 24))}, "gates/weights is (19, 24), needed (20, 24)"),
    ({"tower/gates/weights": np.zeros((2, 2, 2))}, "gates/weights is (2, 2, 2), needed (20, 24)"),
    ({"experts/biases": np.zeros(16)}, "has two arrays called 'experts/biases'"),
    ({"tower/experts/biases": np.full(16, np.nan)}, "'tower/experts/biases' holds NaN"),
    ({"tower/experts/biases": np.full(16, 1e99)}, "'tower/experts/biases' holds NaN, infinity or"),
    ({"tower/experts/biases": np.zeros(16, int)}, "'tower/experts/biases' is of type int64"),
    ({"tower/experts/biases": np.array([None])}, "is a pickled object, which is never loaded"),
]


@pytest.mark.parametrize(("changes", "words"), FAULTS, ids=[words for _, words in FAULTS])
def test_import_names_the_array_that_does_not_fit(
    changes: Arrays, words: str, arrays: Arrays, tmp_path: Path, fails: Callable[..., str]
) -> None:
    changed = {name: array for name, array in (arrays | changes).items() if array is not None}
    file = tmp_path / "model.npz"
    np.savez(file, **changed)
    classes = tmp_path / "classes.csv"
    classes.write_text("index,name\n" + "".join(f"{c},class {c}\n" for c in range(8)))
    message = fails("moe", file, "--out", tmp_path / "run", "--classes", classes)
    assert f"{file}: " in message and words in message
    assert not (tmp_path / "run").exists()


def test_import_refuses_what_is_no_npz(
    file: Path, arrays: Arrays, tmp_path: Path, fails: Callable[..., str]
) -> None:
    text, one, cut = tmp_path / "a.npz", tmp_path / "one.npy", tmp_path / "cut.npz"
    text.write_text("model_checkpoint_path: 'model.ckpt-3'")
    np.save(one, np.zeros(3))
    cut.write_bytes(file.read_bytes()[:-100])
    spoilt = bytearray(file.read_bytes())
    spoilt[200:260] = bytes(60)
    (tmp_path / "spoilt.npz").write_bytes(spoilt)
    locked = tmp_path / "locked.npz"
    shutil.copy(file, locked)
    ask_for_password(locked)
    for path, words in (
        (text, "cannot be read as .npz (it is of another format)"),
        (cut, "cannot be read as .npz"),
        (one, "is one .npy array, not an .npz"),
        (tmp_path / "none.npz", "cannot be read as .npz (No such file or directory)"),
        (tmp_path, "cannot be read as .npz (Is a directory)"),
        (tmp_path / "spoilt.npz", "damaged"),
        (locked, "damaged"),
    ):
        message = fails("moe", path, "--out", tmp_path / "run")
        assert f"{path}: " in message or path.stem in ("spoilt", "locked")
        assert words in message and "numpy.savez" in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["moe_4"], "num_experts is 4; the arrays have 2"),
        (["moe", "--model.num-experts", "3"], "num_experts is 3; the arrays have 2"),
        (["moe", "--dims", "16", "5"], "dims is (16, 5); the arrays have (20,)"),
        (["moe", "--dims", "0"], "dims is (0,)"),
        (["moe", "--model.dims", "16", "4"], "--model.dims: has no effect"),
        (["moe", "--model.num-classes", "8"], "Give --dims"),
        (["moe", "--streams", "rgb", "audio"], "must be 1 names"),
        (["moe", "--dims", "8", "8", "4"], "3 streams need names"),
        (["netvlad"], "missing: "),
        (["bilstm"], "Families that know them: dbof, gru, logistic, lstm, mix_nextvlad, moe, net"),
        (["moee"], "Did you mean moe"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_import_refuses_options_that_do_not_fit_the_arrays(
    options: list[str], words: str, file: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    family, *others = options
    assert words in fails(family, file, "--out", tmp_path / "run", *others)
    assert not (tmp_path / "run").exists()


def test_import_refuses_a_class_list_of_another_length(
    file: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    classes = tmp_path / "classes.csv"
    classes.write_text("index,name\n0,Music\n1,Speech\n")
    message = fails("moe", file, "--out", tmp_path / "run", "--classes", classes)
    assert f"{classes}: names 2 classes; {file} has weights for 8" in message


def test_import_never_replaces_a_folder(file: Path, tmp_path: Path) -> None:
    reeltag.import_weights(file, "moe", tmp_path / "run")
    with pytest.raises(OutputError, match="exists already"):
        reeltag.import_weights(file, "moe", tmp_path / "run")


def test_import_takes_an_own_model_that_knows_the_names(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_registry, "_registered", {})

    @register_model("own_mixture")
    @dataclass(frozen=True, kw_only=True)
    class Own(moe.Config):
        """A mixture of our own."""

    tagger = reeltag.import_weights(file, "own_mixture", tmp_path / "run", dims=(16, 4))
    assert tagger.family == "own_mixture" and tagger.config.dims == (16, 4)


def test_import_refuses_a_command_without_family_and_file(fails: Callable[..., str]) -> None:
    assert "a family and an .npz file must come first" in fails("--out", "run", "moe")
    assert "a family and an .npz file must come first" in fails("moe", "--out", "run")


def test_import_help_shows_options_of_the_family(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["--help"], "tf.train.load_checkpoint"),
        (["netvlad", "--help"], "--model.remove-diagonal"),
        (["netvlad", "model.npz", "--help"], "--preprocessing.normalise"),
    ):
        with pytest.raises(SystemExit) as error:
            run(["import-weights", *arguments])
        assert error.value.code == 0
        shown = capsys.readouterr().out
        assert words in shown and "--averages" in shown and "--model.num-classes" not in shown
