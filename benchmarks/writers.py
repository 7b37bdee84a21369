"""The commands that write, on small data: for `benchmarks.kill` and `benchmarks.full_disk`.

A command runs in a process that is forked from one with all of its modules loaded, so that a run
takes the time of its work alone.
"""

import contextlib
import hashlib
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from ctypes import c_longlong
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_PRELOADED = (
    *("reeltag.cli.main", "torch", "lightning", "lightgbm", "pyarrow.parquet", "joblib"),
    *("reeltag.cli." + name for name in ("train", "predict", "blend", "moments", "report", "tune")),
    *("reeltag.cli." + name for name in ("synth", "soft_labels", "labels", "augment", "submit")),
    *("reeltag.cli." + name for name in ("info", "import_features", "average", "centroids")),
    *("reeltag.cli." + name for name in ("extract", "solve", "export", "weak_labels", "ratings")),
    *("reeltag.cli." + name for name in ("synth_films", "evaluate", "tag")),
)
_QUIET = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
LIMIT_S = 600.0
_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree"}
_EVENTS |= {"fcntl.flock", "os.truncate", "os.utime", "os.listdir", "os.scandir"}


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A command that writes.

    Attributes:
        name: of it.
        arguments: words; IN is the folder of inputs, OUT that of results.
        again: words that go on after a kill; None: the same.
        copied: inputs that are copied into OUT first, for the command changes them.
        compared: whether a file must be the same after a kill; others only have to be there.
        may_differ: part of the names of files that a second run has others of.
        goes_on_in: part of the names of unfinished folders that the next run goes on in.
    """

    name: str
    arguments: str
    again: str | None = None
    copied: tuple[str, ...] = ()
    compared: Callable[[str], bool] = lambda _: True
    may_differ: str = "no name"
    goes_on_in: str = "no name"

    def words(self, inputs: Path, out: Path, *, again: bool = False) -> list[str]:
        """Return the command's words."""
        text = self.again if again and self.again else self.arguments
        places = {"IN": str(inputs), "OUT": str(out)}
        words = []
        for word in text.split():
            for name, place in places.items():
                word = word.replace(name + "/", place + "/")
            words.append(word)
        return words

    def begin(self, inputs: Path, out: Path) -> None:
        """Make the folder of results as it is before the command."""
        out.mkdir(parents=True, exist_ok=True)
        for name in self.copied:
            without = shutil.ignore_patterns(".reeltag")
            shutil.copytree(inputs / name, out / name, ignore=without)


def _is_result(name: str) -> bool:
    """Return whether a file of a program depends on its data and config alone."""
    return _is_weight(name) or name.endswith((".parquet", "scores.json"))


def _is_weight(name: str) -> bool:
    """Return whether a file of a run depends on its data and recipe alone."""
    return name.endswith(("model.safetensors", "classes.csv"))


