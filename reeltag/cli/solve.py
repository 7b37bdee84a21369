"""`reeltag solve`: run a paper as a program, see what it would do, or tidy up after it."""

import dataclasses
import difflib
import inspect
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
from reeltag.core.console import STDERR, STDOUT, print_json, print_table, say
from reeltag.core.errors import ConfigError
from reeltag.core.files import write_json
from reeltag.data.synth.corpus import write_corpus
from reeltag.papers.common.contract import Goal, SolutionModule, Table
from reeltag.papers.common.header import About, about, solution_name, solution_named
from reeltag.papers.common.table_text import drawn as drawn_table
from reeltag.pipeline.amounts import size
from reeltag.pipeline.cleaning import leftovers, remove
from reeltag.pipeline.drawing import drawn, summary
from reeltag.pipeline.engines import EngineName, make
from reeltag.pipeline.keys import readable
from reeltag.pipeline.local import places
from reeltag.pipeline.planning import plan
from reeltag.pipeline.steps import Step, ordered
from reeltag.pipeline.store import folder_of, read_record

USAGE = """usage: reeltag solve                                        list the solutions
       reeltag solve NAME --data DATA --out WORK [options]  run one; again: go on
       reeltag solve NAME --out WORK --tiny                 the same, in seconds, with made data
       reeltag solve NAME --data DATA --out WORK --dry-run  what is done, to do, and its cost

`reeltag solve NAME --help` tells what the paper is, what is needed, and every option."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Run a solution; what is there already is not done again, what was begun goes on."""

    data: Annotated[Path | None, tyro.conf.arg(metavar="DATA")] = None
    """Folder of TFRecords (or one TFRecord). Only --tiny does without: it makes some in WORK."""
    out: Annotated[Path, tyro.conf.arg(metavar="WORK")]
    """Folder for the results of all steps; several processes may work in it at once."""
    tiny: bool = False
    """The smallest sizes: to see that everything works."""
    dry_run: bool = False
    """Show the graph, what is done, what is to do, and what that takes; run nothing."""
    keep_going: bool = False
    """After a step has failed, run what does not depend on it before giving up."""
    engine: EngineName = "local"
    """local: workers on this machine; ray: on all nodes of the Ray cluster that RAY_ADDRESS names
    or this machine belongs to (`ray start`; pip install 'reeltag[cluster]'). WORK and DATA must
    then lie on a folder that all nodes see under the same path, which is checked."""
    workers: int = 0
    """Steps that are made at once, each by a process of its own that has one GPU, or its share of
    the cores. 0: one for each GPU that is visible (on a cluster without any: one a node). Ctrl-C
    stops them all, and the same command goes on; WORK/logs/ keeps what each said."""
    retries: int = 1
    """How often a step that failed is gone on with before it is given up."""
    only: str = ""
    """Run only this step and what it needs: its name, or the name of its folder."""
    clean: bool = False
    """Remove the folders in WORK that this solution with these options does not need."""
    yes: bool = False
    """Remove them without asking."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""


@dataclass(frozen=True, kw_only=True)
class List:
    """List the solutions."""

    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Print what there is: needs, cost, what it reaches."""
        found = [about(solution) for solution in papers.SOLUTIONS]
        if self.json:
            print_json({"solutions": [_described(one) for one in found]})
            return 0
        if not found:
            say("There are no solutions in this version.")
            return 0
        for one in found:
            STDOUT.print(f"[bold]{one.name}[/]  {escape(one.title)}", highlight=False)
            lines = RichTable.grid(padding=(0, 1), pad_edge=True)
            for name, text in (("needs", one.needs), ("cost", one.cost), ("reaches", one.reaches)):
                lines.add_row(f" {name}", escape(text))
            STDOUT.print(lines, highlight=False)
        say("`reeltag solve NAME --help` tells more; `--tiny --out WORK` tries one in seconds.")
        return 0


