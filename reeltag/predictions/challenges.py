"""The submission files of the two Kaggle challenges: what both kinds of file have in common.

2018, whole videos: at most 20 labels per video with probabilities.

    VideoId,LabelConfidencePairs
    Abcd,12 0.97031 3 0.5141 ...

2019, segments: at most 100,000 segments per class, best first, without scores.

    Class,Segments
    7,Abcd:35 Efgh:0 ...
"""

from typing import Literal

Challenge = Literal[2018, 2019]

HEADERS: dict[Challenge, str] = {2018: "VideoId,LabelConfidencePairs", 2019: "Class,Segments"}
MAX_LABELS = 20
MAX_SEGMENTS = 100_000
SEGMENT_SECONDS = 5


def challenge_of(header: str) -> Challenge | None:
    """Return the challenge that a first line is the header of, in any case; None: of neither.

    >>> challenge_of("videoid,LabelConfidencePairs"), challenge_of("id,class")
    (2018, None)
    """
    header = header.lstrip("\ufeff").rstrip().lower()
    return next((year for year, own in HEADERS.items() if own.lower() == header), None)


def quoted_headers() -> str:
    """Return both headers, for an error."""
    return " or ".join(repr(header) for header in HEADERS.values())
