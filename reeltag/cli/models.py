"""`reeltag models`: which architectures are there?"""

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import torch
import tyro
from rich.table import Table

from reeltag.core.console import STDOUT, print_json
from reeltag.core.fields import field_docs
from reeltag.models import Family, ModelConfig, families, family_of, model_config


@dataclass(frozen=True, kw_only=True)
class Models:
    """List the architectures, or show one with its fields and variants."""

    family: Annotated[str, tyro.conf.Positional] = ""
    """A family, or one of its variants, to show in full; empty lists all."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Print the list."""
        chosen = [family_of(model_config(self.family))] if self.family else families()
        described = [describe(family) for family in chosen]
        if self.json:
            print_json({"families": described})
        elif self.family:
            _print_one(described[0])
        else:
            _print_all(described)
        return 0


def describe(family: Family) -> dict[str, Any]:
    """Return what is known of a family: source, fields with help, recipe, variants with sizes."""
    text = inspect.cleandoc(family.about)
    about, _, more = text.partition("\n")
    helps = field_docs(family.config)
    return {
        "name": family.name,
        "about": about,
        "more": more.strip("\n"),
        "source": family.source,
        "fields": {f.name: f.default for f in dataclasses.fields(family.config)},
        "help": {f.name: helps[f.name] for f in dataclasses.fields(family.config)},
        "recipe": dict(family.recipe),
        "preprocessing": dataclasses.asdict(family.preprocessing),
        "variants": [
            {"name": name, "parameters": _parameters(config), **dataclasses.asdict(config)}
            for name, config in family.variants.items()
        ],
    }


@cache
def _parameters(config: ModelConfig) -> int:
    """Count parameters at the authors' sizes without allocating them."""
    with torch.device("meta"):
        return sum(p.numel() for p in config.build().parameters())


def millions(count: int) -> str:
    """Return a number of parameters as people say it: "88.9 M"."""
    return f"{count / 1e6:.1f} M"


def _print_all(families: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("family", no_wrap=True)
    table.add_column("what; source; variants with their parameters", overflow="fold")
    for family in families:
        variants = [f"{v['name']} {millions(v['parameters'])}" for v in family["variants"]]
        table.add_row(family["name"], family["about"])
        table.add_row("", f"[dim]{family['source']}[/]")
        table.add_row("", "[cyan]" + ", ".join(variants) + "[/]")
    STDOUT.print(table)
    STDOUT.print(
        "\nParameters at YouTube-8M's sizes (1024 + 128 features, 3862 classes).\n"
        "`reeltag models FAMILY` shows its fields; `reeltag train FAMILY --help` how to train it."
    )


def _print_one(family: dict[str, Any]) -> None:
    STDOUT.print(f"[bold]{family['name']}[/]: {family['about']}", highlight=False)
    source = f"Source: {family['source']}" if family["source"] else ""
    text = "\n\n".join(part for part in (family["more"], source) if part)
    STDOUT.print(text, highlight=False, markup=False, soft_wrap=True)
    fields = _table("field", "default", "what")
    for name, default in family["fields"].items():
        fields.add_row(name, str(default), family["help"][name])
    variants = _table("variant", "parameters", "differs from the defaults in")
    for variant in family["variants"]:
        variants.add_row(
            variant["name"], millions(variant["parameters"]), differences(family, variant)
        )
    for table in (fields, variants):
        STDOUT.print()
        STDOUT.print(table)
    STDOUT.print(f"\nRecipe: {recipe_flags(family['recipe'])}", highlight=False)
    STDOUT.print(f"Frames are prepared with: {_words(family['preprocessing'])}", highlight=False)


def differences(family: Mapping[str, Any], variant: Mapping[str, Any]) -> str:
    """Return what a variant has other than the defaults, as "clusters 64, hidden 512".

    Args:
        family: as `describe` has it.
        variant: one of its variants.
    """
    changed = {
        name: variant[name]
        for name, default in family["fields"].items()
        if _plain(variant[name]) != _plain(default)
    }
    return ", ".join(f"{name} {value}" for name, value in changed.items()) or "nothing"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("field", "variant"))
    return table


def _plain(value: object) -> object:
    """Return nested dataclasses as the dicts that `dataclasses.asdict` makes of them."""
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


def recipe_flags(recipe: Mapping[str, Any], prefix: str = "--") -> str:
    """Return a recipe as the flags of `reeltag train`."""
    flags = []
    for name, value in recipe.items():
        if name == "optim":
            flags.append(recipe_flags(value))
        elif isinstance(value, Mapping):
            flags.append(recipe_flags(value, f"--{name.replace('_', '-')}."))
        else:
            flags.append(f"{prefix}{name.replace('_', '-')} {value}")
    return " ".join(flags)


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in values.items())