_P, _Q = "IN/p.parquet", "IN/q.parquet"
WRITERS = (
    Writer(name="synth", arguments="synth OUT/data --videos 30 --classes 5 --seed 1"),
    Writer(
        name="info",
        arguments="info OUT/data",
        copied=("data",),
        compared=lambda name: "index.arrow" not in name,  # it holds times and numbers of files
    ),
    Writer(name="import", arguments="import IN/arrays --out OUT/imported"),
    Writer(
        name="train",
        arguments="train logistic --data IN/data --out OUT/run --max-steps 20 --batch-size 5",
        again="train --resume OUT/run",
        compared=_is_weight,
        may_differ="tensorboard",
    ),
    Writer(name="average", arguments="average IN/run IN/run2 --out OUT/mean", compared=_is_weight),
    Writer(
        name="centroids",
        arguments="centroids IN/data --out OUT/c.safetensors --clusters 4",
    ),
    Writer(
        name="predict",
        arguments="predict IN/run --data IN/data --out OUT/p.parquet",
        goes_on_in=".parquet.parts",
    ),
    Writer(
        name="predict segments",
        arguments="predict IN/run --data IN/data --segments --out OUT/p.parquet",
        goes_on_in=".parquet.parts",
    ),
    Writer(
        name="soft-labels",
        arguments="soft-labels IN/run --data IN/data --out OUT/s.parquet",
        goes_on_in=".parquet.parts",
    ),
    Writer(name="blend", arguments=f"blend {_P} {_Q} --out OUT/b.parquet"),
    Writer(
        name="blend trees",
        arguments=f"blend {_P} {_Q} --method lightgbm --fit-on IN/data "
        "--trees.num-trees 5 --trees.folds 2 --trees.min-in-leaf 2 --save OUT/blend",
        compared=lambda name: name.endswith((".txt", ".parquet")),
    ),
    Writer(
        name="blend weights",
        arguments=f"blend {_P} {_Q} --method weights --fit-on IN/data --save OUT/blend",
    ),
    Writer(name="labels", arguments="labels IN/data --out OUT/l.parquet"),
    Writer(
        name="augment",
        arguments="augment IN/vectors --out OUT/augmented --jobs 1",
        compared=lambda name: "index.arrow" not in name,  # as above
    ),
    Writer(name="submit", arguments=f"submit {_P} --challenge 2018 --out OUT/s.csv"),
    Writer(
        name="moments",
        arguments="moments IN/run --data IN/data --prob 0.3 --csv OUT/m.csv",
    ),
    Writer(
        name="moments export",
        arguments="moments IN/run --data IN/data --prob 0.3 --export audacity:OUT/labels",
    ),
    Writer(
        name="tag",
        arguments="tag IN/films/film_001.mp4 --run IN/own_run --prob 0.01 --vtt OUT/tracks",
    ),
    Writer(
        name="tune",
        arguments="tune logistic --data IN/data --out OUT/study --trials 2 --max-steps 4 "
        "--validate-every 2 --batch-size 5",
        compared=lambda _: False,  # a trial that was killed counts, and others are made
        may_differ="trial-",
    ),
    Writer(
        name="solve moments",
        arguments="solve moments --data IN/own --out OUT/work",
        compared=_is_result,
        goes_on_in="work/",
    ),
    Writer(name="export", arguments="export IN/run --out OUT/m.onnx"),
    Writer(
        name="soft-labels from predictions",
        arguments=f"soft-labels --from {_P} --data IN/data --out OUT/s.parquet",
    ),
    Writer(
        name="evaluate",
        arguments=f"evaluate {_P} --data IN/data --split validate --per-class OUT/classes.csv",
    ),
    Writer(
        name="synth-films",
        arguments="synth-films OUT/films --number 2 --min-seconds 5 --max-seconds 6 --jobs 1",
    ),
    Writer(
        name="extract",
        arguments="extract IN/films --out OUT/own --picture none --workers 1",
        goes_on_in="extract/parts",
        compared=lambda name: name.endswith((".tfrecord", "features.json", ".jpg", ".csv")),
    ),
    Writer(
        name="weak-labels",
        arguments="weak-labels OUT/unlabelled --from csv --table IN/films/labels.csv "
        "--classes IN/films/classes.csv --texts none",
        copied=("unlabelled",),
        compared=lambda name: name.endswith(".csv"),
    ),
    Writer(
        name="ratings",
        arguments="ratings OUT/own --from IN/films/ratings.csv",
        copied=("own",),
        compared=lambda name: name.endswith(".csv"),
    ),
    Writer(
        name="report",
        arguments=f"report {_P} --data IN/data --split validate --out OUT/report",
        compared=lambda _: False,  # it says when it was made
    ),
)


