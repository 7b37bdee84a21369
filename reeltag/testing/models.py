"""What every model must do, as checks of a family; see `reeltag.testing.check_model`."""

import copy
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any
from unittest import TestCase

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reeltag.core.errors import ConfigError
from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.models import Family, PoolsFrames, penalty

raises = TestCase().assertRaisesRegex


def build(family: Family, **changes: Any) -> nn.Module:  # noqa: ANN401  (fields)
    """Return the tiny model of a family, the same each time, without dropout."""
    torch.manual_seed(0)
    if hasattr(family.tiny, "dropout"):
        changes = {"dropout": 0.0, **changes}
    return replace(family.tiny, **changes).build()


def some_batch(
    rng: torch.Generator, dim: int, lengths: tuple[int, ...] = (6, 4, 1)
) -> tuple[Tensor, Tensor]:
    """Return frames (B, T, dim), 0 in the padding, and their mask."""
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(-1)
    frames = torch.randn(*mask.shape, dim, generator=rng)
    return frames * mask.unsqueeze(-1), mask


def family_describes_itself(family: Family, rng: torch.Generator) -> None:
    """Check its sentence and variants, and that the tiny config has 5 classes, streams of 6, 2."""
    assert family.about and family.variants
    for config in (family.config(), family.tiny, *family.variants.values()):
        assert isinstance(config, family.config)
        assert config == family.config(**vars(config))
    assert family.tiny.num_classes == 5 and family.tiny.dims == (6, 2)


def logits_are_finite_float32_of_shape_B_C(family: Family, rng: torch.Generator) -> None:
    """Check what the model returns, in training and eval mode."""
    for model in (build(family), build(family).eval()):
        logits = model(*some_batch(rng, 8))
        assert logits.shape == (3, 5) and logits.dtype == torch.float32 and logits.isfinite().all()


def no_mask_means_that_all_frames_are_real(family: Family, rng: torch.Generator) -> None:
    """Check that a mask of ones changes nothing."""
    model, (frames, mask) = build(family).eval(), some_batch(rng, 8, (4, 4))
    torch.testing.assert_close(model(frames), model(frames, mask), rtol=0, atol=0)


def more_padding_changes_nothing(family: Family, rng: torch.Generator) -> None:
    """Check logits and running statistics of a batch that is padded further."""
    frames, mask = some_batch(rng, 8)
    longer = F.pad(frames, (0, 0, 0, 9)), F.pad(mask, (0, 9))
    for training in (False, True):
        model = build(family).train(training)
        other = copy.deepcopy(model)
        torch.testing.assert_close(model(frames, mask), other(*longer))
        torch.testing.assert_close(model.state_dict(), other.state_dict())  # running statistics too


def content_of_padding_changes_nothing(family: Family, rng: torch.Generator) -> None:
    """Check losses and gradients with anything in the padding."""
    frames, mask = some_batch(rng, 8)
    junk = torch.where(mask.unsqueeze(-1), frames, 7.0)
    for training in (False, True):
        model = build(family).train(training)
        losses, gradients = [], []
        for inputs in (frames, junk):
            model.zero_grad()
            loss = model(inputs, mask).square().sum()
            loss.backward()
            losses.append(loss)
            gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        torch.testing.assert_close(losses[0], losses[1])
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-4)


