"""The metadata of Parquet files of rows: JSON under the key `reeltag`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.parquet as pq

from reeltag.core.arrow_files import arrow_source
from reeltag.core.errors import DataError, reason_of
from reeltag.core.fields import from_json, parse_json
from reeltag.core.text import json_text
from reeltag.predictions.rows import StoredRows
from reeltag.predictions.sealed_parquet import SEALED_KEY, is_sealed, was_sealed


@dataclass(frozen=True, kw_only=True)
class RowsInfo:
    """Where the rows of a file come from; a subclass is a dataclass of the fields that it stores.

    Attributes:
        ROWS: the rows that it holds.
        MARK: key and value in the metadata of this kind of file.
        WHAT: name of this kind of file in errors: "a prediction file".
        HINT: how one is written.
    """

    ROWS: ClassVar[type[StoredRows]]
    MARK: ClassVar[tuple[str, str]]
    WHAT: ClassVar[str]
    HINT: ClassVar[str]

    def schema(self) -> pa.Schema:
        """Return the schema of the file, with the metadata."""
        stored = dict([self.MARK]) | dataclasses.asdict(self)
        metadata = {b"reeltag": json_text(stored).encode()}
        return self.ROWS.SCHEMA.with_metadata(metadata)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the info of a file; unknown keys are of later versions and ignored.

        DataError where there is no such file, it is not Parquet, or another kind of file.
        """
        if not path.is_file():
            what = f"is a folder, not {cls.WHAT}" if path.is_dir() else "is not there"
            raise DataError(what, where=path, hint=cls.HINT)
        try:
            sealed = is_sealed(path)
            schema = pq.read_schema(arrow_source(path))
        except (OSError, ValueError, pa.ArrowException) as error:
            what = f"cannot be read as Parquet ({reason_of(error)})"
            raise DataError(what, where=path, hint=cls.HINT) from error
        if missing := [name for name in cls.ROWS.SCHEMA.names if name not in schema.names]:
            what = f"lacks the columns {', '.join(missing)} of {cls.WHAT}"
            raise DataError(what, where=path, hint=cls.HINT)
        if len({*schema.names}) < len(schema.names):
            raise DataError("has a column twice", where=path, hint=cls.HINT)
        metadata = schema.metadata or {}
        if not sealed and was_sealed(schema):
            what = "is damaged, or was written again by another program: it has lost its checksum"
            hint = f"{cls.HINT} Another program has to leave out the metadata {SEALED_KEY!r}."
            raise DataError(what, where=path, hint=hint)
        return cls._parse(metadata.get(b"reeltag"), path)

    @classmethod
    def marks(cls, path: Path) -> bool:
        """Return whether a file is of this kind, broken or not."""
        key, mark = cls.MARK
        try:
            return bool(
                parse_json(pq.read_schema(arrow_source(path)).metadata[b"reeltag"])[key] == mark
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return False

    @classmethod
    def _parse(cls, stored: bytes | None, path: Path) -> Self:
        key, mark = cls.MARK
        try:
            values: dict[str, Any] = parse_json(stored or b"null")
            if values[key] != mark:
                raise ValueError(f"{key} must be {mark!r}, got {values[key]!r}")
        except (KeyError, TypeError, ValueError) as error:
            what = f"is not {cls.WHAT}: the metadata key 'reeltag' is missing or broken"
            raise DataError(f"{what} ({reason_of(error)})", where=path, hint=cls.HINT) from error
        known = {field.name for field in dataclasses.fields(cls)}
        values = {name: value for name, value in values.items() if name in known}
        found: Self = from_json(cls, values, where=path, field="reeltag")
        return found
