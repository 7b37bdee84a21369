"""`reeltag average`: the mean of the weights of several runs, as a run."""

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from reeltag.cli.run_argument import RunPath
from reeltag.core.console import STDOUT, print_json
from reeltag.core.errors import ConfigError
from reeltag.core.files import check_new_path
from reeltag.data.dataset import Dataset
from reeltag.inference.scoring import InferenceConfig
from reeltag.soft_labels.config import SoftLabelConfig
from reeltag.tagger.importing import check_trained
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger
from reeltag.training.batches import make_batches
from reeltag.training.mean_run import AveragedRun, average_runs
from reeltag.training.norm_statistics import recompute_norms
from reeltag.training.run_folder import read_recipe


@dataclass(frozen=True, kw_only=True)
class Average:
    """Write the arithmetic mean of the weights of several runs as a run of its own.

    The runs must be of one model, on one data set, and should have begun with the same weights
    (--init). `reeltag train --swa-from` averages the steps of one training; `reeltag blend`
    averages what different models predict.
    """

    runs: Annotated[tuple[RunPath, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Run folders, runs on the hub (hf://user/name), or .safetensors files in run folders. One is
    enough with --norms-from."""
    out: Path
    """Run folder to make."""
    norms_from: Path | None = None
    """Data folder: the running statistics of batch norms are computed again from training batches,
    instead of averaged."""
    norm_batches: int = 100
    """Batches that they are computed from."""
    device: str = "auto"
    """Where: cpu, cuda, cuda:1, ...; auto takes a GPU where there is one."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Average, and print what was written."""
        if len(self.runs) < 2 and self.norms_from is None:
            raise ConfigError(
                "a mean needs at least two runs",
                hint="reeltag average RUN1 RUN2 --out RUN, or one RUN with --norms-from DATA.",
            )
        if self.norm_batches < 1:
            raise ConfigError(f"norm_batches must be >= 1, got {self.norm_batches}")
        if self.norms_from is None and (self.norm_batches, self.device) != (100, "auto"):
            flag = "--norm-batches" if self.device == "auto" else "--device"
            raise ConfigError("has no effect without --norms-from", where=flag)
        check_new_path(self.out)
        tagger = average_runs(self.runs, self.out, self._with_norms)
        parameters = sum(p.numel() for p in tagger.parameters())
        if self.json:
            print_json(
                {
                    "run": str(self.out),
                    "runs": len(self.runs),
                    "family": tagger.family,
                    "parameters": parameters,
                    "norms_from": str(self.norms_from) if self.norms_from else None,
                }
            )
        else:
            of = f"mean of {len(self.runs)} runs" if len(self.runs) > 1 else "the same weights"
            norms = f", batch norms from {self.norms_from}" if self.norms_from else ""
            STDOUT.print(
                f"{self.out}: {of} ({tagger.family}, {parameters / 1e6:.1f} M parameters){norms}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        return 0

    def _with_norms(self, tagger: Tagger) -> None:
        """Compute the statistics of batch norms again, where data are given."""
        if self.norms_from is None:
            return
        run = AveragedRun.at(self.runs[0]).run
        config = read_config(run)
        check_trained(run, config)
        recipe = read_recipe(config, where=run / "config.json")
        data = Dataset.open(self.norms_from, quiet=self.json)
        plain = dataclasses.replace(recipe, soft=SoftLabelConfig(), labels=type(recipe.labels)())
        streams = tuple(name for name, _ in tagger.streams)
        batches = make_batches(data, dataclasses.replace(plain, streams=streams))
        if batches.streams != tagger.streams:
            raise ConfigError(
                f"has the streams {batches.streams}; the runs read {tagger.streams}",
                where=self.norms_from,
            )
        tagger.to(InferenceConfig(device=self.device).torch_device())
        taken = itertools.islice(batches.training(0), self.norm_batches)
        recompute_norms(tagger, taken, recipe.seed)
        tagger.to("cpu")
