"""What `tests/test_base_install.py` looks at, in one process: `base_program.py FOLDER`."""

import contextlib
import io
import json
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

from tests.base_install import hide_extras

SIZES = "--videos 40 --classes 6 --rgb 8 --audio 4 --max-frames 20 --min-frames 10 --shards 2"
# what the base alone does
BASE = (
    f"synth {{data}} {SIZES} --held-out 0.3 --jobs 1",
    "info {data}",
    "models nextvlad",
    "encoders",
    "labels {data}",
    "train logistic --data {data} --out {run} --max-steps 2 --batch-size 8",
    "predict {run} --data {data} --out {scores} --split validate",
    "evaluate {scores} --data {data} --split validate --bootstrap 10",
    "blend {scores} --out {blended} --method mean",
    "moments {run} --data {data} --prob 0.3 --csv {csv}",
    "solve",
    "tune logistic --dry-run",
)
# an extra and what needs it: commands, or calls of `reeltag`
FEATURES = {
    "cloud": ("info s3://bucket/data", "info gs://bucket/data"),
    "cluster": ("solve moments --data {data} --out {new} --engine ray --tiny",),
    "encoders": (
        "create_encoder('timm:resnet18')",
        "create_encoder('open_clip:ViT-B-32/openai')",
        "create_encoder('hf:facebook/dinov2-small')",
    ),
    "export": (
        "export {run} --out {new}.onnx",
        "export(r'{run}', r'{new}.onnx')",
        "load(r'{graph}')",
        "predict {graph} --data {data} --out {new}",
    ),
    "hdf5": ("import {h5} --out {new}",),
    "hub": ("load('hf://somebody/run')", "push {run} somebody/run"),
    "knn": ("centroids {data} --out {new}.npy --clusters 4",),
    "otio": ("moments {run} --data {data} --prob 0.3 --export otio:{new}.otio",),
    "plots": (
        "labels {data} --picture {new}.svg",
        "report {scores} --data {data} --split validate --out {new}.html",
        "augment {data} --out {new}",
        "demo {new} --features",
    ),
    "serve": ("serve {data}",),
    "text": ("create_encoder('bge_small_en')",),
    "track": (
        "train logistic --data {data} --out {new} --log-to tensorboard",
        "train logistic --data {data} --out {new} --log-to wandb",
        "train logistic --data {data} --out {new} --log-to mlflow",
    ),
    "trees": ("blend {scores} {blended} --method lightgbm --fit-on {data} --save {new}",),
    "tune": ("tune logistic --data {data} --out {new} --trials 1",),
    "video": (
        "extract {films} --out {new}",
        "tag {films}/a.mp4 --run {run}",
        "synth-films {new}",
        "demo {new}",
        "library {data}",
        "create_encoder('efficientnet_lite0')",
    ),
    "yamnet": ("create_encoder('yamnet')",),
}


def imported() -> dict[str, str]:
    """Return the error of each module that cannot be imported, by its name."""
    import reeltag

    errors = {}
    for module in pkgutil.walk_packages(reeltag.__path__, "reeltag.", onerror=lambda _: None):
        if module.name != "reeltag.__main__":
            try:
                import_module(module.name)
            except ImportError as error:
                errors[module.name] = f"{type(error).__name__}: {error}"
    return errors


def run(words: str) -> tuple[int, str]:
    """Return the exit status of a command or call, and what it said on stderr."""
    import reeltag
    from reeltag.cli.main import run as run_command
    from reeltag.core import console
    from reeltag.core.errors import ReeltagError

    said = io.StringIO()
    console.STDERR.file = said
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            if "(" in words:
                eval(f"reeltag.{words}", {"reeltag": reeltag})
                return 0, ""
            return run_command(words.split()), said.getvalue()
        except ReeltagError as error:
            return 2, f"error: {error}"
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()


def main(folder: Path) -> None:
    """Print what was found, as JSON."""
    hide_extras()
    names = {name: folder / name for name in ("data", "run", "scores", "blended", "films", "new")}
    names |= {"csv": folder / "m.csv", "graph": folder / "a.onnx", "h5": folder / "a.h5"}
    names["films"].mkdir()
    for file in (names["films"] / "a.mp4", names["graph"], names["h5"]):
        file.write_bytes(b"any")
    places = {name: str(path) for name, path in names.items()}
    from reeltag.cli.main import COMMANDS

    found = {
        "help": {name: run(f"{name} --help") for name in COMMANDS},
        "base": {words: run(words.format(**places)) for words in BASE},
        "features": {
            extra: {words: run(words.format(**places)) for words in lines}
            for extra, lines in FEATURES.items()
        },
        "errors": imported(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
