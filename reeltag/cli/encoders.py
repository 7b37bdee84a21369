"""`reeltag encoders`: what turns pictures, sound and text into features, and what it needs."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import tyro
from rich.markup import escape
from rich.table import Table

from reeltag.core.console import STDERR, STDOUT, print_json, print_table, say
from reeltag.core.errors import ConfigError, MissingPackageError
from reeltag.encoders import EncoderInfo, Precision, check_packages, create_encoder, list_encoders
from reeltag.encoders._speed import EncoderSpeed, measure_speed


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """List the encoders: what they encode, width, licence, size, where their weights come from.

    Those of a prefix (timm:, open_clip:, hf:) are many: give a whole name to see one of them.
    """

    pattern: Annotated[str, tyro.conf.Positional] = "*"
    """Names to list, with * and ? as in a shell; or one name, such as timm:resnet18."""
    speed: bool = False
    """Measure each encoder that is installed, on made pictures, sound and texts."""
    device: str = "auto"
    """Where --speed computes: cpu, cuda, cuda:1; auto: a GPU where there is one."""
    precision: Precision = "auto"
    """Of the arithmetic of --speed: fp32, or bf16 or fp16 on a GPU; auto: fp32 on CPUs."""
    json: bool = False
    """Print one JSON object on stdout and nothing else there."""

    def run(self) -> int:
        """Print the list."""
        rows = [self._described(info) for info in self._chosen()]
        if self.json:
            print_json({"encoders": rows})
            return 0
        _print(rows, speed=self.speed)
        return 0

    def _chosen(self) -> list[EncoderInfo]:
        """Return the encoders to list; ConfigError where there is none of that name."""
        found = list_encoders(self.pattern)
        if found:
            return found
        if any(mark in self.pattern for mark in "*?["):
            names = ", ".join(info.name for info in list_encoders())
            raise ConfigError(f"no encoder matches {self.pattern!r}; there are {names}")
        encoder = create_encoder(self.pattern, device=self.device, precision=self.precision)
        return [replace(encoder.info, name=self.pattern, width=encoder.width)]

    def _described(self, info: EncoderInfo) -> dict[str, Any]:
        """Return what is known of an encoder, and what is missing for it to be used."""
        missing = ""
        try:
            check_packages(info)
        except MissingPackageError as error:
            missing = error.hint
        found = asdict(info) | {"installed": not missing, "hint": missing, "speed": None}
        can_be_measured = not missing and not info.name.endswith(("NAME", "TAG", "REPO"))
        if self.speed and can_be_measured:
            found["speed"] = asdict(self._measured(info.name))
        return found

    def _measured(self, name: str) -> EncoderSpeed:
        if STDERR.is_terminal:
            say(f"{name} ...")
        encoder = create_encoder(name, device=self.device, precision=self.precision)
        return measure_speed(encoder)


def _print(rows: list[dict[str, Any]], *, speed: bool) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("encoder", "of", "width", "MB", "needs"):
        table.add_column(column, justify="right" if column in ("width", "MB") else "left")
    if speed:
        table.add_column("speed here", justify="right")
    for row in rows:
        needs = row["extra"] and ("" if row["installed"] else "[yellow]") + row["extra"]
        cells = [
            escape(row["name"]),
            row["kind"] or "any",
            "" if row["width"] is None else f"{row['width']:,}",
            "" if row["megabytes"] is None else f"{row['megabytes']:g}",
            needs or "nothing",
        ]
        if speed:
            of = row["speed"]
            cells.append(f"{of['per_second']:,.3g} {of['unit']}" if of else "")
        table.add_row(*cells)
    print_table(table)
    for row in rows:
        STDOUT.print(f"\n[bold]{escape(row['name'])}[/]: {escape(row['description'])}")
        words = f"  weights: {row['weights_from']}; licence: {row['licence']}"
        STDOUT.print(words, markup=False, highlight=False, soft_wrap=True)
        if row["hint"]:
            STDOUT.print(f"  not installed. {row['hint']}", markup=False, highlight=False)
