"""Whether an encoder computes on the CPU, and sessions of onnxruntime there; without torch.

Importing torch takes half a gigabyte and a second, which the workers of an extraction save.
"""

import os
import sys
from importlib import import_module
from typing import Any

from reeltag.core.system.processors import may_have_gpu, usable_cores
from reeltag.encoders.base import Precision


def computes_on_cpu(device: str, precision: Precision) -> bool:
    """Return whether options of an encoder mean the CPU.

    Args:
        device: "cpu", "cuda", "cuda:1", ...; "auto" = a GPU where there is one.
        precision: "auto" = fp32 on CPUs.

    Raises:
        ConfigError: there is no such device, or it does not compute with this precision.
    """
    is_plain = precision in ("auto", "fp32")
    if is_plain and (device == "cpu" or (device == "auto" and not may_have_gpu())):
        return True
    devices = import_module("reeltag.encoders._devices")  # which imports torch
    is_cpu: bool = devices.Place.of(device, precision).is_cpu
    return is_cpu


def open_session(graph: bytes) -> Any:  # noqa: ANN401
    """Return a session of onnxruntime on the CPU, with as many threads as torch would have.

    Args:
        graph: serialised ONNX model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _num_threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _num_threads() -> int:
    torch = sys.modules.get("torch")
    if torch is not None:
        threads: int = torch.get_num_threads()
        return threads
    named = os.environ.get("OMP_NUM_THREADS", "")
    return int(named) if named.isdecimal() and int(named) else usable_cores()
