"""The tagger: preprocessing + model + class names in one module. Raw bytes in, logits out.

What is saved, exported and served is a tagger, so that no caller can feed a model wrongly.

A saved tagger is a folder:

    config.json         family, sizes, preprocessing, streams; read by `Tagger.load`
    model.safetensors   all tensors (no pickle: loading runs no code)
    classes.csv         index,name
    features.json       what the streams are, where they are not as YouTube-8M published them
    thresholds.json     of each class, where some were chosen
"""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, overload

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from reeltag.core.errors import ConfigError, DataError, reason_of
from reeltag.core.fields import entry, from_json
from reeltag.core.files import PathLike, whole_file
from reeltag.core.tensor_files import load_tensors
from reeltag.data.features import Features
from reeltag.data.streams import Stream
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import Mixture, ModelConfig, family_of
from reeltag.predictions.intervals import DEFAULT_INTERVALS, IntervalConfig
from reeltag.tagger.moments import Moment, moments_of
from reeltag.tagger.preparing import preprocessing_of
from reeltag.tagger.run_files import read_class_names, read_config, read_model
from reeltag.tagger.sharing import window_logits
from reeltag.tagger.tags import Tag, best_tags
from reeltag.tagger.thresholds import THRESHOLDS_FILE, Thresholds
from reeltag.tagger.video import Video, VideoFrames, Videos, as_frames, in_eval_mode
from reeltag.tagger.windows import Windows


