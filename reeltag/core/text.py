"""Texts of others (names, ids, paths) as files and pages can hold them."""

import json
import re

# control characters, and halves of pairs: what a path that is no UTF-8 has for its other bytes
_UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    r"""Return a text with U+FFFD for each character that XML and HTML cannot hold.

    >>> visible("a\x1b[31m\n") == "a\ufffd[31m\n"
    True
    """
    return _UNPRINTABLE.sub("\ufffd", text)


def json_text(
    value: object, *, indent: int | None = None, encoding: str = "utf-8", allow_nan: bool = True
) -> str:
    r"""Return a value as JSON that an encoding can hold, with escapes only where it must.

    Args:
        value: of what JSON knows; paths that are no UTF-8 are texts with lone surrogates.
        indent: blanks of each level; None: all in one line.
        encoding: of the file or terminal.
        allow_nan: write NaN and infinities, which JSON does not know, as Python reads them.

    Raises:
        ValueError: there is such a number, and `allow_nan` is false.

    >>> json_text("Ψ"), json_text("Ψ", encoding="ascii")
    ('"Ψ"', '"\\u03a8"')
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=allow_nan)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, allow_nan=allow_nan)
    return text
