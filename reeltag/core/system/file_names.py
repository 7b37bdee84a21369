"""File names that hold on every system."""

import re

_UNUSABLE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])\s*(\.|$)", re.I)


def is_device(name: str) -> bool:
    """Return whether Windows keeps a name, whatever its ending, for a device.

    >>> is_device("NUL"), is_device("con.mp4"), is_device("console")
    (True, True, False)
    """
    return _DEVICE.match(name) is not None


def usable_name(name: str) -> str:
    """Return a name without what some system does not take in one: each such thing becomes _.

    >>> usable_name("a:b?"), usable_name("aux.mp4"), usable_name("end. ")
    ('a_b_', '_aux.mp4', 'end')
    """
    usable = _UNUSABLE.sub("_", name).rstrip(". ")
    return f"_{usable}" if is_device(usable) else usable
