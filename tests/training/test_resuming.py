"""Training in parts, in processes or in small batches, or killed: equal to that in one."""

import dataclasses
import itertools
import json
import os
import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._C._distributed_c10d import TCPStore

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import DataError
from reeltag.data.dataset import Dataset
from reeltag.data.sampling import FrameChoice
from reeltag.models import logistic, moe, netvlad, nextvlad
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import Recipe
from reeltag.training.fit import resume, train
from reeltag.training.objectives import supervised
from reeltag.training.run_folder import open_data
from tests.processes import Launch, run_program
from tests.training import two_ranks
from tests.training.short_runs import (
    FAST,
    RECIPE,
    assert_same_weights,
    last_state,
    losses_of,
    weights_of,
)

NETS = ("moe", "nextvlad", "netvlad")
# a shift that the next batch norm takes away: its gradient is rounding, of which Adam makes steps
TAKEN_AWAY = ("norm.bias", "classifier.norm.running_mean")


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_longer_training_in_two_pieces_is_that_in_one(
    corpus: Path, tmp_path: Path, ema: float
) -> None:
    optim = dataclasses.replace(FAST, ema=ema, decay=0.5, decay_examples=50)
    frames = FrameChoice(how="random", num_frames=5)
    short = dataclasses.replace(RECIPE, max_steps=7, optim=optim, frames=frames)
    long = dataclasses.replace(short, max_steps=15)
    train(Dataset.open(corpus), tmp_path / "whole", nextvlad.TINY, long)
    train(Dataset.open(corpus), tmp_path / "pieces", nextvlad.TINY, short)
    result = resume(tmp_path / "pieces", max_steps=15)
    assert result.steps == 15
    whole, pieces = last_state(tmp_path / "whole"), last_state(tmp_path / "pieces")
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)
    assert_same_weights(tmp_path / "whole", tmp_path / "pieces")
    kept = [
        (tmp_path / run / "metrics.csv").read_text().splitlines() for run in ("whole", "pieces")
    ]
    assert [row.split(",")[0] for row in kept[0]] == [row.split(",")[0] for row in kept[1]]


