"""Preprocessing: the released formula, norms, whitening, padding, and one result in any batch."""

import math

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.layers.preprocessing import Preprocessing, PreprocessingConfig, dequantise
from tests.conftest import golden_file

ALL = [
    PreprocessingConfig(),
    PreprocessingConfig(normalise="streams"),
    PreprocessingConfig(normalise="none"),
    PreprocessingConfig(normalise="none", reverse_whitening=True),
    PreprocessingConfig(normalise="joint", reverse_whitening=True),
]
every_config = pytest.mark.parametrize("config", ALL, ids=str)


def codes(rng: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=rng, dtype=torch.uint8)


def test_dequantise_matches_released_formula_for_every_byte() -> None:
    bytes_ = torch.arange(256, dtype=torch.uint8)
    expected = torch.arange(256).double() * 4 / 255 + 4 / 512 - 2
    torch.testing.assert_close(dequantise(bytes_).double(), expected, atol=3e-7, rtol=0)


def test_preprocessing_samsung_code_is_q_by_64_minus_2() -> None:
    config = PreprocessingConfig(dequantise="samsung", normalise="none")
    bytes_ = torch.tensor([[[0, 1, 127, 128, 254, 255]]], dtype=torch.uint8)
    expected = torch.tensor([[[-2, -1.984375, -0.015625, 0, 1.96875, 1.984375]]])
    prepared = Preprocessing(config, [6])(bytes_, torch.ones(1, 1, dtype=torch.bool))
    torch.testing.assert_close(prepared, expected, rtol=0, atol=0)  # worked by hand


def test_dequantise_checks_dtype() -> None:
    with pytest.raises(TypeError, match=r"must be uint8, got torch\.float32"):
        dequantise(torch.zeros(3))


@pytest.mark.golden
def test_preprocessing_reverse_whitening_matches_authors() -> None:
    with np.load(golden_file("layers/lin_input_transform.npz")) as file:
        raw, eigenvalues = torch.from_numpy(file["in.raw"]), torch.from_numpy(file["in.eigenvals"])
        expected = torch.from_numpy(file["out.model_input"])
    layer = Preprocessing(ALL[3], (1024, 128), eigenvalues)
    ours = layer(raw.unsqueeze(0), torch.ones(1, len(raw), dtype=torch.bool))
    torch.testing.assert_close(ours.squeeze(0), expected, atol=1e-6, rtol=1e-6)


@every_config
def test_preprocessing_of_bytes_matches_dequantised_values(
    config: PreprocessingConfig, rng: torch.Generator
) -> None:
    layer = Preprocessing(config, (5, 3))
    frames, mask = codes(rng, 9, 4, 8), torch.rand(9, 4, generator=rng) < 0.7
    torch.testing.assert_close(layer(frames, mask), layer(dequantise(frames), mask))


@every_config
def test_preprocessing_padding_is_exactly_zero(
    config: PreprocessingConfig, rng: torch.Generator
) -> None:
    frames, mask = (
        torch.randn(2, 3, 8, generator=rng),
        torch.tensor([[True] * 3, [True, False, False]]),
    )
    frames[1, 1:] = float("nan")
    out = Preprocessing(config, (5, 3))(frames, mask)
    assert (out[1, 1:] == 0).all() and out[mask].isfinite().all() and out[mask].any(dim=-1).all()


@every_config
def test_preprocessing_does_not_depend_on_the_batch(
    config: PreprocessingConfig, rng: torch.Generator
) -> None:
    layer, frames = Preprocessing(config, (5, 3)), codes(rng, 11, 4, 8)
    mask = torch.ones(11, 4, dtype=torch.bool)
    alone = torch.cat([layer(frames[i : i + 1], mask[i : i + 1]) for i in range(11)])
    torch.testing.assert_close(layer(frames, mask), alone)


def test_preprocessing_joint_norm_is_one_and_keeps_relative_energy() -> None:
    frames, mask = torch.tensor([[[3.0, 0.0, 4.0]]]), torch.ones(1, 1, dtype=torch.bool)
    out = Preprocessing(PreprocessingConfig(), (2, 1))(frames, mask)
    torch.testing.assert_close(out, torch.tensor([[[0.6, 0.0, 0.8]]]))


def test_preprocessing_norm_of_each_stream_is_one() -> None:
    frames, mask = torch.tensor([[[3.0, 4.0, -2.0]]]), torch.ones(1, 1, dtype=torch.bool)
    out = Preprocessing(PreprocessingConfig(normalise="streams"), (2, 1))(frames, mask)
    torch.testing.assert_close(out, torch.tensor([[[0.6, 0.8, -1.0]]]))


def test_preprocessing_frame_of_zeros_stays_zero() -> None:
    out = Preprocessing(PreprocessingConfig(), (4,))(torch.zeros(1, 1, 4), torch.ones(1, 1).bool())
    assert (out == 0).all()


def test_preprocessing_without_eigenvalues_undoes_only_the_shift() -> None:
    out = Preprocessing(ALL[3], (2, 1))(torch.ones(1, 1, 3), torch.ones(1, 1).bool())
    expected = torch.tensor([[[1 - 4 / 512, 1 - 4 / 512, 1.0]]])
    torch.testing.assert_close(out, expected)


def test_preprocessing_half_precision_keeps_codes_apart() -> None:
    frames = torch.arange(256, dtype=torch.uint8).view(1, 256, 1)
    layer = Preprocessing(PreprocessingConfig(normalise="none"), (1,))
    out = layer(frames, torch.ones(1, 256, dtype=torch.bool), torch.bfloat16)
    assert out.dtype == torch.bfloat16 and len(out.unique()) == 256


def test_preprocessing_under_autocast_has_its_dtype(rng: torch.Generator) -> None:
    layer, frames = Preprocessing(PreprocessingConfig(), (8,)), codes(rng, 2, 3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(frames, torch.ones(2, 3, dtype=torch.bool))
    assert out.dtype == torch.bfloat16
    exact = layer(frames, torch.ones(2, 3, dtype=torch.bool))
    torch.testing.assert_close(out.float(), exact, rtol=2**-8, atol=0)


def test_preprocessing_state_has_the_eigenvalues() -> None:
    trained = Preprocessing(ALL[3], (2, 1), torch.tensor([4.0, 9.0]))
    fresh = Preprocessing(ALL[3], (2, 1))
    fresh.load_state_dict(trained.state_dict())
    out = fresh(torch.ones(1, 1, 3), torch.ones(1, 1).bool())
    torch.testing.assert_close(out[0, 0, 0].item(), (1 - 4 / 512) * (math.sqrt(4) + 1e-4))


@pytest.mark.parametrize(
    ("config", "eigenvalues", "words"),
    [
        (ALL[3], torch.ones(3), r"must be 2 numbers >= 0.*got shape \(3,\)"),
        (ALL[3], torch.tensor([1.0, -1.0]), "smallest -1"),
        (ALL[0], torch.ones(2), "reverse_whitening is off"),
    ],
)
def test_preprocessing_checks_eigenvalues(
    config: PreprocessingConfig, eigenvalues: torch.Tensor, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        Preprocessing(config, (2, 1), eigenvalues)
