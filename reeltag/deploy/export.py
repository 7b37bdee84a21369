"""One file to deploy: a run or a blend as an ONNX graph, under a limit of bytes, and checked.

    RUN | BLEND --> graph --> size computed --> packed --> written --> compared with PyTorch
                              '--> too large: error with the largest tensors and what would fit

The file appears after the check. A graph beyond the 2 GB of a protobuf has its weights in a second
file, `<out>.data`, which must stay next to it.
"""

import dataclasses
import importlib.metadata
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reeltag.core.errors import ConfigError, OutputError
from reeltag.core.extras import check_extra
from reeltag.core.files import PathLike, check_new_file, hold_result, put
from reeltag.core.parts import new_part
from reeltag.core.text import json_text
from reeltag.core.writing import writing
from reeltag.deploy.budget import LARGE, format_bytes, parse_bytes
from reeltag.deploy.checking import TOLERANCE, compare_with_torch
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.graph import drop_members, graph_of, input_of
from reeltag.deploy.int8 import with_int8_products
from reeltag.deploy.packing import budget_of, pack
from reeltag.deploy.sources import ExportSource
from reeltag.tagger.loading import SUFFIX
from reeltag.tagger.onnx import OnnxTagger, stamp
from reeltag.tagger.tagger import AnyTagger

with check_extra("export"):
    import onnx_ir as ir

LARGEST_PROTOBUF = 2**31 - 2**24  # bytes of weights: of the 2 GB, what the graph leaves


def export(
    source: ExportSource, out: PathLike, config: ExportConfig, *, overwrite: bool = False
) -> dict[str, Any]:
    """Write the graph of `source`, and return its description.

    It has: path, bytes (of all files), precision, arithmetic, codebook, top_k, input, weights
    (numbers in its tensors), packed (how many of them are in a lower precision), max_difference
    (the largest of a probability between the graph in onnxruntime and PyTorch, on random input),
    files_difference (likewise between the blend and that of prediction files, which leave classes
    out), seconds.

    Args:
        source: of `load_source`.
        out: file to write; it ends in .onnx.
        config: size, precision, inputs and outputs.
        overwrite: replace `out` if it exists.

    Raises:
        ConfigError: the graph would be too large; names the largest tensors and what would fit.
        DataError: a weight is not finite.
        OutputError: `out` exists or cannot be written, or the graph does not agree with PyTorch.
    """
    out = Path(out)
    started, limit = time.monotonic(), parse_bytes(config.max_bytes)
    check_onnx_path(out, overwrite=overwrite)
    tagger = source.tagger
    stored = input_of(tagger) if config.input == "auto" else config.input
    model = graph_of(tagger, top_k=config.top_k, stored=stored)
    about = _metadata(source, config, stored)
    _describe(model, tagger, about)
    budget = budget_of(model, source.prefixes)
    if config.arithmetic == "int8":
        model, packed = with_int8_products(model), 0
    else:
        budget.check_limit(limit, config.precision)
        packed = pack(model, config.precision, config.codebook)
    tolerance = config.tolerance or TOLERANCE[config.coarsest]
    with _part(out) as part:
        size = _write(model, part)
        if size > limit:  # in int8; otherwise the count before was a bound
            raise ConfigError(
                f"the model takes {size:,} bytes; allowed: {limit:,}", where="--max-bytes"
            )
        difference = compare_with_torch(tagger, OnnxTagger(part), tolerance, source.of_files)
        if drop_members(model):
            size = _write(model, part)
    return {
        "path": str(out),
        "bytes": size,
        "precision": config.precision,
        "arithmetic": config.arithmetic,
        "codebook": about["codebook"],
        "top_k": about["top_k"],
        "input": stored,
        "weights": sum(weight.elements for weight in budget.weights),
        "packed": packed,
        "max_difference": difference.of_graph,
        "files_difference": difference.of_files,
        "seconds": round(time.monotonic() - started, 1),
    }


def check_onnx_path(out: Path, *, overwrite: bool) -> None:
    """Raise OutputError where `out` cannot be the file that is written."""
    if out.suffix != SUFFIX:
        raise OutputError(f"must end in {SUFFIX}, so that it is recognised", where=out)
    check_new_file(out, "--out model.onnx", overwrite=overwrite)


