"""`reeltag centroids`: fit the centroids that kmeans_resnet starts from."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import safetensors.torch
import torch
import tyro

from reeltag.cli.next_command import batch_option, changed_options, print_next
from reeltag.core.console import STDOUT, print_json, say
from reeltag.core.errors import ConfigError
from reeltag.core.files import check_new_path, whole_file
from reeltag.data.dataset import Dataset
from reeltag.data.frame_sample import count_frames
from reeltag.data.splits import Split, Splits
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models.kmeans_resnet import PREPROCESSING
from reeltag.tagger.preparing import preprocessing_of
from reeltag.training.centroids import fit_centroids, sample_features

FRAMES_A_CENTROID = 50


@dataclass(frozen=True, kw_only=True)
class Centroids:
    """Fit centroids of frames by k-means, for `reeltag train kmeans_resnet --init FILE`.

    The file has one tensor, centroids_KD. The sample is held in memory, as 4 bytes a value: 2.3 GB
    for 10,000 centroids of YouTube-8M's frames.
    """

    data: Annotated[Path, tyro.conf.Positional]
    """Folder of TFRecords (or one TFRecord)."""
    out: Path
    """.safetensors file to make."""
    clusters: int = 10_000
    """Centroids; the model's num_clusters."""
    frames: int = 0
    """Frames that they are fitted on, drawn from all with the same chance; 0: 50 a centroid."""
    iterations: int = 20
    """How often all frames of the sample are assigned again."""
    streams: tuple[str, ...] = ()
    """Streams to use, in this order, as in the training; empty means all."""
    split: Split = "train"
    """Which part of the data."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards train, validate and test."""
    preprocessing: PreprocessingConfig = PREPROCESSING
    """What is done to the frames first; as in the training."""
    seed: int = 0
    """Random seed of the sample and of the start."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Fit, and print what was written."""
        for name, least in (("clusters", 1), ("frames", 0), ("iterations", 1)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"must be at least {least}, got {getattr(self, name)}", where=name
                )
        check_new_path(self.out)
        begin = time.monotonic()
        data = Dataset.open(self.data, splits=self.splits, quiet=self.json)
        items = data.videos(self.split, streams=self.streams or None)
        widths = {stream.name: stream.width for stream in items.streams}
        total = count_frames(items)
        wanted = min(total, self.frames or FRAMES_A_CENTROID * self.clusters)
        say(f"Sampling {wanted:,} of {total:,} frames.")
        prepare = preprocessing_of(self.preprocessing, items.features)
        features = sample_features(items, prepare, wanted, self.seed)
        centroids, distance = fit_centroids(
            features, self.clusters, iterations=self.iterations, seed=self.seed
        )
        with whole_file(self.out) as part:
            tensors = {"centroids_KD": torch.from_numpy(centroids)}
            safetensors.torch.save_file(tensors, part, {"streams": ",".join(widths)})
        self._print(data, widths, wanted, distance, time.monotonic() - begin)
        return 0

    def _print(
        self,
        data: Dataset,
        widths: dict[str, int],
        num_frames: int,
        distance: float,
        seconds: float,
    ) -> None:
        if self.json:
            found = {
                "path": str(self.out),
                "clusters": self.clusters,
                "streams": widths,
                "preprocessing": asdict(self.preprocessing),
                "frames": num_frames,
                "mean_squared_distance": distance,
                "seconds": seconds,
            }
            return print_json(found)
        STDOUT.print(
            f"{self.out}: {self.clusters:,} centroids fitted on {num_frames:,} frames in "
            f"{seconds:.1f} s, mean squared distance {distance:.4g}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        return print_next(*self._train_words(data))

    def _train_words(self, data: Dataset) -> list[object]:
        """Return the command that trains from the centroids on what they were fitted on."""
        family, patterns = "kmeans_resnet", changed_options(self.splits)
        words: list[object] = ["train", family, "--data", self.data, *patterns]
        words += ["--init", self.out, "--model.num-clusters", self.clusters]
        words += ["--streams", *self.streams] if self.streams else []
        words += changed_options(self.preprocessing, "preprocessing.", PREPROCESSING)
        return [*words, *batch_option(family, data), "--out", "RUN"]
