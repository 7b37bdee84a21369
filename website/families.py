"""The reference of the models: each family with its fields, variants and recipe."""

from collections.abc import Iterator

from reeltag.cli.models import describe, differences, millions, recipe_flags
from reeltag.models import Family, families
from website.commands import as_prose
from website.options import definitions, escape_words, options_of

PAGE = "reference/models.md"
_HEAD = """# Models

Each family is a file of its name in `reeltag/models/`. `reeltag train FAMILY` takes it, or one of
its variants; each field is a flag of that command. Parameters are counted at YouTube-8M's sizes
(1024 + 128 features, 3862 classes). What the models reach is in
[the zoo](../results/models.md), where they differ from their sources in
[Differences from the papers](departures.md)."""
_FROM_DATA = ("--model.num-classes", "--model.dims")  # are those of the data: no flags


def pages() -> dict[str, str]:
    """Return the Markdown of the page by its path below docs/."""
    parts = [_HEAD, *(part for family in families() for part in _parts(family))]
    return {PAGE: "\n\n".join(parts) + "\n"}


def _parts(family: Family) -> Iterator[str]:
    about = describe(family)
    yield f"## {family.name}"
    yield escape_words(about["about"])
    if about["more"]:
        yield as_prose(about["more"])
    yield f"Source: {escape_words(family.source)}"
    options = options_of(family.config, prefix=("model",))
    yield definitions([of for of in options if of.name not in _FROM_DATA])
    rows = [
        (f"`{of['name']}`", millions(of["parameters"]), escape_words(differences(about, of)))
        for of in about["variants"]
    ]
    table = [f"| {' | '.join(cells)} |" for cells in rows]
    yield "\n".join(["| variant | parameters | differs in |", "|---|---|---|", *table])
    if family.recipe:
        yield f"Recipe: `{recipe_flags(family.recipe)}`"
