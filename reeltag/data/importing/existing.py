"""Data that are added to: their description, their ids, and the next number of a shard."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reeltag.core.errors import DataError, OutputError
from reeltag.data.features import FEATURES_FILE, Features
from reeltag.data.importing.sequence_examples import id_of_record
from reeltag.data.indexing.locations import find_shards
from reeltag.data.records.example import split_message
from reeltag.data.records.file_bytes import FileBytes
from reeltag.data.records.tfrecord import frame_records

_NUMBERED = re.compile(r"(train|validate|test)(\d+)")


@dataclass(frozen=True)
class ExistingData:
    """What `--append` adds to.

    Attributes:
        features: their description.
        ids: of all videos -> shard.
        first: split -> number of the next shard.
        is_vector: they are video-level.
        problems: records that are broken, whose ids are not known.
    """

    features: Features
    ids: Mapping[str, str]
    first: Mapping[str, int]
    is_vector: bool
    problems: int

    @classmethod
    def open(cls, out: Path) -> "ExistingData":
        """Read the description and the ids of a data folder.

        OutputError where the folder is not there; DataError where it has no description, or a shard
        cannot be read.
        """
        if not out.is_dir():
            hint = "Leave --append out to make it."
            raise OutputError("is not there to be added to", where=out, hint=hint)
        features = Features.find(out)
        if features is None:
            raise DataError(
                f"has no {FEATURES_FILE}: what its values mean is not known",
                where=out,
                hint="Import into another folder. A description can be added by hand for data in "
                "YouTube-8M's convention; see docs/how-to/own-features.md.",
            )
        ids, first, is_vector = dict[str, str](), defaultdict[str, int](int), False
        problems = 0
        for shard in find_shards(out)[1]:
            match = _NUMBERED.match(Path(shard.name).name)
            if match:
                first[match[1]] = max(first[match[1]], int(match[2]) + 1)
            data = FileBytes(out / shard.name)
            for framed in frame_records(data, verify=False):
                problems += framed.problem is not None
                if framed.problem is None:
                    payload = data[framed.offset : framed.offset + framed.size].data
                    context, lists = split_message(payload)
                    ids[id_of_record(payload, context)] = shard.name
                    is_vector = not lists
        return cls(features, ids, first, is_vector, problems)
