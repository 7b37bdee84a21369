"""Several trainings after one another on each rank of torchrun: `two_ranks.py OUT RUN...`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from reeltag.cli.main import run


def main(arguments: Sequence[str]) -> None:
    """Repeat runs on CPU, each into a folder of its name in the first argument."""
    for trained in arguments[1:]:
        out = Path(arguments[0]) / Path(trained).name
        if run(["train", "--config", trained, "--out", str(out), "--accelerator", "cpu"]):
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
