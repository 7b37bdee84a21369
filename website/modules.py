"""The reference of the package's modules: a page for each sub-package, from its docstrings."""

from pathlib import Path

import reeltag

FOLDER = "reference/python/modules"
# what programs import; commands, pages of the server and papers have references of their own
PACKAGES = (
    "data",
    "predictions",
    "labels",
    "augment",
    "models",
    "layers",
    "losses",
    "metrics",
    "encoders",
    "library",
    "tagger",
    "training",
    "soft_labels",
    "inference",
    "evaluation",
    "active",
    "ensembling",
    "deploy",
    "report",
    "pipeline",
    "testing",
    "core",
)
_PACKAGE = """---
title: {package}
search:
  boost: 0.3
---

# reeltag.{package}
"""
_MODULE = """::: reeltag.{module}
    options:
      heading_level: 2
      toc_label: {last}
"""
_ROOT = Path(reeltag.__file__).parent


def pages() -> dict[str, str]:
    """Return the Markdown of each page by its path below docs/."""
    return {f"{FOLDER}/{name}.md": page(name) for name in packages()}


def packages() -> list[str]:
    """Return the names of the packages that have a page, without `reeltag.`."""
    found = []
    for top in PACKAGES:
        folders = sorted(path.parent for path in (_ROOT / top).rglob("__init__.py"))
        found += [".".join(path.relative_to(_ROOT).parts) for path in folders]
    return [name for name in found if "migrations" not in name]


def page(package: str) -> str:
    """Return the page of a package: its public modules, with what they define.

    Args:
        package: name without `reeltag.`.
    """
    folder = _ROOT.joinpath(*package.split("."))
    names = [path.stem for path in sorted(folder.glob("[!_]*.py"))]
    described = [_MODULE.format(module=f"{package}.{name}", last=name) for name in names]
    if (folder / "__init__.py").read_text(encoding="utf-8").strip():
        described.insert(0, _MODULE.format(module=package, last=package))
    return "\n".join([_PACKAGE.format(package=package), *described])
