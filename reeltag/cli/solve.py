"""`reeltag solve`: run a paper as a program, show its plan, or clean up after it."""

import difflib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.markup import escape
from rich.table import Table as RichTable

import reeltag
from reeltag import papers
from reeltag.core.addresses import check_is_local
from reeltag.core.console import STDERR, STDOUT, print_json, print_table, say
from reeltag.core.errors import ConfigError
from reeltag.core.extras import check_extra
from reeltag.core.files import write_json
from reeltag.core.formatting import format_size
from reeltag.data.dataset import Dataset
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.common.program import Goal, Program, program_named
from reeltag.papers.common.tables import Table
from reeltag.pipeline.cleanup import remove, unused_folders
from reeltag.pipeline.engines import EngineName, run_steps
from reeltag.pipeline.keys import json_value
from reeltag.pipeline.local_engine import worker_names
from reeltag.pipeline.plan_table import format_summary, plan_table
from reeltag.pipeline.planning import plan
from reeltag.pipeline.steps import Step, ordered
from reeltag.pipeline.store import folder_of, read_record

USAGE = """usage: reeltag solve                                        list the programs
       reeltag solve NAME --data DATA --out WORK [options]  run one; again: resume it
       reeltag solve NAME --out WORK --tiny                 the same, in seconds, on synthetic data
       reeltag solve NAME --data DATA --out WORK --dry-run  show what is done, to do, and its cost

`reeltag solve NAME --help` shows what the paper is, what is needed, and every option."""
_ABOUT = ("paper", "needs", "cost", "reaches", "departs")  # of a program, in this order


@dataclass(frozen=True, kw_only=True)
class SolveOptions:
    """Run a program; finished steps are not run again, unfinished ones resume."""

    data: Annotated[Path | None, tyro.conf.arg(metavar="DATA")] = None
    """Folder of TFRecords (or one TFRecord). Only --tiny needs none: it writes some into WORK."""
    classes: Path | None = None
    """Class list in place of the one that is found with the data: CSV with index and name."""
    labels: Path | None = None
    """Labels in place of the records': .csv or .parquet with the columns id, class."""
    ratings: Path | None = None
    """Ratings in place of the records': .csv or .parquet with the columns id, start_s, end_s,
    class, value (0 to 1). When a file has changed, what depends on it is computed again."""
    out: Annotated[Path, tyro.conf.arg(metavar="WORK")]
    """Folder for the results of all steps; several processes may work in it at once."""
    tiny: bool = False
    """The smallest sizes: to see that everything works."""
    dry_run: bool = False
    """Show the graph, what is done, what is to do, and its cost; run nothing."""
    keep_going: bool = False
    """After a step has failed, run what does not depend on it before giving up."""
    engine: EngineName = "local"
    """local: workers on this machine; ray: on all nodes of the Ray cluster that RAY_ADDRESS names
    or this machine belongs to (`ray start`; pip install 'reeltag[cluster]'). WORK and DATA must
    then be on a folder that all nodes see under the same path, which is checked."""
    workers: int = 0
    """Steps that run at once, each in a process of its own with one GPU, or a part of the
    cores. 0: one for each visible GPU (on a cluster without any: one per node). Ctrl-C stops them
    all, and the same command resumes; WORK/logs/ has the output of each step."""
    retries: int = 1
    """How often a failed step is resumed before it is given up."""
    only: str = ""
    """Run only this step and what it needs: its name, or the name of its folder."""
    clean: bool = False
    """Remove the folders in WORK that this program with these options does not need."""
    yes: bool = False
    """Remove them without asking."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""


@dataclass(frozen=True, kw_only=True)
class List:
    """List the programs."""

    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Print each program's needs, cost and results."""
        programs = papers.PROGRAMS
        if self.json:
            print_json({"programs": [_described(program) for program in programs]})
            return 0
        if not programs:
            say("There are no programs in this version.")
            return 0
        for program in programs:
            STDOUT.print(f"[bold]{program.name}[/]  {escape(program.title)}", highlight=False)
            lines = RichTable.grid(padding=(0, 1), pad_edge=True)
            for name in ("needs", "cost", "reaches"):
                lines.add_row(f" {name}", escape(getattr(program, name)))
            STDOUT.print(lines, highlight=False)
        say("`reeltag solve NAME --help` explains one; `--tiny --out WORK` tries it in seconds.")
        return 0


