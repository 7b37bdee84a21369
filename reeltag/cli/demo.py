"""`reeltag demo OUT`: the whole way, from a corpus to a page of plots, in minutes.

It types the commands a person would type, shows each, and skips what is there already.
"""

import shlex
import sys
import time
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from reeltag.cli import main
from reeltag.core.console import STDERR
from reeltag.core.errors import ConfigError, OutputError, ReeltagError

MODEL = "--model.num-clusters 32 --model.groups 4 --model.hidden 512 --model.dropout 0.2"
OPTIONS = (
    "--batch-size 40 --frames.how random --frames.num-frames 40 --frames.no-replace "
    "--learning-rate 0.002 --schedule one-cycle --validate-every 50"
)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Write a synthetic corpus, index it, train NeXtVLAD, predict, score, and draw a page.

    Run again, it skips what is done and goes on with what was stopped.
    """

    out: Annotated[Path, tyro.conf.Positional] = Path("demo")
    """Folder for everything."""
    videos: int = 1200
    """Videos in the corpus."""
    steps: int = 200
    """Training steps."""
    json: bool = False
    """The scores as one JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Type the commands, one after another."""
        began = time.monotonic()
        names = ("corpus", "run", "test.parquet", "report.html")
        paths = [self.out / name for name in names]
        for name, value, least in (("--videos", self.videos, 3), ("--steps", self.steps, 1)):
            if value < least:
                raise ConfigError(f"must be at least {least}, got {value}", where=name)
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the folder cannot be made ({error.strerror})",
                where=self.out,
                hint="Name another folder.",
            ) from error
        aside = not self.json
        data, trained, predictions, page = (shlex.quote(str(path)) for path in paths)
        if not paths[0].exists():
            _type(f"synth {data} --videos {self.videos}", to_stdout=aside)
        _type(f"info {data} --top 5", to_stdout=aside)
        if not (paths[1] / "metrics.json").exists():
            begun = (paths[1] / "config.json").exists()
            _type(
                f"train --resume {trained}"
                if begun
                else f"train nextvlad --data {data} --out {trained} --max-steps {self.steps} "
                f"{OPTIONS} {MODEL}",
                to_stdout=aside,
            )
        if not paths[2].exists():
            _type(
                f"predict {trained} --data {data} --split test --segments --out {predictions}",
                to_stdout=aside,
            )
        _type(f"evaluate {predictions} --data {data} --split test{' --json' if self.json else ''}")
        if not paths[3].exists():
            _type(
                f"report {predictions} --data {data} --split test --run {trained} --out {page}",
                to_stdout=aside,
            )
        STDERR.print(f"\n{paths[3]} ({time.monotonic() - began:.0f} s)", highlight=False)
        return 0


def _type(command: str, *, to_stdout: bool = True) -> None:
    """Show a command and run it, with its results on stdout or with the progress on stderr."""
    STDERR.print(f"\n[bold]$ reeltag {command}[/]", highlight=False, soft_wrap=True)
    with nullcontext() if to_stdout else redirect_stdout(sys.stderr):
        status = main.run(shlex.split(command))
    if status == 130:
        raise KeyboardInterrupt
    if status != 0:
        raise ReeltagError(f"`reeltag {command}` ended with status {status}")
