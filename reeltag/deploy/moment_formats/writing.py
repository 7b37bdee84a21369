"""Exports that appear whole or not at all."""

from dataclasses import dataclass
from pathlib import Path

from reeltag.core.errors import OutputError
from reeltag.core.files import PathLike, files_into, whole_file
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
    if to.makes == "folder":
        if path.exists() and not path.is_dir():
            raise OutputError(
                f"is a file, and {to.name} makes a folder",
                where=path,
                hint="Choose another folder.",
            )
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise OutputError(
                "holds files already, and they are not overwritten",
                where=path,
                hint="Choose another folder, or add --overwrite.",
            )
    elif path.is_dir():
        raise OutputError("is a folder", where=path, hint=f"Name a file, as in {flag}.")
    elif path.exists() and not overwrite:
        raise OutputError(
            "exists already, and is not overwritten",
            where=path,
            hint=f"Choose another {flag.split()[0]}, or add --overwrite.",
        )


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
