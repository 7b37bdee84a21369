"""Moments that were found, in the formats of other tools: one file, or a zip of several."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reeltag.core.errors import ConfigError
from reeltag.core.files import scratch_folder
from reeltag.deploy.moment_formats import format_named
from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.video_files import find_video_files
from reeltag.deploy.moment_formats.writing import export_moments
from reeltag.server.project.project import Project
from reeltag.server.project.search import ClassSearch

_ENDINGS = {"csv": "csv"}


@contextmanager
def exported(project: Project, found: ClassSearch, format_name: str) -> Iterator[Path]:
    """Yield a file with all moments that were found; it is gone afterwards.

    Args:
        project: of the videos.
        found: moments.
        format_name: as `reeltag moments --export` takes it.

    Raises:
        ConfigError: there is no such format, or no moment.
        MissingPackageError: the format needs an extra that is not installed.
    """
    to = format_named(format_name, where="format")
    to.check()
    if not len(found.intervals):
        raise ConfigError(
            "no moment is as probable as this", hint="Lower the threshold, then export."
        )
    with scratch_folder() as folder:
        path = folder / f"moments-{to.name}"
        if to.makes == "file":
            path = path.with_suffix(f".{_ENDINGS.get(to.name, 'json')}")
        written = export_moments(to, _export(project, found), path)
        if not written.files:
            raise ConfigError(
                f"{to.name}: nothing was written; {'; '.join(written.notes)}",
                hint="Lower the threshold, or take another format.",
            )
        yield path if to.makes == "file" else _zipped(path, to, written.notes)


def _zipped(folder: Path, to: MomentFormat, notes: Sequence[str]) -> Path:
    """Return a zip of the files of a folder, with what was left out or changed in notes.txt."""
    path = folder.with_name(f"moments-{to.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
        if notes:
            archive.writestr("notes.txt", "".join(f"{note}\n" for note in notes))
    return path


def _export(project: Project, found: ClassSearch) -> MomentExport:
    """Return the moments as the formats take them."""
    intervals, known = found.intervals, found.chosen.chosen
    names = project.class_names
    ratings = project.ratings.by_video()
    moments = []
    columns = zip(
        intervals.ids.to_pylist(),
        *(
            column.tolist()
            for column in (
                intervals.start_s,
                intervals.end_s,
                intervals.peak_s,
                intervals.peak_prob,
                intervals.mean_prob,
            )
        ),
        strict=True,
    )
    for video, start_s, end_s, peak_s, prob, mean_prob in columns:
        inside = [
            rating.is_yes
            for rating in ratings.get(video, ())
            if rating.class_name == found.name
            and rating.value is not None
            and rating.end_s is not None
            and rating.start_s < end_s
            and rating.end_s > start_s
        ]
        moments.append(
            ExportedMoment(
                id=video,
                index=names.index(found.name),
                name=found.name,
                start_s=start_s,
                end_s=end_s,
                peak_s=peak_s,
                prob=prob,
                mean_prob=mean_prob,
                precision=None if known is None else known.precision,
                precision_interval=None if known is None else known.interval,
                yes=sum(inside) if inside else None,
                no=len(inside) - sum(inside) if inside else None,
            )
        )
    files = find_video_files(project.data)
    return MomentExport(moments=moments, class_names=names, videos=files)
