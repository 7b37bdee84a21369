"""Warnings of Lightning that are of no use to a person who trains."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's warnings about choices that training makes on purpose."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for text in (
            ".*does not have many workers.*",
            ".*val_dataloader.*",
            ".*LeafSpec.*",
            "MLFlow only allows .*",  # the @ of gap@20 is left out of its names
        ):
            warnings.filterwarnings("ignore", text)
        try:
            yield
        finally:
            logger.setLevel(level)
