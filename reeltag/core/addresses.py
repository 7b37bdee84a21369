"""Addresses of object stores, s3://bucket/folder, where a path is given.

A path has no two slashes: `Path("s3://bucket/folder")` is `s3:/bucket/folder`, which is taken for
the address too, unless there is such a folder.
"""

import re
from pathlib import Path

from reeltag.core.errors import OutputError

READ_SCHEMES = ("gs", "hf", "s3")
_OTHER_SCHEMES = ("abfs", "az", "file", "ftp", "gcs", "hdfs", "http", "https", "r2", "s3a", "sftp")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):(//?)([^/].*)", re.DOTALL)  # C:/ has one letter


def address_of(path: str | Path) -> str | None:
    """Return the address that a text or path is, without a slash at its end; None for a path.

    >>> address_of(Path("s3://bucket/data/")), address_of("data/s3"), address_of("https://a.b/c")
    ('s3://bucket/data', None, 'https://a.b/c')
    """
    found = _ADDRESS.fullmatch(path if isinstance(path, str) else path.as_posix())
    if found is None:
        return None
    scheme, slashes, rest = found.groups()
    if slashes == "/" and (scheme not in READ_SCHEMES + _OTHER_SCHEMES or Path(path).exists()):
        return None
    return f"{scheme}://{rest.rstrip('/')}"


def path_in(folder: Path, text: str) -> Path:
    """Return the path that a file in a folder holds as a text, or the address.

    Args:
        folder: that a relative path begins at.
        text: path or address.
    """
    return Path(text) if address_of(text) else folder / text


def check_is_local(path: str | Path) -> None:
    """Raise OutputError for an address: object stores are read, and not written to."""
    if address := address_of(path):
        raise OutputError(
            "is in an object store, which is read and never written to",
            where=address,
            hint="Give a path of this machine, and copy what is written to the store.",
        )
