"""Extract: find videos, encode what is new in worker processes, put it into shards of DATA."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, OutputError, reason_of
from reeltag.core.files import make_folder
from reeltag.data.features import FEATURES_FILE, Features
from reeltag.data.index import open_index
from reeltag.library.extraction.building import (
    ArchiveBuilder,
    group_by_content,
    group_by_folder,
    outliers_of,
)
from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.encoding import EncodedStream
from reeltag.library.extraction.engines import LocalEncoding
from reeltag.library.extraction.fitting import ScaleFitter
from reeltag.library.extraction.folder import OWN, ExtractionFolder
from reeltag.library.extraction.in_order import in_order
from reeltag.library.extraction.jobs import (
    DescribeJob,
    EncodingSettings,
    VideoJob,
    limit_seconds,
    quiet_seconds,
)
from reeltag.library.extraction.ledger import Changes, Ledger, VideoEntry
from reeltag.library.extraction.parts import FeaturePart, find_part
from reeltag.library.extraction.progress import ExtractionProgress
from reeltag.library.extraction.settings import check_streams, dtype_of, settings_of
from reeltag.library.extraction.shards import SHARD_BYTES, SPLITS
from reeltag.library.extraction.summary import ExtractionSummary, FailedVideo, next_commands
from reeltag.library.extraction.worker_process import PoolTask, TaskOutcome
from reeltag.library.media.finding import content_id, find_media


def extract(
    sources: Sequence[str | Path],
    out: str | Path,
    config: ExtractionConfig | None = None,
    *,
    workers: int | None = None,
    retry: bool = False,
    quiet: bool = False,
    shard_bytes: int = SHARD_BYTES,
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
        retry: try again what failed earlier.
        quiet: show no progress.
        shard_bytes: size of a shard, about.

    Returns:
        What was extracted, and what failed.

    Raises:
        ConfigError: an option cannot be used, or does not fit the archive.
        DataError: there is no video, or none could be extracted.
        OutputError: the data folder cannot be written.
    """
    config, out = config or ExtractionConfig(), Path(out)
    if not sources:
        raise ConfigError("no videos are given", hint="Give files, or folders of them.")
    _check_out(out)
    make_folder(out)
    folder = ExtractionFolder(out)
    with folder.locked():
        run = _Extraction(folder, config, retry=retry, quiet=quiet, shard_bytes=shard_bytes)
        run.find([Path(source) for source in sources])
        on_gpu = not config.device.startswith(("cpu", "auto"))
        with LocalEncoding(workers, on_gpu=on_gpu) as engine:
            run.encode(engine)
        return run.conclude()


