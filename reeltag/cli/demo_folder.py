"""What is where in a folder of `reeltag demo`."""

from dataclasses import dataclass
from pathlib import Path

from reeltag.data.features import FEATURES_FILE


@dataclass(frozen=True)
class DemoFolder:
    """A folder of `reeltag demo`.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def films(self) -> Path:
        """The video files."""
        return self.path / "films"

    @property
    def data(self) -> Path:
        """The features of the files."""
        return self.path / "data"

    @property
    def work(self) -> Path:
        """The steps of `reeltag solve moments`."""
        return self.path / "work"

    @property
    def is_one(self) -> bool:
        """Whether a demo of video files has been made here, and the folder is no data set."""
        return (self.data / FEATURES_FILE).is_file() and not (self.path / FEATURES_FILE).exists()

    @property
    def is_solved(self) -> bool:
        """Whether `work` holds a run that finds moments."""
        return (self.work / "moments.json").is_file()
