"""Where a training logs to besides metrics.csv."""

from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger

from reeltag.core.files import is_utf8


def chosen_logger(logger: Logger | bool, out: Path) -> Logger | bool:
    """Return a logger given, or TensorBoard's where it is wanted and can log.

    Args:
        logger: true: TensorBoard's.
        out: folder of the run.
    """
    if logger is True:
        if why_no_tensorboard(out):
            return False
        return TensorBoardLogger(out, name="", version="tensorboard")
    return logger


def why_no_tensorboard(out: Path) -> str:
    """Return why TensorBoard cannot log a run into its folder; "" = it can."""
    if find_spec("tensorboard") is None:
        return "TensorBoard is not installed (pip install 'reeltag[track]')"
    return "" if is_utf8(out) else "TensorBoard writes into no folder whose name is not UTF-8"
