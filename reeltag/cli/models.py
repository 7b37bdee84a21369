"""`reeltag models`: which architectures are there?"""

import dataclasses
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

import torch
import tyro
from rich.table import Table

from reeltag.core.console import STDOUT, print_json
from reeltag.models import FAMILIES, ModelConfig, family_name, family_named


@dataclass(frozen=True, kw_only=True)
class Models:
    """List the architectures, or show one with its fields and variants."""

    family: Annotated[str, tyro.conf.Positional] = ""
    """A family to show in full; empty lists all."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Print the list."""
        chosen = [family_named(self.family)] if self.family else list(FAMILIES)
        families = [_describe(family) for family in chosen]
        if self.json:
            print_json({"families": families})
        elif self.family:
            _print_one(families[0])
        else:
            _print_all(families)
        return 0


def _describe(family: ModuleType) -> dict[str, Any]:
    return {
        "name": family_name(family),
        "about": (family.__doc__ or "").strip().splitlines()[0],
        "source": family.SOURCE,
        "fields": {f.name: f.default for f in dataclasses.fields(family.Config)},
        "recipe": dict(family.RECIPE),
        "variants": [
            {"name": name, "parameters": _parameters(config), **dataclasses.asdict(config)}
            for name, config in family.VARIANTS.items()
        ],
    }


def _parameters(config: ModelConfig) -> int:
    """Count parameters at the authors' sizes without allocating them."""
    with torch.device("meta"):
        return sum(p.numel() for p in config.build().parameters())


def _print_all(families: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("family", "variant", "parameters", "what", "source"):
        table.add_column(
            column,
            justify="right" if column == "parameters" else "left",
            no_wrap=column in ("family", "variant", "parameters"),
        )
    for family in families:
        for i, variant in enumerate(family["variants"]):
            words = (family["about"], family["source"]) if i == 0 else ("", "")
            name = family["name"] if i == 0 else ""
            table.add_row(name, variant["name"], f"{variant['parameters'] / 1e6:.1f} M", *words)
    STDOUT.print(table)
    STDOUT.print("\nParameters at YouTube-8M's sizes (1024 + 128 features, 3862 classes).")


def _print_one(family: dict[str, Any]) -> None:
    STDOUT.print(f"[bold]{family['name']}[/]: {family['about']}\nSource: {family['source']}\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("field")
    for variant in family["variants"]:
        table.add_column(variant["name"], justify="right")
    names = ["parameters", *family["fields"]]
    for name in names:
        table.add_row(name, *[str(variant[name]) for variant in family["variants"]])
    STDOUT.print(table)
    STDOUT.print(f"\nThe authors' recipe: {family['recipe']}", highlight=False)
