"""POST /api/upload: videos from the browser into DATA/uploads, where the server was told to."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fastapi import APIRouter, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from reeltag.core.files import put
from reeltag.core.parts import new_part, remove_dead_parts
from reeltag.core.writing import make_folder, writing
from reeltag.data.class_list import folder_of
from reeltag.library.database.syncing import safe_stem
from reeltag.library.media.finding import MEDIA_ENDINGS
from reeltag.library.media.sniffing import kind_of, read_head
from reeltag.server.api.current import CurrentProject
from reeltag.server.api.jobs import CurrentJobs
from reeltag.server.errors import RequestError
from reeltag.server.settings import ServerSettings
from reeltag.server.views.overview import JobView

router = APIRouter(prefix="/api", tags=["upload"])
UPLOADS = "uploads"  # folder of DATA
_RECEIVED = "received"  # what comes is in a part of this name, until it is whole
_FREE_BYTES = 500_000_000  # that uploads leave on the disk, for ratings and what is computed
_MOST_FILES = 100  # of a form
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            }
        },
    }
}


@router.post("/upload", status_code=202, openapi_extra=_BODY)
async def upload(request: Request, project: CurrentProject, jobs: CurrentJobs) -> JobView:
    """Take video or sound files, and start to extract their features."""
    settings: ServerSettings = request.app.state.settings
    if not settings.upload_bytes:
        raise RequestError(
            403, "no files are taken", hint="Start the server with --allow-upload 2GB."
        )
    if project.library is None:
        raise RequestError(409, "these data were not extracted from videos here")
    data = folder_of(project.path)
    folder = data / UPLOADS
    await run_in_threadpool(make_folder, folder)
    with new_part(folder / _RECEIVED, folder=True) as place, writing(folder, place):
        with closing(_Form(request.headers.get("content-type", ""), place)) as form:
            async for chunk in request.stream():
                _check_room(place)
                await run_in_threadpool(form.write, chunk)
            form.finish()
        names = [await run_in_threadpool(_keep, *file, folder) for file in form.files]
    if not names:
        raise RequestError(400, "there is no file in it")
    title = f"Extract {names[0]}" if len(names) == 1 else f"Extract {len(names)} files"
    command = [sys.executable, "-m", "reeltag", "extract", str(folder), "--out", str(data)]
    return jobs.start("extract", title, command, result="/?sort=newest")


def remove_half_received(data: Path) -> None:
    """Remove what a server that was killed had half received.

    Args:
        data: folder.
    """
    remove_dead_parts(data / UPLOADS, _RECEIVED)


class _Form:
    """Writes the files of a form to disk while it comes; other fields are left out.

    Args:
        content_type: of the request.
        folder: for the files, until they are kept.

    Attributes:
        files: that have come, each with the name that was given.
    """

    def __init__(self, content_type: str, folder: Path) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise RequestError(415, "files are sent as multipart/form-data")
        self.files = list[tuple[str, Path]]()
        self._folder, self._name, self._value = folder, b"", b""
        self._headers = dict[bytes, bytes]()
        self._file: BinaryIO | None = None
        with _in_words():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_name,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self.close,
                },
            )

    def write(self, chunk: bytes) -> None:
        """Take what has come."""
        with _in_words():
            self._parser.write(chunk)

    def finish(self) -> None:
        """Take the end; RequestError where something is missing before it."""
        with _in_words():
            self._parser.finalize()
        if self._file is not None:
            raise RequestError(400, "the file breaks off")

    def close(self) -> None:
        """Close the file that is written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        if len(self.files) >= _MOST_FILES:
            raise RequestError(400, f"these are more than {_MOST_FILES} files at once")
        if name is not None:
            path = self._folder / str(len(self.files))
            self.files.append((name.decode("utf-8", "replace"), path))
            self._file = path.open("wb")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])


def _check_room(folder: Path) -> None:
    """Raise RequestError where the disk of a folder is almost full."""
    if shutil.disk_usage(folder).free < _FREE_BYTES:
        hint = "Free some space: uploads leave the rest for ratings and what is computed."
        raise RequestError(507, "the disk is almost full", hint=hint)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise RequestError(400, "this is no form with files") from error


def _keep(given: str, received: Path, folder: Path) -> str:
    """Give an uploaded file its name in a folder, and return it.

    Args:
        given: name, by the client.
        received: what has come.
        folder: for uploads.

    Raises:
        RequestError: it is no video or sound file by its name or its first bytes.
    """
    asked = PurePosixPath(given.replace("\\", "/").replace("\0", "_"))
    ending, kind = asked.suffix.lower(), kind_of(read_head(received))
    if ending not in MEDIA_ENDINGS or kind in ("empty", "text", "playlist", "picture"):
        raise RequestError(415, f"{asked.name or 'this'!r} is no video or sound file")
    path = _reserve(folder, safe_stem(asked.stem.lstrip(".")), ending)
    put(received, path)
    return path.name


def _reserve(folder: Path, stem: str, ending: str) -> Path:
    """Return the path of a new, empty file; its name has a number where it is taken."""
    for number in range(1, 10_000):
        path = folder / (f"{stem}{ending}" if number == 1 else f"{stem}-{number}{ending}")
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path
    raise RequestError(409, f"there are too many files named {stem!r}")
