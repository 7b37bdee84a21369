"""Connections to `library.sqlite`: several processes at once, and tables of the right version."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool, StaticPool

from reeltag.core.errors import DataError, OutputError, ReeltagError

SCHEMA = "0003"  # of the tables, as the last migration names it
_BUSY_SECONDS = 60  # how long a process waits for another one that writes
_WAL, _NO_WAL = slice(18, 20), b"\1\1"  # of a file's header: what is in memory has no WAL
_DAMAGE = ("malformed", "not a database")
_MIGRATIONS = Path(__file__).with_name("migrations")


class Database:
    """A file of SQLite; OutputError where it cannot be written, DataError where it is damaged.

    Readers do not wait for writers (WAL), writers wait for each other.

    Args:
        path: of the file, which is made if need be; in a folder that cannot be written it is read
            as it is, or, where its tables are those of an older reeltag, as a copy in memory.

    Raises:
        DataError: it is no library, or of a newer reeltag.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        is_fixed = path.is_file() and not os.access(path.parent, os.W_OK)
        self._engine = _engine(path, is_fixed=is_fixed)
        with self._in_words():
            if is_fixed and not self._is_up_to_date():
                self._engine = self._migrated_copy()
            self._bring_up_to_date()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session that reads one state of the tables."""
        with self._in_words(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Session]:
        """Yield a session that is written at its end, all or nothing.

        Args:
            durable: wait until it is on the disk, so that not even a loss of power loses it.
        """
        with self._in_words(), self._engine.connect() as connection:
            _set_synchronous(connection, "FULL" if durable else "NORMAL")
            connection.execution_options(sqlite_begin="IMMEDIATE")
            with Session(connection, expire_on_commit=False) as session, session.begin():
                yield session

    def _bring_up_to_date(self) -> None:
        """Make or change the tables; DataError where they are those of a newer reeltag."""
        if self._is_up_to_date():
            return
        with self._engine.connect() as connection:
            connection.execution_options(sqlite_begin="IMMEDIATE")
            with connection.begin():
                self._migrate(connection)

    def _is_up_to_date(self) -> bool:
        with self._engine.connect() as connection:
            return _version(connection) == SCHEMA

    def _migrated_copy(self) -> Engine:
        """Return the tables as they would be after migration; they can be read alone."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        with closing(copy):
            with self._engine.connect() as connection:
                original = connection.connection.driver_connection
                assert isinstance(original, sqlite3.Connection)
                original.backup(copy)
            self._engine.dispose()
            engine = create_engine("sqlite://", creator=lambda: copy, poolclass=StaticPool)
            with engine.begin() as connection:
                self._migrate(connection)
            content = bytearray(copy.serialize())
        content[_WAL] = _NO_WAL
        return _engine_of_copy(bytes(content))

    def _migrate(self, connection: Connection) -> None:
        script = ScriptDirectory(_MIGRATIONS, version_locations=[_MIGRATIONS / "versions"])
        version = _version(connection)
        if version == SCHEMA:  # another process was faster
            return
        if version not in (None, *(of.revision for of in script.walk_revisions())):
            raise DataError(
                f"is of a newer reeltag (its tables are {version}, known are those up to {SCHEMA})",
                where=self.path,
                hint="Upgrade reeltag.",
            )
        if version is None and inspect(connection).get_table_names():
            raise DataError("is no library of reeltag", where=self.path)

        def steps(revision: str, _: MigrationContext) -> list[RevisionStep]:
            return script._upgrade_revs("head", revision)

        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection)
            environment.run_migrations()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:  # both: what prepares a connection is bare
            told = _in_words(error.orig if isinstance(error, DBAPIError) else error, self.path)
            if told is None:
                raise
            raise told from error
        except UnicodeDecodeError as error:  # in what sqlite says of damage
            raise DataError("is damaged: it holds text that is none", where=self.path) from error


def _in_words(error: BaseException | None, path: Path) -> ReeltagError | None:
    """Return what an error of SQLite means to a user; None where it is one of ours."""
    if isinstance(error, sqlite3.OperationalError):
        return OutputError(f"cannot be written ({error})", where=path, hint=_hint(str(error)))
    if isinstance(error, sqlite3.IntegrityError):
        return DataError(f"cannot take this value ({error})", where=path)
    if isinstance(error, sqlite3.DatabaseError) and any(of in str(error) for of in _DAMAGE):
        hint = "videos.csv next to it has the list of videos; restore it from a copy."
        return DataError(f"is damaged ({error})", where=path, hint=hint)
    return None


def _hint(reason: str) -> str:
    if "locked" in reason:
        return "Another process writes; wait for it."
    return "Free some space, or make it writable; nothing was left half-written."


def _engine(path: Path, *, is_fixed: bool) -> Engine:
    file = f"{path.absolute().as_uri()}{'?mode=ro&immutable=1' if is_fixed else ''}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(file, timeout=_BUSY_SECONDS, uri=True, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin below, not by sqlite3's guesses
        if is_fixed:
            return
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        how = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {how}")

    return engine


def _engine_of_copy(content: bytes) -> Engine:
    """Return connections to a file that is in memory, each to a copy of its own."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.deserialize(content)
        connection.execute("PRAGMA query_only=ON").close()
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool)


def _set_synchronous(connection: Connection, how: str) -> None:
    """Set when a connection waits for the disk; not possible within a transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute(f"PRAGMA synchronous={how}").close()


def _version(connection: Connection) -> str | None:
    """Return the version of the tables; None = there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version
