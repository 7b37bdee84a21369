"""One file to deploy: a run or a blend as an ONNX graph, under a limit of bytes, and checked.

    RUN | BLEND --> graph --> its size is counted --> packed --> written --> run beside PyTorch
                                    '--> too large: what weighs what, what would fit; no file

The file appears after the check. A graph beyond the 2 GB of a protobuf has its weights in a second
file, `<out>.data`, which must stay beside it.
"""

import datetime
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reeltag.core.errors import ConfigError, OutputError
from reeltag.core.extras import check_extra
from reeltag.deploy.budget import LARGE, Precision, parse_bytes, told_bytes
from reeltag.deploy.checking import difference_on_made_input
from reeltag.deploy.codebooks import Rule
from reeltag.deploy.graph import graph_of, input_of
from reeltag.deploy.packing import budget_of, pack
from reeltag.deploy.sources import ExportSource
from reeltag.tagger.loading import SUFFIX
from reeltag.tagger.onnx import OnnxTagger
from reeltag.tagger.tagger import AnyTagger

with check_extra("export"):
    import onnx_ir as ir

LARGEST_PROTOBUF = 2**31 - 2**24  # bytes of weights: of the 2 GB, the graph needs the rest


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """What the graph is to be."""

    max_bytes: str = "1GB"
    """Most that the file may take, as 1GB (10^9 bytes), 900MB or 1GiB (2^30); YouTube-8M's
    challenge of 2018 allowed 1 GB."""
    precision: Precision = "fp32"
    """How tensors of more than 17,000 numbers are stored; arithmetic is fp32 in any case."""
    codebook: Rule = "uniform"
    """The 256 numbers of a tensor in uint8: evenly from least to greatest, or of k-means, which
    loses less and takes longer."""
    top_k: int = 20
    """Classes that the graph lists of a video, best first (it gives all logits, too)."""
    input: Literal["auto", "uint8", "float32"] = "auto"
    """What frames come as; auto: means of videos as float32, others as the bytes of the records."""

    def __post_init__(self) -> None:
        """Refuse what is out of range with ConfigError."""
        parse_bytes(self.max_bytes)
        if self.top_k < 1:
            raise ConfigError(f"must be at least 1, got {self.top_k}", where="--top-k")


def export(
    source: ExportSource, out: Path, config: ExportConfig, *, overwrite: bool = False
) -> dict[str, Any]:
    """Write the graph of `source`, and return what came of it.

    The answer: path, bytes (of all files), precision, codebook, top_k, input, weights (numbers in
    its tensors), packed (how many of them are in that precision, where it is a lower one),
    max_difference (the largest of a probability between the graph in onnxruntime and
    PyTorch, on made input), seconds.

    Args:
        source: of `source_of`.
        out: file to make; it ends in .onnx.
        config: what it is to be.
        overwrite: replace `out` if it exists.

    Raises:
        ConfigError: the graph would be too large; tells what weighs what, and what would fit.
        DataError: a weight is not a number.
        OutputError: `out` exists or cannot be written, or the graph says other than PyTorch does.
    """
    begun, limit = time.monotonic(), parse_bytes(config.max_bytes)
    refuse_out(out, overwrite=overwrite)
    tagger = source.tagger
    stored = input_of(tagger) if config.input == "auto" else config.input
    model = graph_of(tagger, top_k=config.top_k, stored=stored)
    about = {
        "reeltag": importlib.metadata.version("reeltag"),
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "family": tagger.family,
        "method": source.method,
        "streams": [list(stream) for stream in tagger.streams],
        "input": stored,
        "top_k": min(config.top_k, tagger.num_classes),
        "precision": config.precision,
        "codebook": config.codebook if config.precision == "uint8" else "",
        "members": source.members,
    }
    _describe(model, tagger, about)
    budget = budget_of(model, source.prefixes)
    budget.refuse_above(limit, config.precision)
    packed = pack(model, config.precision, config.codebook)
    with _part(out) as part:
        size = _write(model, part)
        if size > limit:  # the count is a bound, so this is for the case that it is not
            raise ConfigError(
                f"the model takes {size:,} bytes; allowed: {limit:,}", where="--max-bytes"
            )
        difference = difference_on_made_input(tagger, OnnxTagger(part), config.precision)
    return {
        "path": str(out),
        "bytes": size,
        "precision": config.precision,
        "codebook": about["codebook"],
        "top_k": about["top_k"],
        "input": stored,
        "weights": sum(weight.elements for weight in budget.weights),
        "packed": packed,
        "max_difference": difference,
        "seconds": round(time.monotonic() - begun, 1),
    }


