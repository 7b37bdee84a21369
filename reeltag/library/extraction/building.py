"""Build an archive of the features of videos, which come in the order of their content ids.

video -> its group, its split -> scale and offset, once enough videos are there -> shards
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from reeltag.data.features import Features
from reeltag.data.importing.quantise import Kept, kept_cosine
from reeltag.data.streams import StoredDtype
from reeltag.library.database.library import Library
from reeltag.library.database.tables import VideoRow
from reeltag.library.extraction.fitting import ScaleFitter
from reeltag.library.extraction.folder import ExtractionFolder
from reeltag.library.extraction.parts import FeaturePart
from reeltag.library.extraction.shards import (
    EncodedVideo,
    ShardAssembler,
    WrittenShard,
    next_numbers,
)
from reeltag.library.extraction.splits import filled, split_of
from reeltag.library.media.media_info import MediaInfo, MediaStream

GroupOf = Callable[[VideoRow], str]


class ArchiveBuilder:
    """Put videos into the shards of an archive.

    Args:
        folder: of the extraction.
        library: of the videos.
        fitter: of a new archive.
        features: of an archive that is there.
        rate_hz: frames per second.
        dtype: of the stored values.
        parts: of train, validate and test.
        group_of: returns the group of a video.
        shard_bytes: size of a shard, about.

    Attributes:
        kept: stream -> how much of the vectors is kept, measured where they were fitted now.
        shards: that were written.
    """

    def __init__(
        self,
        folder: ExtractionFolder,
        library: Library,
        fitter: ScaleFitter,
        features: Features | None,
        *,
        rate_hz: float,
        dtype: StoredDtype,
        parts: tuple[float, float, float],
        group_of: GroupOf,
        shard_bytes: int,
    ) -> None:
        self._folder, self._library, self._fitter = folder, library, fitter
        self._rate, self._dtype, self._parts = rate_hz, dtype, parts
        self._group_of, self._shard_bytes = group_of, shard_bytes
        self._waiting = list[EncodedVideo]()
        self._rows = dict[str, VideoRow]()  # of videos in no shard yet, by content
        self._is_new = not any(folder.data.glob("*.tfrecord"))
        self._splits = library.splits()
        self._assembler = None if features is None else self._assembler_of(features)
        self.features = features
        self.kept = dict[str, Kept]()
        self.shards = list[WrittenShard]()

    def add(self, row: VideoRow, part: FeaturePart) -> None:
        """Take the next video.

        Args:
            row: of the video.
            part: its features.

        Raises:
            OutputError: a shard cannot be written.
        """
        self._library.describe(row, _media_of(part))
        row.frames, row.duration_s = part.num_frames, part.about["duration_s"]
        row.note, row.extraction, row.state, row.error = part.note, part.how, "new", ""
        row.about = {"picture_ages": part.about["picture_ages"]}
        if not row.split:
            row.group = self._group_of(row)
            row.split = self._splits.get(row.group) or split_of(row.group, self._parts)
        self._splits.setdefault(row.group, row.split)
        self._rows[row.content] = row
        video = EncodedVideo(id=row.id, content=row.content, split=row.split, part=part)
        if self._assembler is not None:
            self._assembler.add(video)
            return
        self._waiting.append(video)
        self._fitter.add(part)
        if self._fitter.is_enough:
            self._fit()

    def finish(self) -> None:
        """Write what is left; DataError where nothing was fitted, OutputError as `add`."""
        if self._assembler is not None:
            if self._is_new and not self.shards:
                videos = self._filled(self._assembler.take_back())
                self._library.save(self._rows.values())
                for video in videos:
                    self._assembler.add(video)
        elif self._waiting:
            self._waiting = self._filled(self._waiting) if self._is_new else self._waiting
            self._fit()
        if self._assembler is not None:
            self._assembler.finish()

    def _fit(self) -> None:
        """Fit scale and offset, and keep them; before that, in which splits the videos are."""
        features = self._fitter.fit(self._rate, self._dtype)
        for stream in features.streams:
            self.kept[stream.name] = kept_cosine(self._fitter.sample(stream.name), stream)
        self._library.save(self._rows.values())
        features.save(self._folder.data)
        self.features, self._assembler = features, self._assembler_of(features)
        for video in self._waiting:
            self._assembler.add(video)
        self._waiting.clear()

    def _assembler_of(self, features: Features) -> ShardAssembler:
        first = next_numbers(path.name for path in self._folder.data.glob("*.tfrecord"))
        return ShardAssembler(
            self._folder.data,
            self._folder.path,
            features,
            first,
            self._commit,
            shard_bytes=self._shard_bytes,
        )

    def _filled(self, videos: list[EncodedVideo]) -> list[EncodedVideo]:
        """Return the videos of a small new archive with splits that are not empty."""
        rows = [self._rows[video.content] for video in videos]
        found = filled({row.group: row.split for row in rows}, self._parts)
        for row in rows:
            row.split = found[row.group]
        return [replace(video, split=row.split) for video, row in zip(videos, rows, strict=True)]

    def _commit(self, shard: WrittenShard, rename: Callable[[], None]) -> None:
        contents = [video.content for video in shard.videos]
        self._library.save(self._rows.values())  # their splits, and of those that come behind
        self._folder.place(shard.name, contents, rename)
        self._library.set_extracted(shard.name, contents)
        self._folder.placed()
        self.shards.append(shard)
        for content in contents:
            del self._rows[content]


def _media_of(part: FeaturePart) -> MediaInfo:
    """Return what is in the file of a part."""
    about = part.about["media"]
    return MediaInfo(**{**about, "streams": tuple(MediaStream(**of) for of in about["streams"])})


def outliers_of(shards: list[WrittenShard]) -> Counter[str]:
    """Return stream -> values that were clipped.

    Args:
        shards: that were written.
    """
    total = Counter[str]()
    for shard in shards:
        total.update(shard.outliers)
    return total


def group_by_folder(row: VideoRow) -> str:
    """Return the folder of a video as its group."""
    return str(row.path.parent)


def group_alone(row: VideoRow) -> str:
    """Return the content of a video as its group, which no other one has."""
    return row.content
