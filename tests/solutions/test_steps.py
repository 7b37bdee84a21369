"""Training and scoring as steps: killed in the middle they end in the same weights and scores."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from safetensors.numpy import load_file

from reeltag.data.index import open_index
from reeltag.inference.scoring import Choices
from reeltag.models import logistic
from reeltag.pipeline.running import run
from reeltag.pipeline.steps import Step
from reeltag.pipeline.store import folder_of, part_of, read_record
from reeltag.solutions.data import data_source
from reeltag.solutions.steps import predictions_of, run_of, scored, trained
from reeltag.training.config import Recipe
from tests.pipeline.made import until

RECIPE = Recipe(batch_size=8, max_steps=120, validate_every=60, save_minutes=0.002)
PROGRAM = """
import sys
from pathlib import Path
from reeltag.pipeline.running import run
from tests.solutions.test_steps import graph
run(graph(Path(sys.argv[1]))[:1], Path(sys.argv[2]))
"""


def graph(data: Path, recipe: Recipe = RECIPE) -> tuple[Step, Step]:
    given = data_source(data, open_index(data, quiet=True))
    training = trained(given, "I", family="logistic", model=logistic.Config(), recipe=recipe)
    choices = Choices(top_k=5)
    scoring = scored(run_of(training), given, "I", splits=recipe.splits, choices=choices)
    return training, scoring


def test_a_training_killed_in_the_middle_goes_on_to_the_same_weights(
    corpus: Path, tmp_path: Path
) -> None:
    training, _ = graph(corpus)
    part = part_of(training, tmp_path / "killed")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(corpus), str(tmp_path / "killed")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.DEVNULL,
    )
    until((part / "run" / "resume.ckpt").exists, seconds=30)
    process.kill()
    process.wait()
    assert part.is_dir() and not folder_of(training, tmp_path / "killed").exists()
    for root in ("killed", "whole"):
        run(training, tmp_path / root)
    killed, whole = (folder_of(training, tmp_path / root) for root in ("killed", "whole"))
    record = read_record(killed)
    assert record is not None and record.sessions == 2
    one, other = (load_file(folder / "run" / "model.safetensors") for folder in (killed, whole))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_a_scoring_writes_predictions_and_a_start_from_another_run_is_an_input(
    corpus: Path, tmp_path: Path
) -> None:
    recipe = Recipe(batch_size=8, max_steps=3)
    training, scoring = graph(corpus, recipe)
    run(scoring, tmp_path)
    file = predictions_of(scoring).located(lambda made: folder_of(made, tmp_path))
    assert pq.read_table(file).column_names[:2] == ["id", "start_s"]
    data = training.needs[0]
    again = trained(
        data,
        "II",
        family="logistic",
        model=logistic.Config(),
        recipe=recipe,
        init=run_of(training),
    )
    assert training in again.needs
    run(again, tmp_path)
    config = (folder_of(again, tmp_path) / "run" / "config.json").read_text()
    assert str(folder_of(training, tmp_path) / "run") in config
