"""What is done in the steps of solutions: functions of steps, no graph.

    model = step(train, given, name="II-A", family="nextvlad", model=..., recipe=..., start=stage_1)
    said  = step(predict_segments, model, given, name="II-A", judges=judges)
    step(score, said, given, name="II-A", judges=judges)         # scores.json
    soft  = step(soften, model, given, name="1", choices=SoftChoices(equal=1000), splits=...)
    step(train, given, name="II-B", ..., start=stage_1, soft=soft)
    step(mean, said_a, said_b, name="A+B")

Each takes folders of other steps, and goes on where a killed call stopped.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reeltag.core.files import write_json
from reeltag.data.index import open_index
from reeltag.data.splits import PUBLISHED_SPLITS, Splits
from reeltag.ensembling.blend import mean as mean_of
from reeltag.inference.compare import compare as compare_files
from reeltag.inference.evaluate import evaluate
from reeltag.inference.predict import predict
from reeltag.inference.predictions import open_predictions, prediction_writer
from reeltag.inference.rows import Rows
from reeltag.inference.scoring import Choices
from reeltag.inference.soft_labels import SoftChoices
from reeltag.inference.soft_labels import soften as soften_file
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import ModelConfig
from reeltag.models.tagger import Tagger
from reeltag.solutions.judges import Judges
from reeltag.training import fit
from reeltag.training.config import Recipe

RUN = "run"  # run folder inside of what a training makes
PREDICTIONS = "predictions.parquet"  # inside of what a prediction makes
SOFT = "soft.parquet"  # inside of what a softening makes
SCORES = "scores.json"  # of what a scoring or comparing makes
NEVER = 1 << 40  # steps: a recipe that validates so seldom keeps its last weights


def train(
    out: Path,
    data: Path,
    *,
    family: str,
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
        family: of the model.
        model: sizes; classes and widths are taken from the data.
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
            fit.train(data, run, family, model, recipe, preprocessing)
        write_json(done, {**json.loads(done.read_text()), "run": RUN})  # `out` will be moved
    (run / "resume.ckpt").unlink(missing_ok=True)


def predict_segments(
    out: Path,
    trained: Path,
    data: Path,
    *,
    judges: Judges,
    videos: bool = False,
    precision: str = "fp32",
    device: str = "auto",
) -> None:
    """Score all segments of the rated videos that judge, for the classes that count.

    Args:
        out: of the step; gets `predictions.parquet`.
        trained: folder of a `train` step.
        data: the data folder.
        judges: which videos and classes.
        videos: score the whole videos too.
        precision: of the large products, fp32 or bf16.
        device: where it runs.
    """
    file, run = out / PREDICTIONS, trained / RUN
    if file.exists():
        return
    tagger, index = Tagger.load(run), open_index(data)
    choices = Choices(
        videos=videos,
        segments=True,
        top_k=tagger.num_classes,
        segment_top_k=tagger.num_classes,
        segment_classes=judges.classes,
        precision=precision,  # type: ignore[arg-type]
        device=device_named(device),
    )
    rows = judges.rows(index)
    split, splits = judges.split, judges.splits
    predict(tagger, index, file, choices, split=split, splits=splits, rows=rows, run=run)


def copy_video_scores(out: Path, predictions: Path) -> None:
    """Give each segment what was said of its whole video: what anyone can do without segments.

    Args:
        out: of the step; gets `predictions.parquet`, the segments and classes of the given one.
        predictions: folder of a `predict_segments` step with `videos`.
    """
    given = open_predictions(predictions / PREDICTIONS)
    parts = list(given.rows("videos"))
    ids = pa.concat_arrays([part.ids for part in parts])
    whole = np.concatenate([_dense(part, given.about.num_classes) for part in parts])
    with prediction_writer(out / PREDICTIONS, given.about) as writer:
        for rows in given.rows("segments"):
            video = pc.index_in(rows.ids, value_set=ids).to_numpy()
            owner = rows.row_of_pair()
            scores = whole[video[owner], rows.classes]
            best = np.lexsort((-scores, owner))  # `owner` is rising and stays so
            writer.write(dataclasses.replace(rows, classes=rows.classes[best], scores=scores[best]))


def score(
    out: Path,
    predictions: Path,
    data: Path,
    *,
    judges: Judges,
    k: int = 100_000,
    bootstrap: int = 1000,
    seed: int = 0,
) -> None:
    """Score predictions into `scores.json` (as `reeltag evaluate --json`) and `classes.csv`.

    Args:
        out: of the step.
        predictions: folder of a step that made predictions of the judges' videos.
        data: the data folder.
        judges: which videos and classes.
        k: K of MAP@K, the mean over all classes with a rated positive.
        bootstrap: replicates of the interval.
        seed: of the bootstrap.
    """
    answer = evaluate(
        predictions / PREDICTIONS,
        data,
        split=judges.truth,
        splits=judges.truth_splits,
        k=k,
        average_over="rated",
        bootstrap=bootstrap,
        seed=seed,
        per_class=out / "classes.csv",
    )
    write_json(out / SCORES, answer)


def compare(
    out: Path,
    data: Path,
    *predictions: Path,
    judges: Judges,
    k: int = 100_000,
    bootstrap: int = 1000,
    seed: int = 0,
) -> None:
    """Write the difference of the first predictions from each other, by the same draws of videos.

    Args:
        out: of the step; gets `scores.json`, a list of what `reeltag compare --json` says of each.
        data: the data folder.
        *predictions: folders of steps that made predictions; the first is compared with the rest.
        judges: as in `score`; so are `k`, `bootstrap` and `seed`.
        k: see `score`.
        bootstrap: see `score`.
        seed: see `score`.
    """
    first, *others = [folder / PREDICTIONS for folder in predictions]
    found = [
        compare_files(
            [first],
            [other],
            data,
            split=judges.truth,
            splits=judges.truth_splits,
            k=k,
            average_over="rated",
            bootstrap=bootstrap,
            seed=seed,
        )
        for other in others
    ]
    named = [{name: dataclasses.asdict(of) for name, of in one.items()} for one in found]
    write_json(out / SCORES, named)


def soften(
    out: Path,
    teacher: Path,
    data: Path,
    *,
    choices: SoftChoices,
    classes: tuple[int, ...] = (),
    splits: Splits = PUBLISHED_SPLITS,
    device: str = "auto",
) -> None:
    """Write what a teacher thinks of drawn segments of the training videos: `soft.parquet`.

    Args:
        out: of the step.
        teacher: folder of a `train` step.
        data: the data folder.
        choices: what is drawn and asked.
        classes: that `choices.equal`, now or later, draws for; empty = all.
        splits: the rule that gives a shard its split.
        device: where it runs.
    """
    file, run = out / SOFT, teacher / RUN
    if file.exists():
        return
    tagger, index = Tagger.load(run), open_index(data)
    choices = dataclasses.replace(choices, device=device_named(device))
    soften_file(tagger, index, file, choices, splits=splits, segment_classes=classes, run=run)


def mean(out: Path, *predictions: Path) -> None:
    """Average the probabilities of several steps' predictions."""
    mean_of([folder / PREDICTIONS for folder in predictions], out / PREDICTIONS)


def read_scores(folder: Path) -> Any:  # noqa: ANN401  (as the json module returns it)
    """Return what a `score` or `compare` step has written."""
    return json.loads((folder / SCORES).read_text())


def device_named(accelerator: str) -> str:
    """Return what torch calls a device that trainings call `accelerator`."""
    return {"gpu": "cuda"}.get(accelerator, accelerator)


def _weights_in(start: Path) -> Path:
    """Return the run folder inside of a `train` step, or the file of tensors itself."""
    return start if start.suffix == ".safetensors" else start / RUN


def _dense(rows: Rows, num_classes: int) -> NDArray[np.float32]:
    """Return rows that hold all classes as (N, C)."""
    dense = np.full((len(rows), num_classes), -np.inf, np.float32)
    dense[rows.row_of_pair(), rows.classes] = rows.scores
    return dense


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