@dataclass(frozen=True, kw_only=True)
class Solve:
    """A parsed `reeltag solve NAME ...`."""

    program: Program
    options: Any

    @staticmethod
    def parse(arguments: Sequence[str]) -> "Solve | List":
        """Read the flags, which depend on the program."""
        if not arguments or arguments[0] == "--json":
            return tyro.cli(List, args=arguments, prog="reeltag solve")
        name, rest = arguments[0], list(arguments[1:])
        if name in ("-h", "--help"):
            STDOUT.print(USAGE, highlight=False, markup=False, soft_wrap=True)
            sys.exit(0)
        if name.startswith("-"):
            raise ConfigError(
                f"the name of a program must come first, got {name}",
                hint="`reeltag solve` lists them.",
            )
        program = program_named(name, papers.PROGRAMS)
        config = program.tiny if "--tiny" in rest else program.config()
        fields: list[Any] = [
            ("config", Annotated[program.config, tyro.conf.arg(name="")], field(default=config))
        ]
        kind = make_dataclass("Options", fields, bases=(SolveOptions,), frozen=True, kw_only=True)
        options: Any = tyro.cli(
            kind, args=rest, prog=f"reeltag solve {name}", description=_description(program)
        )
        return Solve(program=program, options=options)

    def run(self) -> int:
        """Plan, clean or run, and print the outcome."""
        options, root = self.options, self.options.out
        check_is_local(root)
        if options.engine == "ray":
            check_extra("cluster")
        goal = self.program.solve(self._data(), options.config)
        steps = _chosen(options.only, goal) if options.only else goal.steps
        if options.clean:
            return self._clean(goal)
        if options.dry_run:
            return self._plan(steps)
        run_steps(
            steps,
            root,
            engine=options.engine,
            workers=options.workers,
            retries=options.retries,
            keep_going=options.keep_going,
        )
        tables, closing = list[Table](), ""
        if not options.only:
            tables = list(goal.tables(lambda step: folder_of(step, root)))
            closing = goal.closing(lambda step: folder_of(step, root))
        self._print(steps, tables, closing, goal)
        return 0

    def _data(self) -> Dataset:
        options = self.options
        folder = options.data
        if folder is None and not options.tiny:
            raise ConfigError(
                "give the data with --data DATA",
                hint=f"Or try `reeltag solve {self.program.name} --tiny "
                f"--out {shlex.quote(str(options.out))}`, which writes some.",
            )
        if folder is None:
            folder = Path(options.out) / "tiny-data"
            if not folder.exists():
                write_corpus(folder, self.program.tiny_data, quiet=True)
        return Dataset.open(
            folder, classes=options.classes, labels=options.labels, ratings=options.ratings
        )

    def _plan(self, steps: Sequence[Step]) -> int:
        options = self.options
        planned, workers = plan(steps, options.out), _workers(options.engine, options.workers)
        if options.json:
            found = planned.to_json()
            found["to_do"] |= {"workers": workers, "seconds_on_them": planned.seconds_on(workers)}
            print_json({"program": self.program.name, **found})
        else:
            print_table(plan_table(planned))
            text = format_summary(planned, workers)
            STDOUT.print(text, highlight=False, markup=False, soft_wrap=True)
        return 0

    def _print(self, steps: Sequence[Step], tables: list[Table], closing: str, goal: Goal) -> None:
        options, name = self.options, self.program.name
        run = None if options.only else goal.run(lambda step: folder_of(step, options.out))
        result = {
            "program": name,
            "reeltag": reeltag.__version__,
            "config": json_value(options.config),
            "steps": [_measured(step, options.out) for step in _steps(steps)],
            "tables": [table.to_json() for table in tables],
            "closing": closing,
            "best": None if goal.best is None else goal.best.folder_name,
            "run": None if run is None else run.relative_to(options.out).as_posix(),
        }
        if not options.only:
            write_json(options.out / f"{name}.json", result)
        if options.json:
            print_json(result)
            return
        for table in tables:
            print_table(table.to_rich())
        if closing:
            STDOUT.print(closing, highlight=False, markup=False, soft_wrap=True)
        for step in steps if options.only else ():
            where = folder_of(step, options.out)
            STDOUT.print(f"{step.name}: {where}", highlight=False, markup=False, soft_wrap=True)

    def _clean(self, goal: Goal) -> int:
        options = self.options
        found = unused_folders(goal.steps, options.out)
        bytes_, gone = sum(unused.bytes for unused in found), list[str]()
        for unused in found:
            holder = f", in use by {unused.holder}" if unused.holder else ""
            say(f"not needed: {unused.folder} ({format_size(unused.bytes)}{holder})")
        if found and not options.dry_run and _confirmed(len(found), bytes_, options.yes):
            gone = [str(unused.folder) for unused in found if remove(unused)]
        if options.json:
            listed = [{"folder": str(one.folder), "bytes": one.bytes} for one in found]
            print_json({"not_needed": listed, "bytes": bytes_, "removed": gone})
        else:
            text = (
                f"not needed: {_folders(len(found))}, {format_size(bytes_)}; removed: {len(gone)}"
            )
            STDOUT.print(text, highlight=False)
        return 0


