"""`reeltag blend`: make the predictions of several models one."""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import tyro
from rich.table import Table

from reeltag.cli.next_command import UNKNOWN_DATA, print_next
from reeltag.core.console import STDOUT, print_json, print_table, say
from reeltag.core.errors import ConfigError
from reeltag.core.files import check_new_path
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.ensembling.blend_model import FITTED, BlendModel, Method
from reeltag.ensembling.blending import BlendConfig, Solver, blend, fit_blend
from reeltag.ensembling.fitting import SgdConfig
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.inference.stream import check_output
from reeltag.predictions.file import open_predictions
from reeltag.predictions.rows import Kind


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Make the predictions of several models one, mostly better than those of the best.

    The mean needs nothing but the files:

        reeltag blend A.parquet B.parquet C.parquet --out MEAN.parquet

    Weights are fitted on videos that no model was trained on, and applied to others:

        reeltag predict RUN1 --data DATA --split validate --out V1.parquet    (and so each run)
        reeltag predict RUN1 --data DATA --split test --out T1.parquet        (and so each run)
        reeltag blend V1.parquet V2.parquet --method weights --fit-on DATA --save BLEND
        reeltag blend T1.parquet T2.parquet --with BLEND --out TEST.parquet
        reeltag evaluate TEST.parquet --data DATA

    Methods, p being a model's probability of a class, 0 where it does not list the class:

        mean            of p
        weights         a sum of weight * p, one weight per model (Axon 2018)
        class-weights   likewise, one weight per model and class
        geometric       mean of the logits; a class that a model does not list has the lowest logit
                        that the model gives in that row
        rank            mean of the ranks that a score has among all scores of its model
        lightgbm        trees on the class and each model's p (Samsung 2018)

    Their rows may be in any order; all must be of the same videos.
    """

    predictions: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="P")]
    """Parquet files of `reeltag predict` or submissions (CSV) of 2018, one per model; submissions
    of 2019 have ranks alone and are blended by --method rank."""
    method: Method | None = None
    """How they are blended; None: mean, or the method of --with."""
    with_: Annotated[Path | None, tyro.conf.arg(name="with", metavar="BLEND")] = None
    """Folder of a saved blend, whose weights are used. The files are in its members' order."""
    fit_on: Annotated[Path | None, tyro.conf.arg(metavar="DATA")] = None
    """Folder of TFRecords (or one TFRecord) with the labels of the predicted videos: weights,
    class-weights and lightgbm are fitted on them."""
    split: Literal["train", "validate", "test", "all"] = "validate"
    """Part of --fit-on that was predicted."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards belong to the split; as in training."""
    allow_leak: bool = False
    """Fit even on videos that a model was trained on: its weight will be too high."""
    solver: Solver = "nnls"
    """How weights are fitted: least squares with weights >= 0, exactly; or stochastic gradient
    descent, as Axon did (some may be negative)."""
    sgd: SgdConfig = field(default_factory=SgdConfig)
    """Steps of --solver sgd."""
    seed: int = 0
    """Random seed of --solver sgd."""
    trees: TreeConfig = field(default_factory=TreeConfig)
    """How the trees of --method lightgbm grow."""
    candidates: int = 0
    """Number of best classes of a video that count, per model; 0: all that are listed (lightgbm:
    --trees.candidates)."""
    out: Path | None = None
    """Prediction file to make."""
    top_k: int = 0
    """Classes kept for each video or segment; 0 keeps all that any model lists."""
    save: Annotated[Path | None, tyro.conf.arg(metavar="BLEND")] = None
    """Folder to make for the blend, for --with and for `reeltag export`."""
    overwrite: bool = False
    """Replace the file --out if it is there."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Fit, blend, and print the members with their weights."""
        begun = time.monotonic()
        self._check_options()
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the default hoards
        model = self._model()
        if self.save is not None:
            model.save(self.save)
        rows: dict[Kind, int] = {}
        if self.out is not None:
            rows = blend(self.predictions, model, self.out, top_k=self.top_k, quiet=self.json)
        if self.json:
            print_json(self._described(model, rows, time.monotonic() - begun))
        else:
            self._print(model, rows, time.monotonic() - begun)
        return 0

    def _model(self) -> BlendModel:
        """Return the blend to use."""
        if self.with_ is not None:
            return BlendModel.load(self.with_)
        config = BlendConfig(
            method=self.method or "mean",
            solver=self.solver,
            candidates=self.candidates,
            sgd=self.sgd,
            trees=self.trees,
            seed=self.seed,
        )
        data = None
        if self.fit_on is not None and config.method in FITTED:
            data = Dataset.open(self.fit_on, splits=self.splits, quiet=self.json)
        return fit_blend(
            self.predictions,
            data,
            config,
            split=self.split,
            allow_leak=self.allow_leak,
            quiet=self.json,
        )

    def _check_options(self) -> None:
        """Raise ConfigError where options contradict each other, before anything is read."""
        if self.out is None and self.save is None:
            raise ConfigError("writes nothing: give --out P.parquet, or --save BLEND")
        for name in ("top_k", "candidates"):
            if getattr(self, name) < 0:
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(f"must be at least 0, got {getattr(self, name)}", where=flag)
        if self.out is not None:
            if self.out.resolve() in [path.resolve() for path in self.predictions]:
                raise ConfigError(
                    "is one of the blended files, and would be lost",
                    where=f"--out {self.out}",
                )
            check_output(self.out, overwrite=self.overwrite)
        if self.save is not None:
            check_new_path(self.save, "--save")
        if self.with_ is not None:
            given = {
                "--method": self.method,
                "--fit-on": self.fit_on,
                "--save": self.save,
                "--candidates": self.candidates,
            }
            for flag, value in given.items():
                if value:
                    raise ConfigError(f"--with uses a saved blend as it is: leave out {flag}")
        elif self.method in FITTED and self.fit_on is None:
            raise ConfigError(
                f"--method {self.method} is fitted on labels, and there are none",
                hint="Give data with --fit-on DATA, or a saved blend with --with BLEND.",
            )
        elif self.fit_on is not None and self.method not in FITTED:
            say(f"{self.method or 'mean'} needs no labels: --fit-on is not read")
        self._check_idle_options()

    def _check_idle_options(self) -> None:
        """Raise ConfigError where an option that is given would change nothing."""
        weighs, grows = self.method in ("weights", "class-weights"), self.method == "lightgbm"
        descends = weighs and self.solver == "sgd"
        learning = ["--split"] * (self.split != "validate") + _changed("", self.splits)
        learning += ["--allow-leak"] * self.allow_leak
        writing = ["--top-k"] * (self.top_k > 0) + ["--overwrite"] * self.overwrite
        for works, needed, given in (
            (self.fit_on is not None, "--fit-on", learning),
            (weighs, "--method weights or class-weights", ["--solver"] * (self.solver != "nnls")),
            (descends, "--solver sgd", _changed("sgd.", self.sgd) + ["--seed"] * (self.seed != 0)),
            (grows, "--method lightgbm", _changed("trees.", self.trees)),
            (self.out is not None, "--out", writing),
        ):
            if given and not works:
                raise ConfigError(f"has no effect without {needed}", where=given[0])
        if self.candidates and "--trees.candidates" in _changed("trees.", self.trees):
            raise ConfigError("--candidates and --trees.candidates are the same option; give one")

    def _described(
        self, model: BlendModel, rows: dict[Kind, int], seconds: float
    ) -> dict[str, Any]:
        members = [
            {"number": at, **dataclasses.asdict(member), "file": str(path)}
            for at, (member, path) in enumerate(
                zip(model.members, self.predictions, strict=True), 1
            )
        ]
        for member, weight in zip(members, _weights(model), strict=True):
            member |= weight
        return {
            "method": model.method,
            "members": members,
            "fitted": None if model.fitted is None else dataclasses.asdict(model.fitted),
            "path": None if self.out is None else str(self.out),
            "video_rows": rows.get("videos", 0),
            "segment_rows": rows.get("segments", 0),
            "blend": str(self.save or self.with_ or "") or None,
            "seconds": round(seconds, 3),
        }

    def _print(self, model: BlendModel, rows: dict[Kind, int], seconds: float) -> None:
        columns = _weights(model)
        table = Table(box=None, pad_edge=False)
        table.add_column("", justify="right")
        table.add_column("model", no_wrap=True)
        for name in columns[0]:
            table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
        table.add_column("file", overflow="fold")
        for at, (member, path) in enumerate(zip(model.members, self.predictions, strict=True)):
            shown = [f"{value:.4f}" for value in columns[at].values()]
            table.add_row(str(at + 1), member.family or "?", *shown, str(path))
        if model.weights is not None and model.weights.ndim == 1:
            table.add_row("", "sum", f"{model.weights.sum():.4f}", "")
        print_table(table)
        fitted = model.fitted
        if fitted is not None:
            rows_ = f"{fitted.rows:,} {fitted.kind} ({fitted.pairs:,} scores)"
            line = f"fitted on {rows_} of {fitted.data}"
            if fitted.error is not None:
                line += (
                    f": mean squared error {fitted.error:.6f}, of equal weights "
                    f"{fitted.error_of_mean:.6f}"
                )
            _line(line)
        if self.out is not None:
            found = " and ".join(f"{number:,} {kind}" for kind, number in rows.items())
            _line(f"{self.out}: {model.method} of {found}, in {seconds:.1f} s")
            if self.with_ is None and model.weights is not None:
                say(f"{self.out}: scores on the data that weights were fitted on are too high")
            about = open_predictions(self.out).info
            print_next("evaluate", self.out, "--data", about.data or UNKNOWN_DATA)
        if self.save is not None:
            others = [f"T{at}.parquet" for at, _ in enumerate(self.predictions, 1)]
            print_next("blend", *others, "--with", self.save, "--out", "P.parquet")


def _weights(model: BlendModel) -> list[dict[str, float]]:
    """Return the weight of each member, by name."""
    if model.trees is not None:
        importance = model.trees.importance()
        return [{"gain": importance[name]["gain"]} for name in model.trees.info.models]
    if model.weights is None:
        return [{} for _ in model.members]
    if model.weights.ndim == 1:
        return [{"weight": float(weight)} for weight in model.weights]
    return [
        {"mean_weight": float(np.mean(row)), "sd_over_classes": float(np.std(row))}
        for row in model.weights
    ]


def _changed(prefix: str, config: Splits | SgdConfig | TreeConfig) -> list[str]:
    """Return the flags of the fields that are not as by default."""
    usual = type(config)()
    names = [field.name for field in dataclasses.fields(config)]
    names = [name for name in names if getattr(config, name) != getattr(usual, name)]
    return [f"--{prefix}{name.replace('_', '-')}" for name in names]


def _line(text: str) -> None:
    STDOUT.print(text, highlight=False, markup=False, soft_wrap=True)
