"""On a Mac's GPU: by torch's own table, every operator of every family has a kernel there.

No Mac ran this: what the table says of an operator is believed, for all types and sizes.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reeltag.models import Family, families
from reeltag.testing.models import build, some_batch

# of CPUs alone; other devices take the plain operators in their place
CPU_ALONE = ("mkldnn::", "_scaled_dot_product_flash_attention_for_cpu")
ANYWHERE = {"CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"}


class _Recorder(TorchDispatchMode):
    """Notes which operators run, and which of them return float64."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.wide = set[str](), set[str]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        found = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.").removesuffix(".default")
        name = str(func._schema.name) if not str(func).startswith("aten.") else name
        self.names.add(name)
        if any(isinstance(of, Tensor) and of.dtype == torch.double for of in tree_leaves(found)):
            self.wide.add(name)
        return found


@cache
def kernels() -> dict[str, tuple[frozenset[str], str]]:
    """Return for each operator what it has kernels for, and whose kernels it takes."""
    folder = Path(str(import_module("torchgen").__file__)).parent
    text = (folder / "packaged/ATen/native/native_functions.yaml").read_text(encoding="utf-8")
    entries = import_module("yaml").safe_load(text)
    return {
        entry["func"].partition("(")[0]: (
            frozenset(key.strip() for of in entry.get("dispatch", {}) for key in of.split(",")),
            entry.get("structured_delegate", ""),
        )
        for entry in entries
    }


def has_kernel(operator: str) -> bool:
    """Return whether an operator runs on MPS: by a kernel, or made of those that have one."""
    if operator not in kernels():
        return False
    keys, delegate = kernels()[operator]
    if delegate:
        return has_kernel(delegate)
    return not keys or bool(keys & {"MPS", *ANYWHERE})


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_family_has_a_kernel_for_each_operator_and_no_float64(
    family: Family, rng: torch.Generator
) -> None:
    model, batch = build(family), some_batch(rng, 8)
    with _Recorder() as recorded:
        model(*batch).square().sum().backward()
        model.eval()(*batch)
    missing = {name for name in recorded.names if not has_kernel(name)}
    assert not {name for name in missing if not name.startswith(CPU_ALONE)}
    assert not recorded.wide


def test_operator_without_a_kernel_is_known() -> None:
    assert has_kernel("add.Tensor") and has_kernel("mm") and has_kernel("relu")
    assert not has_kernel("_fft_c2c.nothing") and not has_kernel("linalg_eig")