@dataclass(frozen=True, kw_only=True)
class Solve:
    """A parsed `reeltag solve NAME ...`."""

    solution: SolutionModule
    options: Any

    @staticmethod
    def parse(arguments: Sequence[str]) -> "Solve | List":
        """Read the flags: which there are depends on the solution."""
        if not arguments or arguments[0] == "--json":
            return tyro.cli(List, args=arguments, prog="reeltag solve")
        name, rest = arguments[0], list(arguments[1:])
        if name in ("-h", "--help"):
            STDOUT.print(USAGE, highlight=False, markup=False, soft_wrap=True)
            sys.exit(0)
        if name.startswith("-"):
            raise ConfigError(
                f"the name of a solution must come first, got {name}",
                hint="`reeltag solve` lists them.",
            )
        solution = solution_named(name, papers.SOLUTIONS)
        config = solution.TINY if "--tiny" in rest else solution.Config()
        fields: list[Any] = [
            ("config", Annotated[solution.Config, tyro.conf.arg(name="")], field(default=config))
        ]
        kind = make_dataclass("Options", fields, bases=(Options,), frozen=True, kw_only=True)
        options: Any = tyro.cli(
            kind, args=rest, prog=f"reeltag solve {name}", description=_description(solution)
        )
        return Solve(solution=solution, options=options)

    def run(self) -> int:
        """Do what was asked for, and say what came of it."""
        options, root = self.options, self.options.out
        goal = self.solution.solve(self._data(), options.config)
        steps = _chosen(options.only, goal) if options.only else goal.steps
        if options.clean:
            return self._clean(goal)
        if options.dry_run:
            made, workers = plan(steps, root), _workers(options.engine, options.workers)
            if options.json:
                told = made.to_json()
                told["to_do"] |= {"workers": workers, "seconds_on_them": made.seconds_on(workers)}
                print_json({"solution": solution_name(self.solution), **told})
            else:
                print_table(drawn(made))
                STDOUT.print(summary(made, workers), highlight=False, markup=False, soft_wrap=True)
            return 0
        make(
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
        self._tell(steps, tables, closing, goal.best)
        return 0

    def _data(self) -> Path:
        options = self.options
        if options.data is not None:
            return Path(options.data)
        if not options.tiny:
            raise ConfigError(
                "give the data with --data DATA",
                hint=f"Or try `reeltag solve {solution_name(self.solution)} --tiny "
                f"--out {shlex.quote(str(options.out))}`, which makes some.",
            )
        data = Path(options.out) / "tiny-data"
        if not data.exists():
            write_corpus(data, self.solution.TINY_DATA, quiet=True)
        return data

    def _tell(
        self, steps: Sequence[Step], tables: list[Table], closing: str, best: Step | None
    ) -> None:
        options, name = self.options, solution_name(self.solution)
        result = {
            "solution": name,
            "reeltag": reeltag.__version__,
            "config": readable(options.config),
            "steps": [_made(step, options.out) for step in _steps(steps)],
            "tables": [table.to_json() for table in tables],
            "closing": closing,
            "best": None if best is None else best.folder_name,
        }
        if not options.only:
            write_json(options.out / f"{name}.json", result)
        if options.json:
            print_json(result)
            return
        for table in tables:
            print_table(drawn_table(table))
        if closing:
            STDOUT.print(closing, highlight=False, markup=False, soft_wrap=True)
        for step in steps if options.only else ():
            where = folder_of(step, options.out)
            STDOUT.print(f"{step.name}: {where}", highlight=False, markup=False, soft_wrap=True)

    def _clean(self, goal: Goal) -> int:
        options = self.options
        found = leftovers(goal.steps, options.out)
        bytes_, gone = sum(leftover.bytes for leftover in found), list[str]()
        for leftover in found:
            who = f", in use by {leftover.holder}" if leftover.holder else ""
            say(f"not needed: {leftover.folder} ({size(leftover.bytes)}{who})")
        if found and not options.dry_run and _agreed(len(found), bytes_, options.yes):
            gone = [str(leftover.folder) for leftover in found if remove(leftover)]
        if options.json:
            listed = [{"folder": str(one.folder), "bytes": one.bytes} for one in found]
            print_json({"not_needed": listed, "bytes": bytes_, "removed": gone})
        else:
            text = f"not needed: {_folders(len(found))}, {size(bytes_)}; removed: {len(gone)}"
            STDOUT.print(text, highlight=False)
        return 0


def _description(solution: SolutionModule) -> str:
    """Return the docstring so that tyro leaves its lines as they are: each begins with a space."""
    lines = inspect.cleandoc(solution.__doc__ or "").splitlines()
    return "\n".join(line if line == lines[0] else f" {line}".rstrip() for line in lines)


def _folders(count: int) -> str:
    return f"{count} folder{'' if count == 1 else 's'}"


def _described(one: About) -> dict[str, str]:
    return {name.strip("_"): text for name, text in dataclasses.asdict(one).items()}


def _chosen(only: str, goal: Goal) -> tuple[Step, ...]:
    """Return the steps that --only names."""
    steps = _steps(goal.steps)
    found = tuple(step for step in steps if only in (step.name, step.folder_name))
    if not found:
        names = list(dict.fromkeys(step.name for step in steps))
        close = difflib.get_close_matches(only, names, n=3)
        told = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(names)}."
        raise ConfigError(f"there is no step {only!r}", where="--only", hint=told)
    return found


def _steps(goals: Sequence[Step]) -> list[Step]:
    return [node for node in ordered(goals) if isinstance(node, Step)]


def _made(step: Step, root: Path) -> dict[str, Any]:
    folder = folder_of(step, root)
    record = read_record(folder)
    return {
        "name": step.name,
        "folder": str(folder),
        "seconds": record.seconds if record else None,
        "bytes": record.bytes if record else None,
    }


def _workers(engine: EngineName, workers: int) -> int:
    """Return how many steps are made at once, as far as that is known without a cluster."""
    return len(places(workers)) if engine == "local" else max(workers, 1)


def _agreed(count: int, bytes_: int, yes: bool) -> bool:
    """Return whether a person wants folders removed."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to be asked", hint="Say --yes to remove them.")
    STDERR.print(f"Remove {_folders(count)}, {size(bytes_)}? [y/N] ", end="", markup=False)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
