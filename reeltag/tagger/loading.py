"""What scores videos: the tagger of a run folder, or a graph that was exported."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reeltag.core.arrays import NOT_ARRAYS
from reeltag.core.errors import DataError
from reeltag.core.files import PathLike
from reeltag.tagger.hub_runs import local_run
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import AnyTagger, Tagger

SUFFIX = ".onnx"


def any_tagger(path: PathLike) -> AnyTagger:
    """Return the tagger of a run folder, or of a file of `reeltag export`.

    Args:
        path: of the run folder, the WORK of a program that made one, or the file; or
            `hf://user/name[@revision]`, see `local_run`.

    Raises:
        DataError: it is neither.
        HubUnreachableError: it is on the hub, which cannot be reached.
        MissingPackageError: it is a file, and onnxruntime is not installed; or it is on the hub,
            whose client is not installed.
    """
    path = local_run(path)
    if not is_graph(path):
        return Tagger.load(path)
    # onnxruntime is an extra that runs do without
    tagger: AnyTagger = import_module("reeltag.tagger.onnx").OnnxTagger(path)
    return tagger


def config_of(path: PathLike) -> Mapping[str, Any]:
    """Return the config.json of a run folder, or of the run that a graph was exported from.

    {} for a graph of several runs that were trained on other splits.
    """
    path = local_run(path)
    if not is_graph(path):
        return read_config(path)
    found: Mapping[str, Any] = import_module("reeltag.tagger.onnx").config_of(path)
    return found


def is_graph(path: Path) -> bool:
    """Return whether a path is that of a graph, and not of a run folder."""
    return path.suffix == SUFFIX and not path.is_dir()


def described_in(path: Path) -> Path:
    """Return the file that `config_of` reads."""
    path = local_run(path)
    return path if is_graph(path) else path / "config.json"


def read_eigenvalues(file: str) -> Tensor | None:
    """Return the eigenvalues (D,) in an .npy file; None where no file is named.

    Args:
        file: path of the .npy file; empty: none.

    Raises:
        DataError: it cannot be read.
    """
    if not file:
        return None
    try:
        values = np.asarray(np.load(file, allow_pickle=False), np.float32)
    except NOT_ARRAYS as error:
        reason = error.strerror if isinstance(error, OSError) else "it is of another format"
        raise DataError(
            f"cannot be read as .npy ({reason})",
            where=file,
            hint="YouTube-8M publishes the file as yt8m_pca/eigenvals.npy.",
        ) from error
    return torch.from_numpy(values.ravel())
