"""The one PyTorch system of the peers, rebuilt from our layers, against numbers of its own code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from reeltag.losses.cross_entropy import binary_cross_entropy
from tests.conftest import golden_file, golden_files
from tests.models.ceshine import Ceshine

pytestmark = pytest.mark.golden
FILES = [path for path in golden_files("layers/ceshine_*.npz") if "xent" not in path.stem]
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))


def settings(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        meta: dict[str, Any] = json.loads(str(file["meta"]))
    return {**meta, **meta.get("kwargs", {})}


def output(their: Ceshine, path: Path, x: Tensor) -> Tensor:
    kind, has = path.stem.split("_")[1], settings(path)
    if kind in ("se", "bnse"):
        return their.gate("", x)
    mask_BT = their.arrays["in.masks"].bool()
    if kind == "nextvlad":
        x = F.normalize(x, dim=-1) if has["normalize_input"] else x
        return their.nextvlad("", x, mask_BT, has["groups"])
    if kind == "dbof":
        return their.experts(their.dbof(x, mask_BT), has["n_classes"])
    streams = zip(
        ("video", "audio"), x.split([has["video_dim"], has["audio_dim"]], -1), strict=True
    )
    pooled = [
        their.nextvlad(f"{name}_encoder", F.normalize(x_BTD, dim=-1), mask_BT, has["groups"])
        for name, x_BTD in streams
    ]
    hidden_BH = their.linear("intermediate_fc.0", torch.cat(pooled, dim=-1)).relu()
    if their.has("se_gating"):
        hidden_BH = their.gate("se_gating", hidden_BH)
    return their.experts(hidden_BH, has["n_classes"])


@every_file
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-5), (torch.float64, 1e-9)],
    ids=["float32", "float64"],
)
def test_outputs_are_the_authors(
    path: Path, dtype: torch.dtype, tolerance: float, mode: str
) -> None:
    their = Ceshine(path, dtype, training=mode == "train")
    ours = output(their, path, their.arrays["in.x"].to(dtype))
    expected = their.arrays[f"{mode}_f64.out"]
    torch.testing.assert_close(ours.double(), expected, rtol=tolerance, atol=tolerance)


@every_file
def test_gradients_and_moved_statistics_are_the_authors(path: Path) -> None:
    their = Ceshine(path, torch.float64, training=True)
    x = their.arrays["in.x"].double().requires_grad_()
    (output(their, path, x) * their.arrays["in.cotangent"]).sum().backward()
    gradients = {f"grad_f64.{name}": weight.grad for name, weight in their.weights.items()}
    gradients["gradin_f64.x"] = x.grad
    moved = {
        f"newstat_f64.{name}.{part}": getattr(norm, part)
        for name, norm in their.norms.items()
        for part in ("running_mean", "running_var")
    }
    found = gradients | moved
    known = {name for name in their.arrays if name.startswith(("grad", "newstat_f64"))}
    assert found.keys() == known
    for name in known:
        ours, theirs = found[name], their.arrays[name].double()
        assert ours is not None
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-9)], ids=["f32", "f64"]
)
def test_cross_entropy_with_label_weights_is_the_authors_loss(
    dtype: torch.dtype, tolerance: float
) -> None:
    with np.load(golden_file("layers/ceshine_sampled_xent.npz")) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files if name != "meta"}
    logits_BC = arrays["in.x"].to(dtype).requires_grad_()
    rated_B, score_B, mined_BC = arrays["in.y"].tensor_split([1, 2], dim=1)
    rated_BC = torch.zeros_like(logits_BC).scatter(1, rated_B, 1.0)
    labels_BC, weights_BC = rated_BC * score_B, rated_BC * (0.5 + score_B)  # yes 1.5, no 0.5
    rated = binary_cross_entropy(logits_BC, labels_BC, weights_BC).mean()
    no_BC = torch.zeros_like(logits_BC)
    mined = binary_cross_entropy(logits_BC, no_BC, mined_BC.to(dtype)).sum() / mined_BC.sum()
    loss = rated.float() + 0.5 * mined  # in their float64 run too, the first is of float32
    expected = arrays["eval_f64.out"]
    torch.testing.assert_close(loss.double(), expected, rtol=tolerance, atol=tolerance)
    (gradient_BC,) = torch.autograd.grad(loss * arrays["in.cotangent"], logits_BC)
    expected = arrays["gradin_f64.x"]
    torch.testing.assert_close(gradient_BC.double(), expected, rtol=tolerance, atol=tolerance)
