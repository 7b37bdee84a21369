"""Training as a step: from any weights, with soft labels or without, gone on with after a kill."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from reeltag.core.files import write_json
from reeltag.data.dataset import Dataset
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import ModelConfig
from reeltag.papers.common.work.files import RUN, SOFT
from reeltag.pipeline.steps import step_function
from reeltag.training import fit
from reeltag.training.config import Recipe

NEVER = 1 << 40  # steps: a recipe that validates so seldom keeps its last weights


@step_function("train", version=1)
def train(
    out: Path,
    data: Path,
    *,
    model: ModelConfig,
    recipe: Recipe,
    preprocessing: PreprocessingConfig | None = None,
    start: Path | None = None,
    soft: Path | None = None,
    equal: int = 0,
    labels: Mapping[str, Path] | None = None,
    accelerator: str = "auto",
) -> None:
    """Train into the run folder `out/run`, or go on there; the checkpoint goes at the end.

    Args:
        out: of the step.
        data: the data folder.
        model: sizes, which name the family; classes and widths are taken from the data.
        recipe: everything else; what it says of `init`, `soft.file`, `soft.equal` and
            `accelerator` is replaced.
        preprocessing: what happens to the stored frames first; None = as the family's authors.
        start: folder of a `train` step whose weights are the first ones, or a .safetensors file
            whose tensors are taken by name.
        soft: folder of a `soften` step whose segments are learned from too.
        equal: of these, so many for each class; 0 takes all.
        labels: files for fields of `recipe.labels`, such as {"correlation": made / "P.parquet"}.
        accelerator: where it runs.
    """
    run = out / RUN
    done = run / "metrics.json"  # written last
    if not done.exists():
        data = data.resolve()
        first = "" if start is None else str(_weights_in(start.resolve()))
        file = "" if soft is None else str(soft.resolve() / SOFT)
        files = {name: str(path.resolve()) for name, path in (labels or {}).items()}
        if (run / "config.json").exists():
            _refresh(run / "config.json", data, first, file, files, accelerator)
            fit.resume(run)
        else:
            recipe = dataclasses.replace(
                recipe,
                init=first,
                soft=dataclasses.replace(recipe.soft, file=file, equal=equal)
                if file
                else recipe.soft,
                labels=dataclasses.replace(recipe.labels, **files),  # type: ignore[arg-type]
                accelerator=accelerator,  # type: ignore[arg-type]
            )
            fit.train(Dataset.open(data), run, model, recipe, preprocessing=preprocessing)
        write_json(done, {**json.loads(done.read_text()), "run": RUN})  # `out` will be moved
    (run / "resume.ckpt").unlink(missing_ok=True)


def _weights_in(start: Path) -> Path:
    """Return the run folder inside of a `train` step, or the file of tensors itself."""
    return start if start.suffix == ".safetensors" else start / RUN


def _refresh(
    config: Path, data: Path, init: str, soft: str, labels: Mapping[str, str], accelerator: str
) -> None:
    """Say in the config.json of a run that was begun where data and other steps lie today."""
    said = json.loads(config.read_text())
    said["data"]["root"] = str(data)
    said["recipe"] |= {"init": init, "accelerator": accelerator}
    said["recipe"]["soft"]["file"] = soft
    said["recipe"]["labels"] |= labels
    write_json(config, said)
