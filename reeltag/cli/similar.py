"""`reeltag similar DATA --video ID --at 12.5`: moments like this one, whatever the classes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape
from rich.table import Table

from reeltag.core.bounds import CheckedFields, Positive
from reeltag.core.console import print_json, print_table, say
from reeltag.data.dataset import Dataset
from reeltag.library.similar import MomentSearch


@dataclass(frozen=True, kw_only=True)
class Similar(CheckedFields):
    """List the moments that look and sound most like one, of all frames of the data."""

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder of `reeltag extract`, or of other frame-level records."""
    video: str
    """Id of the video."""
    at: float
    """Second at which the moment begins."""
    window: float = 1.0
    """Seconds of the moment."""
    stream: str = "all"
    """What counts: rgb (pictures), audio (sound), or all."""
    top: Positive = 20
    """Moments to list at most."""
    skip: float = 10.0
    """Seconds before and after the moment, in its own video, that are left out."""
    exact: bool = False
    """Compare all frames, also from a million on, where an index names candidates."""
    json: bool = False
    """Print one JSON object on stdout and nothing else there."""

    def run(self) -> int:
        """Print the list; 0."""
        data = Dataset.open(self.data, labels=(), ratings=(), quiet=self.json)
        streams = () if self.stream == "all" else tuple(self.stream.split(","))
        search = MomentSearch(data, streams, quiet=self.json, exact=self.exact)
        found = search.search(
            self.video, self.at, window_s=self.window, top=self.top, skip_s=self.skip
        )
        if self.json:
            moment = {"video": self.video, "at_s": self.at, "window_s": self.window}
            print_json({**moment, "moments": [asdict(of) for of in found]})
            return 0
        table = Table(box=None, pad_edge=False)
        for column in ("video", "from s", "to s", "best at s", "similarity"):
            table.add_column(column, justify="left" if column == "video" else "right")
        for of in found:
            seconds = (f"{value:.1f}" for value in (of.start_s, of.end_s, of.best_s))
            table.add_row(escape(of.video), *seconds, f"{of.similarity:.3f}")
        print_table(table)
        how = ", by an index (--exact compares all)" if search.is_indexed else ""
        say(f"of {len(search):,} frames in {data.location}{how}")
        return 0
