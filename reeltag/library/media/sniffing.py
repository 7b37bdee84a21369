"""What kind of file the first bytes tell of."""

import struct
from collections.abc import Iterator
from pathlib import Path

HEAD_BYTES = 4096
_PICTURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"\0\0\1\0",
)
_PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")
_MEDIA = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"OggS",
    b"fLaC",
    b"FLV\1",
    b"0&\xb2u\x8ef\xcf\x11",  # ASF: wmv, wma
    b"\x06\x0e+4\x02\x05\x01\x01",  # MXF
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
    b"ID3",
    b"GIF8",
    b".RMF",
    b"caff",
    b"wvpk",
)
_MEDIA_FORMS = (b"AVI ", b"WAVE", b"AIFF", b"AIFC")
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"free")

_ENCRYPTED = (b"encv", b"enca", b"drmi", b"drms")
_INDEX_BYTES = 2**24  # that are read of an index


def kind_of(head: bytes) -> str:
    """Return "empty", "text", "playlist", "picture", "media" or "" (unknown) of a file's head.

    Args:
        head: the first `HEAD_BYTES` of a file, or all that there are.

    >>> kind_of(b"OggS..."), kind_of(b"This is no film."), kind_of(bytes(20))
    ('media', 'text', '')
    """
    if not head:
        return "empty"
    if head.startswith((b"#EXTM3U", b"ffconcat", b"[playlist]")) or b"<MPD" in head[:1024]:
        return "playlist"
    if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
        return "picture"
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    if _is_media(head):
        return "media"
    return "text" if _is_text(head) else ""


def _is_media(head: bytes) -> bool:
    packets = (head[at : at + 1] for at in (0, 188, 376))  # of an MPEG transport stream
    packets_192 = (head[at : at + 1] for at in (4, 196, 388))  # with a time stamp before each
    return (
        head.startswith(_MEDIA)
        or head[4:8] in _BOXES
        or (head[:4] in (b"RIFF", b"RF64", b"FORM") and head[8:12] in _MEDIA_FORMS)
        or all(byte == b"G" for byte in packets)
        or all(byte == b"G" for byte in packets_192)
    )


def _is_text(head: bytes) -> bool:
    """Return whether it is text: UTF-8 or UTF-16 without control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a character is cut by the end of the head
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\n\r\f" for character in text)


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file; OSError where it cannot be read."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def lacks_index(path: Path) -> bool:
    """Return whether a file in the format of mp4 ends before its index (the box `moov`)."""
    names = [name for name, _, _ in _boxes(path)]
    return bool(names) and not {b"moov", b"moof"} & set(names)


def is_encrypted(path: Path) -> bool:
    """Return whether the index of a file in the format of mp4 names encrypted streams."""
    for name, begin, end in _boxes(path):
        if name == b"moov":
            with path.open("rb") as file:
                file.seek(begin)
                index = file.read(min(end - begin, _INDEX_BYTES))
            return any(tag in index for tag in _ENCRYPTED)
    return False


def _boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first byte and end of the outer boxes of a file in the format of mp4."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        if file.read(8)[4:8] not in _BOXES:
            return
        while at + 8 <= size:
            file.seek(at)
            length, name = struct.unpack(">I4s", file.read(8))
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            elif length == 0:
                length = size - at
            if length < 8:
                return
            yield name, at, at + length
            at += length
