"""`reeltag tag VIDEO... --run RUN`: what is in a video file, and when."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from reeltag.cli.run_argument import RunPath
from reeltag.core.console import STDOUT, print_json, say
from reeltag.core.errors import DataError
from reeltag.deploy.moment_formats import format_named
from reeltag.deploy.moment_formats.contract import MomentExport
from reeltag.deploy.moment_formats.writing import check_export_path, export_moments
from reeltag.inference.moments import VideoMoment
from reeltag.tagger.loading import any_tagger
from reeltag.tagger.moments import Moment
from reeltag.tagger.tagger import AnyTagger
from reeltag.tagger.tags import Tag
from reeltag.tagger.video import VideoFrames

_MOST_SHOWN = 20  # moments of a video


@dataclass(frozen=True)
class TaggedFile:
    """A file, the frames per second that were seen of it, its tags and its moments."""

    path: Path
    seconds: float
    tags: list[Tag]
    moments: list[Moment]


@dataclass(frozen=True, kw_only=True)
class TagVideos:
    """Name what is in video or sound files, and when: top tags, and moments.

    RUN was trained on features that `reeltag extract` made: its features.json names the encoders,
    which then compute those of the file. Moments begin and end where the threshold of their class
    is crossed; see `reeltag moments --precision` for thresholds.
    """

    videos: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")]
    """Video or sound files."""
    checkpoint: Annotated[RunPath, tyro.conf.arg(name="run", metavar="RUN|MODEL.onnx")]
    """Run folder of `reeltag train`, run on the hub (hf://user/name), WORK of `reeltag solve`, or
    file of `reeltag export`."""
    top: int = 10
    """Tags per video."""
    prob: float | None = None
    """Threshold of all classes for moments; None: those of the run, or else 0.5."""
    vtt: Path | None = None
    """Folder for a WebVTT track of each video with moments, named as the video."""
    overwrite: bool = False
    """Replace tracks that are there."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Tag the files and print what was found; 2 if none of them could be tagged."""
        tagger, format_ = any_tagger(self.checkpoint), format_named("webvtt", where="--vtt")
        if self.vtt:
            check_export_path(format_, self.vtt, overwrite=self.overwrite, flag="--vtt FOLDER")
        found, failed = list[TaggedFile](), list[tuple[Path, str]]()
        for path in self.videos:
            try:
                of_file = VideoFrames(path, tagger.features)
            except DataError as error:
                failed.append((path, error.what))
                continue
            frames = of_file.read(0, len(of_file))
            seconds = len(frames) / tagger.features.rate_hz
            tags = tagger.predict(frames, top_k=self.top)
            found.append(TaggedFile(path, seconds, tags, tagger.moments(frames, prob=self.prob)))
            if not self.json:
                _print(found[-1])
        for path, why in failed:
            say(f"{path}: {why}")
        self._log_unreached(tagger)
        if not found:
            raise DataError(f"none of {len(failed):,} files could be tagged", where=failed[0][0])
        if self.vtt:
            moments = [
                VideoMoment(id=of.path.stem, **vars(moment))
                for of in found
                for moment in of.moments
            ]
            export = MomentExport.of(moments, tagger.class_names)
            done = export_moments(format_, export, self.vtt, overwrite=self.overwrite)
            say(f"{self.vtt}: {done.files:,} tracks")
        if self.json:
            videos = [dataclasses.asdict(of) | {"path": str(of.path)} for of in found]
            errors = [{"path": str(path), "error": why} for path, why in failed]
            print_json({"videos": videos, "failed": errors})
        return 0

    def _log_unreached(self, tagger: AnyTagger) -> None:
        """Log how many classes have no threshold, and so no moments, and the way out."""
        if self.prob is None and tagger.thresholds is not None and tagger.thresholds.unreached:
            lost, every = len(tagger.thresholds.unreached), len(tagger.thresholds.classes)
            say(
                f"{lost:,} of {every:,} classes have no threshold that keeps the promised "
                "precision, and no moments: --prob 0.5 is one for all classes"
            )


def _print(of: TaggedFile) -> None:
    """Print tags and moments of a file."""
    STDOUT.print(f"{of.path} ({of.seconds:g} s)", style="bold", highlight=False, markup=False)
    for tag in of.tags:
        STDOUT.print(f"  {tag.prob:.3f}  {tag.name}", highlight=False, markup=False)
    best = sorted(of.moments, key=lambda moment: -moment.prob)[:_MOST_SHOWN]
    count = len(of.moments)
    shown = f"{count:,} moment{'s' * (count > 1)}" if count else "no moment"
    if count > _MOST_SHOWN:
        shown += f", the best {_MOST_SHOWN}"
    STDOUT.print(f"  {shown}", highlight=False)
    for moment in sorted(best, key=lambda moment: moment.start_s):
        when = f"{moment.start_s:8.1f} - {moment.end_s:.1f} s"
        STDOUT.print(f"  {when}  {moment.prob:.3f}  {moment.name}", highlight=False, markup=False)