def write_inputs(folder: Path) -> Path:
    """Write what the commands read: data, runs, predictions, arrays; return the folder."""
    folder.mkdir(parents=True)
    for words in (
        "synth OUT/data --videos 60 --classes 5 --seed 2",
        "synth OUT/vectors --videos 60 --classes 5 --seed 2 --level video",
        "train logistic --data OUT/data --out OUT/run --max-steps 20 --batch-size 5",
        "train logistic --data OUT/data --out OUT/run2 --max-steps 20 --batch-size 5 --seed 1",
        "predict OUT/run --data OUT/data --split validate --out OUT/p.parquet",
        "predict OUT/run2 --data OUT/data --split validate --out OUT/q.parquet",
        "synth-films OUT/films --number 8 --min-seconds 6 --max-seconds 8 --jobs 1",
        "extract OUT/films --out OUT/own --picture none --workers 1 --split 60 20 20",
        "extract OUT/films --out OUT/unlabelled --picture none --workers 1",
        "weak-labels OUT/own --from csv --table OUT/films/labels.csv "
        "--classes OUT/films/classes.csv --texts none",
        "ratings OUT/own --from OUT/films/ratings.csv",
        "train logistic --data OUT/own --out OUT/own_run --max-steps 5 --batch-size 4",
    ):
        done = run_command(Writer(name="", arguments=words).words(folder, folder), folder)
        if done.status:
            raise RuntimeError(f"reeltag {words}: status {done.status}\n{done.output}")
    rng = np.random.default_rng(0)
    (folder / "arrays").mkdir()
    for number in range(12):
        frames = rng.standard_normal((5 + number, 8)).astype(np.float32)
        np.save(folder / "arrays" / f"v{number}.npy", frames)
    return folder


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """How a command ended.

    Attributes:
        status: exit status; below 0: the signal that it died of; None: it did not end.
        output: what it printed.
        seconds: it took.
        events: on files, that it made or would have.
    """

    status: int | None
    output: str
    seconds: float
    events: int = 0


def run_command(
    words: Sequence[str],
    folder: Path,
    *,
    die_at_event: int | None = None,
    die_after_s: float | None = None,
    scratch: Path | None = None,
) -> RunEnd:
    """Run `reeltag *words` in a forked process, and return how it ended.

    Args:
        words: of the command.
        folder: for its output.
        die_at_event: SIGKILL at this number of what it does with files.
        die_after_s: SIGKILL after so many seconds.
        scratch: its $TMPDIR; None: a folder next to its output.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    counter = context.RawValue("q", 0)
    printed = folder / ".printed"
    place = scratch or folder / ".scratch"
    place.mkdir(exist_ok=True)
    arguments = (list(words), printed, place, counter, die_at_event)
    process = context.Process(target=_run, args=arguments)
    process.start()
    began = time.monotonic()
    process.join(LIMIT_S if die_after_s is None else die_after_s)
    took, status = time.monotonic() - began, process.exitcode
    if status is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.kill()
        process.join()
        status = process.exitcode if die_after_s is not None else None
    elif process.pid:  # what it has started
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    output = printed.read_text(errors="replace") if printed.exists() else ""
    printed.unlink(missing_ok=True)
    if scratch is None:
        shutil.rmtree(place, ignore_errors=True)
    return RunEnd(status=status, output=output, seconds=took, events=int(counter.value))


def _run(
    words: list[str],
    printed: Path,
    scratch: Path,
    counter: "c_longlong",
    die_at: int | None,
) -> None:
    from reeltag.cli.main import run

    os.setsid()
    os.environ |= _QUIET | {"TMPDIR": str(scratch), "COLUMNS": "200"}
    file = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)

    def heard(event: str, _: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            counter.value += 1
            if counter.value == die_at:
                os.killpg(0, signal.SIGKILL)

    sys.addaudithook(heard)
    status = run(words)
    sys.stdout.flush()
    os._exit(status)


def contents(folder: Path) -> dict[str, str]:
    """Return the files below a folder with a digest of each; folders end in a slash."""
    found = dict[str, str]()
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() and not path.is_symlink():
            found[name + "/"] = ""
        elif path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return found
