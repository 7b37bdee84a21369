"""Presentation time: from the time stamps of streams to frames of features.

Frame k covers [k / rate, (k + 1) / rate) seconds from the start of the file.
"""

import math
from fractions import Fraction

REMAINDER_S = Fraction(1, 1000)  # of a file's end that does not make one more frame
_JUMP_S = 10  # time stamps that go further beyond the end are broken
_BACK_S = 1  # those that go further back as well


def num_frames(end_s: Fraction, rate_hz: float) -> int:
    """Return how many frames a stream has that ends at `end_s`: ceil(end * rate).

    A remainder below 1 ms does not count, but what is not empty has a frame.

    >>> [num_frames(Fraction(end), 1.0) for end in ("0", "0.0005", "3", "3.0005", "3.04")]
    [0, 1, 3, 3, 4]
    """
    if end_s <= 0:
        return 0
    return max(1, math.ceil((end_s - REMAINDER_S) * Fraction(rate_hz)))


def middle(frame: int, rate_hz: float) -> Fraction:
    """Return the time in seconds at which a frame of features shows its picture."""
    return (frame + Fraction(1, 2)) / Fraction(rate_hz)


class Clock:
    """Time stamps of a stream in ticks, free of jumps that cannot be.

    A time stamp is broken if it goes back by more than 1 s, or more than 10 s beyond both what
    came before and the end of the file: streams that were joined, counters that begin again, bytes
    that were overwritten. Then the stream goes on where it was. A missing one follows on as well.

    Args:
        base: seconds per tick.
        start: time stamp in seconds of the start of the file.
        limit: seconds that the file may have, at most.
        back_s: seconds that a time stamp may go back; more for packets, which are not in order.

    Attributes:
        next: tick at which what was placed ends.
        repairs: how many time stamps were broken.
    """

    def __init__(
        self, base: Fraction, start: Fraction, limit: Fraction, back_s: int = _BACK_S
    ) -> None:
        self._base, self._origin = base, start / base
        # (tick * od - on) * number / parts are seconds: whole numbers, for Fractions take long
        self._on, self._od = self._origin.numerator, self._origin.denominator
        self._number, self._parts = base.numerator, base.denominator * self._od
        self._jump, self._back = round(_JUMP_S / base), round(back_s / base)
        self.next = math.ceil(self._origin)
        self._latest = self.next + math.ceil((limit + _JUMP_S) / base)
        self._last, self._shift = self.next - self._jump, 0  # the first may be earlier
        self.repairs = 0

    def place(self, stamp: int | None, ticks: int) -> int:
        """Return the tick at which something begins.

        Args:
            stamp: its time stamp.
            ticks: how long it lasts.
        """
        tick = self.next if stamp is None else stamp + self._shift
        latest = max(self.next + self._jump, self._latest)
        if not self._last - self._back <= tick <= latest:
            self.repairs += 1
            self._shift += self.next - tick
            tick = self.next
        self._last = max(tick, self._last)
        self.next = max(self.next, tick + min(max(ticks, 0), max(self._jump, latest - tick)))
        return tick

    def seconds(self, tick: int) -> Fraction:
        """Return the time of a tick from the start of the file."""
        return (tick - self._origin) * self._base

    def float_seconds(self, tick: int) -> float:
        """Return `seconds` as a float."""
        return (tick * self._od - self._on) * self._number / self._parts

    def sample(self, tick: int, rate: int) -> int:
        """Return the sample at a tick, at some samples per second: `round(seconds * rate)`."""
        whole, rest = divmod((tick * self._od - self._on) * self._number * rate, self._parts)
        return whole + (2 * rest > self._parts or (2 * rest == self._parts and whole % 2 == 1))

    def tick(self, seconds: Fraction) -> int:
        """Return the last tick that is not after a time from the start of the file."""
        return math.floor(seconds / self._base + self._origin)