class AnyTagger(nn.Module):
    """Whatever maps frames (B, T, D), as stored, and a mask (B, T) to logits (B, C) of named tags.

    Attributes:
        family: what kind of model it is, in a word.
        streams: (name, width) of the streams, in the order in which they stand along D.
        class_names: C names.
        description: of the streams; None: as YouTube-8M published them.
        thresholds: of its classes, for `moments`; None: none were chosen.
        made_of: digest of the weights of the run that it scores for; None: it is no graph that was
            exported to score a run.
    """

    family: str
    streams: tuple[tuple[str, int], ...]
    class_names: tuple[str, ...]
    description: Features | None = None
    thresholds: Thresholds | None = None
    made_of: str | None = None

    @property
    def features(self) -> Features:
        """The description of the streams; without one, YouTube-8M's convention for bytes."""
        if self.description is not None:
            return self.description
        return Features.published(Stream(name, width, "uint8") for name, width in self.streams)

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.class_names)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(chain(self.parameters(), self.buffers())).device

    @overload
    def predict(self, videos: Video, *, top_k: int = 20, batch_size: int = 16) -> list[Tag]: ...

    @overload
    def predict(
        self, videos: Videos, *, top_k: int = 20, batch_size: int = 16
    ) -> list[list[Tag]]: ...

    def predict(
        self,
        videos: Video | Videos,
        *,
        top_k: int = 20,
        batch_size: int = 16,
    ) -> list[Tag] | list[list[Tag]]:
        """Return the `top_k` likeliest tags of a video, best first; of a list of them, such lists.

        A video of published features is scored by its first 300 frames, one of others by all, or,
        beyond 12,000, by as many that are spread over its length: as by `reeltag predict`.
        Videos of a list may be of different lengths: they are scored in batches, with masks. A
        probability is the same as that of the video alone to 1e-5 (float32 on the CPU). Modules
        are in training or eval mode afterwards as they were before.

        Args:
            videos: one video, or a sequence of them. A video is an array (T, D), T >= 1, of
                uint8 as stored or of float features, streams side by side; or a mapping of stream
                name to (T, width); or the path of a video or sound file, whose features are
                computed by the encoders of the tagger's features. Rows are frames, one per second
                for YouTube-8M's features.
            top_k: how many tags of each video; at most C are returned.
            batch_size: videos that are scored together.

        Raises:
            DataError: the list is empty, or a video has no frames, the wrong width, type or
                streams, or what is not finite; of a list, the video is named by its number.
            ConfigError: `top_k` or `batch_size` is below 1; or a file is given, and the encoders of
                the features are not known here, or not installed.

        Example:
            >>> from reeltag.models import model_config
            >>> _ = torch.manual_seed(0)
            >>> sizes = model_config("logistic", num_classes=3, dims=(4, 2))
            >>> tagger = Tagger(sizes, [("rgb", 4), ("audio", 2)], ["Car", "Music", "Speech"])
            >>> long, short = torch.zeros(60, 6), torch.ones(5, 6)  # 60 and 5 frames
            >>> [tag.name for tag in tagger.predict(short, top_k=2)]
            ['Car', 'Speech']
            >>> [len(tags) for tags in tagger.predict([long, short])]
            [3, 3]
        """
        options = {"top_k": top_k, "batch_size": batch_size}
        if isinstance(videos, str) or not isinstance(videos, Sequence):
            frames = [self._whole(videos)]
            return best_tags(frames, self.score, self.class_names, **options)[0]
        if not videos:
            raise DataError("there is no video in the list", where="videos")
        frames = [self._whole(video, where=f"video {n}") for n, video in enumerate(videos)]
        return best_tags(frames, self.score, self.class_names, **options)

    def _whole(self, video: Video, where: str = "") -> Tensor:
        """Return the frames by which a video is scored as a whole."""
        most = self.features.most_frames
        return as_frames(video, self.features, where=where, most=most)

    def moments(
        self,
        video: Video,
        *,
        config: IntervalConfig = DEFAULT_INTERVALS,
        prob: float | None = None,
        batch_size: int = 256,
    ) -> list[Moment]:
        """Return when which classes are in a video, by start: intervals of any length.

        Moments are where the mean probability of windows reaches the threshold of a class
        (`reeltag.predictions.intervals`): that of the run's `thresholds`, where a class without
        one has no moments; if the run has none, a probability of 0.5 for all classes.

        Args:
            video: as `predict` takes it, with `features.rate_hz` frames per second. Of a long one
                some windows are in memory at a time: it may be a `numpy.memmap`.
            config: windows, smoothing, shortest moment and gap, in seconds.
            prob: threshold of all classes in place of those of the run, in (0, 1).
            batch_size: windows that are scored together.

        Raises:
            DataError: as `predict`, or a score is not a number.
            ConfigError: `prob` or `batch_size` is out of range.

        Example:
            >>> from reeltag.models import model_config
            >>> sizes = model_config("logistic", num_classes=1, dims=(2,))
            >>> tagger = Tagger(sizes, [("rgb", 2)], ["Car"])
            >>> loud, quiet = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
            >>> with torch.no_grad():
            ...     _ = tagger.model.head.linear.weight.copy_(10 * (loud - quiet))
            >>> video = torch.cat([quiet.repeat(20, 1), loud.repeat(10, 1), quiet.repeat(30, 1)])
            >>> [(each.name, each.start_s, each.end_s) for each in
            ...  tagger.moments(video, config=IntervalConfig(length_s=1))]
            [('Car', 20.0, 30.0)]
        """
        return moments_of(self, VideoFrames(video, self.features), config, prob, batch_size)

    @torch.inference_mode()
    def score(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return logits (B, C), float32 on the CPU, of a batch anywhere, in eval mode."""
        with in_eval_mode(self):
            logits_BC: Tensor = self(frames_BTD.to(self.device), mask_BT.to(self.device))
        return logits_BC.float().cpu()

    @torch.inference_mode()
    def score_windows(self, windows: Windows) -> Tensor:
        """Return logits (n, C) as `score`, of windows; what they share is computed once."""
        with in_eval_mode(self):
            logits_NC = window_logits(self, windows.to(self.device))
        return logits_NC.float().cpu()


class Tagger(AnyTagger):
    """A model with everything between the stored bytes and its logits.

    Args:
        config: sizes of the model, which name its family; `config.dims` are the widths of
            `streams`.
        streams: (name, width) of the streams, in the order in which they are along D.
        class_names: C names.
        preprocessing: what happens to the stored frames before the model; None = what the
            family's authors do.
        eigenvalues: of the PCA that whitened the first stream; needed for reverse whitening.
        features: description of the streams; None: as YouTube-8M published them.
    """

    def __init__(
        self,
        config: ModelConfig,
        streams: Sequence[tuple[str, int]],
        class_names: Sequence[str],
        *,
        preprocessing: PreprocessingConfig | None = None,
        eigenvalues: Tensor | None = None,
        features: Features | None = None,
    ) -> None:
        super().__init__()
        family = family_of(config)
        self.family, self.reference, self.config = family.name, family.reference, config
        self.preprocessing = preprocessing or family.preprocessing
        self.streams = tuple((name, width) for name, width in streams)
        self.class_names = tuple(class_names)
        if len(self.class_names) != config.num_classes:
            raise ConfigError(
                f"{len(self.class_names)} class names for a model of {config.num_classes} classes"
            )
        self.description = features
        self.prepare = preprocessing_of(self.preprocessing, self.features, eigenvalues)
        self.model = config.build()

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Map frames (B, T, D), uint8 as stored or float features, to logits (B, C)."""
        logits_BC: Tensor = self.model(self.prepare(frames_BTD, mask_BT), mask_BT)
        return logits_BC

    @property
    def has_members(self) -> bool:
        """Whether the model is a mixture of others, which `members` runs one by one."""
        return isinstance(self.model, Mixture)

    def members(self, frames_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Map frames as `forward` does to the logits (B, C), and those of each member (M, B, C).

        Args:
            frames_BTD: as of `forward`.
            mask_BT: as of `forward`.

        Raises:
            ConfigError: the model has no members.
        """
        if not isinstance(self.model, Mixture):
            raise ConfigError(f"{self.family} is no mixture of models")
        return self.model.members(self.prepare(frames_BTD, mask_BT), mask_BT)

    def describe(self) -> dict[str, Any]:
        """Return the entries of `config.json` that describe the tagger, as plain JSON values."""
        return {
            "family": self.reference,
            "model": dataclasses.asdict(self.config),
            "preprocessing": dataclasses.asdict(self.preprocessing),
            "streams": [list(stream) for stream in self.streams],
        }

    def save_weights(self, folder: PathLike, name: str = "model.safetensors") -> None:
        """Write all tensors into `folder`, whole or not at all; thresholds of other ones go."""
        folder = Path(folder)
        tensors = {name: value.detach().contiguous() for name, value in self.state_dict().items()}
        with whole_file(folder / name) as part:
            safetensors.torch.save_file(tensors, part)
        if name == "model.safetensors":
            (folder / THRESHOLDS_FILE).unlink(missing_ok=True)

    def save_classes(self, folder: PathLike) -> None:
        """Write `classes.csv` into `folder`."""
        folder = Path(folder)
        with (
            whole_file(folder / "classes.csv") as part,
            part.open("w", encoding="utf-8", newline="") as file,
        ):
            rows = csv.writer(file)
            rows.writerow(["index", "name"])
            rows.writerows(enumerate(self.class_names))

    @classmethod
    def load(cls, run: Path | str, device: torch.device | str = "cpu") -> "Tagger":
        """Read the tagger of a run folder, in eval mode.

        Args:
            run: path of the run folder.
            device: that the tagger is moved to.

        Raises:
            DataError: `run` is not a finished run folder, or its parts do not fit each other.
        """
        run = Path(run)
        tagger = cls.from_description(
            read_config(run),
            read_class_names(run),
            features=Features.find(run),
            where=run / "config.json",
        )
        weights = run / "model.safetensors"
        if not weights.is_file():
            raise DataError(
                "has no model.safetensors: its training has not come to a first validation yet",
                where=run,
                hint=f"Go on with `reeltag train --resume {run}`.",
            )
        try:
            tensors = load_tensors(weights)
        except (OSError, SafetensorError) as error:
            raise DataError(
                f"cannot be read: damaged, or cut short? ({error})",
                where=weights,
                hint=f"`reeltag train --resume {run} --max-steps N`, with N beyond the steps done, "
                "writes it again when a validation is the best so far.",
            ) from error
        own = tagger.state_dict()
        wrong = sorted(tensors.keys() ^ own.keys()) + [
            name for name in own.keys() & tensors.keys() if own[name].shape != tensors[name].shape
        ]
        if wrong:
            raise DataError(
                f"the weights do not fit config.json, first at {wrong[0]!r}",
                where=weights,
                hint="Take both files from the same run.",
            )
        tagger.load_state_dict(tensors)
        tagger.thresholds = Thresholds.find(run, tagger.class_names)
        return tagger.eval().to(device)

    @classmethod
    def from_description(
        cls,
        config: Mapping[str, Any],
        class_names: Sequence[str],
        *,
        features: Features | None = None,
        where: object = "config.json",
    ) -> "Tagger":
        """Build an untrained tagger from what `describe` returned.

        Args:
            config: as `read_config` returns it; fields that are not the tagger's are left alone.
            class_names: C names.
            features: description of the streams; None: as published.
            where: file that `config` was read from, for the errors.

        Raises:
            DataError: a field is missing, unknown or of the wrong kind, they do not fit each
                other, or there is no such family.
        """

        def field(name: str, kind: Any) -> Any:  # noqa: ANN401  (as the JSON has it)
            return from_json(kind, entry(config, name, where=where), where=where, field=name)

        model = read_model(config, where=where)
        streams = field("streams", tuple[tuple[str, int], ...])
        widths = tuple(width for _, width in streams)
        if widths != model.dims:
            raise DataError(
                f"the streams are {widths} wide, but model.dims is {model.dims}",
                where=where,
                hint="Put the file back as training wrote it.",
            )
        if len(class_names) != model.num_classes:
            raise DataError(
                f"model.num_classes is {model.num_classes}, but classes.csv next to it names "
                f"{len(class_names)}",
                where=where,
                hint="Take both files from the same run.",
            )
        preprocessing = field("preprocessing", PreprocessingConfig)
        described = features and tuple((each.name, each.width) for each in features.streams)
        if described is not None and described != streams:
            raise DataError(
                f"has the streams {streams}, but features.json next to it describes {described}",
                where=where,
                hint="Take both files from the same run.",
            )
        try:
            return cls(model, streams, class_names, preprocessing=preprocessing, features=features)
        except (RuntimeError, MemoryError, OverflowError) as error:
            raise DataError(
                f"describes a model that cannot be built ({reason_of(error)[:200]})",
                where=where,
                hint="Put the file back as training wrote it, or take a machine with more memory.",
            ) from error
