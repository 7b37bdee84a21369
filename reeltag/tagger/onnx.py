"""An exported model as a tagger: `reeltag predict model.onnx` works like a run.

The metadata of its file describe the graph, under `reeltag`, as JSON; `class_names` has the names
of its classes.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reeltag.core.errors import DataError, reason_of
from reeltag.core.extras import check_extra
from reeltag.core.fields import from_json, parse_json
from reeltag.core.files import PathLike
from reeltag.core.utf8_names import utf8_name
from reeltag.data.features import Features
from reeltag.data.records.wire import encode_bytes_field
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.thresholds import Thresholds

with check_extra("export", "onnxruntime"):
    import onnxruntime

_HINT = "Make one: reeltag export RUN --out model.onnx"
_CHUNK = 1 << 24
_DIGEST_BYTES = 16
_METADATA_PROPS = 14  # number of the field in ModelProto
T = TypeVar("T")


class OnnxTagger(AnyTagger):
    """A graph of `reeltag export`, run by onnxruntime.

    It computes on the CPU, or on a GPU where onnxruntime is built for one; batches may be anywhere.

    Args:
        path: of the file; external data are next to it.
        threads: that one product may use; 0 = as many as PyTorch's.

    Attributes:
        about: the description in its metadata.

    Raises:
        DataError: there is no such file, it is no graph, or not one of `reeltag export`.
    """

    digest: Tensor

    def __init__(self, path: PathLike, *, threads: int = 0) -> None:
        path = Path(path)
        super().__init__()
        self._path = path
        digest = check_stamp(path)  # of these weights
        self._session = _opened(path, threads or torch.get_num_threads())
        try:
            properties = self._session.get_modelmeta().custom_metadata_map
            self.about: dict[str, Any] = parse_json(properties["reeltag"])
            self.class_names = tuple(parse_json(properties["class_names"]))
            self.streams = tuple((name, width) for name, width in self.about["streams"])
            self.family = str(self.about["family"])
            self.description = _field(Features, self.about, "features", path)
            self.thresholds = _field(Thresholds, self.about, "thresholds", path)
            self._stored = np.dtype(self.about["input"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                "is an ONNX graph, but does not say what its classes and streams are",
                where=path,
                hint=_HINT,
            ) from error
        self.register_buffer("digest", torch.tensor([*digest], dtype=torch.uint8))

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Map frames (B, T, D), uint8 as stored or float features, to logits (B, C)."""
        frames = frames_BTD.detach().cpu().numpy()
        if frames.dtype != self._stored:
            if "uint8" in (str(frames.dtype), str(self._stored)):
                raise DataError(
                    f"the model reads {self._stored} frames; the data hold {frames.dtype}",
                    where=self._path,
                    hint="Export it again with --input auto|uint8|float32.",
                )
            frames = frames.astype(self._stored)
        given = {"frames": frames, "mask": mask_BT.detach().cpu().numpy()}
        (logits,) = self._run(["logits"], given)
        return torch.from_numpy(logits).to(frames_BTD.device)

    def best(self, frames_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the graph lists: classes (B, k) int64, and their probabilities (B, k)."""
        classes, probs = self.outputs(("classes", "probs"), frames_BTD, mask_BT)
        return classes, probs

    def outputs(self, names: Sequence[str], frames_BTD: Tensor, mask_BT: Tensor) -> list[Tensor]:
        """Return outputs of the graph by name, for frames (B, T, D) of its type on the CPU."""
        given = {"frames": frames_BTD.numpy(), "mask": mask_BT.numpy()}
        return [torch.from_numpy(found) for found in self._run(list(names), given)]

    def _run(self, names: list[str], given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return outputs of the graph; DataError where onnxruntime cannot compute them."""
        try:
            found: list[NDArray[Any]] = self._session.run(names, given)
        except Exception as error:  # onnxruntime's errors have no root of their own
            what = f"cannot be run on frames {given['frames'].shape} ({reason_of(error)})"
            raise DataError(what, where=self._path, hint=_HINT) from error
        return found


def config_of(path: PathLike) -> dict[str, Any]:
    """Return the config.json of the run that a graph was made of.

    Of a blend only `data`, and {} where its runs do not agree on their shards.

    Args:
        path: of the graph.

    Raises:
        DataError: as `OnnxTagger`.
    """
    path = Path(path)
    about = OnnxTagger(path).about
    try:
        configs = [dict(member["config"]) for member in about["members"]]
        shards = [config.get("data", {}).get("splits") for config in configs]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = "is an ONNX graph, but does not say what runs it was made of"
        raise DataError(what, where=path, hint=_HINT) from error
    if len(configs) == 1:
        return configs[0]
    agree = bool(shards) and shards[0] is not None and all(other == shards[0] for other in shards)
    return {"data": configs[0]["data"]} if agree else {}


def _field(kind: type[T], about: dict[str, Any], name: str, path: Path) -> T | None:
    """Return a field of a graph's metadata; None where an earlier version did not write it."""
    described = about.get(name)
    if described is None:
        return None
    found: T = from_json(kind, described, where=path, field=name)
    return found


def _opened(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    there = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    try:
        with utf8_name(path) as name:
            return onnxruntime.InferenceSession(
                name, options, providers=[of for of in wanted if of in there]
            )
    except Exception as error:  # onnxruntime's errors have no root of their own
        raise DataError(
            f"cannot be read as an ONNX graph ({reason_of(error)})", where=path, hint=_HINT
        ) from error


def stamp(path: Path) -> None:
    """Write the checksum of a graph, and of the data next to it, behind it.

    Further bytes of a protobuf are further fields: the checksum is one more entry of its metadata.
    """
    entry = _stamp_of(_digest(path, path.stat().st_size))
    with path.open("ab") as file:
        file.write(entry)


def check_stamp(path: Path) -> bytes:
    """Return the digest of a graph; DataError where it is not as it was exported.

    onnxruntime believes what is in a file: of a damaged one it may crash, or give other numbers.
    """
    if not path.is_file():
        raise DataError("is not there", where=path, hint=_HINT)
    length = len(_stamp_of(bytes(_DIGEST_BYTES)))
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - length))
        end = file.read()
    digest = _digest(path, max(0, size - length))
    if end != _stamp_of(digest):
        raise DataError(
            "is no graph of `reeltag export`, or was damaged or changed since: it does not match "
            "its checksum",
            where=path,
            hint=_HINT,
        )
    return digest


def _stamp_of(digest: bytes) -> bytes:
    """Return the entry of metadata that holds a digest, as ModelProto encodes it."""
    key, value = (encode_bytes_field(*of) for of in ((1, b"checksum"), (2, digest.hex().encode())))
    return encode_bytes_field(_METADATA_PROPS, key + value)


def _digest(path: Path, size: int) -> bytes:
    """Return a digest of the first bytes of a file and of the data next to it."""
    content = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with path.open("rb") as file:
        while size and (block := file.read(min(_CHUNK, size))):
            content.update(block)
            size -= len(block)
    data = path.with_name(path.name + ".data")
    if data.is_file():
        with data.open("rb") as file:
            while block := file.read(_CHUNK):
                content.update(block)
    return content.digest()
