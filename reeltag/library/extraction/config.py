"""Options of an extraction: encoders, rate, dtype, splits."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from reeltag.core.bounds import CheckedFields, Rate
from reeltag.core.errors import ConfigError
from reeltag.encoders.base import Precision

AUTO: Literal["auto"] = "auto"
NONE = "none"
DEFAULT_PICTURE, DEFAULT_SOUND = "efficientnet_lite0", "log_mel"
DEFAULT_RATE = 1.0
Group = Literal["content", "folder", "none"]
ExtractedDtype = Literal["auto", "uint8", "float16"]


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig(CheckedFields):
    """How features are extracted from videos."""

    picture: str = AUTO
    """Encoder of pictures, as `reeltag encoders` lists them, or none. auto: that of DATA, where
    there are some already, else efficientnet_lite0, and none where no video has a picture."""
    sound: str = AUTO
    """Encoder of sound, or none. auto: that of DATA, else log_mel, and none where no video has
    sound."""
    rate: Rate | None = None
    """Frames per second; None: that of DATA, else 1."""
    dtype: ExtractedDtype = AUTO
    """How values are stored: uint8 with a scale and offset per dimension, fitted on a sample and
    then fixed, or float16. auto: that of DATA, else uint8."""
    quick: bool = False
    """Decode key frames only, often one in 2 to 10 seconds: a second shows the last of them, so
    that moments in pictures are late by up to that time. Sound is as exact as always."""
    split: tuple[Annotated[float, Ge(0)], Annotated[float, Ge(0)], Annotated[float, Ge(0)]] = (
        80.0,
        10.0,
        10.0,
    )
    """Parts of new videos that train, validate and test, by a hash of their group."""
    group: Group = "content"
    """What stays in one split. content: near copies of one video; folder: all videos of a folder;
    none: each video is its own."""
    shard_mb: Rate = 128.0
    """Megabytes of a shard, about."""
    device: str = "auto"
    """Where encoders compute: cpu, cuda, cuda:1; auto: a GPU where there is one."""
    devices: tuple[str, ...] = ()
    """GPUs that the processes of this machine share in turns: all, or cuda:0 cuda:1 ... None:
    --device."""
    precision: Precision = "auto"
    """Of their arithmetic: fp32, or bf16 or fp16 on a GPU; auto: fp32 on CPUs."""

    def check(self) -> None:
        """Raise ConfigError where nothing is to be encoded, or no split gets anything."""
        if (self.picture, self.sound) == (NONE, NONE):
            raise ConfigError("--picture and --sound are both none: nothing would be extracted")
        self.check_field("split", sum(self.split) > 0, "three numbers, one of them above 0")
