"""`reeltag submit`: write or check a submission file of the 2018 or 2019 challenge."""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from reeltag.core.addresses import address_of
from reeltag.core.console import STDOUT, print_json, say
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.class_list import ClassList, find_segment_classes
from reeltag.data.remote.mirror import local_folder
from reeltag.deploy.submission import Submission, write_segments, write_videos
from reeltag.deploy.submission_check import CheckedSubmission, check_submission
from reeltag.inference.stream import check_output
from reeltag.predictions.challenges import MAX_SEGMENTS, Challenge
from reeltag.predictions.file import Predictions, open_predictions

USAGE = (
    "Write one: reeltag submit P.parquet --challenge 2018|2019 --out s.csv. "
    "Check one: reeltag submit --check s.csv."
)


@dataclass(frozen=True, kw_only=True)
class Submit:
    """Write a submission of the 2018 (videos) or 2019 (segments) challenge, or check one.

    A check finds the format of the file, lists problems with their lines, and ends with status
    0 if there are none, 1 if there are some, 2 if the file cannot be read.
    """

    predictions: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="P")] = None
    """Prediction file of `reeltag predict`."""
    challenge: Literal[2018, 2019] | None = None
    """2018: 20 labels per video. 2019: 100,000 segments per class."""
    out: Path | None = None
    """CSV file to write."""
    check: Path | None = None
    """CSV file to check instead."""
    classes: Path | None = None
    """CSV file with a column Index: the classes that are allowed. 2019: those that get a row, in
    this order; by default segment_label_ids.csv in the data folder, else all classes."""
    data: Path | None = None
    """Data folder in which the classes are looked for; by default that of the predictions."""
    overwrite: bool = False
    """Replace the file if it exists."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Write or check; status 1 where a check finds problems."""
        if self.data is not None and not (address_of(self.data) or self.data.exists()):
            raise DataError("is not there", where=self.data, hint="Give the data folder.")
        if self.check is not None:
            if self.predictions is not None or self.out is not None:
                raise ConfigError("--check takes neither predictions nor --out", hint=USAGE)
            return self._print_checked(check_submission(self.check, self._classes_allowed()))
        if self.predictions is None or self.challenge is None or self.out is None:
            raise ConfigError("predictions, --challenge and --out are needed", hint=USAGE)
        check_output(self.out, overwrite=self.overwrite, flag="--out s.csv")
        found = open_predictions(self.predictions)
        if self.challenge == 2018:
            self._print_written(write_videos(found, self.out))
        else:
            self._print_written(write_segments(found, self.out, self._segment_classes(found)))
        return 0

    def _segment_classes(self, found: Predictions) -> Sequence[int]:
        data = self.data or (Path(found.info.data) if found.info.data else None)
        path = self.classes or (find_segment_classes(local_folder(data)) if data else None)
        if path is None:
            classes: Sequence[int] = range(found.info.num_classes)
            say(f"no segment_label_ids.csv in the data: all {len(classes):,} classes get a row")
        else:
            classes = ClassList.open(path).listed
            say(f"{len(classes):,} classes from {path}")
        kept = found.info.segment_top_k
        if 0 < kept < len(classes) and not found.info.per_class:
            say(
                f"the predictions keep {kept} classes per segment, so that many classes will not "
                f"fill their {MAX_SEGMENTS:,} entries; `reeltag predict --segment-top-k "
                f"{len(classes)}` keeps all, --per-class {MAX_SEGMENTS} the best of each class"
            )
        return classes

    def _classes_allowed(self) -> dict[Challenge, Collection[int]]:
        if self.classes is not None:
            listed = ClassList.open(self.classes).listed
            return {2018: listed, 2019: listed}
        allowed: dict[Challenge, Collection[int]] = {}
        if self.data is not None:
            data = local_folder(self.data)
            vocabulary, path = ClassList.find(data), find_segment_classes(data)
            if vocabulary is not None:
                allowed = {2018: range(len(vocabulary)), 2019: range(len(vocabulary))}
            if path is not None:
                allowed[2019] = ClassList.open(path).listed
            if not allowed:
                raise ConfigError("neither a vocabulary nor a list of classes", where=self.data)
        return allowed

    def _print_written(self, written: Submission) -> None:
        if self.json:
            print_json({**dataclasses.asdict(written), "path": str(written.path)})
            return
        rows, entries = (
            ("videos", "labels") if written.challenge == 2018 else ("classes", "segments")
        )
        _print(
            f"{written.path}: submission of {written.challenge}, {written.rows:,} {rows}, "
            f"{written.entries:,} {entries}"
        )
        if written.repeated:
            _print(f"{written.repeated:,} were repeated in the predictions and left out")
        if written.empty:
            _print(f"{written.empty:,} {rows} have no entry")

    def _print_checked(self, checked: CheckedSubmission) -> int:
        status = 0 if checked.is_sound else 1
        if self.json:
            described: dict[str, Any] = dataclasses.asdict(checked)
            print_json({**described, "path": str(checked.path), "sound": checked.is_sound})
            return status
        if checked.challenge is not None:
            _print(
                f"{checked.path}: format of {checked.challenge}, {checked.rows:,} rows, "
                f"{checked.entries:,} entries"
            )
        for title, findings, number in (
            ("problem", checked.problems, checked.num_problems),
            ("remark", checked.remarks, checked.num_remarks),
        ):
            for finding in findings:
                at = f"line {finding.line}" if finding.line else "file"
                _print(f"  {title}, {at}: {finding.what}")
            if number > len(findings):
                _print(f"  ... and {number - len(findings):,} more {title}s")
        _print("no problems" if checked.is_sound else f"{checked.num_problems:,} problems")
        return status


def _print(text: str) -> None:
    STDOUT.print(text, highlight=False, markup=False, soft_wrap=True)
