"""Build an archive of the features of videos, which come in the order of their content ids.

video -> its group, its split -> scale and offset, once enough videos are there -> shards
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reeltag.data.features import Features
from reeltag.data.importing.quantise import Kept, kept_cosine
from reeltag.data.streams import StoredDtype
from reeltag.library.extraction.fitting import ScaleFitter
from reeltag.library.extraction.folder import ExtractionFolder
from reeltag.library.extraction.ledger import Ledger, VideoEntry, shards_by_split
from reeltag.library.extraction.parts import FeaturePart
from reeltag.library.extraction.shards import (
    SHARD_BYTES,
    EncodedVideo,
    ShardAssembler,
    WrittenShard,
)
from reeltag.library.extraction.splits import filled, split_of

GroupOf = Callable[[VideoEntry], str]


class ArchiveBuilder:
    """Put videos into the shards of an archive.

    Args:
        folder: of the extraction.
        ledger: of the videos.
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
        ledger: Ledger,
        fitter: ScaleFitter,
        features: Features | None,
        *,
        rate_hz: float,
        dtype: StoredDtype,
        parts: tuple[float, float, float],
        group_of: GroupOf,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        self._folder, self._ledger, self._fitter = folder, ledger, fitter
        self._rate, self._dtype, self._parts = rate_hz, dtype, parts
        self._group_of, self._shard_bytes = group_of, shard_bytes
        self._waiting = list[EncodedVideo]()
        self._is_new = not any(folder.data.glob("*.tfrecord"))
        self._splits = ledger.splits()
        self._assembler = None if features is None else self._assembler_of(features)
        self.features = features
        self.kept = dict[str, Kept]()
        self.shards = list[WrittenShard]()

    def add(self, entry: VideoEntry, part: FeaturePart) -> None:
        """Take the next video.

        Args:
            entry: of the video.
            part: its features.

        Raises:
            OutputError: a shard cannot be written.
        """
        entry.frames, entry.duration_s = part.num_frames, part.about.get("duration_s")
        entry.note, entry.about = part.note, part.about
        if not entry.split:
            entry.group = self._group_of(entry)
            entry.split = self._splits.get(entry.group) or split_of(entry.group, self._parts)
        self._splits.setdefault(entry.group, entry.split)
        video = EncodedVideo(id=entry.id, content=entry.content, split=entry.split, part=part)
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
                self._ledger.save()
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
        self._ledger.save()
        features.save(self._folder.data)
        self.features, self._assembler = features, self._assembler_of(features)
        for video in self._waiting:
            self._assembler.add(video)
        self._waiting.clear()

    def _assembler_of(self, features: Features) -> ShardAssembler:
        first = shards_by_split(path.name for path in self._folder.data.glob("*.tfrecord"))
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
        entries = {video.content: self._ledger.videos[video.content] for video in videos}
        found = filled({of.group: of.split for of in entries.values()}, self._parts)
        for entry in entries.values():
            entry.split = found[entry.group]
        return [replace(video, split=entries[video.content].split) for video in videos]

    def _commit(self, shard: WrittenShard, rename: Callable[[], None]) -> None:
        contents = [video.content for video in shard.videos]
        self._ledger.save()  # their splits
        self._folder.place(shard.name, contents, rename)
        self._ledger.set_extracted(shard.name, contents)
        self._folder.placed()
        self.shards.append(shard)


def outliers_of(shards: list[WrittenShard]) -> Counter[str]:
    """Return stream -> values that were clipped.

    Args:
        shards: that were written.
    """
    total = Counter[str]()
    for shard in shards:
        total.update(shard.outliers)
    return total


def group_by_folder(entry: VideoEntry) -> str:
    """Return the folder of a video as its group."""
    return str(Path(entry.path).parent)


def group_by_content(entry: VideoEntry) -> str:
    """Return the content of a video as its group."""
    return entry.content
