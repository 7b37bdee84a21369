"""From data to a page, in one process: `every_command.py DATA OUT`; DATA is made if absent."""

import sys
from collections.abc import Sequence
from pathlib import Path

from reeltag.cli.main import run

SIZES = ("--videos", "40", "--classes", "6", "--rgb", "8", "--audio", "4", "--max-frames", "20")
MADE = (*SIZES, "--min-frames", "10", "--held-out", "0.3", "--shards", "2", "--jobs", "1")


def commands(data: str, out: str) -> list[list[str]]:
    """Return the arguments of each."""
    trained, predicted = f"{out}/run", f"{out}/p.parquet"
    recipe = ["--max-steps", "4", "--batch-size", "8"]
    moments = ["--prob", "0.3", "--csv", f"{out}/m.csv", "--vtt", f"{out}/vtt", "--top", "3"]
    return [
        *([] if Path(data).exists() else [["synth", data, *MADE]]),
        ["info", data, "--json"],
        ["info", data],
        ["train", "logistic", "--data", data, "--out", trained, *recipe],
        ["predict", trained, "--data", data, "--out", predicted],
        ["evaluate", predicted, "--data", data, "--bootstrap", "20", "--json"],
        ["evaluate", predicted, "--data", data, "--bootstrap", "20"],
        ["moments", trained, "--data", data, "--split", "all", *moments],
        ["report", predicted, "--data", data, "--run", trained, "--out", f"{out}/page.html"],
    ]


def main(arguments: Sequence[str]) -> int:
    """Run them in turn; return the number of those that failed."""
    failed = 0
    for command in commands(*arguments):
        status = run(command)
        if status:
            print(f"{command[0]} ended with {status}", file=sys.stderr)
        failed += bool(status)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
