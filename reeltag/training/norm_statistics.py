"""Running statistics of batch norms, computed again from data for weights that were averaged."""

from collections.abc import Iterable

import torch
from torch import Tensor

from reeltag.core.batch import FrameBatch
from reeltag.core.errors import ConfigError
from reeltag.core.seeding import derive_seed
from reeltag.layers.norm import MaskedBatchNorm
from reeltag.tagger.tagger import Tagger


@torch.no_grad()
def recompute_norms(tagger: Tagger, batches: Iterable[FrameBatch], seed: int = 0) -> int:
    """Set each batch norm's running statistics to the mean of those of `batches`; return how many.

    As `torch.optim.swa_utils.update_bn` for PyTorch's norms: the model is in training mode, with
    its dropout, each batch has the same weight, and the weights stay as they are.

    Args:
        tagger: changed in place; its mode stays as it was.
        batches: training batches, each read before the next is taken.
        seed: of dropout and of frames that the model draws.

    Raises:
        ConfigError: the model has no batch norm, or there is no batch.
    """
    norms = [module for module in tagger.modules() if isinstance(module, MaskedBatchNorm)]
    if not norms:
        raise ConfigError(f"{tagger.family} with these options has no batch norm: nothing to do")
    counts = [norm.num_batches.clone() for norm in norms]
    sums: list[tuple[Tensor, Tensor]] = [
        (torch.zeros_like(of.running_mean, dtype=torch.float64),) * 2 for of in norms
    ]
    training, done = tagger.training, 0
    device = tagger.prepare.scale.device
    tagger.train()
    try:
        for batch in batches:
            torch.manual_seed(derive_seed(seed, "norms", done))
            for norm in norms:
                norm.num_batches.zero_()  # so that the next batch has all the weight
            moved = batch.to(device)
            tagger(moved.frames, moved.mask)
            sums = [
                (mean + norm.running_mean, var + norm.running_var)
                for norm, (mean, var) in zip(norms, sums, strict=True)
            ]
            done += 1
    finally:
        tagger.train(training)
    if not done:
        raise ConfigError("there is no batch to compute the statistics of batch norms from")
    for norm, (mean, var), count in zip(norms, sums, counts, strict=True):
        norm.running_mean.copy_(mean / done)
        norm.running_var.copy_(var / done)
        norm.num_batches.copy_(count)
    return len(norms)
