"""What is fuzzed: a file a target, found by name."""

from importlib import import_module

from benchmarks.fuzz.target import Target

NAMES = ("records", "files", "index", "parquet", "runs", "onnx", "videos", "api")


def target_class(name: str) -> type[Target]:
    """Return the class of a target by its name."""
    found: type[Target] = import_module(module_of(name)).TARGET
    return found


def module_of(name: str) -> str:
    """Return the module of a target; a name with dots is one itself."""
    return name if "." in name else f"benchmarks.fuzz.targets.{name}"