class _Extraction:
    """One run of `extract`."""

    def __init__(
        self,
        folder: ExtractionFolder,
        config: ExtractionConfig,
        *,
        retry: bool,
        quiet: bool,
        shard_bytes: int,
    ) -> None:
        self._folder, self._config = folder, config
        self._retry, self._quiet, self._shard_bytes = retry, quiet, shard_bytes
        self._began = time.monotonic()
        self._ledger = Ledger(folder.path / "videos.json")
        if interrupted := folder.interrupted():
            self._ledger.set_extracted(*interrupted)
            folder.placed()
        self._summary = ExtractionSummary(out=str(folder.data))
        self._done = list[VideoEntry]()
        self._builder: ArchiveBuilder | None = None

    def find(self, sources: Sequence[Path]) -> None:
        """Find the videos and note which are new; DataError where there is none."""
        found = find_media(sources)
        files, data = list[tuple[Path, str]](), self._folder.data.resolve()
        for file in found.files:
            if data not in file.path.resolve().parents:
                try:
                    files.append((file.path, content_id(file.path)))
                except OSError as error:
                    found.problems.append((file.path, reason_of(error)))
        changes = self._ledger.sync(files)
        problems = [FailedVideo(path=str(path), error=why) for path, why in found.problems]
        self._summary.failed += problems
        self._summary.not_videos = dict(found.left_out)
        if not self._ledger.videos:
            where = problems[0].path if problems else " ".join(map(str, sources))
            what = problems[0].error if problems else "there is no video or sound file"
            raise DataError(what, where=where)
        self._ledger.save()
        self._count(changes)
        self._waiting = self._ledger.waiting(retry=self._retry)
        extracted = [of for of in self._ledger.videos.values() if of.state == "extracted"]
        self._summary.unchanged = len(extracted)

    def encode(self, engine: LocalEncoding) -> None:
        """Encode what is new and put it into shards."""
        if not self._waiting:
            return
        existing = Features.find(self._folder.data)
        paths = (Path(of.path) for of in self._waiting)
        settings = settings_of(self._config, existing, engine.probe(paths))
        streams: tuple[EncodedStream, ...] = engine.ask(DescribeJob(settings=settings))
        if existing is not None:
            check_streams(streams, existing, self._folder.data / FEATURES_FILE)
        self._builder = ArchiveBuilder(
            self._folder,
            self._ledger,
            ScaleFitter(streams),
            existing,
            rate_hz=settings.rate_hz,
            dtype=dtype_of(self._config),
            parts=self._config.split,
            group_of=group_by_folder if self._config.group == "folder" else group_by_content,
            shard_bytes=self._shard_bytes,
        )
        self._build(engine, settings, settings.key(streams))

    def _build(self, engine: LocalEncoding, settings: EncodingSettings, how: str) -> None:
        """Take the videos in their order, as soon as they are encoded."""
        assert self._builder is not None
        by_content = {entry.content: entry for entry in self._waiting}
        parts = {c: find_part(self._folder.parts, c, how) for c in by_content}
        known = {content: part for content, part in parts.items() if part is not None}
        if known and not self._quiet:
            say(f"going on: {len(known):,} of {len(by_content):,} videos are encoded already")
        left = [entry for entry in self._waiting if entry.content not in known]
        sizes = {entry.content: entry.size for entry in left}
        progress = ExtractionProgress(sizes, settings.rate_hz, quiet=self._quiet)

        def encoded() -> Iterator[tuple[str, FeaturePart | str]]:
            tasks = [self._task(entry, settings, how) for entry in left]
            for outcome in engine.run(tasks, progress.hear):
                progress.end(outcome.key)
                part = None if outcome.failure else find_part(self._folder.parts, outcome.key, how)
                yield outcome.key, part or _failure(outcome)

        with progress.shown():
            for content, result in in_order([*by_content], known, encoded()):
                entry = by_content[content]
                if isinstance(result, str):
                    entry.state, entry.error = "error", result
                    self._summary.failed.append(FailedVideo(path=entry.path, error=result))
                else:
                    entry.error = ""
                    self._builder.add(entry, result)
                    self._done.append(entry)
            self._builder.finish()

    def _task(self, entry: VideoEntry, settings: EncodingSettings, how: str) -> PoolTask:
        job = VideoJob(
            settings=settings,
            how=how,
            key=entry.content,
            id=entry.id,
            path=Path(entry.path),
            parts=self._folder.parts,
            previews=self._folder.data / "previews",
        )
        return PoolTask(
            key=entry.content,
            payload=job,
            limit_s=limit_seconds(entry.size),
            quiet_s=quiet_seconds(settings.rate_hz, entry.size / 10_000),
        )

    def conclude(self) -> ExtractionSummary:
        """Index the shards, write videos.csv, and return what was done."""
        summary, builder, data = self._summary, self._builder, self._folder.data
        self._ledger.save()
        self._ledger.write_csv(data / "videos.csv")
        there = [of for of in self._ledger.videos.values() if of.shard]
        if not there:
            raise _nothing_done(summary, self._ledger)
        open_index(data, quiet=self._quiet)
        self._folder.clear()
        summary.seconds = time.monotonic() - self._began
        summary.videos = len(there)
        summary.splits = {split: sum(of.split == split for of in there) for split in SPLITS}
        features = Features.find(data)
        if builder is not None and features is not None:
            frames = sum(of.frames for of in self._done)
            summary.add_features(features, builder.kept, outliers_of(builder.shards), frames)
            summary.add_videos(self._done, builder.shards)
            summary.add_ages(self._done)
        summary.next = next_commands(data)
        return summary

    def _count(self, changes: Changes) -> None:
        self._summary.moved = len(changes.moved)
        self._summary.missing = len(changes.missing)
        self._summary.back = len(changes.back)
        self._summary.copies = len(changes.copies)


def _nothing_done(summary: ExtractionSummary, ledger: Ledger) -> DataError:
    """Return the error for an archive that no video could be extracted for."""
    failed = summary.failed or [
        FailedVideo(path=of.path, error=of.error) for of in ledger.videos.values() if of.error
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
    if others and not (out / OWN / "extract").is_dir():
        raise OutputError(
            "is not empty, and no data of extracted videos",
            where=out,
            hint="Choose another --out.",
        )
