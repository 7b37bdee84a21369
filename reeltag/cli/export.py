"""`reeltag export`: a run or a blend as one ONNX graph, under a limit of bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from reeltag.cli.predict import splits_of
from reeltag.core.console import STDOUT, print_json, say
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.deploy.checking import gap_before_and_after
from reeltag.deploy.export import ExportConfig, export, refuse_out, told
from reeltag.deploy.sources import ExportSource, source_of


@dataclass(frozen=True, kw_only=True)
class Export:
    """Make one ONNX graph of a run or a blend: raw bytes and a mask in, best classes out.

    Preprocessing is inside; class names and where it comes from stand in its metadata. The size is
    counted before anything is written, and the graph is run beside PyTorch before it appears. What
    `reeltag predict RUN` does, `reeltag predict model.onnx` does.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|BLEND")]
    """Run folder, or a folder of `reeltag blend --save` with mean, weights, class-weights or
    geometric."""
    out: Path
    """ONNX file to make. Weights beyond 2 GB go into <out>.data, which must stay beside it."""
    config: tyro.conf.OmitArgPrefixes[ExportConfig] = field(default_factory=ExportConfig)
    data: Path | None = None
    """Folder of TFRecords (or one) on which GAP@20 is told before and after."""
    split: Literal["train", "validate", "test", "all"] = "validate"
    """Which part of DATA."""
    train: str | None = None
    """Pattern of the training shards, relative to DATA; None: as the runs were trained."""
    validate: str | None = None
    """Pattern of the validation shards, likewise."""
    test: str | None = None
    """Pattern of the test shards, likewise."""
    videos: int = 0
    """Videos of the split, drawn at random, that GAP@20 is told on; 0 = all."""
    overwrite: bool = False
    """Replace the file if it is there."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Export, check, and say what came of it; 0."""
        refuse_out(self.out, overwrite=self.overwrite)
        self._refuse_options()
        source = source_of(self.source)
        data = None
        if self.data is not None:
            data = Dataset.open(self.data, splits=self._splits(source), quiet=self.json)
            data.shards_of(self.split)  # an empty split is an error before the export
        answer = export(source, self.out, self.config, overwrite=self.overwrite)
        if data is not None:
            say("GAP@20 in PyTorch and in onnxruntime ...")
            answer |= gap_before_and_after(
                source.tagger,
                self.out,
                data,
                split=self.split,
                videos=self.videos,
            )
        if self.json:
            print_json(answer)
        else:
            STDOUT.print(told(answer), highlight=False, markup=False, soft_wrap=True)
        return 0

    def _refuse_options(self) -> None:
        """Raise ConfigError where options are out of range, or would change nothing."""
        if self.videos < 0:
            raise ConfigError(f"must be at least 0, got {self.videos}", where="--videos")
        if self.config.codebook != "uniform" and self.config.precision != "uint8":
            raise ConfigError("has no effect without --precision uint8", where="--codebook")
        asked = {"split": self.split != "validate", "videos": self.videos}
        asked |= {name: getattr(self, name) for name in ("train", "validate", "test")}
        if self.data is None and any(asked.values()):
            raise ConfigError(
                "has no effect without --data",
                where=f"--{next(name for name, given in asked.items() if given)}",
                hint="Say on which data GAP@20 is told with --data DATA.",
            )

    def _splits(self, source: ExportSource) -> Splits:
        """Return the rule of the first run's training, with the patterns given in its place."""
        config: dict[str, Any] = source.members[0]["config"]
        return splits_of(config, self.source, self.train, self.validate, self.test)
