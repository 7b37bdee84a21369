"""Extract: find videos, encode what is new in worker processes, put it into shards of DATA."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.extras import check_extra
from reeltag.core.writing import make_folder
from reeltag.data.features import FEATURES_FILE, Features
from reeltag.data.index import open_index
from reeltag.library.database.library import Library
from reeltag.library.database.tables import VideoRow
from reeltag.library.extraction.building import (
    ArchiveBuilder,
    GroupOf,
    group_alone,
    group_by_folder,
    outliers_of,
)
from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.engines import EncodingEngine, LocalEncoding
from reeltag.library.extraction.fitting import ScaleFitter
from reeltag.library.extraction.folder import OWN, ExtractionFolder
from reeltag.library.extraction.in_order import in_order
from reeltag.library.extraction.jobs import (
    EncodingSettings,
    VideoJob,
    limit_seconds,
    quiet_seconds,
)
from reeltag.library.extraction.parts import FeaturePart, find_part
from reeltag.library.extraction.progress import ExtractionProgress
from reeltag.library.extraction.settings import check_streams, dtype_of, settings_of
from reeltag.library.extraction.shards import SPLITS
from reeltag.library.extraction.summary import ExtractionSummary, FailedVideo, next_commands
from reeltag.library.extraction.worker_process import PoolTask, TaskOutcome
from reeltag.library.grouping import NearCopyGroups
from reeltag.library.media.finding import LIBRARY_FILE, find_media
from reeltag.pipeline.worker_config import check_devices, gpus_named

EngineName = Literal["local", "ray"]


def extract(
    sources: Sequence[str | Path],
    out: str | Path,
    config: ExtractionConfig | None = None,
    *,
    workers: int | None = None,
    engine: EngineName = "local",
    retry: bool = False,
    quiet: bool = False,
    command: str = "",
) -> ExtractionSummary:
    """Extract the features of videos and sound files into shards of a data folder.

    Only what is new or has changed is extracted; a video whose file has vanished is marked. A file
    that cannot be decoded becomes an entry with its error. The bytes of the shards depend on the
    videos alone, not on the number of workers, nor on how often it was interrupted: when it was
    killed, the same call goes on.

    Args:
        sources: files and folders.
        out: data folder to make, or to add to.
        config: encoders, rate and so on; None: the defaults.
        workers: processes; None: one per core.
        engine: "local", or "ray": a cluster, whose nodes see the files and the data folder.
        retry: try again what failed earlier.
        quiet: show no progress.
        command: that was typed, for the list of jobs.

    Returns:
        What was extracted, and what failed.

    Raises:
        ConfigError: an option cannot be used, or does not fit the archive.
        DataError: there is no video, or none could be extracted.
        OutputError: the data folder cannot be written.
    """
    config, out = config or ExtractionConfig(), Path(out)
    if config.devices:  # each worker sees one
        config = replace(config, device="cuda")
    if not sources:
        raise ConfigError("no videos are given", hint="Give files, or folders of them.")
    _check_out(out)
    make_folder(out)
    folder = ExtractionFolder(out)
    with folder.locked(), Library.open(out, create=True) as library:
        run = _Extraction(folder, library, config, quiet=quiet)
        with library.job(command or "extract") as counts:
            run.find([Path(source) for source in sources], retry=retry)
            with _engine(engine, workers, config, folder) as encoding:
                run.encode(encoding)
            summary = run.conclude()
            counts |= {"extracted": summary.extracted, "failed": len(summary.failed)}
        return summary


class _Extraction:
    """One run of `extract`."""

    def __init__(
        self,
        folder: ExtractionFolder,
        library: Library,
        config: ExtractionConfig,
        *,
        quiet: bool,
    ) -> None:
        self._folder, self._library, self._config = folder, library, config
        self._quiet = quiet
        self._began = time.monotonic()
        if interrupted := folder.interrupted():
            library.set_extracted(*interrupted)
            folder.placed()
        self._summary = ExtractionSummary(out=str(folder.data))
        self._done = list[VideoRow]()
        self._builder: ArchiveBuilder | None = None

    def find(self, sources: Sequence[Path], *, retry: bool) -> None:
        """Find the videos and note which are new; DataError where there is none."""
        found, summary = find_media(sources), self._summary
        report = self._library.sync(found)
        summary.moved, summary.changed = len(report.moved), len(report.changed)
        summary.missing, summary.back = len(report.missing), len(report.back)
        summary.copies, summary.not_videos = len(report.copies), dict(found.left_out)
        summary.failed += [
            FailedVideo(path=str(path), error=why)
            for path, why in (*found.problems, *report.problems)
        ]
        if not any(row.has_file for row in self._library.videos()):
            if summary.failed:
                raise _nothing_done(summary, self._library)
            where = " ".join(map(str, sources))
            others = ", ".join(f"{count:,} {what}" for what, count in found.left_out.items())
            hint = f"What is there: {others}." if others else ""
            raise DataError("there is no video or sound file", where=where, hint=hint)
        summary.unchanged = self._check_shards()
        self._waiting = self._library.waiting(retry=retry)

    def _check_shards(self) -> int:
        """Return how many videos are extracted; those whose shard is gone are not any more.

        DataError where there are some, and what their values mean is not known.
        """
        extracted = [row for row in self._library.videos("extracted", "missing") if row.has_file]
        lost = {row.shard for row in extracted if row.shard}
        lost = {name for name in lost if not (self._folder.data / name).is_file()}
        again = [row for row in extracted if row.shard in lost]
        for row in again:
            row.shard = ""
            row.state = "new" if row.state == "extracted" else row.state
        self._library.save(again)
        if lost:
            names = ", ".join(sorted(lost)[:3])
            say(f"{names}: gone; its {len(again):,} videos are extracted again")
        number = sum(row.state == "extracted" for row in extracted)
        if number and not (self._folder.data / FEATURES_FILE).is_file():
            raise DataError(
                f"has shards and no {FEATURES_FILE}: what their values mean is not known",
                where=self._folder.data,
                hint="Put it back, or remove the shards: their videos are then extracted again.",
            )
        return number

    def encode(self, engine: EncodingEngine) -> None:
        """Encode what is new and put it into shards."""
        if not self._waiting:
            return
        existing = Features.find(self._folder.data)
        paths = (row.path for row in self._waiting)
        settings = settings_of(self._config, existing, engine.probe(paths))
        streams = engine.describe(settings)
        if existing is not None:
            check_streams(streams, existing, self._folder.data / FEATURES_FILE)
        self._builder = ArchiveBuilder(
            self._folder,
            self._library,
            ScaleFitter(streams),
            existing,
            rate_hz=settings.rate_hz,
            dtype=dtype_of(self._config),
            parts=self._config.split,
            group_of=self._group_of(),
            shard_bytes=round(self._config.shard_mb * 1e6),
        )
        try:
            self._build(engine, settings, settings.key(streams))
        except KeyboardInterrupt:
            say("stopped: the same command goes on where it was")
            raise

    def _group_of(self) -> GroupOf:
        """Return what tells the group of a new video."""
        if self._config.group == "content":
            return NearCopyGroups(self._library, self._folder.data / "previews")
        return group_by_folder if self._config.group == "folder" else group_alone

    def _build(self, engine: EncodingEngine, settings: EncodingSettings, how: str) -> None:
        """Take the videos in their order, as soon as they are encoded."""
        assert self._builder is not None
        by_content = {row.content: row for row in self._waiting}
        parts = {c: find_part(self._folder.parts, c, how) for c in by_content}
        known = {content: part for content, part in parts.items() if part is not None}
        if known and not self._quiet:
            say(f"going on: {len(known):,} of {len(by_content):,} videos are encoded already")
        left = [row for row in self._waiting if row.content not in known]
        sizes = {row.content: row.size for row in left}
        progress = ExtractionProgress(sizes, settings.rate_hz, quiet=self._quiet)

        def encoded() -> Iterator[tuple[str, FeaturePart | str]]:
            tasks = [self._task(row, settings, how) for row in left]
            for outcome in engine.run(tasks, progress.hear):
                part = None if outcome.failure else find_part(self._folder.parts, outcome.key, how)
                progress.end(outcome.key, part.num_frames if part else 0)
                yield outcome.key, part or _failure(outcome)

        with progress.shown():
            for content, result in in_order([*by_content], known, encoded()):
                row = by_content[content]
                if isinstance(result, str):
                    row.state, row.error = "error", result
                    self._library.save([row])
                    self._summary.failed.append(FailedVideo(path=str(row.path), error=result))
                else:
                    self._builder.add(row, result)
                    self._done.append(row)
            self._builder.finish()

    def _task(self, row: VideoRow, settings: EncodingSettings, how: str) -> PoolTask:
        job = VideoJob(
            settings=settings,
            how=how,
            key=row.content,
            id=row.id,
            path=row.path,
            parts=self._folder.parts,
            previews=self._folder.data / "previews",
        )
        return PoolTask(
            key=row.content,
            payload=job,
            limit_s=limit_seconds(row.size),
            quiet_s=quiet_seconds(settings.rate_hz, row.size / 10_000),
        )

    def conclude(self) -> ExtractionSummary:
        """Index the shards, write videos.csv, and return what was done."""
        summary, builder, data = self._summary, self._builder, self._folder.data
        self._library.write_csv()
        there = [row for row in self._library.videos() if row.shard]
        if not there:
            raise _nothing_done(summary, self._library)
        open_index(data, quiet=self._quiet)
        self._folder.clear()
        summary.seconds = time.monotonic() - self._began
        summary.videos = len(there)
        summary.splits = {split: sum(row.split == split for row in there) for split in SPLITS}
        features = Features.find(data)
        if builder is not None and features is not None:
            frames = sum(row.frames for row in self._done)
            summary.add_features(features, builder.kept, outliers_of(builder.shards), frames)
            summary.add_videos(self._done, builder.shards)
            summary.add_ages(self._done)
        summary.next = next_commands(data, [row.path for row in there])
        return summary


@contextmanager
def _engine(
    name: EngineName, workers: int | None, config: ExtractionConfig, folder: ExtractionFolder
) -> Iterator[EncodingEngine]:
    """Yield what encodes videos, and end it."""
    on_gpu = not config.device.startswith(("cpu", "auto"))
    if name == "local":
        with LocalEncoding(workers, on_gpu=on_gpu, gpus=gpus_named(config.devices)) as local:
            yield local
        return
    check_devices(config.devices, name)
    check_extra("cluster")
    from reeltag.library.extraction.ray_encoding import RayEncoding

    with RayEncoding(workers, folder.parts, on_gpu=on_gpu) as cluster:
        yield cluster


def _nothing_done(summary: ExtractionSummary, library: Library) -> DataError:
    """Return the error for an archive that no video could be extracted for."""
    failed = summary.failed or [
        FailedVideo(path=str(row.path), error=row.error) for row in library.videos("error")
    ]
    if not failed:
        return DataError("has no video any more", where=summary.out)
    more = f"; none of {len(failed):,} files could be extracted" if len(failed) > 1 else ""
    hint = "" if summary.failed else "That is from an earlier run: --retry tries again."
    return DataError(f"{failed[0].error}{more}", where=failed[0].path, hint=hint)


def _failure(outcome: TaskOutcome) -> str:
    """Return why a video failed; raise what is not about the video alone."""
    if isinstance(outcome.error, OutputError | ConfigError):
        raise outcome.error
    if outcome.error is not None:
        return outcome.error.what
    return outcome.message or "its features are gone"


def _check_out(out: Path) -> None:
    """Raise OutputError where a folder holds other data."""
    if out.exists() and not out.is_dir():
        raise OutputError("is a file, not a folder", where=out, hint="Choose another --out.")
    others = {path.name for path in out.iterdir()} - {OWN} if out.is_dir() else set()
    if others and not (out / LIBRARY_FILE).is_file():
        raise OutputError(
            "is not empty, and no data of extracted videos",
            where=out,
            hint="Choose another --out.",
        )
