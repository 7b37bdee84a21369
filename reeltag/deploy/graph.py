"""A tagger as an ONNX graph: raw frames and a mask in, the best classes and all logits out.

    frames (batch, length, D) uint8 or float32
    mask   (batch, length) bool
        --> preprocessing --> model --> logits (batch, C)
                                            '--> top k --> classes, probs (batch, k)

Batch and length are free. Weights keep the names that they have in the tagger. The graph of a blend
has a fourth output, member_logits (M, batch, C), for as long as it is checked.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from reeltag.core.extras import check_extra
from reeltag.deploy.combined import BlendedTagger
from reeltag.tagger.tagger import AnyTagger

with check_extra("export"):
    import onnx_ir as ir
    import onnx_ir.passes.common as passes

Input = Literal["uint8", "float32"]

INPUTS, OUTPUTS = ("frames", "mask"), ("classes", "probs", "logits")
MEMBERS = "member_logits"
OPSET = 20


class _ExportedModule(nn.Module):
    """Module whose graph is exported."""

    def __init__(self, tagger: AnyTagger, top_k: int) -> None:
        super().__init__()
        self.tagger, self.top_k = tagger, top_k

    def forward(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return best classes (B, k), their probabilities (B, k), logits (B, C), and members'."""
        members: tuple[Tensor, ...] = ()
        if isinstance(self.tagger, BlendedTagger):
            members = (self.tagger.member_logits(frames, mask),)
            logits_BC = self.tagger.blend(*members)
        else:
            logits_BC = self.tagger(frames, mask).float()
        best_BK, classes_BK = logits_BC.topk(self.top_k)
        return classes_BK, best_BK.sigmoid(), logits_BC, *members


def input_of(tagger: AnyTagger) -> Input:
    """Return what the frames of a tagger come as: bytes where all streams are stored so.

    Published records of whole videos name their streams mean_rgb, mean_audio, ... and hold floats.
    """
    means = all(name.startswith("mean_") for name, _ in tagger.streams)
    is_codes = all(stream.dtype == "uint8" for stream in tagger.features.streams)
    return "uint8" if is_codes and not means else "float32"


def graph_of(tagger: AnyTagger, *, top_k: int, stored: Input) -> ir.Model:
    """Return the graph of a tagger, its weights as they are; the tagger is put into eval mode.

    Args:
        tagger: on the CPU.
        top_k: classes that the graph lists per video; at most C.
        stored: type of its frames.
    """
    module = _ExportedModule(tagger, min(top_k, tagger.num_classes)).eval()
    width = sum(width for _, width in tagger.streams)
    frames = torch.zeros(2, 5, width, dtype=getattr(torch, stored))
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=1)
    free = {0: batch, 1: length}
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            module,
            (frames, mask),
            dynamo=True,
            dynamic_shapes=(free, free),
            input_names=INPUTS,
            output_names=(*OUTPUTS, MEMBERS) if isinstance(tagger, BlendedTagger) else OUTPUTS,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model: ir.Model = program.model
    passes.ClearMetadataAndDocStringPass()(model)  # the exporter writes stack traces there
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    return model


def drop_members(model: ir.Model) -> bool:
    """Remove the fourth output of a graph; return whether it had one."""
    found = [value for value in model.graph.outputs if value.name == MEMBERS]
    for value in found:
        model.graph.outputs.remove(value)
    return bool(found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's own warnings and log lines."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
