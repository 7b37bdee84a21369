"""Import features: find them, decide how they are stored, write shards, give DATA its name."""

import hashlib
import json
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import joblib

from reeltag.core.console import progress_bar, say
from reeltag.core.errors import ConfigError, DataError, OutputError
from reeltag.core.files import PathLike, check_new_path, to_paths
from reeltag.data.features import Features
from reeltag.data.importing.companions import Companions
from reeltag.data.importing.config import FeatureImportConfig
from reeltag.data.importing.describing import Description, describe, describe_as, schema_of
from reeltag.data.importing.existing import ExistingData
from reeltag.data.importing.files import BadSource, Found, Readers, find_videos
from reeltag.data.importing.plan import (
    SHARD_BYTES,
    ShardPlan,
    plan_shards,
    with_splits,
)
from reeltag.data.importing.prepare import ArchiveSchema, check_widths
from reeltag.data.importing.sample import Seen, look, sample_frames
from reeltag.data.importing.shard_writing import (
    ShardJob,
    ShardReport,
    finished_report,
    write_shard,
)
from reeltag.data.importing.sources import SourceVideo
from reeltag.data.importing.summary import ImportSummary, summary_of
from reeltag.data.importing.work_folder import WorkFolder

_SMALL = 32 << 20  # bytes; below this, starting processes takes longer than they save


def import_features(
    sources: Sequence[PathLike],
    out: PathLike,
    config: FeatureImportConfig,
    *,
    jobs: int | None = None,
    quiet: bool = False,
    command: str = "",
    shard_bytes: int = SHARD_BYTES,
) -> ImportSummary:
    """Write features of any supported kind as shards with a description.

    The bytes do not depend on `jobs`. A process holds one video, and all together the list of
    videos. An import that is killed goes on where it was when it is run again.

    Args:
        sources: files and folders.
        out: data folder to make, or with `config.append` to add to.
        config: how.
        jobs: processes; None = one per core.
        quiet: show no progress.
        command: that goes on with this import, for messages.
        shard_bytes: size of a shard, about.

    Returns:
        What was written.

    Raises:
        ConfigError: options that do not fit each other or the features.
        DataError: something cannot be imported; it names the file and the way out.
        OutputError: it cannot be written.
    """
    sources = to_paths(sources)
    out = Path(out)
    if jobs is not None and jobs < 1:
        raise ConfigError(f"must be at least 1, got {jobs}", where="--jobs")
    if not sources:
        raise ConfigError("no features are given", hint="Give files, or folders of them.")
    began = time.monotonic()
    request = _request(sources, config)
    work = WorkFolder(out, command)
    if not config.append and not work.finished():
        check_new_path(out)
    tables = Companions.open(out, config)
    with work.locked():
        if moved := _moved(work, request):
            return moved
        kept = work.begin(request)
        planned = _planned(sources, work, config, tables, shard_bytes, kept, quiet=quiet)
        planned.described.features.save(work.path)
        total = _written(planned, work, config, tables, request, jobs=jobs, quiet=quiet)
        if not config.append:
            planned.described.features.save(work.data)
        tables.place(work.data)
        found, schema, described, shards = planned
        summary = summary_of(out, found, schema, described, total)
        summary.request, summary.seconds = request, time.monotonic() - began
        summary.source_bytes = sum(shard.num_bytes for shard in shards)
        work.finish(asdict(summary), append=config.append)
    return summary


class _Planned(NamedTuple):
    found: Found
    schema: ArchiveSchema
    described: Description
    shards: list[ShardPlan]


def _moved(work: WorkFolder, request: str) -> ImportSummary | None:
    """Give an import that was killed at its very end its name; None where there is none."""
    stored = work.finished()
    if not stored:
        return None
    work.move()
    summary = ImportSummary.from_json(stored["summary"])
    if summary.request != request:
        what = "an earlier import into it was complete but for its name, and is there now"
        raise OutputError(what, where=work.out, hint="Run this command again.")
    return summary


