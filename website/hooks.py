"""What mkdocs calls while it builds the site (mkdocs.yml names this file)."""

import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reeltag.cli.main import COMMANDS
from website import commands, families, modules, root_pages


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages into the navigation, where it has their folder."""
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, text in (commands.pages() | families.pages()).items():
        files.append(File.generated(config, path, content=root_pages.cited(text, path)))
    for path, text in (modules.pages() | root_pages.pages()).items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the project's root lead to their pages."""
    path = page.file.src_uri
    folder = Path("docs", path).parent
    return root_pages.relinked(markdown, str(folder), path) if "../" in markdown else markdown


def _expanded(nav: Any) -> Any:  # noqa: ANN401  (of mkdocs.yml)
    if isinstance(nav, list):
        return [_expanded(of) for of in nav]
    if isinstance(nav, dict):
        return {title: _expanded(of) for title, of in nav.items()}
    names = {commands.FOLDER: ("index", *COMMANDS), modules.FOLDER: modules.packages()}
    folder = str(nav).rstrip("/")
    return [f"{folder}/{name}.md" for name in names[folder]] if folder in names else nav
