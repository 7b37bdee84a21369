"""Seconds and bytes in words."""

import math

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SCALES = ((3600, 1, ("min", "s")), (86400, 60, ("h", "min")), (math.inf, 3600, ("d", "h")))


def format_duration(seconds: float) -> str:
    """Return seconds in words.

    >>> format_duration(3.21), format_duration(200), format_duration(8000), format_duration(300000)
    ('3.2 s', '3 min 20 s', '2 h 13 min', '3 d 11 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    _, unit, (first, second) = next(scale for scale in _SCALES if seconds < scale[0])
    whole, remainder = divmod(round(seconds / unit), 24 if unit == 3600 else 60)
    return f"{whole} {first} {remainder} {second}" if remainder else f"{whole} {first}"


def format_size(count: int) -> str:
    """Return bytes in words, by powers of 1000.

    >>> format_size(999), format_size(1_400_000), format_size(1_300_000_000_000)
    ('999 B', '1.4 MB', '1.3 TB')
    """
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.5 else 1
    return f"{value:.{digits}f} {_UNITS[unit]}"