def _written(
    planned: _Planned,
    work: WorkFolder,
    config: FeatureImportConfig,
    tables: Companions,
    request: str,
    *,
    jobs: int | None,
    quiet: bool,
) -> ShardReport:
    """Write all shards into the work folder, and return what is in them."""
    job = ShardJob(
        folder=work.data,
        reports=work.reports,
        features=planned.described.features,
        schema=planned.schema,
        dtypes=_dtypes(config),
        skip_bad=config.skip_bad,
        with_lengths=config.ratings is not None,
        how=_hash([request, asdict(planned.described.features), asdict(planned.schema)]),
    )
    total = ShardReport()
    for report in _write_all(planned.shards, job, jobs, quiet):
        total.add(report)
    if not total.videos:
        first = total.bad[0] if total.bad else BadSource("", "there is none")
        raise DataError(f"no video can be imported; the first: {first.what}", where=first.where)
    names = {shard.name for shard in planned.shards}
    for path in work.data.iterdir():
        if path.name not in names:  # of an earlier try: half-written, or when there were more
            path.unlink()
    tables.check_times(total.lengths, planned.described.features)
    return total


def _planned(
    sources: Sequence[Path],
    work: WorkFolder,
    config: FeatureImportConfig,
    tables: Companions,
    shard_bytes: int,
    kept: Features | None,
    *,
    quiet: bool,
) -> _Planned:
    """Return what is there, what it has, how it is stored, and in which shards."""
    out = work.out
    existing = ExistingData.open(out) if config.append else None
    given = Features.open(config.features) if config.features else None
    if existing and given:
        given.check_same(existing.features, where=config.features, other_where=out)
    if given and config.take:
        given = given.of([s.name for s in given.streams if s.name in config.take])
    given = existing.features if existing else given
    found = find_videos(
        sources,
        streams=_stream_names(config),
        dtypes=_dtypes(config),
        skip_bad=config.skip_bad,
        leave_out=[out, work.path],
        quiet=quiet,
    )
    if existing:
        _leave_out_existing(found, existing, out, skip=config.skip_existing)
    bad: list[BadSource] | None = [] if config.skip_bad else None
    with Readers(_dtypes(config)) as readers:
        seen = look(found.videos, readers, bad)
        is_vector = _are_vectors(found)
        schema = schema_of(seen, config, given, is_vector=is_vector, notes=found.notes)
        _check_known_widths(found, schema, config)
        dtype = _narrowest_float(config, given)
        sample = sample_frames(found.videos, schema, readers, bad, dtype=dtype, quiet=quiet)
    if given:
        where = out if existing else config.features
        described = describe_as(given, where, schema, config, sample)
    else:
        described = describe(schema, config, sample, kept)
    if existing and existing.is_vector != is_vector:
        kinds = ("frames", "video-level vectors")
        what = f"are {kinds[is_vector]}, {out} has {kinds[existing.is_vector]}"
        raise DataError(what, where=" ".join(map(str, sources)))
    found.videos, rule = with_splits(
        found.videos, by_hash=config.split_by_hash, fill=existing is None
    )
    ids = [video.id for video in found.videos]
    tables.check_ids([*(existing.ids if existing else ()), *ids], is_vector=is_vector)
    if rule["hash"]:
        every = "" if not rule["name"] else f" for {rule['hash']:,} videos"
        found.notes.append(
            f"splits by a hash of the id{every}: 80 % train, 10 % validate, 10 % test"
        )
    ratio = _ratio(seen, schema, described.features)
    first = existing.first if existing else {}
    shards = plan_shards(found.videos, ratio, first, shard_bytes)
    return _Planned(found, schema, described, shards)


def _narrowest_float(config: FeatureImportConfig, given: Features | None) -> str:
    """Return the dtype of floats that must hold every value."""
    stored = {stream.dtype for stream in given.streams} if given else {config.dtype}
    return "float16" if "float16" in stored else "float32"


