"""Exports of moments that a command is asked for: --csv, --vtt, --export FORMAT:PATH."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltag.cli.moment_lists import MomentLists
from reeltag.core.console import say
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.rating_table import ratings_of
from reeltag.deploy.moment_formats import format_named
from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat
from reeltag.deploy.moment_formats.video_files import find_video_files
from reeltag.deploy.moment_formats.writing import check_export_path, export_moments


@dataclass(frozen=True)
class Exports:
    """Formats and where each goes.

    Attributes:
        places: format, path and the option that gives it.
        overwrite: replace what is there.
    """

    places: Sequence[tuple[MomentFormat, Path, str]]
    overwrite: bool

    @classmethod
    def chosen(
        cls, given: Sequence[str], *, csv: Path | None, vtt: Path | None, overwrite: bool
    ) -> "Exports":
        """Return the exports of the options.

        Args:
            given: FORMAT:PATH each.
            csv: file of --csv.
            vtt: folder of --vtt.
            overwrite: replace what is there.

        Raises:
            ConfigError: a format is unknown, a path is missing, or given twice.
        """
        short = (("csv", csv, "--csv m.csv"), ("webvtt", vtt, "--vtt tracks"))
        places = [(format_named(name, where=flag), to, flag) for name, to, flag in short if to]
        for each in given:
            name, _, path = each.partition(":")
            to = format_named(name, where=f"--export {each}")
            if not path:
                hint = f"Give FORMAT:PATH, as in --export {name}:{_example(to)}."
                raise ConfigError("names no path", where=f"--export {each}", hint=hint)
            places.append((to, Path(path), f"--export {name}:{_example(to)}"))
        paths = [path.resolve() for _, path, _ in places]
        repeated = [path for path in paths if paths.count(path) > 1]
        if repeated:
            raise ConfigError("is given for two exports", where=repeated[0])
        return cls(places, overwrite)

    def check(self, fps: float) -> None:
        """Raise what `write` would, as far as it is known before anything is computed.

        Args:
            fps: frames/s.

        Raises:
            ConfigError: `fps` is out of range, or an extra is not installed.
            OutputError: something is in the way.
        """
        MomentExport(moments=(), class_names=(), fps=fps)
        for to, path, flag in self.places:
            check_export_path(to, path, overwrite=self.overwrite, flag=flag)

    def write(self, lists: MomentLists, data: Dataset, *, fps: float) -> list[dict[str, Any]]:
        """Write all of them, say what was written, and return it as plain JSON values.

        Args:
            lists: the moments.
            data: that they are in.
            fps: frames/s.
        """
        if not self.places:
            return []
        export = MomentExport(
            moments=lists.exported(),
            class_names=lists.names,
            videos=find_video_files(data),
            fps=fps,
            ratings=tuple(ratings_of(data)),
        )
        written = []
        for to, path, _ in self.places:
            done = export_moments(to, export, path, overwrite=self.overwrite)
            facts = {"format": to.name, "path": str(path), "files": done.files}
            written.append({**facts, "moments": done.moments, "notes": done.notes})
            if to.makes == "file":
                say(f"{path}: {done.moments:,} moments")
            else:
                say(
                    f"{path}: {done.files:,} files" if done.files else f"{path}: no moment, no file"
                )
            for note in done.notes:
                say(f"{path}: {note}")
        return written


def _example(to: MomentFormat) -> str:
    ending = "csv" if to.name == "csv" else "json"
    return f"moments.{ending}" if to.makes == "file" else "FOLDER"
