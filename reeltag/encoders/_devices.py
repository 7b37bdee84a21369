"""Where an encoder computes: the device and the arithmetic of torch."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from reeltag.core.devices import torch_device
from reeltag.core.errors import ConfigError
from reeltag.encoders.base import Precision

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Place:
    """A device of torch and the type that products are computed in; features are float32."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, device: str, precision: Precision) -> "Place":
        """Return the place that options of an encoder name.

        Args:
            device: "cpu", "cuda", "cuda:1", ...; "auto" = a GPU where there is one.
            precision: "auto" = bf16 on "cuda", else fp32.

        Raises:
            ConfigError: there is no such device, or it does not compute with this precision.
        """
        found = torch_device(device)
        if precision not in ("auto", *_DTYPES):
            known = ", ".join(_DTYPES)
            raise ConfigError(f"precision must be auto, {known}, got {precision!r}")
        on_cpu = found.type == "cpu"
        if on_cpu and precision in ("bf16", "fp16"):
            raise ConfigError(
                f"precision {precision} needs a GPU; the encoder computes on {found}",
                hint="Leave it at auto, or say fp32.",
            )
        chosen = ("bf16" if found.type == "cuda" else "fp32") if precision == "auto" else precision
        return cls(found, _DTYPES[chosen])

    @property
    def is_cpu(self) -> bool:
        """Whether it is the CPU."""
        return self.device.type == "cpu"

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context in which torch computes products and convolutions in `dtype`."""
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if enabled else None, enabled=enabled)
