"""The device of torch that a person names: auto, cpu, cuda, cuda:1, mps."""

import torch

from reeltag.core.errors import ConfigError


def torch_device(name: str) -> torch.device:
    """Return the device of a name.

    "auto" is a GPU of NVIDIA (or AMD, by ROCm) where torch has one, else the CPU. A Mac's GPU is
    taken where it is named: some operators have no kernel there, and nothing is float64.

    Args:
        name: "auto", "cpu", "cuda", "cuda:1", "mps", ...

    Raises:
        ConfigError: torch cannot use it here.

    Example:
        >>> torch_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device {name!r} cannot be used ({reason})") from error