def _description(program: Program) -> str:
    """Return what a program is, in lines that begin with a space, which tyro does not join."""
    width = max(map(len, _ABOUT)) + 1
    about = [f" {name.title() + ':':{width}} {getattr(program, name)}" for name in _ABOUT]
    notes = [f" {line}".rstrip() for line in program.notes.splitlines()]
    return "\n".join([program.title, "", *about, *([""] if notes else []), *notes])


def _described(program: Program) -> dict[str, str]:
    return {name: getattr(program, name) for name in ("name", "title", *_ABOUT)}


def _folders(count: int) -> str:
    return f"{count} folder{'' if count == 1 else 's'}"


def _chosen(only: str, goal: Goal) -> tuple[Step, ...]:
    """Return the steps that --only names."""
    steps = _steps(goal.steps)
    found = tuple(step for step in steps if only in (step.name, step.folder_name))
    if not found:
        names = list(dict.fromkeys(step.name for step in steps))
        close = difflib.get_close_matches(only, names, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(names)}."
        raise ConfigError(f"there is no step {only!r}", where="--only", hint=hint)
    return found


def _steps(goals: Sequence[Step]) -> list[Step]:
    return [node for node in ordered(goals) if isinstance(node, Step)]


def _measured(step: Step, root: Path) -> dict[str, Any]:
    folder = folder_of(step, root)
    record = read_record(folder)
    return {
        "name": step.name,
        "folder": str(folder),
        "seconds": record.seconds if record else None,
        "bytes": record.bytes if record else None,
    }


def _workers(engine: EngineName, workers: int) -> int:
    """Return how many steps run at once, as far as that is known without a cluster."""
    return len(worker_names(workers)) if engine == "local" else max(workers, 1)


def _confirmed(count: int, bytes_: int, yes: bool) -> bool:
    """Return whether a person wants folders removed."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError("stdin is no terminal to confirm on", hint="Add --yes to remove them.")
    STDERR.print(f"Remove {_folders(count)}, {format_size(bytes_)}? [y/N] ", end="", markup=False)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
