"""Augmentation around an objective: what the model reads, when, and how it survives a stop."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reeltag.augment import mixup
from reeltag.augment.config import AugmentConfig
from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import ModelConfig, mix_nextvlad, moe, nextvlad
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.augmenting import Augmented, augmented
from reeltag.training.config import MemberLoss, Optimisation, Recipe
from reeltag.training.fit import resume, train
from reeltag.training.objectives import objective_for, supervised, supervised_mixture
from reeltag.training.run_folder import read_recipe

EVERYTHING = AugmentConfig(
    mixup=0.4,
    mixup_per="sample",
    mixup_partner="previous",
    noise=0.1,
    frame_drop=0.2,
    similar_frames=0.98,
    stream_dropout=0.3,
)
STREAMS = (("rgb", 6), ("audio", 2))


def tagger_of(config: ModelConfig, preprocessing: PreprocessingConfig) -> Tagger:
    torch.manual_seed(0)
    return Tagger(config, STREAMS, list("abcde"), preprocessing=preprocessing).train()


def plain_tagger(normalise: str = "joint") -> Tagger:
    config = PreprocessingConfig(normalise=normalise)  # type: ignore[arg-type]
    return tagger_of(dataclasses.replace(nextvlad.TINY, dropout=0.0), config)


def some_batch(rng: torch.Generator, *, weights: bool = False, num_frames: int = 5) -> FrameBatch:
    lengths = torch.tensor([num_frames, 2, 1, 4, 3, num_frames]).clamp(max=num_frames)
    return FrameBatch(
        frames=torch.randint(0, 256, (6, num_frames, 8), generator=rng, dtype=torch.uint8),
        mask=torch.arange(num_frames) < lengths.unsqueeze(1),
        labels=(torch.rand(6, 5, generator=rng) < 0.3).float(),
        weights=(torch.rand(6, 5, generator=rng) < 0.5).float() if weights else None,
        ids=tuple("uvwxyz"),
    )


class Seen:
    """An objective that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[FrameBatch] = []
        self.models: list[nn.Module] = []

    def __call__(self, batch: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        self.batches.append(batch)
        self.models.append(model)
        return supervised(batch, model)


def seen(tagger: Tagger, config: AugmentConfig, *batches: FrameBatch) -> FrameBatch:
    """Return the last batch as the model reads it."""
    inside = Seen()
    objective = augmented(inside, tagger, config)
    torch.manual_seed(1)
    for batch in batches:
        objective(batch, tagger)
    return inside.batches[-1]


def fix_lambda(monkeypatch: pytest.MonkeyPatch, lambda_B: Tensor) -> None:
    monkeypatch.setattr(mixup, "draw_lambda", lambda *_, **__: lambda_B)


def test_nothing_to_vary_is_the_objective_itself() -> None:
    tagger = plain_tagger()
    assert augmented(supervised, tagger, AugmentConfig()) is supervised
    assert not isinstance(objective_for(tagger, Recipe()), Augmented)
    recipe = Recipe(augment=AugmentConfig(noise=0.1))
    assert isinstance(objective_for(tagger, recipe), Augmented)


def test_nothing_is_varied_in_evaluation(rng: torch.Generator) -> None:
    tagger, batch, inside = plain_tagger().eval(), some_batch(rng), Seen()
    objective = augmented(inside, tagger, EVERYTHING)
    for _ in range(2):
        loss, _ = objective(batch, tagger)
    assert inside.batches[-1] is batch and inside.models[-1] is tagger
    assert torch.equal(loss, supervised(batch, tagger)[0])


@pytest.mark.parametrize("normalise", ["joint", "streams", "none"])
@pytest.mark.parametrize("space", ["features", "normalised"])
@pytest.mark.parametrize("partner", ["permutation", "previous"])
def test_whole_share_equals_no_mixup_bit_for_bit(
    normalise: str, space: str, partner: str, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger, batch = plain_tagger(normalise), some_batch(rng, weights=True)
    fix_lambda(monkeypatch, torch.ones(6))
    config = AugmentConfig(mixup=0.4, mixup_space=space, mixup_partner=partner)  # type: ignore[arg-type]
    objective = augmented(supervised, tagger, config)
    objective(some_batch(rng, weights=True), tagger)
    plain, _ = supervised(batch, tagger)
    mixed, _ = objective(batch, tagger)
    assert torch.equal(plain, mixed)
    read = seen(tagger, config, some_batch(rng, weights=True), batch)
    assert torch.equal(read.mask, batch.mask)
    assert torch.equal(read.frames, tagger.prepare(batch.frames, batch.mask))


@pytest.mark.parametrize("space", ["features", "normalised"])
def test_mixed_frames_equal_loops_over_the_formula(
    space: str, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger, batch = plain_tagger(), some_batch(rng)
    before = some_batch(rng, num_frames=7)  # longer: the mixture is as long as the longer of both
    share = torch.rand(6, generator=rng)
    fix_lambda(monkeypatch, share)
    config = AugmentConfig(mixup=0.4, mixup_partner="previous", mixup_space=space)  # type: ignore[arg-type]
    read = seen(tagger, config, before, batch)
    assert read.frames.shape == (6, 7, 8) and read.ids == batch.ids

    def unit(x: Tensor) -> Tensor:
        return x / x.square().sum().sqrt()

    for b in range(6):
        s = float(share[b])
        for t in range(7):
            x, real = torch.zeros(8, dtype=torch.float64), False
            for of, part in ((batch, s), (before, 1 - s)):
                if t < of.mask.shape[1] and of.mask[b, t]:
                    frame = of.frames[b, t].double() * 4 / 255 + 4 / 512 - 2
                    x += part * (unit(frame) if space == "normalised" else frame)
                    real = True
            assert bool(read.mask[b, t]) == real
            expected = unit(x) if space == "features" and real else x
            torch.testing.assert_close(read.frames[b, t].double(), expected, atol=1e-6, rtol=0)


def test_unrated_class_gets_no_gradient_with_mixup(rng: torch.Generator) -> None:
    tagger, batch = plain_tagger(), some_batch(rng, weights=True)
    kept: dict[str, Tensor] = {}

    def inside(varied: FrameBatch, model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        logits = model(varied.frames, varied.mask)
        logits.retain_grad()
        assert varied.labels is not None and varied.weights is not None
        kept.update(logits=logits, weights=varied.weights)
        return binary_cross_entropy(logits, varied.labels, varied.weights).mean(), {}

    torch.manual_seed(0)
    loss, _ = augmented(inside, tagger, AugmentConfig(mixup=0.4))(batch, tagger)
    loss.backward()
    gradient, unrated = kept["logits"].grad, kept["weights"] == 0
    assert gradient is not None and unrated.any() and gradient[~unrated].all()
    assert (gradient[unrated] == 0).all()


def test_first_batch_has_no_partner_and_the_next_has_it(rng: torch.Generator) -> None:
    tagger, one, two = plain_tagger(), some_batch(rng), some_batch(rng)
    config = AugmentConfig(mixup=0.4, mixup_partner="previous")
    first, second = seen(tagger, config, one), seen(tagger, config, one, two)
    assert torch.equal(first.frames, tagger.prepare(one.frames, one.mask))
    assert first.labels is one.labels
    assert not torch.equal(second.frames, tagger.prepare(two.frames, two.mask))
    # the loader fills its buffers again: what was kept must not change with them
    kept = dataclasses.replace(one, frames=one.frames.clone())
    inside = Seen()
    objective = augmented(inside, tagger, config)
    torch.manual_seed(1)
    objective(kept, tagger)
    kept.frames.zero_()
    objective(two, tagger)
    assert torch.equal(inside.batches[-1].frames, second.frames)


def test_noise_touches_half_of_the_dimensions_by_a_tenth_of_their_deviation() -> None:
    streams = (("rgb", 200), ("audio", 100))
    torch.manual_seed(0)
    config = dataclasses.replace(nextvlad.TINY, dims=(200, 100))
    names = list("abcde")
    tagger = Tagger(config, streams, names, preprocessing=PreprocessingConfig()).train()
    batch = FrameBatch(
        frames=torch.randint(0, 256, (40, 10, 300), dtype=torch.uint8),
        mask=torch.ones(40, 10, dtype=torch.bool),
        labels=torch.zeros(40, 5),
    )
    plain = tagger.prepare(batch.frames, batch.mask)
    added = seen(tagger, AugmentConfig(noise=0.1), batch).frames - plain
    untouched = (added == 0).all(dim=1)
    assert float(untouched.double().mean()) == pytest.approx(0.5, abs=0.025)  # 12000 coins
    deviation = plain.flatten(0, 1).std(dim=0)
    # about 200 numbers a dimension: 5 % each, the mean over 300 dimensions 0.3 %; and rounding
    relative = added.square().sum((0, 1)) / (added != 0).sum((0, 1)) / deviation.square()
    assert float(relative.mean().sqrt()) == pytest.approx(0.1, rel=0.02)
    absolute = AugmentConfig(noise=0.03, noise_scale="absolute", noise_share=1.0)
    added = seen(tagger, absolute, batch).frames - plain
    assert float(added.std()) == pytest.approx(0.03, rel=0.02)


def test_lost_stream_is_zero_and_the_rest_has_the_norm_it_would_have_without(
    rng: torch.Generator,
) -> None:
    tagger, batch = plain_tagger(), some_batch(rng)
    config = AugmentConfig(stream_dropout=1.0, noise=0.1, noise_share=1.0)
    rgb, audio = seen(tagger, config, batch).frames.split((6, 2), dim=-1)
    without = [not bool(stream.any()) for b in range(6) for stream in (rgb[b], audio[b])]
    assert [a + b for a, b in zip(without[::2], without[1::2], strict=True)] == [1] * 6
    quiet = seen(tagger, AugmentConfig(stream_dropout=1.0), batch)
    norm = torch.linalg.vector_norm(quiet.frames, dim=-1)
    torch.testing.assert_close(norm, batch.mask.float())


def test_dropped_frames_make_the_batch_shorter_and_leave_the_rest_as_it_was(
    rng: torch.Generator,
) -> None:
    tagger, batch = plain_tagger(), some_batch(rng)
    read = seen(tagger, AugmentConfig(frame_drop=0.6), batch)
    assert (read.mask.sum(1) >= 1).all() and read.mask.sum() < batch.mask.sum()
    assert read.mask.shape[1] == int(read.mask.sum(1).max())
    plain = tagger.prepare(batch.frames, batch.mask)
    for b in range(6):
        left = [row for row in plain[b].tolist() if any(row)]
        rows = [row for row in read.frames[b].tolist() if any(row)]
        places = [left.index(row) for row in rows]
        assert places == sorted(places) and len(places) == int(read.mask[b].sum())
    twice = batch.frames.repeat_interleave(2, dim=1)  # each frame stands still for two seconds
    still = dataclasses.replace(batch, frames=twice, mask=batch.mask.repeat_interleave(2, dim=1))
    read = seen(tagger, AugmentConfig(similar_frames=0.999), still)
    assert torch.equal(read.mask, batch.mask)
    torch.testing.assert_close(read.frames, plain)


def test_same_seed_varies_in_the_same_way(rng: torch.Generator) -> None:
    tagger, one, two = plain_tagger(), some_batch(rng), some_batch(rng)
    again = [seen(tagger, EVERYTHING, one, two) for _ in range(2)]
    assert torch.equal(again[0].frames, again[1].frames)
    assert again[0].labels is not None and again[1].labels is not None
    assert torch.equal(again[0].labels, again[1].labels)


@pytest.mark.parametrize("streams", [1, 2, 3])
@pytest.mark.parametrize("weights", [False, True])
def test_video_level_records_of_any_streams_are_varied_too(
    streams: int, weights: bool, rng: torch.Generator
) -> None:
    widths = (4, 3, 2)[:streams]
    named = tuple(zip("xyz", widths, strict=False))
    sizes = dataclasses.replace(moe.TINY, dims=widths)
    tagger = Tagger(sizes, named, list("abcde"), preprocessing=PreprocessingConfig()).train()
    batch = FrameBatch(
        frames=torch.randn(6, 1, sum(widths), generator=rng),
        mask=torch.ones(6, 1, dtype=torch.bool),
        labels=torch.rand(6, 5, generator=rng),
        weights=torch.rand(6, 5, generator=rng) if weights else None,
    )
    before = batch.frames.clone()
    config = dataclasses.replace(EVERYTHING, stream_dropout=0.3 if streams > 1 else 0.0)
    read = seen(tagger, config, batch, batch)
    assert read.frames.shape == batch.frames.shape and read.frames.isfinite().all()
    assert (read.weights is None) != weights
    assert torch.equal(batch.frames, before)  # the batch itself is left alone


def test_padding_that_is_not_a_number_spoils_nothing(rng: torch.Generator) -> None:
    tagger, batch = plain_tagger(), some_batch(rng)
    frames = torch.randn(6, 5, 8, generator=rng).masked_fill(~batch.mask.unsqueeze(-1), torch.nan)
    batch = dataclasses.replace(batch, frames=frames)
    for partner in ("permutation", "previous"):
        config = dataclasses.replace(EVERYTHING, mixup_partner=partner, similar_frames=1.0)
        assert seen(tagger, config, batch, batch).frames.isfinite().all()


def test_autocast_features_are_those_of_the_taggers_own_preparation(rng: torch.Generator) -> None:
    tagger, batch = plain_tagger(), some_batch(rng)
    config = AugmentConfig(frame_drop=1e-9)
    with torch.autocast("cpu", torch.bfloat16):
        read, plain = seen(tagger, config, batch), tagger.prepare(batch.frames, batch.mask)
        everything = seen(tagger, EVERYTHING, batch, batch)
    assert torch.equal(read.frames, plain) and plain.dtype == torch.bfloat16
    assert everything.frames.dtype == torch.bfloat16


def test_members_of_a_mixture_read_the_varied_batch(rng: torch.Generator) -> None:
    config = dataclasses.replace(mix_nextvlad.TINY, dropout=0.0)
    tagger = tagger_of(config, PreprocessingConfig())
    recipe = Recipe(members=MemberLoss(weight=2.0), augment=AugmentConfig(mixup=0.4, noise=0.1))
    batch = some_batch(rng, weights=True)
    torch.manual_seed(1)
    loss, logs = objective_for(tagger, recipe)(batch, tagger)
    read = seen(tagger, recipe.augment, batch)
    expected, _ = supervised_mixture(read, tagger.model, config=recipe.members)
    assert torch.equal(loss, expected) and "distillation_loss" in logs


def test_augmenting_names_what_cannot_be_varied(rng: torch.Generator) -> None:
    config = dataclasses.replace(moe.TINY, dims=(8,))
    tagger = Tagger(config, [("rgb", 8)], list("abcde"), preprocessing=PreprocessingConfig())
    with pytest.raises(ConfigError, match=r"augment\.stream_dropout must be 0 .*rgb, got 0.5"):
        augmented(supervised, tagger, AugmentConfig(stream_dropout=0.5))
    with pytest.raises(TypeError, match="for a tagger, not for a Linear"):
        augmented(supervised, tagger, AugmentConfig(noise=0.1))(some_batch(rng), nn.Linear(2, 2))


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_resumed_it_goes_on_exactly_as_if_it_had_not_been_stopped(
    ema: float, corpus: Path, tmp_path: Path
) -> None:
    optim = Optimisation(learning_rate=0.05, ema=ema)
    recipe = Recipe(batch_size=8, max_steps=5, validate_every=4, optim=optim, augment=EVERYTHING)
    whole = dataclasses.replace(recipe, max_steps=9)
    train(Dataset.open(corpus), tmp_path / "whole", nextvlad.TINY, whole)
    train(Dataset.open(corpus), tmp_path / "pieces", nextvlad.TINY, recipe)
    assert read_recipe(read_config(tmp_path / "pieces")).augment == EVERYTHING
    resume(tmp_path / "pieces", max_steps=9)
    one, other = (
        torch.load(tmp_path / run / "resume.ckpt", weights_only=False)["state_dict"]
        for run in ("whole", "pieces")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
