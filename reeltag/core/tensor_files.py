"""Files of tensors in the format of safetensors."""

from pathlib import Path

import safetensors.torch
from torch import Tensor

from reeltag.core.files import is_utf8


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, mapped into memory if its path is UTF-8.

    Args:
        path: of a safetensors file.

    Raises:
        OSError: it cannot be read.
        SafetensorError: it is damaged.
    """
    if is_utf8(path):
        return safetensors.torch.load_file(path)
    return safetensors.torch.load(path.read_bytes())  # by its path it would be refused
