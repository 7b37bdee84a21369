"""Exports that appear whole or not at all."""

from dataclasses import dataclass
from pathlib import Path

from reeltag.core.files import (
    PathLike,
    check_files_folder,
    check_new_file,
    files_into,
    whole_file,
)
from reeltag.deploy.moment_formats.contract import MomentExport, MomentFormat


@dataclass(frozen=True)
class WrittenExport:
    """What was written.

    Attributes:
        files: how many.
        moments: in them, those that are left out included.
        notes: what was left out or changed, and what to do next, a sentence each.
    """

    files: int
    moments: int
    notes: list[str]


def check_export_path(to: MomentFormat, path: PathLike, *, overwrite: bool, flag: str) -> None:
    """Raise OutputError where something is in the way, and ConfigError for want of an extra.

    Args:
        to: the format.
        path: of the file or folder to write.
        overwrite: whether it may be replaced.
        flag: that gives it, for the hint.
    """
    path = Path(path)
    to.check()
    check = check_files_folder if to.makes == "folder" else check_new_file
    check(path, flag, overwrite=overwrite)


def export_moments(
    to: MomentFormat, export: MomentExport, path: PathLike, *, overwrite: bool = False
) -> WrittenExport:
    """Write moments in a format: the file or the folder appears whole or not at all.

    A folder that is there keeps its other files; those of the same names are replaced at the end.
    A folder for no moments is not made.

    Args:
        to: the format.
        export: moments and their videos.
        path: of the file or folder.
        overwrite: replace what is there.

    Raises:
        OutputError: something is in the way, or cannot be written.
        MissingPackageError: the extra that the format needs is not installed.
    """
    path = Path(path)
    check_export_path(to, path, overwrite=overwrite, flag=f"--export {to.name}:PATH")
    if to.makes == "file":
        with whole_file(path) as part:
            notes = to.write(export, part)
        return WrittenExport(1, len(export.moments), notes)
    with files_into(path) as part:
        notes = to.write(export, part)
        files = sum(1 for _ in part.iterdir())
    return WrittenExport(files, len(export.moments), notes)
