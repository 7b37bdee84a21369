"""Objectives for labels of which some are wrong: what they believe, and that they resume."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from reeltag.augment.config import AugmentConfig
from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.selection import without_largest
from reeltag.models import autohome_mix, logistic, moe, sub_nets
from reeltag.tagger.tagger import Tagger
from reeltag.training.config import NoisyConfig, Recipe
from reeltag.training.fit import resume, train
from reeltag.training.noisy import Consistent, SmallLoss, window
from reeltag.training.objectives import objective_for, supervised
from tests.training.short_runs import RECIPE, last_state, losses_of


def tagger_of(config: object = moe.TINY) -> Tagger:
    torch.manual_seed(0)
    streams = [("rgb", 6), ("audio", 2)]
    return Tagger(config, streams, list("abcde"))  # type: ignore[arg-type]


def some_batch(rng: torch.Generator, lengths: tuple[int, ...] = (7, 4, 1)) -> FrameBatch:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    frames = torch.randn(*mask.shape, 8, generator=rng) * mask.unsqueeze(-1)
    labels = (torch.rand(len(lengths), 5, generator=rng) < 0.4).float()
    return FrameBatch(frames=frames, mask=mask, labels=labels, weights=None)


def test_without_it_the_objective_is_the_plain_one(rng: torch.Generator) -> None:
    batch, tagger = some_batch(rng), tagger_of()
    expected = supervised(batch, tagger)[0]
    assert torch.equal(objective_for(tagger, Recipe())(batch, tagger)[0], expected)


def test_share_of_labels_that_is_not_believed_rises(rng: torch.Generator) -> None:
    batch, tagger = some_batch(rng), tagger_of()
    config = NoisyConfig(present=0.5, absent=0.5, rise=2)
    objective = objective_for(tagger, Recipe(noisy=config))
    logits, found = tagger(batch.frames, batch.mask).detach(), []
    expected = []
    for share in (0.0, 0.25, 0.5, 0.5):
        labels, weights = without_largest(logits, batch.labels, present=share, absent=share)  # type: ignore[arg-type]
        expected.append(binary_cross_entropy(logits, labels, weights).mean().item())
        found.append(objective(batch, tagger)[1]["label_loss"].item())
    assert found == pytest.approx(expected) and found[0] > found[1] > found[2]


def test_members_of_a_mixture_believe_no_more(rng: torch.Generator) -> None:
    tagger, batch = tagger_of(autohome_mix.TINY), some_batch(rng)
    recipe = Recipe(noisy=NoisyConfig(present=1 - 1e-6, absent=1e3, rise=0))
    loss, logs = objective_for(tagger, recipe)(batch, tagger)
    plain = objective_for(tagger, Recipe())(batch, tagger)[1]
    assert logs["label_loss"] < plain["label_loss"]
    assert logs["member_loss"] < plain["member_loss"] and loss.isfinite()


def test_window_is_a_run_of_the_real_frames_of_each_video(rng: torch.Generator) -> None:
    batch = some_batch(rng, (7, 4, 1))
    starts = set()
    for seed in range(40):
        torch.manual_seed(seed)
        seen = window(batch, 0.5)
        assert seen.mask.tolist() == [[True] * 4, [True] * 2 + [False] * 2, [True] + [False] * 3]
        for row, (frames, mask) in enumerate(zip(seen.frames, seen.mask, strict=True)):
            length = int(mask.sum())
            whole = batch.frames[row, : int(batch.mask[row].sum())]
            runs = [torch.equal(frames[:length], whole[at : at + length])
                    for at in range(len(whole) - length + 1)]  # fmt: skip
            assert sum(runs) == 1 and (frames[length:] == 0).all()
            starts.add((row, runs.index(True)))
    assert starts == {(0, at) for at in range(4)} | {(1, at) for at in range(3)} | {(2, 0)}
    assert torch.equal(window(batch, 1.0).frames, batch.frames)


def test_teacher_follows_the_model_slowly_and_then_says_what_a_window_is_to_be(
    rng: torch.Generator,
) -> None:
    tagger, batch = tagger_of(), some_batch(rng, (1, 1))  # of one frame the window is all
    config = NoisyConfig(consistency=2.0, teacher_decay=0.9, rise=0)
    objective = Consistent(supervised, config)
    weight = tagger.model.head.experts.weight  # type: ignore[union-attr]
    assert isinstance(weight, nn.Parameter)
    slow = torch.zeros(())
    for number in range(30):
        if number:
            with torch.no_grad():
                weight.add_(torch.randn(weight.shape, generator=rng))
        decay = min(1 - 1 / (number + 1), 0.9)
        slow = torch.lerp(weight.detach(), slow.expand_as(weight), decay)
        loss, logs = objective(batch, tagger)
        teacher = objective.teacher
        assert teacher is not None
        torch.testing.assert_close(teacher.head.experts.weight, slow)  # type: ignore[union-attr]
        prob = torch.sigmoid(teacher(tagger.prepare(batch.frames, batch.mask), batch.mask))
        logits = tagger(batch.frames, batch.mask)
        expected = 2.0 * binary_cross_entropy(logits, prob).mean()
        torch.testing.assert_close(logs["consistency_loss"], expected.detach())
        torch.testing.assert_close(
            loss.detach(), (supervised(batch, tagger)[0] + expected).detach()
        )
    loss.backward()
    assert objective.teacher is not None
    assert all(value.grad is None for value in objective.teacher.parameters())
    assert weight.grad is not None


@pytest.mark.parametrize("model", [moe.TINY, sub_nets.TINY], ids=["moe", "sub_nets"])
def test_training_in_two_pieces_is_that_in_one(
    corpus: Path, tmp_path: Path, model: logistic.Config
) -> None:
    noisy = NoisyConfig(present=0.2, absent=0.2, consistency=0.5, teacher_decay=0.9, rise=6)
    augment = AugmentConfig(noise=0.1)  # wraps the objectives that hold the state
    long = dataclasses.replace(RECIPE, noisy=noisy, augment=augment)
    short = dataclasses.replace(long, max_steps=5)
    train(Dataset.open(corpus), tmp_path / "whole", model, long)
    train(Dataset.open(corpus), tmp_path / "pieces", model, short)
    resume(tmp_path / "pieces", max_steps=12)
    whole, pieces = last_state(tmp_path / "whole"), last_state(tmp_path / "pieces")
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)
    assert losses_of(tmp_path / "whole") != []


def test_what_cannot_be_meant_raises() -> None:
    for given in ({"correct": True}, {"window": 0.1}, {"teacher_decay": 0.5}, {"rise": 3}):
        with pytest.raises(ConfigError, match="has no effect without"):
            NoisyConfig(**given)
    with pytest.raises(ConfigError, match=r"noisy.present is 1.5; allowed: a number in \[0, 1\)"):
        NoisyConfig(present=1.5)


def test_state_of_both_is_found_in_one_another() -> None:
    inner = SmallLoss(lambda loss: supervised, binary_cross_entropy, NoisyConfig(present=0.1))
    outer = Consistent(inner, NoisyConfig(consistency=1))
    inner.batches, outer.batches = 3, 4
    states = {part.name: part.state_dict() for part in (outer, inner)}
    assert states == {"small_loss": {"batches": 3}, "consistent": {"batches": 4, "teacher": None}}
