"""`reeltag demo OUT`: the whole way, from video files to a page, in minutes.

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
from reeltag.cli.demo_folder import DemoFolder
from reeltag.core.console import STDERR
from reeltag.core.errors import ConfigError, ReeltagError
from reeltag.core.extras import check_extra
from reeltag.core.writing import make_folder

FINDING = "--prob 0.5 --length 1 --min-length 1 --merge-gap 1"  # films have events of a second
MODEL = "--model.num-clusters 32 --model.groups 4 --model.hidden 512 --model.dropout 0.2"
OPTIONS = (
    "--batch-size 40 --frames.how random --frames.num-frames 40 --frames.no-replace "
    "--learning-rate 0.002 --schedule one-cycle --validate-every 50"
)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Write video files, extract features, label and rate, find moments, and draw a page.

    The files have drawn scenes and synthesised sounds; their labels are noisy, a few windows of
    each are rated, and when what is in them is known, which the page shows next to what was found.
    With --features it begins with a synthetic corpus in YouTube-8M's format, trains NeXtVLAD on it,
    predicts and scores. Run again, it skips what is done and goes on with what was stopped.
    """

    out: Annotated[Path, tyro.conf.Positional] = Path("demo")
    """Folder for everything."""
    films: int = 60
    """Video files to write."""
    features: bool = False
    """Begin with features in place of video files: no package of the extra `video` is needed."""
    videos: int = 1200
    """Videos in the corpus of --features."""
    steps: int = 200
    """Training steps of --features."""
    json: bool = False
    """The scores as one JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Type the commands, one after another."""
        began = time.monotonic()
        options = (("--films", self.films, 10), ("--videos", self.videos, 3))
        for name, value, least in (*options, ("--steps", self.steps, 1)):
            if value < least:
                raise ConfigError(f"must be at least {least}, got {value}", where=name)
        if not self.features:
            check_extra("video")
        check_extra("plots")  # it ends with a page
        make_folder(self.out)
        page = self._of_features() if self.features else self._of_films()
        STDERR.print(f"\n{page} ({time.monotonic() - began:.0f} s)", highlight=False)
        if not self.features:
            STDERR.print("\nLook at it, search, rate and let it learn, in the browser:")
            STDERR.print(
                f"reeltag serve {_quoted(self.out)} --open", highlight=False, soft_wrap=True
            )
        return 0

    def _of_films(self) -> Path:
        """Go from video files to a page of found moments, and return it."""
        folder = DemoFolder(self.out)
        films, data, work = folder.films, folder.data, folder.work
        found, page = self.out / "moments.csv", self.out / "moments.html"
        if not films.exists():
            # short and many: a film is labelled and rated as a whole, and tested by another
            length = "--min-seconds 20 --max-seconds 40 --ratings 6"
            self._type(f"synth-films {_quoted(films)} --number {self.films} {length}")
        self._type(f"extract {_quoted(films)} --out {_quoted(data)} --split 70 0 30")
        if not (data / "labels.csv").exists():
            tables = f"--table {_quoted(films / 'labels.csv')} --classes "
            tables += _quoted(films / "classes.csv")
            self._type(f"weak-labels {_quoted(data)} --from csv {tables} --texts none")
        if not (data / "ratings.csv").exists():
            self._type(f"ratings {_quoted(data)} --from {_quoted(films / 'ratings.csv')}")
        self._type(f"info {_quoted(data)} --top 5")
        self._type(f"solve moments --data {_quoted(data)} --out {_quoted(work)}")
        if not found.exists():
            files = f"--csv {_quoted(found)} --export webvtt:{_quoted(self.out / 'tracks')}"
            where = f"--data {_quoted(data)} --split test"
            self._type(f"moments {_quoted(work)} {where} {FINDING} {files} --overwrite")
        known = f"--moments {_quoted(found)} --events {_quoted(films / 'moments.csv')}"
        json = " --json" if self.json else ""
        self._type(
            f"report {_quoted(work)} --data {_quoted(data)} {known} --out {_quoted(page)}{json}",
            is_result=True,
        )
        return page

    def _of_features(self) -> Path:
        """Go from a corpus of features to a page of scores, and return it."""
        names = ("corpus", "run", "test.parquet", "report.html")
        corpus, run, predictions, page = (self.out / name for name in names)
        data = f"--data {_quoted(corpus)}"
        if not corpus.exists():
            self._type(f"synth {_quoted(corpus)} --videos {self.videos}")
        self._type(f"info {_quoted(corpus)} --top 5")
        if not (run / "metrics.json").exists():
            begun = (run / "config.json").exists()
            self._type(
                f"train --resume {_quoted(run)}"
                if begun
                else f"train nextvlad {data} --out {_quoted(run)} --max-steps {self.steps} "
                f"{OPTIONS} {MODEL}"
            )
        of_test = f"{data} --split test"
        if not predictions.exists():
            self._type(f"predict {_quoted(run)} {of_test} --segments --out {_quoted(predictions)}")
        json = " --json" if self.json else ""
        self._type(f"evaluate {_quoted(predictions)} {of_test}{json}", is_result=True)
        if not page.exists():
            page_of = f"--run {_quoted(run)} --out {_quoted(page)}"
            self._type(f"report {_quoted(predictions)} {of_test} {page_of}")
        return page

    def _type(self, command: str, *, is_result: bool = False) -> None:
        """Show a command and run it; its results go to stdout, with --json those of one alone."""
        STDERR.print(f"\n[bold]$ reeltag {command}[/]", highlight=False, soft_wrap=True)
        to_stdout = is_result or not self.json
        with nullcontext() if to_stdout else redirect_stdout(sys.stderr):
            status = main.run(shlex.split(command))
        if status == 130:
            raise KeyboardInterrupt
        if status != 0:
            raise ReeltagError(f"`reeltag {command}` ended with status {status}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
