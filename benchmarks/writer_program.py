"""What `benchmarks.kill` and `benchmarks.full_disk` share: their command line, and their rows."""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.results import Row, write_rows
from benchmarks.writers import WRITERS, Writer, write_inputs
from reeltag.core.console import say


@dataclass(frozen=True, kw_only=True)
class WriterProgram:
    """A program that tries commands that write.

    Attributes:
        name: `python -m benchmarks.NAME` runs it, results/NAME.json keeps its rows.
        about: its help.
        numbers: options that take a number: name -> (default, help).
        measure: returns the row of a command, by folders of inputs and to work in, and options.
        describe: says a row in words.
    """

    name: str
    about: str
    numbers: Mapping[str, tuple[int, str | None]]
    measure: Callable[[Writer, Path, Path, Mapping[str, int]], Row]
    describe: Callable[[Row], str]

    def run(self, arguments: list[str] | None, folder: Path) -> int:
        """Try the commands that are named, or all; return 1 where one failed.

        Args:
            arguments: of the command line; None = of this process.
            folder: of results.
        """
        options = self._parsed(arguments)
        numbers = {name: getattr(options, name) for name in self.numbers}
        given = " ".join(f"--{name} {value}" for name, value in numbers.items())
        rows = list[Row]()
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-") as work:
            inputs = write_inputs(Path(work) / "in")
            for writer in WRITERS:
                if options.names and writer.name not in options.names:
                    continue
                rows.append(self.measure(writer, inputs, Path(work), numbers))
                say(self.describe(rows[-1]))
                if options.save:
                    command = f"python -m benchmarks.{self.name} '{writer.name}' {given}"
                    measured = environment(command)
                    key = ("command",)
                    write_rows(self.name, rows[-1:], key=key, measured=measured, folder=folder)
        if options.json:
            print(json.dumps(rows, indent=2))
        return int(any(row["failed"] for row in rows))

    def _parsed(self, arguments: list[str] | None) -> argparse.Namespace:
        names = [writer.name for writer in WRITERS]
        parser = argparse.ArgumentParser(
            description=self.about, prog=f"python -m benchmarks.{self.name}"
        )
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
        for name, (default, words) in self.numbers.items():
            parser.add_argument(f"--{name}", type=int, default=default, help=words)
        kept = f"write rows into results/{self.name}.json"
        parser.add_argument("--save", action="store_true", help=kept)
        parser.add_argument("--json", action="store_true", help="print the rows as JSON")
        options = parser.parse_args(arguments)
        if unknown := [name for name in options.names if name not in names]:
            parser.error(f"there is no command {unknown[0]!r}; there are {', '.join(names)}")
        return options


def row_of(writer: Writer, figures: Mapping[str, int], faults: Mapping[str, int]) -> Row:
    """Return the row of a command.

    Args:
        writer: the command.
        figures: what was counted.
        faults: what was wrong -> how often.
    """
    said = [f"{count} x {what}" for what, count in faults.items()]
    return {"command": writer.name, **figures, "failed": len(said), "faults": said}
