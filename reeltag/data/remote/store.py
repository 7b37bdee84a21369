"""Objects of a store by their address: listed, looked at, and read in parts, through fsspec.

Credentials and endpoints are found where the clients of the stores look for them: AWS_PROFILE,
AWS_ENDPOINT_URL, ~/.aws, GOOGLE_APPLICATION_CREDENTIALS, HF_TOKEN, FSSPEC_S3_ANON, ...
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from reeltag.core.addresses import READ_SCHEMES
from reeltag.core.errors import DataError, ReeltagError, reason_of
from reeltag.core.extras import check_extra
from reeltag.core.hub import prepare_hub_import

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PACKAGES = {"s3": ("fsspec", "s3fs"), "gs": ("fsspec", "gcsfs")}  # of the extra "cloud"
_IDENTITIES = ("ETag", "etag", "generation", "md5Hash", "blob_id", "created")
_TIMES = ("LastModified", "mtime", "updated", "created")
_LOGGERS = ("gcsfs", "s3fs")
_TRIES, _WAIT = 4, 0.5  # s, twice as long each time
_REASON = 160  # characters of an error that are shown
_CREDENTIALS = {
    "s3": "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; FSSPEC_S3_ANON=true "
    "for a public bucket; AWS_ENDPOINT_URL for another server.",
    "gs": "Log in with `gcloud auth application-default login`, or set "
    "GOOGLE_APPLICATION_CREDENTIALS; FSSPEC_GS_TOKEN=anon for a public bucket.",
    "hf": "Log in with `hf auth login`, or set HF_TOKEN.",
}


class RemoteObject(NamedTuple):
    """One object of a store, and by what a change of it is noticed.

    Attributes:
        name: relative to the address, with "/".
        size: bytes.
        identity: ETag, generation or hash, as the store gives it.
        modified_s: time of the last change, whole seconds since 1970; 0: not known.
    """

    name: str
    size: int
    identity: str
    modified_s: int

    def is_same(self, other: "RemoteObject") -> bool:
        """Return whether both have the same content, as far as the store knows."""
        return (self.size, self.identity) == (other.size, other.identity)


@dataclass(frozen=True)
class ObjectStore:
    """What is in and below an address.

    Attributes:
        address: scheme://bucket/folder, without a slash at its end.
    """

    address: str

    def objects(self) -> list[RemoteObject]:
        """Return all objects in and below the address by name; one object is that with name "".

        Raises:
            DataError: there is no such bucket, it is not open to us, or cannot be reached.
            MissingPackageError: the client of the store is not installed.
        """
        with reaching_store(self.address):
            files, root = self._open()
            files.invalidate_cache()
            found: dict[str, Mapping[str, Any]] = files.find(root, detail=True)
            if not found:
                files.ls(root)  # raises where there is no such bucket
        return sorted(
            _object(info, name[len(root) :].lstrip("/"))
            for name, info in found.items()
            if _is_file(info)
        )

    def here(self) -> list[RemoteObject]:
        """Return the objects right in the address by name; errors as `objects`."""
        with reaching_store(self.address):
            files, root = self._open()
            files.invalidate_cache(root)
            found: list[Mapping[str, Any]] = files.ls(root, detail=True)
        named = {str(info["name"]).rstrip("/").rpartition("/")[2]: info for info in found}
        return sorted(_object(info, name) for name, info in named.items() if _is_file(info))

    def look(self, name: str) -> RemoteObject:
        """Return an object as it is now; DataError where it is not there or cannot be reached."""
        with reaching_store(self.place(name)):
            files, root = self._open()
            path = f"{root}/{name}" if name else root
            files.invalidate_cache(path)
            info: Mapping[str, Any] = files.info(path)
            if not _is_file(info):
                raise FileNotFoundError(path)
        return _object(info, name)

    def read(self, name: str, begin: int, end: int) -> bytes:
        """Return bytes [begin, end) of an object, fewer where it ends before; patiently.

        Args:
            name: of the object.
            begin: of the first byte.
            end: behind the last one, at least `begin`.

        Raises:
            DataError: it is not there, not open to us, or cannot be reached in several tries.
        """
        if begin == end:
            return b""
        for wait in (*(_WAIT * 2**number for number in range(_TRIES - 1)), None):
            try:
                with reaching_store(self.place(name)):
                    files, root = self._open()
                    read: bytes = files.cat_file(f"{root}/{name}", start=begin, end=end)
                    return read
            except _UnreachableStoreError:
                if self._ends_before(name, begin):
                    return b""
                if wait is None:
                    raise
                time.sleep(wait)
        raise AssertionError

    def _ends_before(self, name: str, begin: int) -> bool:
        """Return whether an object has no byte `begin`, which stores refuse to read."""
        try:
            return self.look(name).size <= begin
        except _UnreachableStoreError:
            return False

    def place(self, name: str) -> str:
        """Return the address of an object."""
        return f"{self.address}/{name}" if name else self.address

    def _open(self) -> tuple["AbstractFileSystem", str]:
        """Return the client, which it keeps for all of this process, and what it calls the place.

        A forked process gets a client of its own.
        """
        scheme = self.address.partition("://")[0]
        if scheme == "hf":
            prepare_hub_import()
        elif scheme in _PACKAGES:
            check_extra("cloud", *_PACKAGES[scheme])
        else:
            raise DataError(
                f"data are read from {', '.join(f'{of}://' for of in READ_SCHEMES)} and from "
                "folders of this machine",
                where=self.address,
                hint="Copy them to one of these.",
            )
        from fsspec.core import url_to_fs

        for logger in _LOGGERS:  # whose warnings would else be printed, with tracebacks
            if not logging.getLogger(logger).handlers:
                logging.getLogger(logger).addHandler(logging.NullHandler())
        files, root = url_to_fs(self.address)
        return files, root.rstrip("/")


class _UnreachableStoreError(DataError):
    """A store has no answer now."""


@contextmanager
def reaching_store(address: str) -> Iterator[None]:
    """Raise a DataError that names the way out for what goes wrong with a store in the block."""
    try:
        yield
    except ReeltagError:
        raise
    except Exception as error:  # the clients raise what their HTTP libraries do
        found = _in_words(error, address)
        if found is None:
            raise
        raise found from error


def _in_words(error: Exception, address: str) -> DataError | None:
    """Return an error in our words; None where it has nothing to do with a store."""
    scheme = address.partition("://")[0]
    chain = [error, *_behind(error)]
    names = {of.__name__ for each in chain for of in type(each).__mro__}
    reason = (getattr(error, "strerror", None) or reason_of(error))[:_REASON].rstrip(".")
    if isinstance(error, FileNotFoundError):
        what, hint = "there is no such bucket, folder or object", "Look for a mistake in its name."
        if scheme == "hf":
            hint = "A data set on the hub is hf://datasets/user/name. " + _CREDENTIALS["hf"]
        return DataError(what, where=address, hint=hint)
    if names & {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}:
        what = f"no credentials were found ({reason})"
        return DataError(what, where=address, hint=_CREDENTIALS.get(scheme, ""))
    status = str(getattr(error, "code", getattr(getattr(error, "response", 0), "status_code", 0)))
    if isinstance(error, PermissionError) or status in ("401", "403"):
        what = f"is not open to you ({reason})"
        return DataError(what, where=address, hint=_CREDENTIALS.get(scheme, ""))
    modules = {type(each).__module__.partition(".")[0] for each in chain}
    network = {"aiohttp", "aiobotocore", "botocore", "gcsfs", "google", "httpx", "requests"}
    network |= {"huggingface_hub", "fsspec", "s3fs", "asyncio", "socket"}
    if modules & network or isinstance(error, OSError):
        what = f"the store cannot be reached, or refuses ({reason})"
        hint = "Check the address and the connection; AWS_ENDPOINT_URL names another S3 server."
        return _UnreachableStoreError(what, where=address, hint=hint)
    return None


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors that led to one."""
    seen = {id(error)}
    while (cause := error.__cause__ or error.__context__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        error = cause


def _object(info: Mapping[str, Any], name: str) -> RemoteObject:
    """Return an object as a client describes it."""
    identity = next((str(info[key]) for key in _IDENTITIES if info.get(key)), "")
    times = [info.get(key) for key in _TIMES]
    seconds = next((int(at.timestamp()) for at in times if isinstance(at, datetime)), 0)
    return RemoteObject(name, int(info.get("size") or 0), identity.strip('"'), seconds)


def _is_file(info: Mapping[str, Any]) -> bool:
    """Return whether an object is more than the mark of a folder."""
    return info.get("type") == "file" and not str(info.get("name", "")).endswith("/")