def _metadata(source: ExportSource, config: ExportConfig, stored: str) -> dict[str, Any]:
    """Return the metadata of a graph that `OnnxTagger` reads again."""
    tagger = source.tagger
    return {
        "reeltag": importlib.metadata.version("reeltag"),
        "family": tagger.family,
        "method": source.method,
        "streams": [list(stream) for stream in tagger.streams],
        "features": dataclasses.asdict(tagger.features),
        "thresholds": tagger.thresholds and dataclasses.asdict(tagger.thresholds),
        "input": stored,
        "top_k": min(config.top_k, tagger.num_classes),
        "precision": config.precision,
        "arithmetic": config.arithmetic,
        "codebook": config.codebook if config.precision == "uint8" else "",
        "members": source.members,
    }


def _describe(model: ir.Model, tagger: AnyTagger, about: dict[str, Any]) -> None:
    """Write the metadata of the graph, for programs and for people."""
    model.producer_name, model.producer_version = "reeltag", about["reeltag"]
    model.doc_string = (
        "Tags of videos. frames (batch, length, "
        f"{sum(width for _, width in tagger.streams)}) {about['input']}: "
        + ", ".join(f"{name} ({width})" for name, width in tagger.streams)
        + " concatenated, one row a second, as stored; mask (batch, length) bool: true for a real "
        f"frame. classes, probs (batch, {about['top_k']}): the best, best first; logits (batch, "
        f"{tagger.num_classes}). Names of the classes: metadata class_names, a JSON list."
    )
    model.metadata_props["reeltag"] = json_text(about)
    model.metadata_props["class_names"] = json_text(tagger.class_names)


def _write(model: ir.Model, path: Path) -> int:
    """Write the graph, in two files where one cannot hold it, and return their bytes."""
    constants = [value.const_value for value in model.graph.initializers.values()]
    weights = sum(int(tensor.nbytes) for tensor in constants if tensor is not None)
    if weights < LARGEST_PROTOBUF:
        path.write_bytes(ir.to_proto(model).SerializeToString())
    else:
        ir.save(model, path, external_data=path.name + ".data")
    stamp(path)
    return sum(file.stat().st_size for file in path.parent.iterdir())


@contextmanager
def _part(out: Path) -> Iterator[Path]:
    """Yield a path to write to, in a folder of its own; its files replace `out` at the end."""
    with hold_result(out), new_part(out, folder=True) as folder, writing(out, folder):
        yield folder / out.name
        data = out.with_name(out.name + ".data")
        if not (folder / data.name).exists():
            data.unlink(missing_ok=True)  # of a graph that is being replaced
        for file in sorted(folder.iterdir(), reverse=True):  # the data first
            put(file, out.with_name(file.name))


def format_export(result: dict[str, Any]) -> str:
    """Return the description of an export as lines of text."""
    numbers, precision = f"{result['weights']:,} numbers", result["precision"]
    if result["arithmetic"] == "int8":
        numbers += ", matrix products in int8"
    elif precision == "fp32":
        numbers += " in fp32"
    elif result["packed"]:
        rule = f" ({result['codebook']})" if result["codebook"] else ""
        numbers += f", {result['packed']:,} of them in {precision}{rule}"
    else:
        numbers += f", all in fp32: no tensor that {precision} is for has more than {LARGE:,}"
    lines = [
        f"{result['path']}: {format_bytes(result['bytes'])}, {numbers}",
        f"checked against PyTorch: a probability differs by {result['max_difference']:.2g} at most "
        "on random input",
    ]
    if result["files_difference"]:
        lines.append(
            "all classes of the members count, while the blended files leave out all but their "
            f"best: a probability differs by {result['files_difference']:.2g} at most from that of "
            "`reeltag blend --with`, on random input"
        )
    if "gap_before" in result:
        words = {
            "gap_before": "in PyTorch",
            "gap_after": "as exported",
            "gap_of_files": "blended by the rule of files",
        }
        scores = [
            f"{'undefined' if result[name] is None else f'{result[name]:.5f}'} {what}"
            for name, what in words.items()
            if name in result
        ]
        lines.append(f"GAP@20 {', '.join(scores)}; {result['videos']:,} videos")
    return "\n".join(lines)
