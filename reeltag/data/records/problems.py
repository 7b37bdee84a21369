"""What can be wrong with a record, how grave it is, and what is done about it."""

from collections.abc import Iterable
from enum import Enum


class Problem(Enum):
    """A kind of problem: its name in the index, whether the record is skipped, and the outcome.

    A record that is skipped takes no part in training, prediction and evaluation; it is counted.
    What is only noted was corrected in the index (see `outcome`), and the record is used.
    """

    EMPTY = "empty shard", True, "it has no byte: a download that broke off?"
    GZIP = "gzip", True, "the shard is gzip-compressed; gunzip it first"
    NOT_TFRECORD = "not a TFRecord", True, "no part of the shard can be read"
    BAD_LENGTH = "bad length checksum", True, "the rest of the shard cannot be read"
    TRUNCATED = "truncated", True, "the shard ends inside a record; the ones before it are used"
    BAD_CHECKSUM = "bad data checksum", True, "the record is skipped, the ones after it are used"
    UNDECODABLE = "undecodable", True, "the payload is no tf.Example and no tf.SequenceExample"
    NO_ID = (
        "no id",
        True,
        "neither `id` nor `video_id` holds exactly one byte string",
    )
    MISSING_STREAM = "missing feature", True, "a stream of the data set is not there"
    WRONG_WIDTH = "wrong width", True, "a frame has not the number of values of its stream"
    ZERO_FRAMES = "zero frames", True, "there is nothing to look at"
    UNEQUAL_LENGTHS = "unequal stream lengths", True, "which frames belong together is unknown"
    NOT_FINITE = "NaN or infinite feature", True, "a mean over it would be worthless"
    BAD_LABELS = "labels are not integers", True, "what the labels mean is unknown"
    DUPLICATE_ID = "duplicate id", True, "the first record of that id is used"
    EMPTY_ID = "no id but an empty one", True, "several records have it: which video is unknown"
    ID_IN_TWO_SPLITS = "id in two splits", False, "both are used: mind that the test set leaks"
    LABEL_OUTSIDE = "label outside the vocabulary", False, "that label or rating is dropped"
    MANY_FRAMES = "more than 300 frames", False, "frames beyond the loader's maximum are left out"
    SEGMENT_PAST_END = "segment past the end", False, "that rating is dropped"
    SEGMENT_CUT = "segment cut by the end", False, "the frames that are there are used"
    SEGMENT_TIMES = "segment times out of range", False, "0 <= start < end: that rating is dropped"
    SEGMENT_LISTS = "segment lists do not match", False, "all ratings of the record are dropped"
    SEGMENT_SCORE = "segment score not finite", False, "that rating is dropped"
    SEGMENT_TEXT = (
        "segment labels are text",
        False,
        "no class list explains them: all ratings of the record are dropped",
    )

    def __init__(self, text: str, skips: bool, outcome: str) -> None:
        self.text, self.skips, self.outcome = text, skips, outcome
        # A power of two of its own, by which sets of problems travel as integers.
        self.bit = 1 << len(type(self).__members__)


BY_TEXT = {problem.text: problem for problem in Problem}
SKIPPING = sum(problem.bit for problem in Problem if problem.skips)


def to_bits(problems: Iterable[Problem]) -> int:
    """Return a set of problems as one integer, 0 for none."""
    bits = 0
    for problem in problems:
        bits |= problem.bit
    return bits


def from_bits(bits: int) -> list[Problem]:
    """Return the problems of `to_bits` in the order of the enumeration."""
    return [problem for problem in Problem if bits & problem.bit]


def to_text(bits: int) -> str | None:
    """Return the names, joined by semicolons, as the index holds them; None where all is sound."""
    return ";".join(problem.text for problem in from_bits(bits)) or None


def from_text(text: str | None) -> int:
    """Return the integer whose names are `text`.

    Args:
        text: names as `to_text` joins them; None = no problem.

    Raises:
        KeyError: a name is not known.
    """
    return to_bits(BY_TEXT[name] for name in text.split(";")) if text else 0
