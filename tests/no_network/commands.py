"""`commands.py FOLDER`: import all of reeltag, and go from features, and from films, to moments."""

import importlib
import pkgutil
import sys
from pathlib import Path

import reeltag
from reeltag.cli.main import run
from tests import every_command


def main(folder: Path) -> int:
    """Run the commands in turn; return the number of those that failed."""
    for module in pkgutil.walk_packages(reeltag.__path__, "reeltag."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    films, data, run_of_films = (str(folder / name) for name in ("films", "data", "finder"))
    (folder / "features").mkdir()
    failed = every_command.main([str(folder / "corpus"), str(folder / "features")])
    tables = ["--table", f"{films}/labels.csv", "--classes", f"{films}/classes.csv"]
    finder = ["--data", data, "--out", run_of_films, "--max-steps", "2", "--batch-size", "2"]
    for command in (
        ["encoders"],
        ["models"],
        ["synth-films", films, "--number", "3", "--min-seconds", "6", "--max-seconds", "8"],
        ["extract", films, "--out", data, "--split", "60", "0", "40", "--workers", "1"],
        ["library", data],
        ["weak-labels", data, "--from", "csv", *tables, "--texts", "none"],
        ["ratings", data, "--from", f"{films}/ratings.csv"],
        ["similar", data, "--video", "film_001", "--at", "2"],
        ["train", "frame_logistic", *finder],
        ["moments", run_of_films, "--data", data, "--split", "all", "--prob", "0.1"],
        ["export", run_of_films, "--out", str(folder / "graph.onnx")],
        ["tag", f"{films}/film_001.mp4", "--run", run_of_films],
    ):
        if run(command):
            print("failed:", *command, file=sys.stderr)
            failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
