"""Distillation, on line and from a teacher: authors' numbers, formulas as loops, limits."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltag.losses.cross_entropy import binary_cross_entropy
from reeltag.losses.distillation import distillation_loss, mixture_divergence
from tests.conftest import golden_files

FILES = golden_files("layers/lin_distill*.npz")


@pytest.mark.golden
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))
def test_divergence_and_its_gradients_are_the_authors(path: Path) -> None:
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
        arrays = {key: torch.from_numpy(file[key]) for key in file.files if key != "meta"}
    temperature, weight = meta["cl_temperature"], meta["cl_lambda"]
    logits = arrays["in.logits"].double().requires_grad_()
    shares = arrays["in.mix_weights"].double().requires_grad_()
    mixture = torch.einsum("bmc,bm->bc", logits, shares)
    members = logits.transpose(0, 1)

    def divergence(m: slice, epsilon: float = 1e-8) -> torch.Tensor:
        return mixture_divergence(mixture, members[m], temperature=temperature, epsilon=epsilon)

    torch.testing.assert_close(mixture, arrays["eval_f64.mix_logit"])
    for m in range(len(members)):
        theirs = arrays["eval_f64.kl_loss"][:, m]
        torch.testing.assert_close(divergence(slice(m, m + 1)), theirs, rtol=1e-10, atol=1e-10)
    loss = weight * divergence(slice(None)).mean()
    loss.backward()
    assert loss.item() == pytest.approx(arrays["loss_f64.loss"].item(), rel=1e-10)
    torch.testing.assert_close(logits.grad, arrays["gradin_f64.logits"])
    torch.testing.assert_close(shares.grad, arrays["gradin_f64.mix_weights"])
    exact = weight * divergence(slice(None), epsilon=0.0).mean()
    assert loss < exact  # their epsilon bounds what a class can cost that a member rules out


def test_matches_the_formula_written_as_loops(rng: torch.Generator) -> None:
    logits = torch.randn(4, 5, generator=rng).double()
    members = torch.randn(3, 4, 5, generator=rng).double()
    expected = torch.zeros(4).double()
    for b in range(4):
        teacher = [torch.exp(z / 2.5) for z in logits[b]]
        for m in range(3):
            student = [torch.exp(z / 2.5) for z in members[m, b]]
            for t, s in zip(teacher, student, strict=True):
                p, q = t / sum(teacher), s / sum(student)
                expected[b] += p * torch.log(p / q)
    ours = mixture_divergence(logits, members, temperature=2.5)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


def test_member_that_agrees_costs_nothing(rng: torch.Generator) -> None:
    logits = torch.randn(4, 5, generator=rng)
    divergence = mixture_divergence(logits, torch.stack([logits, logits + 3]))
    torch.testing.assert_close(divergence, torch.zeros(4), rtol=0, atol=1e-6)


def test_without_the_teachers_gradient_only_the_members_learn(rng: torch.Generator) -> None:
    logits = torch.randn(2, 5, generator=rng).requires_grad_()
    members = torch.randn(3, 2, 5, generator=rng).requires_grad_()
    mixture_divergence(logits, members, stop_gradient=True).sum().backward()
    assert logits.grad is None and members.grad is not None and members.grad.any()
    mixture_divergence(logits, members).sum().backward()
    assert logits.grad is not None and logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saturated_logits_keep_value_and_gradient_finite(dtype: torch.dtype) -> None:
    logits = torch.tensor([[300.0, -300.0]], dtype=dtype, requires_grad=True)
    members = torch.tensor([[[-300.0, 300.0]]], dtype=dtype, requires_grad=True)
    value = mixture_divergence(logits, members)
    value.sum().backward()
    assert value.dtype == torch.float32 and value.item() == pytest.approx(600)
    assert logits.grad is not None and logits.grad.isfinite().all()
    assert members.grad is not None and members.grad.isfinite().all()


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"logits \(2, 3\), members \(2, 3\): .* \(M, B, C\)"):
        mixture_divergence(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="temperature must be > 0, got 0"):
        mixture_divergence(torch.zeros(2, 3), torch.zeros(1, 2, 3), temperature=0)


def student_and_teacher(rng: torch.Generator) -> tuple[torch.Tensor, ...]:
    logits = 3 * torch.randn(4, 6, generator=rng)
    labels = (torch.rand(4, 6, generator=rng) < 0.3).float()
    teacher, weights = torch.rand(4, 6, generator=rng), torch.rand(4, 6, generator=rng)
    teacher[0, :2] = torch.tensor([0.0, 1.0])  # a teacher's file lists few classes: the rest is 0
    return logits, labels, teacher, weights


def test_whole_share_is_one_loss_alone_bit_for_bit(rng: torch.Generator) -> None:
    logits, labels, teacher, weights = student_and_teacher(rng)
    logits.requires_grad_()
    for share, target in ((0.0, labels), (1.0, teacher)):
        ours = distillation_loss(logits, labels, teacher, weights, share=share)
        alone = binary_cross_entropy(logits, target, weights)
        gradients = [torch.autograd.grad(loss.sum(), logits)[0] for loss in (ours, alone)]
        assert torch.equal(ours, alone) and torch.equal(*gradients)
    hot = distillation_loss(logits, labels, teacher, weights, share=0, temperature=5)
    assert torch.equal(hot, binary_cross_entropy(logits, labels, weights))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_at_temperature_1_it_is_cross_entropy_with_the_mixed_target(
    share: float, rng: torch.Generator
) -> None:
    logits, labels, teacher, weights = student_and_teacher(rng)
    ours = distillation_loss(logits, labels, teacher, weights, share=share)
    mixed = (1 - share) * labels + share * teacher
    # float32: rounding of a sum over six classes
    torch.testing.assert_close(
        ours, binary_cross_entropy(logits, mixed, weights), rtol=1e-6, atol=0
    )


def test_temperature_worked_by_hand() -> None:
    logits, teacher = torch.tensor([[2 * math.log(3)]]), torch.tensor([[0.9]])  # odds 9 = 3^2
    loss = distillation_loss(logits, torch.ones(1, 1), teacher, share=0.25, temperature=2)
    truth = math.log(10 / 9)
    taught = 3 / 4 * math.log(4 / 3) + 1 / 4 * math.log(4)  # both are 3/4 at T = 2
    torch.testing.assert_close(loss, torch.tensor([0.75 * truth + 0.25 * 4 * taught]))


def test_gradient_of_the_teachers_part_is_t_times_the_difference_at_t(
    rng: torch.Generator,
) -> None:
    logits, labels, teacher, _ = student_and_teacher(rng)
    logits, teacher = logits.double().requires_grad_(), teacher.double().requires_grad_()
    distillation_loss(logits, labels, teacher, share=1, temperature=3).sum().backward()
    assert logits.grad is not None and teacher.grad is None
    powers = teacher.detach() ** (1 / 3), (1 - teacher.detach()) ** (1 / 3)
    at_3 = powers[0] / sum(powers)
    expected = 3 * ((logits.detach() / 3).sigmoid() - at_3)
    torch.testing.assert_close(logits.grad, expected, rtol=1e-10, atol=1e-12)


def test_numbers_of_distillation_out_of_range_are_named() -> None:
    zeros = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 1.5"):
        distillation_loss(zeros, zeros, zeros, share=1.5)
    with pytest.raises(ValueError, match="temperature must be > 0 and finite, got 0"):
        distillation_loss(zeros, zeros, zeros, temperature=0)
    with pytest.raises(ValueError, match=r"logits \(2, 3\), teacher \(2, 4\) differ"):
        distillation_loss(zeros, zeros, torch.zeros(2, 4))