def _are_vectors(found: Found) -> bool:
    """Return whether all videos are vectors; note where only some are."""
    count = sum(video.is_vector for video in found.videos)
    if 0 < count < len(found.videos):
        others = f"{len(found.videos) - count:,} have frames"
        found.notes.append(f"{count:,} videos are a single vector, stored as one frame; {others}")
    return count == len(found.videos)


def _leave_out_existing(found: Found, existing: ExistingData, out: Path, *, skip: bool) -> None:
    """Leave out videos that are there already, or raise DataError."""
    if existing.problems:
        found.notes.append(
            f"{existing.problems:,} broken records are in {out}, whose ids are not known: "
            f"`reeltag info {shlex.quote(str(out))}` names them"
        )
    again = [video for video in found.videos if video.id in existing.ids]
    if not again:
        return
    if not skip:
        raise DataError(
            f"{len(again):,} videos are in {out} already; the first is {again[0].id!r} in "
            f"{existing.ids[again[0].id]}",
            where=again[0].parts[0].path,
            hint="Leave them out with --skip-existing.",
        )
    found.videos = [video for video in found.videos if video.id not in existing.ids]
    found.notes.append(f"{len(again):,} videos were there already and are left out")
    if not found.videos:
        raise DataError("all videos are there already", where=out, hint="Nothing was changed.")


def _check_known_widths(found: Found, schema: ArchiveSchema, config: FeatureImportConfig) -> None:
    """Refuse, or leave out, what the headers of files show to be otherwise."""
    kept = list[SourceVideo]()
    for video in found.videos:
        try:
            if video.widths:
                check_widths(video, video.widths, schema)
            kept.append(video)
        except DataError as error:
            where = error.where or video.where
            if not config.skip_bad:
                raise DataError(error.what, where=where, hint=error.hint) from error
            found.bad.append(BadSource(where, error.what))
    found.videos = kept


def _ratio(seen: Seen, schema: ArchiveSchema, features: Features) -> float:
    """Return bytes stored per byte of the sources."""
    return sum(
        seen.frames_per_byte.get(stream.name, 0.0)
        * stream.num_bytes
        * schema.rate_hz
        / schema.rates_hz[stream.name]
        for stream in features.streams
    )


def _write_all(
    shards: Sequence[ShardPlan], job: ShardJob, jobs: int | None, quiet: bool
) -> Iterator[ShardReport]:
    """Write what is not there yet, and yield the reports in the order of the shards."""
    every = {shard.name: finished_report(shard, job) for shard in shards}
    reports = {name: report for name, report in every.items() if report}
    if reports and not quiet:
        say(f"going on: {len(reports)} of {len(shards)} shards are finished")
    left = [shard for shard in shards if shard.name not in reports]
    small = sum(shard.num_bytes for shard in left) < _SMALL or len(left) < 2
    number = 1 if small else min(jobs or joblib.cpu_count(), len(left))
    parallel = joblib.Parallel(n_jobs=number, return_as="generator", pre_dispatch="2*n_jobs")
    written = parallel(joblib.delayed(write_shard)(shard, job) for shard in left)
    with progress_bar() as bar:
        total = sum(len(shard.videos) for shard in shards)
        task = bar.add_task("importing videos", total=total, visible=not quiet)
        for shard in shards:
            yield reports.get(shard.name) or next(written)
            bar.advance(task, len(shard.videos))


def _stream_names(config: FeatureImportConfig) -> tuple[str, ...]:
    return (*config.streams, *config.source_rates(), *config.take)


def _dtypes(config: FeatureImportConfig) -> dict[str, str]:
    given = Features.open(config.features) if config.features else None
    return {stream.name: stream.dtype for stream in given.streams} if given else {}


def _request(sources: Sequence[Path], config: FeatureImportConfig) -> str:
    """Return a hash of the options."""
    return _hash([[str(path.absolute()) for path in sources], asdict(config)])


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()
