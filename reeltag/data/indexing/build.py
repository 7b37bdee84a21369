"""Build or refresh an index: scan what is new, in parallel, then put the rows together."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import joblib
import numpy as np
import pyarrow as pa

from reeltag.core.console import track
from reeltag.core.errors import DataError, OutputError
from reeltag.core.files import whole_file
from reeltag.core.locks import try_lock, wait_for_lock
from reeltag.core.parts import discard, remove_dead_parts
from reeltag.core.sealed import open_sealed, sealed_writer
from reeltag.data.features import Features
from reeltag.data.indexing.finish import (
    finished_rows,
    hashed_ids,
    largest_label,
    raw_rows,
    repeated_ids,
)
from reeltag.data.indexing.header import VERSION, Header
from reeltag.data.indexing.locations import Shard
from reeltag.data.indexing.probe import Schema, agreed_schema, probe_shard
from reeltag.data.indexing.scan import ROW_SCHEMA, scan_shard
from reeltag.data.indexing.unpacking import Unpacked
from reeltag.data.indexing.validation import rows_are_possible
from reeltag.data.records.file_bytes import ByteSource
from reeltag.data.records.problems import Problem
from reeltag.data.remote.mirror import Mirror

T = TypeVar("T")

_THREADS = 8
_SMALL = 32 << 20  # bytes; below this, starting processes takes longer than they save


@dataclass(frozen=True, kw_only=True)
class Build:
    """One pass over a data set.

    Attributes:
        root: data folder.
        shards: what is there now.
        unpacked: records of those that are compressed.
        folder: where the index is written.
        vocabulary: number of classes, None where there is no vocabulary.
        features: description of the streams; None: as published.
        old: an index of an earlier state of the data set, or None.
        jobs: processes; None = one per core.
        verify: check the checksums of the payloads.
        quiet: no progress bar.
        mirror: of the address that the shards are read from; None: they are files of `root`.
    """

    root: Path
    shards: tuple[Shard, ...]
    unpacked: Mapping[Shard, Unpacked]
    folder: Path
    vocabulary: int | None
    features: Features | None
    old: tuple[Header, pa.Table] | None
    jobs: int | None
    verify: bool
    quiet: bool
    mirror: Mirror | None = None

    def run(self) -> Path:
        """Write `folder`/index.arrow and return its path.

        Only shards that are not in `old`, or have changed since, are read. Their rows are kept
        in `folder`/building until the end, so that an interrupted pass goes on where it was.

        Raises:
            DataError: a shard cannot be opened, or the shards hold different things.
            OutputError: the index cannot be written.
        """
        kept = self._unchanged()
        schema = self._schema(kept)
        fresh = [shard for shard in self.shards if shard not in kept]
        pieces = [(*self._read(shard), self._pieces, schema, self.verify) for shard in fresh]
        self._for_each(write_piece, pieces, "indexing")

        def rows(shard: Shard) -> pa.Table:
            if shard in kept and self.old:
                return raw_rows(self.old[1].slice(*kept[shard]))
            return _read_piece(*self._read(shard), self._pieces, schema, self.verify)

        path = self._write(schema, rows)
        discard(self._pieces, path)
        return path

    def _read(self, shard: Shard) -> tuple[ByteSource, Shard]:
        """Return what holds the records of a shard, and by what it is known."""
        if self.mirror is not None:
            return self.mirror.source(shard.name), shard
        unpacked = self.unpacked.get(shard)
        return (unpacked.path, unpacked.file) if unpacked else (self.root / shard.name, shard)

    @property
    def _pieces(self) -> Path:
        return self.folder / "building"

    def _unchanged(self) -> dict[Shard, tuple[int, int]]:
        """Return which shards need not be read again: first row and number of rows in `old`."""
        if self.old is None or (self.verify and not self.old[0].verified):
            return {}
        if not self.old[0].is_described_by(self.features):
            return {}
        header, table = self.old
        first = np.searchsorted(table["shard"].to_numpy(), np.arange(len(header.shards) + 1))
        found = {
            shard: (int(first[i]), int(first[i + 1] - first[i]))
            for i, shard in enumerate(header.shards)
        }
        if header.vocabulary != self.vocabulary:  # labels that were dropped may count again
            for shard, (start, size) in list(found.items()):
                problems = table["problem"].slice(start, size).unique().to_pylist()
                if any(Problem.LABEL_OUTSIDE.text in text for text in problems if text):
                    del found[shard]
        return {shard: found[shard] for shard in self.shards if shard in found}

    def _schema(self, kept: dict[Shard, tuple[int, int]]) -> Schema:
        """Return kind and streams of the data set; of shards in `old` they are known."""
        fresh = [shard for shard in self.shards if shard not in kept]
        paths = [self._read(shard)[:1] for shard in fresh]
        probed = self._for_each(probe_shard, paths, "looking in")
        found = {
            shard: schema.described(self.features, path) if isinstance(schema, Schema) else schema
            for shard, (path,), schema in zip(fresh, paths, probed, strict=True)
        }
        if kept and self.old:
            known = Schema(self.old[0].kind, self.old[0].streams, self.old[0].rate_hz)
            found |= dict.fromkeys(kept, known)
        in_order = [found[shard] for shard in self.shards]
        root = self.root if self.mirror is None else self.mirror.cache.store.address
        first = self._read(self.shards[0])[0]
        return agreed_schema(root, [shard.name for shard in self.shards], in_order, first)

    def _for_each(
        self, work: Callable[..., T], arguments: Sequence[tuple[object, ...]], what: str
    ) -> list[T]:
        """Return `work(*a)` for all arguments, in their order, computed in parallel."""
        small = sum(self._read(shard)[1].size for shard in self.shards) < _SMALL
        jobs = 1 if small or len(arguments) < 2 else self.jobs or joblib.cpu_count()
        threads = "threads" if small and self.mirror else None  # they wait for the store
        jobs = _THREADS if threads else jobs
        parallel = joblib.Parallel(n_jobs=jobs, prefer=threads, return_as="generator")
        results = parallel(joblib.delayed(work)(*argument) for argument in arguments)
        return list(results if self.quiet else track(results, what, len(arguments)))

    def _write(self, schema: Schema, rows: Callable[[Shard], pa.Table]) -> Path:
        """Put the rows of all shards together: once to learn what they share, once to write."""
        largest, hashes = -1, []
        for shard in self.shards:
            table = rows(shard)
            largest = max(largest, largest_label(table))
            hashes.append(hashed_ids(table))
        repeats = repeated_ids([shard.name for shard in self.shards], hashes)
        header = Header(
            kind=schema.kind,
            streams=schema.streams,
            rate_hz=schema.rate_hz,
            num_classes=largest + 1 if self.vocabulary is None else self.vocabulary,
            vocabulary=self.vocabulary,
            verified=self.verify,
            shards=self.shards,
            unpacked={shard.name: of.file.size for shard, of in self.unpacked.items()},
        )
        first = np.cumsum([0, *map(len, hashes)])
        path = self.folder / "index.arrow"
        with _whole_table(path, header.schema()) as writer:
            for number, shard in enumerate(self.shards):
                marks = repeats[first[number] : first[number + 1]]
                done = finished_rows(rows(shard), number, header.num_classes, marks)
                writer.write_table(done.combine_chunks())
        return path


@contextmanager
def _whole_table(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatchFileWriter]:
    """Yield a writer of an Arrow file that gets its name when it is whole."""
    with whole_file(path) as part, sealed_writer(part, schema) as writer:
        yield writer


def write_piece(
    source: ByteSource, shard: Shard, folder: Path, schema: Schema, verify: bool
) -> None:
    """Scan one shard and keep its rows in `folder`, unless they are there already.

    Args:
        source: what holds its records.
        shard: by what that is known.
        folder: for the rows.
        schema: streams that a record must have.
        verify: check the checksums of the records.

    Raises:
        DataError: the shard cannot be opened.
        OutputError: the rows cannot be written.
    """
    path = _piece(folder, shard, schema, verify)
    if path.exists():
        return
    table = scan_shard(source, schema, verify)
    # not durable: to force thousands of small files to the disk would take long
    with (
        whole_file(path, durable=False) as part,
        sealed_writer(part, table.schema) as writer,
    ):
        writer.write_table(table)


def _read_piece(
    source: ByteSource, shard: Shard, folder: Path, schema: Schema, verify: bool
) -> pa.Table:
    """Return what `write_piece` kept; scan the shard once more if it is gone or damaged."""
    try:
        table = open_sealed(_piece(folder, shard, schema, verify)).read_all()
        if table.schema.equals(ROW_SCHEMA) and rows_are_possible(
            table, schema.streams, [shard.size]
        ):
            return table
    except (OSError, DataError, pa.ArrowException):
        pass
    return scan_shard(source, schema, verify)


def _piece(folder: Path, shard: Shard, schema: Schema, verify: bool) -> Path:
    """Return a path that depends on everything that the rows of the shard depend on."""
    key = json.dumps([VERSION, shard, str(schema), schema.rate_hz, verify])
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.arrow"


@contextmanager
def locked(folder: Path, data: Path) -> Iterator[None]:
    """Let one process at a time work in `folder`, on the index of `data`; others wait for it."""
    with wait_for_lock(folder / "lock", f"the index of {data}"):
        remove_dead_parts(folder)
        remove_dead_parts(folder / "building")
        yield


def remove_left(folder: Path) -> None:
    """Remove what a process left in `folder` that was killed when its index was whole already."""
    if not (folder / "lock").exists():
        return
    index, pieces = folder / "index.arrow", folder / "building"
    with suppress(OutputError, OSError), try_lock(folder / "lock") as is_ours:
        if is_ours:
            remove_dead_parts(folder)
            if pieces.stat().st_mtime_ns <= index.stat().st_mtime_ns:  # else of a later pass
                discard(pieces, index)
