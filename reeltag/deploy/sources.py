"""Sources of an export: a run, or a blend of runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import torch

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError
from reeltag.core.files import PathLike
from reeltag.deploy.combined import BlendedTagger
from reeltag.ensembling.blend_model import BlendModel
from reeltag.inference.predict import weights_digest
from reeltag.tagger.hub_runs import local_run
from reeltag.tagger.loading import is_graph
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import AnyTagger, Tagger

UNFIT = {
    "rank": "whose ranks are among all videos of a file, while a graph sees one at a time",
    "lightgbm": "whose trees are no part of an ONNX graph",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportSource:
    """A model to export.

    Attributes:
        tagger: the complete model, on the CPU.
        method: "run", or how its members are blended.
        members: of each run its family, run, weights (a digest) and config.
        prefixes: prefix of the names of a member's weights -> name of the member.
        of_files: the blend as it is of prediction files; None where `tagger` is that.
    """

    tagger: AnyTagger
    method: str
    members: list[dict[str, Any]]
    prefixes: dict[str, str]
    of_files: BlendedTagger | None = None


def load_source(path: PathLike) -> ExportSource:
    """Read a run folder (or that of a WORK), or one of `reeltag blend --save` with its runs.

    Members without weight are left out, except where the blend takes candidates from them.

    Raises ConfigError if the blend cannot be a graph, or its members do not fit each other,
    DataError if it is neither, or a run is missing.
    """
    path = local_run(path)
    if is_graph(path):
        raise ConfigError(
            "is an exported model already; give the run or blend it came from", where=path
        )
    return _of_blend(path) if (path / "blend.json").is_file() else _of_run(path)


def _of_blend(folder: Path) -> ExportSource:
    blend = BlendModel.load(folder)
    if blend.method in UNFIT:
        raise ConfigError(
            f"is a blend by {blend.method}, {UNFIT[blend.method]}",
            where=folder,
            hint="Export a blend by mean, weights, class-weights or geometric; or train a "
            "student on its soft labels (`reeltag soft-labels`), and export that.",
        )
    runs = _runs_of(blend, folder)
    equal = torch.full((len(runs),), 1 / len(runs), dtype=torch.float64)
    weights = equal if blend.weights is None else torch.from_numpy(blend.weights)
    listed = [member.listed for member in blend.members]
    counts = (weights != 0).view(len(runs), -1).any(1).tolist()
    if any(counts) and not all(counts) and not blend.candidates:  # least squares leaves some out
        unused = [str(run) for run, used in zip(runs, counts, strict=True) if not used]
        say(f"left out, as the blend gives them no weight: {', '.join(unused)}")
        runs, listed = list(compress(runs, counts)), list(compress(listed, counts))
        weights = weights[torch.tensor(counts)]
    taggers = [Tagger.load(run) for run in runs]
    of_files = BlendedTagger(
        taggers,
        weights,
        "geometric" if blend.method == "geometric" else "arithmetic",
        candidates=blend.candidates,
        listed=listed,
        names=[str(run) for run in runs],
    ).eval()
    tagger = of_files
    if blend.weights is None:  # learned weights are right for what they were learned with
        tagger = of_files.with_lists(())
    return ExportSource(
        tagger=tagger,
        method=blend.method,
        members=[_described(*pair) for pair in zip(taggers, runs, strict=True)],
        prefixes={f"members.{i}.": name for i, name in enumerate(_unique_names(runs))},
        of_files=of_files if tagger.listed != of_files.listed else None,
    )


def _runs_of(blend: BlendModel, folder: Path) -> list[Path]:
    """Return the run folders of the members; an error where one is none, or is not there."""
    runs = [Path(member.run) for member in blend.members]
    for member, run in zip(blend.members, runs, strict=True):
        if is_graph(run) or (run / "blend.json").is_file():
            raise ConfigError(
                f"its member {member.run} is not a run",
                where=folder,
                hint="Blend the predictions of runs.",
            )
        if not member.run or not run.is_dir():
            raise DataError(
                f"its member {member.family!r} comes from {member.run or 'an unknown run'}, which "
                "is not there",
                where=folder,
                hint="A graph needs the run folder of each member, not only its predictions.",
            )
    return runs


def _unique_names(runs: Sequence[Path]) -> list[str]:
    """Return the names of run folders, or, where some are the same, their paths."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]


def _of_run(run: Path) -> ExportSource:
    tagger = Tagger.load(run)
    return ExportSource(
        tagger=tagger, method="run", members=[_described(tagger, run)], prefixes={"": tagger.family}
    )


def _described(tagger: Tagger, run: Path) -> dict[str, Any]:
    return {
        "family": tagger.family,
        "run": str(run.resolve()),
        "weights": weights_digest(tagger),
        "config": read_config(run),
    }
