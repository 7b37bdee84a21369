"""What a person calls takes a path as text as well as a `Path`.

That a function which says so does so is mypy's to show: nothing of a `str` can be used as a path.
"""

import inspect
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import reeltag
from reeltag.data.features import Features
from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.corpus import write_corpus
from reeltag.inference.predict import predict
from reeltag.predictions.file import open_predictions
from reeltag.soft_labels.conversion import convert_predictions
from reeltag.soft_labels.storage import open_soft_labels
from reeltag.tagger.loading import any_tagger, config_of
from reeltag.training.config import Recipe

ENTRIES = {
    "data.dataset": "Dataset.open",
    "data.index": "open_index",
    "data.features": "Features.open Features.find Features.save",
    "data.class_list": "ClassList.open ClassList.find ClassList.save",
    "data.importing.run": "import_features",
    "data.records.tfrecord": "TFRecordWriter",
    "data.synth.corpus": "write_corpus",
    "labels.correlation": "Correlation.save Correlation.load",
    "library.synth.drawn_films": "write_films",
    "predictions.file": "open_predictions prediction_writer",
    "tagger.loading": "any_tagger config_of",
    "tagger.onnx": "OnnxTagger config_of",
    "tagger.tagger": "Tagger.load Tagger.save_weights Tagger.save_classes",
    "tagger.thresholds": "Thresholds.open Thresholds.find Thresholds.save",
    "tagger.importing": "import_checkpoint TensorflowArrays.open",
    "tagger.run_files": "read_config read_class_names",
    "inference.predict": "predict",
    "inference.moments": "read_windows",
    "evaluation.scores": "evaluate score_file",
    "evaluation.comparison": "compare",
    "evaluation.moments": "Events.open",
    "soft_labels.storage": "open_soft_labels soft_label_writer",
    "soft_labels.teacher": "write_soft_labels",
    "soft_labels.conversion": "convert_predictions draw_soft_labels",
    "figures.implication_graph": "draw_implications",
    "figures.study": "draw_study",
    "training.fit": "train resume",
    "training.mean_run": "average_runs",
    "ensembling.blending": "unfitted_blend fit_blend fit_weights blend",
    "ensembling.blend_model": "BlendModel.save BlendModel.load",
    "ensembling.members": "open_members",
    "deploy.export": "export",
    "deploy.sources": "load_source",
    "deploy.submission": "write_videos write_segments",
    "deploy.submission_check": "check_submission",
    "deploy.moment_formats.writing": "export_moments",
    "report.page": "write_report",
}
VERBS = "synth load import_weights train predict evaluate compare moments export"


def entries() -> dict[str, Any]:
    """Return what opens, reads and writes files for a caller, by name."""
    found: dict[str, Any] = {}
    for module, names in ENTRIES.items():
        for name in names.split():
            found[f"{module}.{name}"] = attrgetter(name)(import_module(f"reeltag.{module}"))
    return found | {verb: getattr(reeltag, verb) for verb in VERBS.split()}


def test_entries_that_take_a_path_take_text() -> None:
    paths, refused = 0, []
    for name, entry in entries().items():
        for parameter in inspect.signature(entry).parameters.values():
            annotation = str(parameter.annotation)
            if "Path" in annotation:
                paths += 1
                refused += [f"{name}({parameter.name})"] * ("str" not in annotation)
    assert not refused
    assert paths > len(ENTRIES)


def test_folders_and_files_are_given_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_corpus("data", SynthConfig(videos=24, classes=4, rgb=8, audio=4), quiet=True)
    index = open_index("data", jobs=1, quiet=True)
    assert index.root == Path("data")
    index.features.save("elsewhere")
    assert Features.find("elsewhere") == index.features
    data = reeltag.Dataset.open("data", quiet=True)
    reeltag.train(data, "logistic", "run", recipe=Recipe(max_steps=2, batch_size=8))
    assert config_of("run")["family"] == "logistic"
    predict(any_tagger("run"), data, "p.parquet", split="all", run="run")
    assert open_predictions("p.parquet").info.num_classes == 4
    convert_predictions("p.parquet", data, "soft.parquet", split="all")
    assert open_soft_labels("soft.parquet").info.class_names == data.classes.names