def video_is_scored_alike_in_any_batch(family: Family, rng: torch.Generator) -> None:
    """Check that order and company of a video do not matter."""
    model, (frames, mask) = build(family).eval(), some_batch(rng, 8)
    whole, order = model(frames, mask), torch.tensor([2, 0, 1])
    torch.testing.assert_close(model(frames[order], mask[order]), whole[order])
    alone = torch.cat([model(frames[i : i + 1], mask[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(alone, whole)


def terms_of_frames_serve_windows_that_overlap(family: Family, rng: torch.Generator) -> None:
    """Check that a model that `PoolsFrames` gives its own logits by its three parts."""
    model = build(family).eval()
    if not isinstance(model, PoolsFrames):
        return
    for name, value in model.named_buffers():  # those of a model that was trained
        if name.endswith(("running_mean", "running_var")):
            value.copy_(0.5 + torch.rand(value.shape, generator=rng))
    first, count = torch.tensor([0, 1, 2, 5, 8]), torch.tensor([5, 5, 5, 4, 1])
    steps = torch.arange(5)
    mask, places = steps < count[:, None], first[:, None] + steps.minimum(count[:, None] - 1)
    frames = torch.randn(1, 9, 8, generator=rng)
    terms = model.frame_terms(frames)[0]
    shared = model.pooled_logits(model.pooled_terms(terms[places], mask))
    torch.testing.assert_close(shared, model(frames[0][places], mask), rtol=1e-5, atol=1e-5)


def one_frame_and_three_hundred_both_work(family: Family, rng: torch.Generator) -> None:
    """Check the shortest and the longest published video."""
    for length in (1, 300):
        frames, mask = some_batch(rng, 8, (length, length))
        for model in (build(family), build(family).eval()):
            assert model(frames, mask).isfinite().all()


def one_two_or_three_streams_work(family: Family, rng: torch.Generator) -> None:
    """Check other numbers of streams."""
    for dims in ((6,), (6, 2), (4, 2, 6)):
        assert build(family, dims=dims)(*some_batch(rng, sum(dims))).shape == (3, 5)


def every_parameter_is_used(family: Family, rng: torch.Generator) -> None:
    """Check that every parameter has a gradient that is not all 0."""
    model = build(family)
    model(*some_batch(rng, 8, (6, 4, 1, 5, 3, 2))).square().sum().backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unused


def bfloat16_autocast_is_close_and_trains(family: Family, rng: torch.Generator) -> None:
    """Check logits and gradients under autocast."""
    model, (frames, mask) = build(family), some_batch(rng, 8, (20, 14, 9, 17, 11, 6))
    exact = copy.deepcopy(model)(frames, mask)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(frames, mask)
        loss = binary_cross_entropy(logits, torch.ones(6, 5)).mean() + penalty(model)
    loss.backward()
    assert logits.dtype == torch.float32 and (logits - exact).abs().max() < 0.15
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def state_loads_into_a_fresh_model(family: Family, rng: torch.Generator) -> None:
    """Check that the state is all there is."""
    model, batch = build(family), some_batch(rng, 8)
    model(*batch)  # moves the running statistics
    torch.manual_seed(1)
    fresh = family.tiny.build()
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh.eval()(*batch), model.eval()(*batch), rtol=0, atol=0)


def seed_decides_the_logits(family: Family, rng: torch.Generator) -> None:
    """Check that building twice with a seed gives the same model."""
    batch = some_batch(rng, 8)
    torch.testing.assert_close(build(family)(*batch), build(family)(*batch), rtol=0, atol=0)


def exports_with_free_batch_and_length(family: Family, rng: torch.Generator) -> None:
    """Check torch.export, with batches and lengths of other sizes."""
    # one stream: a second one is the same layers again (tests/deploy exports graphs of two)
    model = build(family, dims=(8,)).eval()
    free = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1)}
    with torch.no_grad():
        program = torch.export.export(model, some_batch(rng, 8), dynamic_shapes=(free, free))
        other = some_batch(rng, 8, (9, 2, 3, 1, 7))
        torch.testing.assert_close(program.module()(*other), model(*other))


def overfits_32_videos(family: Family, rng: torch.Generator) -> None:
    """Check that it learns."""
    model, (frames, mask) = build(family), some_batch(rng, 8, (4, 3, 2, 1) * 8)
    frames = F.normalize(frames, dim=-1) * mask.unsqueeze(-1)
    labels = F.one_hot(frames[:, 0].abs().argmax(dim=-1) % 5, 5).float()
    frames[:, :, :5] += labels.unsqueeze(1) * mask.unsqueeze(-1)
    adam = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(81):
        logits = model(frames, mask)
        right = (logits.argmax(dim=-1) == labels.argmax(dim=-1)).float().mean()
        if right > 0.9:
            break
        adam.zero_grad()
        binary_cross_entropy(logits, labels).mean().backward()
        adam.step()
    assert right > 0.9


def config_is_frozen_and_checked(family: Family, rng: torch.Generator) -> None:
    """Check that a config cannot be changed, and that its sizes are checked."""
    with raises(FrozenInstanceError, ""):
        family.tiny.num_classes = 3  # type: ignore[misc]
    with raises(ConfigError, "num_classes is 0; allowed: an integer >= 1"):
        replace(family.tiny, num_classes=0)
    with raises(ConfigError, r"dims is \(\); allowed: one or more, each an integer >= 1"):
        replace(family.tiny, dims=())


CHECKS: tuple[Callable[[Family, torch.Generator], None], ...] = (
    family_describes_itself,
    logits_are_finite_float32_of_shape_B_C,
    no_mask_means_that_all_frames_are_real,
    more_padding_changes_nothing,
    content_of_padding_changes_nothing,
    video_is_scored_alike_in_any_batch,
    terms_of_frames_serve_windows_that_overlap,
    one_frame_and_three_hundred_both_work,
    one_two_or_three_streams_work,
    every_parameter_is_used,
    bfloat16_autocast_is_close_and_trains,
    state_loads_into_a_fresh_model,
    seed_decides_the_logits,
    exports_with_free_batch_and_length,
    overfits_32_videos,
    config_is_frozen_and_checked,
)
