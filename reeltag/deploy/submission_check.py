"""Check of a submission file, line by line, against what the challenge's scorer expects.

Problems would cost points or the submission; remarks are unusual. Memory: one line, the
rules' findings, and (2018) the ids of the videos.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reeltag.core.errors import DataError
from reeltag.core.files import PathLike
from reeltag.predictions.challenges import (
    HEADERS,
    MAX_LABELS,
    MAX_SEGMENTS,
    Challenge,
    challenge_of,
    quoted_headers,
)

_SHOWN = 100  # findings kept; the others are counted
_LONGEST_CLASS = 18  # digits; of thousands, int() would raise an error
_EXCEL_CELL = 32_767  # characters; a spreadsheet cuts off what is longer
_SCORE = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_VIDEO_ROW = re.compile(r'[^,\s"]+,\s*\d+ [\d.]')
_SEGMENT_ROW = re.compile(r'\d+,\s*[^,\s"]+:\d+')
_SEGMENT = r'^[^\s,"]+:(?:0|5|[1-9]\d*[05])$'


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding at a line (from 1; 0 = the file as a whole): what is there and what is allowed."""

    line: int
    what: str


@dataclass(kw_only=True)
class CheckedSubmission:
    """Result of a check.

    Attributes:
        path: of the file.
        challenge: whose format it has; None where that is unknown.
        rows: lines after the header.
        entries: labels or segments in all rows.
        problems: the first 100.
        num_problems: all of them.
        remarks: the first 100.
        num_remarks: all of them.
    """

    path: Path
    challenge: Challenge | None = None
    rows: int = 0
    entries: int = 0
    problems: list[Finding] = field(default_factory=list)
    num_problems: int = 0
    remarks: list[Finding] = field(default_factory=list)
    num_remarks: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether no problem was found."""
        return self.num_problems == 0

    def problem(self, line: int, what: str) -> None:
        """Add a problem."""
        self.num_problems += 1
        if self.num_problems <= _SHOWN:
            self.problems.append(Finding(line=line, what=what))

    def remark(self, line: int, what: str) -> None:
        """Add a remark."""
        self.num_remarks += 1
        if self.num_remarks <= _SHOWN:
            self.remarks.append(Finding(line=line, what=what))


def check_submission(
    path: PathLike, classes: Mapping[Challenge, Collection[int]] | None = None
) -> CheckedSubmission:
    """Check a submission of either challenge; the format is found from the file.

    Args:
        path: of the file.
        classes: for a challenge, the classes that are allowed; without it all are.

    Raises:
        DataError: the file cannot be opened, or is not text.
    """
    path = Path(path)
    checked = CheckedSubmission(path=path)
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            _check_lines(file, checked, classes or {})
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", where=path) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 text ({error.reason} at byte {error.start})",
            where=path,
            hint="Unpack it first, if it is compressed.",
        ) from error
    return checked


def _check_lines(
    file: Iterator[str],
    checked: CheckedSubmission,
    classes: Mapping[Challenge, Collection[int]],
) -> None:
    first = next(file, "")
    if not first:
        checked.problem(0, "the file is empty")
        return
    second = next(file, "")
    checked.challenge = _detect_format(first, second)
    if checked.challenge is None:
        checked.problem(1, f"the header must be {quoted_headers()}, got {_short(first)}")
        return
    rows = _Rows(checked, checked.challenge, classes.get(checked.challenge))
    _check_header(first, checked, rows)
    if second:
        rows.check(2, second)
    for number, line in enumerate(file, start=3):
        rows.check(number, line)
    rows.finish()


def _check_header(line: str, checked: CheckedSubmission, rows: "_Rows") -> None:
    """Check line 1, which is a row where there is no header."""
    wanted = HEADERS[rows.challenge]
    if line.startswith("\ufeff"):
        checked.problem(1, "a byte order mark before the header")
        line = line[1:]
    if line.rstrip("\r\n") == wanted:
        return
    if _detect_row_format(line):
        checked.problem(1, f"the header {wanted!r} is missing")
        rows.check(1, line)
    else:
        checked.problem(1, f"the header must be {wanted!r}, got {_short(line)}")


class _Rows:
    """The rules of one format, and their state from line to line."""

    def __init__(
        self, checked: CheckedSubmission, challenge: Challenge, classes: Collection[int] | None
    ) -> None:
        self.checked, self.challenge = checked, challenge
        self.classes = None if classes is None else set(classes)
        self.seen: set[str] = set()
        self.num_windows_ends = 0

    def check(self, number: int, line: str) -> None:
        """Check one line after the header."""
        self.checked.rows += 1
        line = line.removesuffix("\n")
        if line.endswith("\r"):
            self.num_windows_ends += 1
            line = line[:-1]
        if line != line.rstrip():
            self._problem(number, "a blank before the end of the line: the last entry is lost")
            line = line.rstrip()
        fields = line.split(",")
        if len(fields) != 2 or not fields[0] or '"' in line:
            self._problem(
                number, f"a row has two fields and one comma and no quotes, got {_short(line)}"
            )
            return
        name, cell = fields
        if len(cell) == _EXCEL_CELL:
            self.checked.remark(
                number, f"the cell has {_EXCEL_CELL:,} characters: cut off by a spreadsheet?"
            )
        what = "video" if self.challenge == 2018 else "class"
        if name in self.seen:
            self._problem(number, f"{what} {name!r} has a row already")
        self.seen.add(name)
        if not cell:
            self.checked.remark(number, f"{what} {name!r} has no entry")
            return
        entries = cell.split(" ")
        if "" in entries:
            self._problem(number, "entries are parted by one blank; found more, or one before them")
            entries = [entry for entry in entries if entry]
        if self.challenge == 2018:
            self._check_video(number, name, entries)
        else:
            self._check_class(number, name)
            self._check_segments(number, entries)

    def finish(self) -> None:
        """Check the file as a whole."""
        if not self.checked.rows:
            self._problem(0, "there are no rows after the header")
        if self.num_windows_ends:
            self.checked.remark(0, f"{self.num_windows_ends:,} lines end in Windows' way (CR LF)")
        if self.challenge == 2019 and self.classes is not None:
            numbers = (n for n in self.seen if n.isdecimal() and len(n) <= _LONGEST_CLASS)
            without = self.classes - set(map(int, numbers))
            if without:
                self.checked.remark(
                    0,
                    f"{len(without):,} of {len(self.classes):,} classes have no row, "
                    f"the first is {min(without)}",
                )

    def _problem(self, number: int, what: str) -> None:
        self.checked.problem(number, what)

    def _check_video(self, number: int, name: str, entries: list[str]) -> None:
        if re.search(r"\s", name):
            self._problem(number, f"id {name!r} holds a blank")
        if len(entries) % 2:
            self._problem(number, f"labels and scores come in pairs, got {len(entries)} entries")
            return
        labels, texts = entries[::2], entries[1::2]
        self.checked.entries += len(labels)
        if len(labels) > MAX_LABELS:
            self._problem(number, f"at most {MAX_LABELS} labels are allowed, got {len(labels)}")
        if len(set(labels)) < len(labels):
            self._problem(number, "a label is repeated")
        for label in labels:
            self._check_class(number, label)
        if bad := [text for text in texts if not _SCORE.fullmatch(text)]:
            self._problem(number, f"a score is a number, got {_short(bad[0])}")
            return
        scores = [float(text) for text in texts]
        if outside := [s for s in scores if not 0 <= s <= 1]:
            self._problem(number, f"scores must be in [0, 1], got {outside[0]:g}")
        if any(after > before for before, after in pairwise(scores)):
            self._problem(number, "scores must descend")

    def _check_class(self, number: int, label: str) -> None:
        if not (label.isascii() and label.isdecimal() and len(label) <= _LONGEST_CLASS):
            self._problem(number, f"a class is a whole number, got {_short(label)}")
        elif self.classes is not None and int(label) not in self.classes:
            self._problem(number, f"class {label} is not one of the {len(self.classes):,} allowed")

    def _check_segments(self, number: int, entries: list[str]) -> None:
        self.checked.entries += len(entries)
        if len(entries) > MAX_SEGMENTS:
            self._problem(
                number, f"at most {MAX_SEGMENTS:,} segments are allowed, got {len(entries):,}"
            )
        column = pa.array(entries)
        wrong = column.filter(pc.invert(pc.match_substring_regex(column, _SEGMENT)))
        if len(wrong):
            self._problem(
                number,
                f"a segment is <id>:<start>, start a multiple of 5; {len(wrong):,} are not, "
                f"the first {_short(wrong[0].as_py())}",
            )
        if repeated := len(column) - len(column.unique()):
            self._problem(number, f"{repeated:,} segments are repeated and would count twice")


def _detect_format(first: str, second: str) -> Challenge | None:
    return challenge_of(first) or _detect_row_format(first) or _detect_row_format(second)


def _detect_row_format(line: str) -> Challenge | None:
    if _SEGMENT_ROW.match(line):
        return 2019
    return 2018 if _VIDEO_ROW.match(line) else None


def _short(text: str) -> str:
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
