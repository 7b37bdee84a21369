"""`reeltag blend`: the predictions of several models, made one."""

import dataclasses
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import tyro
from rich.table import Table

from reeltag.core.console import STDOUT, print_json, print_table, say
from reeltag.core.errors import ConfigError
from reeltag.core.files import refuse_existing
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.ensembling.blend import FITTED, Method, SgdConfig, Solver, blend, fit
from reeltag.ensembling.blend import Blend as Made
from reeltag.ensembling.tree_config import TreeConfig
from reeltag.inference.stream import check_output
from reeltag.predictions.rows import Kind


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Make the predictions of several models one, which is mostly better than the best of them.

    The mean needs nothing but the files:

        reeltag blend A.parquet B.parquet C.parquet --out MEAN.parquet

    Weights are learned on videos that no model was trained on, and used on others:

        reeltag predict RUN1 --data DATA --split validate --out V1.parquet    (and so each run)
        reeltag predict RUN1 --data DATA --split test --out T1.parquet        (and so each run)
        reeltag blend V1.parquet V2.parquet --method weights --fit-on DATA --save BLEND
        reeltag blend T1.parquet T2.parquet --with BLEND --out TEST.parquet
        reeltag evaluate TEST.parquet --data DATA

    Methods, p being a model's probability of a class, 0 where it does not list the class:

        mean            of p
        weights         a sum of weight * p, one weight a model (Axon 2018)
        class-weights   likewise, a weight for each model and class
        geometric       mean of the logits; a class that a model does not list has the lowest logit
                        that the model gives in that row
        rank            mean of the ranks that a score has among all scores of its model
        lightgbm        trees on the class and each model's p (Samsung 2018)

    The files may be in any order; all must be about the same videos.
    """

    predictions: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="P")]
    """Parquet files that `reeltag predict` made, one of each model."""
    method: Method | None = None
    """How they are blended; None: mean, or as --with says."""
    with_: Annotated[Path | None, tyro.conf.arg(name="with", metavar="BLEND")] = None
    """Folder of a blend that was saved: nothing is learned, its weights are used. The files stand
    in the order of its members."""
    fit_on: Annotated[Path | None, tyro.conf.arg(metavar="DATA")] = None
    """Folder of TFRecords (or one TFRecord) with the labels of the videos that the files are about:
    weights, class-weights and lightgbm are learned from them."""
    split: Literal["train", "validate", "test", "all"] = "validate"
    """Part of --fit-on that the files are about."""
    splits: Annotated[Splits, tyro.conf.arg(name="")] = field(default_factory=Splits)
    """Which shards belong to the split; as in training."""
    allow_leak: bool = False
    """Learn even from videos that a model was trained on: its weight will be too high."""
    solver: Solver = "nnls"
    """How weights are learned: least squares with weights >= 0, exactly; or by stochastic gradient
    descent, as Axon did (which may make some negative)."""
    sgd: SgdConfig = field(default_factory=SgdConfig)
    """Steps of --solver sgd."""
    seed: int = 0
    """Of --solver sgd."""
    trees: TreeConfig = field(default_factory=TreeConfig)
    """Of --method lightgbm."""
    candidates: int = 0
    """Classes that are among so many best of at least one model count; 0: all that are listed
    (lightgbm: --trees.candidates)."""
    out: Path | None = None
    """Prediction file to make."""
    top_k: int = 0
    """Classes kept for each video or segment; 0 keeps all that any model lists."""
    save: Annotated[Path | None, tyro.conf.arg(metavar="BLEND")] = None
    """Folder to make for the blend: for --with, and for `reeltag export`."""
    overwrite: bool = False
    """Replace the file --out if it is there."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Learn what is to be learned, blend, and show the members with their weights."""
        begun = time.monotonic()
        self._refuse_options()
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the default hoards
        made = self._made()
        if self.save is not None:
            made.save(self.save)
        rows: dict[Kind, int] = {}
        if self.out is not None:
            rows = blend(self.predictions, made, self.out, top_k=self.top_k, quiet=self.json)
        if self.json:
            print_json(self._described(made, rows, time.monotonic() - begun))
        else:
            self._tell(made, rows, time.monotonic() - begun)
        return 0

    def _made(self) -> Made:
        """Return the blend to use."""
        if self.with_ is not None:
            return Made.load(self.with_)
        method, data = self.method or "mean", None
        if self.fit_on is not None:
            data = Dataset.open(self.fit_on, splits=self.splits, quiet=self.json)
        return fit(
            self.predictions,
            data,
            method,
            solver=self.solver,
            split=self.split,
            candidates=self.candidates,
            sgd=self.sgd,
            trees=self.trees,
            seed=self.seed,
            allow_leak=self.allow_leak,
            quiet=self.json,
        )

    def _refuse_options(self) -> None:
        """Raise ConfigError where options contradict each other, before anything is read."""
        if self.out is None and self.save is None:
            raise ConfigError("nothing would be written: give --out P.parquet, or --save BLEND")
        for name in ("top_k", "candidates"):
            if getattr(self, name) < 0:
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(f"must be at least 0, got {getattr(self, name)}", where=flag)
        if self.out is not None:
            if self.out.resolve() in [path.resolve() for path in self.predictions]:
                raise ConfigError(
                    "is one of the files that are blended, and would be lost",
                    where=f"--out {self.out}",
                )
            check_output(self.out, overwrite=self.overwrite)
        if self.save is not None:
            refuse_existing(self.save, "--save")
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
                f"--method {self.method} is learned from labels, and there are none",
                hint="Say of which data with --fit-on DATA, or use a saved blend: --with BLEND.",
            )
        elif self.fit_on is not None and self.method not in FITTED:
            say(f"{self.method or 'mean'} needs no labels: --fit-on is not read")
        self._refuse_idle_options()

    def _refuse_idle_options(self) -> None:
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
            raise ConfigError("--candidates and --trees.candidates say the same; give one")

    def _described(self, made: Made, rows: dict[Kind, int], seconds: float) -> dict[str, Any]:
        members = [
            {"number": at, **dataclasses.asdict(member), "file": str(path)}
            for at, (member, path) in enumerate(zip(made.members, self.predictions, strict=True), 1)
        ]
        for member, weight in zip(members, _weights(made), strict=True):
            member |= weight
        return {
            "method": made.method,
            "members": members,
            "fitted": None if made.fitted is None else dataclasses.asdict(made.fitted),
            "path": None if self.out is None else str(self.out),
            "video_rows": rows.get("videos", 0),
            "segment_rows": rows.get("segments", 0),
            "blend": str(self.save or self.with_ or "") or None,
            "seconds": round(seconds, 3),
        }

    def _tell(self, made: Made, rows: dict[Kind, int], seconds: float) -> None:
        columns = _weights(made)
        table = Table(box=None, pad_edge=False)
        table.add_column("", justify="right")
        table.add_column("model", no_wrap=True)
        for name in columns[0]:
            table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
        table.add_column("file", overflow="fold")
        for at, (member, path) in enumerate(zip(made.members, self.predictions, strict=True)):
            shown = [f"{value:.4f}" for value in columns[at].values()]
            table.add_row(str(at + 1), member.family or "?", *shown, str(path))
        if made.weights is not None and made.weights.ndim == 1:
            table.add_row("", "sum", f"{made.weights.sum():.4f}", "")
        print_table(table)
        told = made.fitted
        if told is not None:
            fits = f"fitted on {told.rows:,} {told.kind} ({told.pairs:,} scores) of {told.data}"
            if told.error is not None:
                fits += (
                    f": mean squared error {told.error:.6f}, of equal weights "
                    f"{told.error_of_mean:.6f}"
                )
            _print(fits)
        if self.out is not None:
            found = " and ".join(f"{number:,} {kind}" for kind, number in rows.items())
            _print(f"{self.out}: {made.method} of {found}, in {seconds:.1f} s")
            if self.with_ is None and made.weights is not None:
                say(f"{self.out} is of what the weights fit best: what it scores there is too high")
            _print(f"next: reeltag evaluate {shlex.quote(str(self.out))} --data ...")
        if self.save is not None:
            _print(f"next: reeltag blend T1 T2 ... --with {shlex.quote(str(self.save))} --out P")


def _weights(made: Made) -> list[dict[str, float]]:
    """Return what there is to say of each member's part, by name."""
    if made.trees is not None:
        shares = made.trees.importance()
        return [{"gain": shares[name]["gain"]} for name in made.trees.info.models]
    if made.weights is None:
        return [{} for _ in made.members]
    if made.weights.ndim == 1:
        return [{"weight": float(weight)} for weight in made.weights]
    return [
        {"mean_weight": float(np.mean(row)), "sd_over_classes": float(np.std(row))}
        for row in made.weights
    ]


def _changed(prefix: str, config: Splits | SgdConfig | TreeConfig) -> list[str]:
    """Return the flags of the fields that are not as by default."""
    usual = type(config)()
    names = [field.name for field in dataclasses.fields(config)]
    names = [name for name in names if getattr(config, name) != getattr(usual, name)]
    return [f"--{prefix}{name.replace('_', '-')}" for name in names]


def _print(text: str) -> None:
    STDOUT.print(text, highlight=False, markup=False, soft_wrap=True)