def train_until_killed(data: Path, out: Path, recipe: Recipe, step: int) -> None:
    """Be killed in the middle of a step."""
    steps = itertools.count(1)

    def deadly(batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return supervised(batch, model)

    train(Dataset.open(data, quiet=True), out, moe.TINY, recipe, objective=deadly)


def test_killed_at_any_moment_it_goes_on_to_the_same_weights(
    corpus: Path, tmp_path: Path, launch: Launch
) -> None:
    recipe = dataclasses.replace(RECIPE, max_steps=24, validate_every=8, save_minutes=0.0)
    train(Dataset.open(corpus), tmp_path / "whole", moe.TINY, recipe)
    for step in (2, 9, 15):  # after the first, after a validation, somewhere
        run = tmp_path / f"killed {step}"
        killed = launch(train_until_killed, corpus, run, recipe, step).wait()
        assert killed.status == -signal.SIGKILL and not (run / "metrics.json").exists()
        kept = torch.load(run / "resume.ckpt", weights_only=False)["global_step"]
        assert kept in (step - 1, step - 2)  # of its last whole step, or of that before
        assert resume(run).steps == 24
        assert_same_weights(tmp_path / "whole", run)


def by_torchrun(arguments: list[str]) -> None:
    """Train in two processes as a person does."""
    ranks = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    script = str(Path(__file__).with_name("two_ranks.py"))
    command = [sys.executable, *ranks, script, *arguments]
    run_program(command, environment={"OMP_NUM_THREADS": "1"})


def forked(arguments: list[str], folder: Path) -> None:
    """Train in two processes that have the variables which torchrun would set."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)} | {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    with closing(Launch(folder)) as launch:
        ranks = [
            launch(two_ranks.main, arguments, environment={**shared, "RANK": n, "LOCAL_RANK": n})
            for n in ("0", "1")
        ]
        for rank in ranks:
            rank.result()


@pytest.fixture(scope="module", params=["forked", pytest.param("torchrun", marks=pytest.mark.slow)])
def runs_of_one_and_two(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, Path]:
    """Runs of models without and with batch norm, by one process and by two."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    recipe = dataclasses.replace(RECIPE, max_steps=8, log_every=1)
    train(Dataset.open(corpus), one / "moe", moe.TINY, recipe)
    without_dropout = dataclasses.replace(nextvlad.TINY, dropout=0.0)  # whose draws differ by rank
    train(Dataset.open(corpus), one / "nextvlad", without_dropout, recipe)
    train(Dataset.open(corpus), one / "netvlad", netvlad.TINY, recipe)
    arguments = [str(two), *(str(one / name) for name in NETS)]
    if request.param == "torchrun":
        by_torchrun(arguments)
    else:
        forked(arguments, tmp_path_factory.mktemp("ranks"))
    return one, two


@pytest.mark.parametrize("name", NETS)
def test_loss_curve_of_two_processes_equals_that_of_one(
    name: str, runs_of_one_and_two: tuple[Path, Path]
) -> None:
    one, two = (runs / name for runs in runs_of_one_and_two)
    # float32 sums in another order; Adam divides by second moments that are tiny at first
    assert losses_of(two) == pytest.approx(losses_of(one), rel=1e-4)
    ours, theirs = weights_of(one), weights_of(two)
    for part, value in ours.items():
        if not part.endswith(TAKEN_AWAY):
            torch.testing.assert_close(theirs[part], value, rtol=1e-3, atol=1e-4)
    best = [json.loads((run / "metrics.json").read_text())["best"] for run in (one, two)]
    if name != "nextvlad":  # whose running means lag behind the shifts that are taken away
        assert best[0] == pytest.approx(best[1], abs=1e-6)


def test_accumulated_small_batches_are_one_large_batch(corpus: Path, tmp_path: Path) -> None:
    optim = dataclasses.replace(FAST, clip="none")
    large = dataclasses.replace(RECIPE, batch_size=8, max_steps=4, optim=optim)
    small = dataclasses.replace(large, batch_size=4, accumulate=2)
    for name, recipe in (("large", large), ("small", small)):
        train(Dataset.open(corpus), tmp_path / name, logistic.TINY, recipe)
    large_state, small_state = last_state(tmp_path / "large"), last_state(tmp_path / "small")
    for name, value in large_state.items():
        # the sum of a batch in two halves, in float32
        torch.testing.assert_close(small_state[name], value, rtol=1e-4, atol=1e-5)


def test_resuming_what_is_done_leaves_the_averaged_weights(corpus: Path, tmp_path: Path) -> None:
    optim = dataclasses.replace(FAST, ema=0.5)
    recipe = dataclasses.replace(RECIPE, max_steps=3, optim=optim)  # no validation before the end
    train(Dataset.open(corpus), tmp_path / "run", logistic.TINY, recipe)
    before = weights_of(tmp_path / "run")
    resume(tmp_path / "run")
    after = weights_of(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_resume_names_what_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a run folder"):
        resume(tmp_path)
    with pytest.raises(DataError, match="is not a run folder"):
        Tagger.load(tmp_path)


def test_resumed_run_reads_the_labels_it_was_begun_with(corpus: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(corpus, data, ignore=shutil.ignore_patterns(".reeltag"))
    ids = Dataset.open(data, quiet=True).table["id"].to_pylist()
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for label, file in enumerate(files):
        file.write_text("id,class\n" + "".join(f"{name},{label}\n" for name in ids))
    joint = Dataset.open(data, labels=files)
    train(joint, tmp_path / "run", logistic.TINY, RECIPE)
    config = read_config(tmp_path / "run")
    assert config["data"]["labels"] == [str(file) for file in files]
    (data / "labels.csv").write_text(f"id,class\n{ids[0]},5\n")
    assert open_data(tmp_path / "run", config).table["labels"].to_pylist() == [[0, 1]] * len(ids)
    found = Dataset.open(data, quiet=True)
    assert found.sources == {"labels": data / "labels.csv"}
