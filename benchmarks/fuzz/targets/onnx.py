"""Exported graphs: damaged, or changed and given a right checksum."""

import json
import random
from pathlib import Path

import onnxruntime
import torch

from benchmarks.fuzz.json_mutation import mutated_json
from benchmarks.fuzz.mutation import mutated
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from benchmarks.fuzz.wire_mutation import mutated_message
from reeltag.data.records.wire import encode_bytes_field
from reeltag.deploy.export import export
from reeltag.deploy.export_config import ExportConfig
from reeltag.deploy.sources import load_source
from reeltag.models import moe
from reeltag.tagger.onnx import OnnxTagger, config_of, stamp
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import Thresholds

_STAMPED = "with a right checksum"
_CLASSES, _WIDTH = 5, 4


class OnnxGraphs(Target):
    """A graph that is loaded and run."""

    name = "onnx"
    about = "exported graphs and their metadata"
    limit_mb = 2048
    limit_s = 20.0

    @classmethod
    def prepare(cls, shared: Path) -> None:
        """Export a small run."""
        names = [f"class {number}" for number in range(_CLASSES)]
        config = moe.Config(num_classes=_CLASSES, dims=(_WIDTH,), num_experts=2)
        tagger = Tagger(config, (("mean_rgb", _WIDTH),), names)
        run = shared / "run"
        run.mkdir()
        tagger.save_weights(run)
        tagger.save_classes(run)
        Thresholds.at_prob(names, 0.3).save(run)
        described = {**tagger.describe(), "data": {"splits": {}}}
        (run / "config.json").write_text(json.dumps(described))
        export(load_source(run), shared / "model.onnx", ExportConfig(top_k=3))

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        torch.set_num_threads(1)
        onnxruntime.disable_telemetry_events()
        self._path = own / "model.onnx"
        self._whole = (shared / "model.onnx").read_bytes()
        self._path.write_bytes(self._whole)
        graph = OnnxTagger(self._path)
        self._frames = torch.rand(2, 1, _WIDTH), torch.ones(2, 1, dtype=torch.bool)
        self._truth = graph(*self._frames)
        self._about = graph.about

    def make(self, rng: random.Random) -> Case:
        """Return a damaged graph, or one that another program might have written."""
        if rng.random() < 0.2:
            return Case("damaged", mutated(rng, self._whole))
        data = self._whole
        if rng.random() < 0.4:
            about = mutated_json(rng, json.dumps(self._about).encode())
            data = _with_about(data, about)
        else:
            data = mutated_message(rng, data, [])
        self._path.unlink(missing_ok=True)
        self._path.write_bytes(data)
        stamp(self._path)
        return Case(_STAMPED, self._path.read_bytes())

    def run(self, case: Case) -> Outcome:
        """Load it and run it."""
        self._path.unlink(missing_ok=True)
        self._path.write_bytes(case.data)
        graph = OnnxTagger(self._path)
        logits = graph(*self._frames)
        config_of(self._path)
        if case.variant != _STAMPED and not torch.equal(logits, self._truth):
            raise WrongError("a damaged graph is believed")
        return "accepted"


TARGET = OnnxGraphs


def _with_about(data: bytes, about: bytes) -> bytes:
    """Return a graph with other metadata: of a key that is given twice the last counts."""
    entry = encode_bytes_field(1, b"reeltag") + encode_bytes_field(2, about)
    return data + encode_bytes_field(14, entry)