def refuse_out(out: Path, *, overwrite: bool) -> None:
    """Raise OutputError where `out` cannot be the file that is made."""
    if out.suffix != SUFFIX:
        raise OutputError(f"must end in {SUFFIX}, so that it is known again", where=out)
    if out.is_dir():
        raise OutputError("is a folder", where=out, hint="Name a file, as in --out model.onnx.")
    if out.exists() and not overwrite:
        raise OutputError(
            "exists already, and is not overwritten",
            where=out,
            hint="Choose another --out, or say --overwrite.",
        )


def _describe(model: ir.Model, tagger: AnyTagger, about: dict[str, Any]) -> None:
    """Say in the file what it is, for programs and for people."""
    model.producer_name, model.producer_version = "reeltag", about["reeltag"]
    model.doc_string = (
        "Tags of videos. frames (batch, length, "
        f"{sum(width for _, width in tagger.streams)}) {about['input']}: "
        + ", ".join(f"{name} ({width})" for name, width in tagger.streams)
        + " side by side, one row a second, as stored; mask (batch, length) bool: true for a real "
        f"frame. classes, probs (batch, {about['top_k']}): the best, best first; logits (batch, "
        f"{tagger.num_classes}). Names of the classes: metadata class_names, a JSON list."
    )
    model.metadata_props["reeltag"] = json.dumps(about, ensure_ascii=False)
    model.metadata_props["class_names"] = json.dumps(tagger.class_names, ensure_ascii=False)


def _write(model: ir.Model, path: Path) -> int:
    """Write the graph, in two files where one cannot hold it, and return their bytes."""
    constants = [value.const_value for value in model.graph.initializers.values()]
    weights = sum(int(tensor.nbytes) for tensor in constants if tensor is not None)
    if weights < LARGEST_PROTOBUF:
        path.write_bytes(ir.to_proto(model).SerializeToString())
    else:
        ir.save(model, path, external_data=path.name + ".data")
    return sum(file.stat().st_size for file in path.parent.iterdir())


@contextmanager
def _part(out: Path) -> Iterator[Path]:
    """Yield a path to write to, in a folder of its own; what is there becomes `out` at the end."""
    folder = out.with_name(out.name + ".part")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder / out.name
        data = out.with_name(out.name + ".data")
        if not (folder / data.name).exists():
            data.unlink(missing_ok=True)  # of a graph that is being replaced
        for file in sorted(folder.iterdir(), reverse=True):  # the data first
            os.replace(file, out.with_name(file.name))
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror or error})",
            where=out,
            hint="Free some space or choose another place; nothing was left half-written.",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def told(answer: dict[str, Any]) -> str:
    """Return what an export came to, for people."""
    numbers, precision = f"{answer['weights']:,} numbers", answer["precision"]
    if precision == "fp32":
        numbers += " in fp32"
    elif answer["packed"]:
        rule = f" ({answer['codebook']})" if answer["codebook"] else ""
        numbers += f", {answer['packed']:,} of them in {precision}{rule}"
    else:
        numbers += f", all in fp32: no tensor that {precision} is for has more than {LARGE:,}"
    lines = [
        f"{answer['path']}: {told_bytes(answer['bytes'])}, {numbers}",
        f"checked against PyTorch: a probability differs by {answer['max_difference']:.2g} at most "
        "on made input",
    ]
    if "gap_before" in answer:
        before, after = (
            "undefined" if answer[name] is None else f"{answer[name]:.5f}"
            for name in ("gap_before", "gap_after")
        )
        lines.append(
            f"GAP@20 {before} in PyTorch, {after} as exported; {answer['videos']:,} videos"
        )
    return "\n".join(lines)
