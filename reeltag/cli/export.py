"""`reeltag export`: a run or a blend as one ONNX graph, under a limit of bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from reeltag.cli.predict import splits_of
from reeltag.cli.run_argument import RunPath
from reeltag.core.console import STDOUT, print_json, say
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.sources import ExportSource, load_source


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a run or a blend as one ONNX graph: raw bytes and a mask in, best classes out.

    Preprocessing is inside; class names and its source are in its metadata. The size is computed
    before anything is written, and the graph is compared with PyTorch before the file appears.
    `reeltag predict model.onnx` predicts as `reeltag predict RUN`.
    """

    source: Annotated[RunPath, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|BLEND")]
    """Run folder, run on the hub (hf://user/name), WORK of `reeltag solve`, or a folder of `reeltag
    blend --save` with mean, weights, class-weights or geometric."""
    out: Path
    """ONNX file to write. Weights beyond 2 GB go into <out>.data, which must stay next to it."""
    config: tyro.conf.OmitArgPrefixes[ExportConfig] = field(default_factory=ExportConfig)
    data: Path | None = None
    """Folder of TFRecords (or one) on which GAP@20 is computed before and after."""
    split: Literal["train", "validate", "test", "all"] = "validate"
    """Which part of DATA."""
    train: str | None = None
    """Pattern of the training shards, relative to DATA; None: as the runs were trained."""
    validate: str | None = None
    """Pattern of the validation shards, likewise."""
    test: str | None = None
    """Pattern of the test shards, likewise."""
    videos: int = 0
    """Videos of the split, drawn at random, for GAP@20; 0 = all."""
    overwrite: bool = False
    """Replace the file if it exists."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Export, check and print the result; 0."""
        from reeltag.deploy.checking import gap_before_and_after  # these need the extra
        from reeltag.deploy.export import check_onnx_path, export, format_export

        check_onnx_path(self.out, overwrite=self.overwrite)
        self._check_options()
        source = load_source(self.source)
        data = None
        if self.data is not None:
            data = Dataset.open(self.data, splits=self._splits(source), quiet=self.json)
            data.shards_of(self.split)  # an empty split is an error before the export
        result = export(source, self.out, self.config, overwrite=self.overwrite)
        if data is not None:
            say("GAP@20 in PyTorch and in onnxruntime ...")
            result |= gap_before_and_after(
                source.tagger,
                self.out,
                data,
                split=self.split,
                videos=self.videos,
                of_files=source.of_files,
            )
        if self.json:
            print_json(result)
        else:
            STDOUT.print(format_export(result), highlight=False, markup=False, soft_wrap=True)
        return 0

    def _check_options(self) -> None:
        """Raise ConfigError where options are out of range, or would change nothing."""
        if self.videos < 0:
            raise ConfigError(f"must be at least 0, got {self.videos}", where="--videos")
        if self.config.codebook != "uniform" and self.config.precision != "uint8":
            raise ConfigError("has no effect without --precision uint8", where="--codebook")
        given = {"split": self.split != "validate", "videos": self.videos}
        given |= {name: getattr(self, name) for name in ("train", "validate", "test")}
        if self.data is None and any(given.values()):
            raise ConfigError(
                "has no effect without --data",
                where=f"--{next(name for name, value in given.items() if value)}",
                hint="Give the data for GAP@20 with --data DATA.",
            )

    def _splits(self, source: ExportSource) -> Splits:
        """Return the splits of the first run's training, with the given patterns in their place."""
        config: dict[str, Any] = source.members[0]["config"]
        return splits_of(config, self.source, self.train, self.validate, self.test)
