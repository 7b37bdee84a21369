"""ceshine's modules put together from our layers, with their weights; differences are here.

Each batch norm is our `MaskedBatchNorm` with PyTorch's constants. The rest of their weights is
folded into our layers by differentiable steps, so that gradients arrive at the names of theirs.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from reeltag.layers.bag_of_frames import BagOfFrames, masked_max
from reeltag.layers.gating import BottleneckGate
from reeltag.layers.mixture_gate import InputMixture
from reeltag.layers.nextvlad import NeXtVLAD
from reeltag.layers.norm import MaskedBatchNorm, row_statistics
from reeltag.layers.pooling import masked_mean


class PytorchNorm(MaskedBatchNorm):
    """Our batch norm with PyTorch's constants; PyTorch keeps the unbiased variance."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=0.1, eps=1e-5)
        self.rows = 0

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        self.rows = x.numel() // x.shape[-1]
        return super().forward(x, mask)

    def track(self, mean: Tensor, var: Tensor) -> None:
        super().track(mean, var * self.rows / (self.rows - 1))

    def affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scale and shift (C,) with which `forward` would treat rows (..., C)."""
        mean, var = self.running_mean, self.running_var
        if self.training:
            self.rows = x.numel() // x.shape[-1]
            rows = x.flatten(end_dim=-2)
            mean, var = row_statistics(rows, rows.new_ones(len(rows)))
            self.track(mean, var)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return scale, self.bias - mean * scale


class GroupMajor(nn.Module):
    """Trap 36: score columns g * K + k of ours are k * G + g of theirs, whose norm takes G by K."""

    def __init__(self, norm: PytorchNorm, groups: int) -> None:
        super().__init__()
        self.norm, self.groups = norm, groups

    def forward(self, scores_BTC: Tensor) -> Tensor:
        theirs_BTC = scores_BTC.unflatten(-1, (self.groups, -1)).transpose(-1, -2).flatten(-2)
        normed_BTC = self.norm(theirs_BTC.unflatten(-1, (self.groups, -1))).flatten(-2)
        ours_BTC: Tensor = normed_BTC.unflatten(-1, (-1, self.groups)).transpose(-1, -2).flatten(-2)
        return ours_BTC


class ClusterMajor(nn.Module):
    """Columns f * K + k of ours are k * F + f of theirs; returned in their order."""

    def __init__(self, norm: PytorchNorm, num_clusters: int) -> None:
        super().__init__()
        self.norm, self.num_clusters = norm, num_clusters

    def forward(self, vlad_BV: Tensor) -> Tensor:
        vlad_BFK = vlad_BV.unflatten(-1, (-1, self.num_clusters))
        normed_BV: Tensor = self.norm(vlad_BFK.transpose(1, 2).flatten(start_dim=1))
        return normed_BV


class Ceshine:
    """One golden file: their weights, and their modules by the names of their state."""

    def __init__(self, path: Path, dtype: torch.dtype, *, training: bool) -> None:
        with np.load(path) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in file.files if name != "meta"}
        self.arrays, self.training = arrays, training
        theirs = {name[4:]: array for name, array in arrays.items() if name.startswith("var.")}
        self.weights: dict[str, Tensor] = {
            name: nn.Parameter(array.to(dtype))
            for name, array in theirs.items()
            if array.is_floating_point() and ".running_" not in name
        }
        means = [name for name in theirs if name.endswith(".running_mean")]
        self.norms = {name: self.norm(name) for name in (n.rpartition(".")[0] for n in means)}

    def norm(self, name: str) -> PytorchNorm:
        """Return a new norm with their statistics, which shares scale and shift with others."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        norm = PytorchNorm(len(weight)).to(weight.dtype).train(self.training)
        norm.weight, norm.bias = weight, bias  # type: ignore[assignment]
        norm.running_mean.copy_(self.arrays[f"var.{name}.running_mean"])
        norm.running_var.copy_(self.arrays[f"var.{name}.running_var"])
        norm.settle()
        return norm

    def has(self, name: str) -> bool:
        return any(weight.startswith(name + ".") for weight in self.weights)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def gate(self, name: str, x_H: Tensor) -> Tensor:
        """Their squeeze and excitation: our bottleneck gate, everything affine folded into it.

        They have biases, a batch norm before the first map, and one behind the ReLU in place of
        one in front of it (`BNSEModule`), or none (`SEModule`). A bias in front of the ReLU is
        the shift of our norm; one behind it is the weight of a unit that is always 1.
        """
        name = f"{name}." if name else ""
        squeeze, bias = self.weights[f"{name}fc1.weight"], self.weights[f"{name}fc1.bias"]
        excite, last = self.weights[f"{name}fc2.weight"], self.weights[f"{name}fc2.bias"]
        squeeze, excite = squeeze.flatten(start_dim=1), excite.flatten(start_dim=1)
        if f"{name}bn1" in self.norms:
            scale, shift = self.norms[f"{name}bn1"].affine(x_H)
            squeeze, bias = squeeze * scale, bias + squeeze @ shift
            scale, shift = self.norms[f"{name}bn2"].affine(F.linear(x_H, squeeze, bias).relu())
            excite, last = excite * scale, last + excite @ shift
        size, units = excite.shape
        ours = BottleneckGate(size, size // (units + 1)).to(x_H.dtype).eval()
        spare = ours.squeeze.out_features - units - 1
        ours.norm.eps = 0.0
        weights = {
            "squeeze.weight": F.pad(squeeze, (0, 0, 0, spare + 1)),
            "norm.bias": torch.cat([bias, bias.new_ones(1), bias.new_zeros(spare)]),
            "excite.weight": F.pad(torch.cat([excite, last.unsqueeze(1)], dim=1), (0, spare)),
        }
        gated_H: Tensor = functional_call(ours, weights, x_H)
        return gated_H

    def nextvlad(self, name: str, x_BTD: Tensor, mask_BT: Tensor, groups: int) -> Tensor:
        """Their NeXtVLAD: ours, whose two norms are theirs, and whose columns are turned."""
        name = f"{name}." if name else ""
        theirs = {key.removeprefix(name): self.weights[key] for key in self.weights}
        num_clusters = len(theirs["centroids"])
        ours = NeXtVLAD(x_BTD.shape[-1], num_clusters, groups).to(x_BTD.dtype).eval()
        shared = self.norms.get(f"{name}soft_assignment_mapper.1.bn")
        assign = "soft_assignment_mapper" + (".0" if shared else "")
        weights = {
            "expand.weight": theirs["expansion_mapper.weight"],
            "expand.bias": theirs["expansion_mapper.bias"],
            "attend.weight": theirs["attention_mapper.weight"],
            "attend.bias": theirs["attention_mapper.bias"],
            "assign.weight": _by_group(theirs[f"{assign}.weight"], groups),
            "centres_FK": theirs["centroids"].T,
        }
        if shared:
            ours.assign_norm = GroupMajor(shared, groups)  # type: ignore[assignment]
        else:
            ours.assign_norm.eps = 0.0
            weights["assign_norm.bias"] = _by_group(theirs[f"{assign}.bias"], groups)
        ours.norm = ClusterMajor(self.norms[f"{name}final_bn"], num_clusters)  # type: ignore[assignment]
        vlad_BV: Tensor = functional_call(ours, weights, (x_BTD, mask_BT))
        return vlad_BV

    def dbof(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Their gated bag of frames as far as the hidden layer."""
        weight, bias = self.weights["encoder.0.weight"], self.weights["encoder.0.bias"]
        if self.has("encoder.3"):
            words_BTK = self.gate("encoder.3", F.linear(x_BTD, weight, bias).relu())
            max_BK, mean_BK = masked_max(words_BTK, mask_BT), masked_mean(words_BTK, mask_BT)
        else:
            names = {"words.weight": weight, "words.bias": bias}
            bags = [
                BagOfFrames(x_BTD.shape[-1], len(bias), activation="none", batch_norm=False),
                BagOfFrames(x_BTD.shape[-1], len(bias), pooling="mean", batch_norm=False),
            ]
            max_BK, mean_BK = (functional_call(bag, names, (x_BTD, mask_BT)) for bag in bags)
            max_BK = max_BK.relu()  # of a maximum; in the mean, no word of the file reaches 6
        share_B1 = mask_BT.to(x_BTD.dtype).mean(dim=1, keepdim=True)  # trap 38
        pooled_BV: Tensor = self.norms["intermediate_fc.0"](
            torch.cat([max_BK, mean_BK * share_B1], -1)
        )
        hidden_BH = self.linear("intermediate_fc.2", pooled_BV).relu()
        if self.has("intermediate_fc.4"):
            hidden_BH = self.gate("intermediate_fc.4", hidden_BH)
        return hidden_BH

    def experts(self, hidden_BH: Tensor, num_classes: int) -> Tensor:
        """Trap 37: they mix logits as our `InputMixture` does; the last expert has logit 0.

        Gates that all classes share are one mixture of ours. Gates of each class are one mixture
        each, with a norm of its own, so that each moves its statistics once.
        """
        normed_BH = self.norms["expert_fc.0"](hidden_BH)
        scores_BE = self.linear("expert_fc.2", normed_BH)
        if self.has("expert_fc.3"):
            scores_BE = self.gate("expert_fc.3", scores_BE)
        scores_MBC = scores_BE.unflatten(-1, (num_classes, -1)).movedim(-1, 0)
        scores_MBC = torch.cat([scores_MBC, torch.zeros_like(scores_MBC[:1])])
        members = len(scores_MBC)
        weights = self.weights["gating_fc.2.weight"].split(members)
        biases = self.weights["gating_fc.2.bias"].split(members)
        parts = scores_MBC.chunk(len(weights), dim=-1)
        one_BT = hidden_BH.new_ones(len(hidden_BH), 1, dtype=torch.bool)
        logits: list[Tensor] = []
        for weight, bias, part_MBC in zip(weights, biases, parts, strict=True):
            ours = InputMixture(hidden_BH.shape[-1], members)
            given = {"linear.weight": weight, "linear.bias": bias}
            ours.norm = self.norms["gating_fc.0"] = self.norm("gating_fc.0")
            logits.append(functional_call(ours, given, (hidden_BH.unsqueeze(1), one_BT, part_MBC)))
        return torch.cat(logits, dim=-1)


def _by_group(columns_C: Tensor, groups: int) -> Tensor:
    """Turn rows k * G + g into g * K + k."""
    rows_KG: Tensor = columns_C.unflatten(0, (-1, groups))
    return rows_KG.transpose(0, 1).flatten(0, 1)
