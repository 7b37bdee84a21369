"""What kind of data set this is, found by looking into the first records of every shard."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from reeltag.core.errors import DataError
from reeltag.data.features import Features
from reeltag.data.records.example import joined, split_message
from reeltag.data.records.file_bytes import ByteSource, open_bytes
from reeltag.data.records.kinds import NO_FRAMES, kind_of_frames
from reeltag.data.records.locate import locate_floats, locate_frames
from reeltag.data.records.problems import Problem
from reeltag.data.records.tfrecord import frame_records
from reeltag.data.streams import Kind, Stream, in_order

_NUM_PROBED = 16  # sound records looked at in each shard
_AHEAD = 1 << 20  # bytes of a shard that are read at a time
_NO_STREAM = {"segment_scores", "start_time_seconds", "end_time_seconds", "labels", "id"}


class Schema(NamedTuple):
    """Kind and streams of a shard, or of the whole data set."""

    kind: Kind
    streams: tuple[Stream, ...]
    rate_hz: float | None = None  # frames/s; None: not described, 1 as published

    def described(self, features: Features | None, where: object) -> "Schema":
        """Return it with dtypes and widths of a description, where there is one.

        DataError where the records are not as described.
        """
        if features is None:
            return self
        streams = features.fit(self.kind, self.streams, where)
        return Schema(self.kind, streams, features.rate_hz)

    def __str__(self) -> str:
        """Return it as a person reads it."""
        streams = ", ".join(f"{stream.name} {stream.width}" for stream in self.streams)
        return f"{'video-level' if self.kind == 'video' else 'frame-level'} records with {streams}"


def probe_shard(source: ByteSource) -> Schema | Problem:
    """Return what most of the first sound records of a shard hold; else what is wrong with them.

    A stream is a list of byte strings of one width, or, where a record has none of these, a list
    of at least two floats. The result is that of the majority, so one odd record does not matter.

    Args:
        source: of the shard.

    Raises:
        DataError: the file cannot be opened.
    """
    data = open_bytes(source, ahead=_AHEAD)
    votes: Counter[tuple[Kind, Stream]] = Counter()
    kinds: Counter[Kind] = Counter()
    first_problem: Problem | None = None
    for framed in frame_records(data):
        problem = framed.problem
        if problem is None:
            payload = data[framed.offset : framed.offset + framed.size]
            try:
                found = streams_of_record(payload)
            except DataError:
                problem = Problem.UNDECODABLE
            else:
                problem = None if found else _why_no_stream(payload)
                kinds.update({kind for kind, _ in found})
                votes.update(found)
        first_problem = first_problem or problem
        if kinds.total() == _NUM_PROBED:
            break
    if not kinds:
        return first_problem or Problem.MISSING_STREAM
    kind = kinds.most_common(1)[0][0]
    widths = [stream for (of, stream), n in votes.items() if of == kind and 2 * n > kinds[kind]]
    return Schema(kind, in_order(widths)) if widths else Problem.WRONG_WIDTH


def _why_no_stream(payload: NDArray[np.uint8]) -> Problem:
    """Return what is wrong with a record that holds no features."""
    _, lists = split_message(payload.data)
    return Problem.ZERO_FRAMES if lists else Problem.MISSING_STREAM


def streams_of_record(payload: NDArray[np.uint8]) -> list[tuple[Kind, Stream]]:
    """Return every stream of a record, all of one kind; none if it holds no features.

    Args:
        payload: bytes of the record.

    Raises:
        DataError: the payload is no tf.Example and no tf.SequenceExample.
    """
    context, lists = split_message(payload.data)
    found: list[tuple[Kind, Stream]] = []
    for name, spans in lists.items():
        layout = locate_frames(payload, spans)
        if layout.width:
            found.append(("frames", Stream(name, layout.width, "uint8")))
    if not lists:
        for name in context.keys() - _NO_STREAM:
            layout = locate_floats(payload, context[name])
            if layout.width > 1:
                found.append(("video", Stream(name, layout.width, "float32")))
    return found


def agreed_schema(
    root: object, names: Sequence[str], found: Sequence[Schema | Problem], first_source: ByteSource
) -> Schema:
    """Return the schema of the data set, which all shards with sound records must share.

    Args:
        root: data folder or address, for errors.
        names: of the shards.
        found: results of `probe_shard`.
        first_source: of the first shard, to look into where none can be read.

    Raises:
        DataError: two shards disagree, or no shard has a sound record.
    """
    first: dict[Schema, str] = {}
    for name, schema in zip(names, found, strict=True):
        if isinstance(schema, Schema):
            first.setdefault(schema, name)
    if not first:
        _raise_unreadable(f"{root}/{names[0]}", found[0], first_source)
    if len(first) > 1:
        (one, one_name), (other, other_name) = list(first.items())[:2]
        what = "kinds of records" if one.kind != other.kind else "streams"
        raise DataError(
            f"the shards hold different {what}: {one_name} has {one}, {other_name} has {other}",
            where=root,
            hint="Give a folder whose shards are alike, such as one of the subfolders, "
            "or move one of the two kinds elsewhere.",
        )
    return next(iter(first))


def _raise_unreadable(where: str, problem: Schema | Problem, source: ByteSource) -> NoReturn:
    assert isinstance(problem, Problem)
    held = _kinds_in(source) if problem == Problem.ZERO_FRAMES else ""
    if held:
        raise DataError(
            f"no shard has frames that can be read as they are; in the first record {held}",
            where=where,
            hint="Frames are byte strings of one width. `reeltag import FILES --out DATA` makes "
            "such of lists of numbers; of pictures, compute features with an encoder first.",
        )
    raise DataError(
        f"no shard has a record that can be used; in the first one: {problem.text} "
        f"({problem.outcome})",
        where=where,
        hint="A shard is a TFRecord file of tf.SequenceExamples with lists of byte strings, "
        "or of tf.Examples with lists of floats.",
    )


def _kinds_in(source: ByteSource) -> str:
    """Return what the feature lists of the first sound record hold; empty where no frame is."""
    data = open_bytes(source, ahead=_AHEAD)
    for framed in frame_records(data):
        if framed.problem is None:
            payload = data[framed.offset : framed.offset + framed.size]
            try:
                _, lists = split_message(payload.data)
                kinds = {
                    name: kind_of_frames(joined(payload.data, spans))
                    for name, spans in lists.items()
                }
            except DataError:
                continue
            if set(kinds.values()) <= {NO_FRAMES}:
                return ""
            return ", ".join(f"{name} holds {kind}" for name, kind in sorted(kinds.items()))
    return ""
