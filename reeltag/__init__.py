"""reeltag: learn from noisy labels and a few rated seconds what is in a video, and when.

    import reeltag

    data = reeltag.Dataset.open("DATA")
    reeltag.train(data, "nextvlad", "RUN")
    tagger = reeltag.load("RUN")
    tagger.predict(frames)                      # frames: (seconds, D) as stored

Everything below is loaded when it is first used, so that `import reeltag` itself takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reeltag._api import (
        compare,
        evaluate,
        export,
        import_weights,
        load,
        moments,
        predict,
        synth,
        train,
    )
    from reeltag.core.batch import FrameBatch
    from reeltag.core.errors import ConfigError, DataError, OutputError, ReeltagError
    from reeltag.data.class_list import ClassList
    from reeltag.data.dataset import Dataset
    from reeltag.data.loader import Loader
    from reeltag.data.splits import Splits
    from reeltag.encoders import create_encoder, list_encoders, register_encoder
    from reeltag.inference.scoring import InferenceConfig
    from reeltag.metrics import (
        GlobalAveragePrecision,
        HitAtOne,
        MeanAveragePrecision,
        PrecisionAtEqualRecallRate,
        SegmentMeanAveragePrecision,
    )
    from reeltag.models import (
        ModelConfig,
        create_model,
        list_models,
        register_model,
    )
    from reeltag.predictions.file import open_predictions
    from reeltag.predictions.intervals import IntervalConfig
    from reeltag.tagger.moments import Moment
    from reeltag.tagger.tagger import Tagger
    from reeltag.tagger.tags import Tag
    from reeltag.tagger.thresholds import Thresholds
    from reeltag.training.config import Recipe

__version__ = "0.1.0"

__all__ = [
    "ClassList",
    "ConfigError",
    "DataError",
    "Dataset",
    "FrameBatch",
    "GlobalAveragePrecision",
    "HitAtOne",
    "InferenceConfig",
    "IntervalConfig",
    "Loader",
    "MeanAveragePrecision",
    "ModelConfig",
    "Moment",
    "OutputError",
    "PrecisionAtEqualRecallRate",
    "Recipe",
    "ReeltagError",
    "SegmentMeanAveragePrecision",
    "Splits",
    "Tag",
    "Tagger",
    "Thresholds",
    "__version__",
    "compare",
    "create_encoder",
    "create_model",
    "evaluate",
    "export",
    "import_weights",
    "list_encoders",
    "list_models",
    "load",
    "moments",
    "open_predictions",
    "predict",
    "register_encoder",
    "register_model",
    "synth",
    "train",
]

_HOME = {
    "reeltag._api": "compare evaluate export import_weights load moments predict synth train",
    "reeltag.core.batch": "FrameBatch",
    "reeltag.core.errors": "ConfigError DataError OutputError ReeltagError",
    "reeltag.data.class_list": "ClassList",
    "reeltag.data.dataset": "Dataset",
    "reeltag.data.loader": "Loader",
    "reeltag.data.splits": "Splits",
    "reeltag.encoders": "create_encoder list_encoders register_encoder",
    "reeltag.inference.scoring": "InferenceConfig",
    "reeltag.metrics": "GlobalAveragePrecision HitAtOne MeanAveragePrecision "
    "PrecisionAtEqualRecallRate SegmentMeanAveragePrecision",
    "reeltag.models": "ModelConfig create_model list_models register_model",
    "reeltag.predictions.file": "open_predictions",
    "reeltag.predictions.intervals": "IntervalConfig",
    "reeltag.tagger.moments": "Moment",
    "reeltag.tagger.tagger": "Tagger",
    "reeltag.tagger.tags": "Tag",
    "reeltag.tagger.thresholds": "Thresholds",
    "reeltag.training.config": "Recipe",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load a public name from its module, once."""
    if name not in _MODULE:
        raise AttributeError(f"module 'reeltag' has no attribute {name!r}")
    found: object = getattr(import_module(_MODULE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*globals(), *__all__])
