"""The model card says what was measured, and no more; whatever names are in it, it stays a card."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData

import reeltag
from reeltag.cli.main import run as command
from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.features import EncoderIdentity
from reeltag.data.splits import Split
from reeltag.deploy.model_card import CardSource, MeasuredScores, model_card
from reeltag.deploy.pushing import measure, prepare_upload
from reeltag.models import model_config
from reeltag.tagger.tagger import Tagger
from reeltag.tagger.thresholds import ClassThreshold, Thresholds


def card_of(run: Path, measured: MeasuredScores | None = None, licence: str = "") -> ModelCard:
    upload = prepare_upload(run, "ann/birds", measured=measured, licence=licence)
    text = upload.files["README.md"]
    assert isinstance(text, bytes)
    return ModelCard(text.decode())


def front_matter(card: ModelCard) -> ModelCardData:
    assert isinstance(card.data, ModelCardData)
    return card.data


def results_of(card: ModelCard) -> list[EvalResult]:
    return front_matter(card).eval_results or []


def test_scores_of_the_card_are_those_of_evaluate(
    run: Path, corpus: Path, predictions: Path
) -> None:
    scores = reeltag.evaluate(predictions, corpus, quiet=True)
    card = card_of(run, measure(run, predictions, Dataset.open(corpus, quiet=True)))
    found = {result.metric_type: result for result in results_of(card)}
    assert set(found) == {"gap@20", "hit@1", "perr", "map"}
    for name, result in found.items():
        low, high = scores[f"{name}_interval"]
        assert result.metric_value == pytest.approx(scores[name], abs=5e-5)
        assert (result.metric_args or {})["interval_95"] == pytest.approx([low, high], abs=5e-5)
        assert result.dataset_name == corpus.name and result.dataset_split == "test"
        assert f"| {name} | {scores[name]:.4f} | {low:.4f} to {high:.4f} |" in card.text
    assert "split test (synthetic)" in card.text


def test_card_without_scores_says_so(run: Path) -> None:
    card, metrics = card_of(run), json.loads((run / "metrics.json").read_text())
    assert results_of(card) == []
    assert "It was not scored on videos that had no part in its training." in card.text
    best = f"{metrics['metric']} {metrics['best']:.4f}, at step {metrics['best_step']} of"
    assert best in card.text.replace("\\", "")
    assert "it has no interval" in card.text
    assert "Data: 36 videos of `data` (synthetic: drawn by a program)." in card.text
    assert "Synthetic data say nothing about real videos." in card.text


def test_card_has_the_front_matter_that_the_hub_reads(run: Path) -> None:
    data = front_matter(card_of(run, licence="cc-by-4.0"))
    assert (data.license, data.library_name) == ("cc-by-4.0", "reeltag")
    assert data.pipeline_tag == "video-classification" and "reeltag" in (data.tags or [])
    unstated = card_of(run)
    assert front_matter(unstated).license is None
    assert "The licence of the weights was not stated" in unstated.text


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("train", "were trained on, too: the figures are too high"),
        ("validate", "chose these weights: the figures are rather too high"),
        ("test", "hold for videos like those that were scored"),
    ],
)
def test_card_says_what_part_the_scored_videos_had(
    run: Path, corpus: Path, tmp_path: Path, split: Split, words: str
) -> None:
    out = tmp_path / "p.parquet"
    reeltag.predict(run, corpus, out, split=split)
    card = card_of(run, measure(run, out, Dataset.open(corpus, quiet=True)))
    assert words in card.text
    assert {result.dataset_split for result in results_of(card)} == {split}


def test_predictions_of_other_weights_are_refused(
    run: Path, corpus: Path, predictions: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    tagger = Tagger.load(other)
    with torch.no_grad():
        next(tagger.model.parameters()).mul_(2)
    tagger.save_weights(other)
    with pytest.raises(ConfigError, match="not predicted with the weights"):
        measure(other, predictions, Dataset.open(corpus, quiet=True))


def test_command_takes_predictions_and_their_data_together(
    run: Path, corpus: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["push", str(run), "ann/birds", "--out", str(tmp_path / "out")]
    assert command([*words, "--predictions", str(predictions)]) == 2
    assert "give --predictions P and --data DATA together" in capsys.readouterr().err
    assert command([*words, "--predictions", str(predictions), "--data", str(corpus)]) == 0
    assert len(results_of(ModelCard.load(tmp_path / "out" / "README.md"))) == 4


def test_thresholds_are_shown_with_their_evidence(run: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(run, tmp_path / "own"))
    names = Tagger.load(own).class_names
    good = ClassThreshold(
        name=names[0],
        logit=0.0,
        prob=0.5,
        precision=0.91,
        interval=(0.83, 0.95),
        recall=0.4,
        num_above=20,
        num_rated=60,
        num_positive=30,
    )
    rest = [ClassThreshold(name=name, reason="too few") for name in names[1:]]
    Thresholds(precision=0.9, confidence=0.95, classes=(good, *rest)).save(own)
    text = card_of(own).text
    assert "1 of 8 classes have one, chosen on ratings for a precision of at least 0.9" in text
    row = f"| `{names[0]}` | 0.5000 | 0.9100 | 0.8300 to 0.9500 | 0.4000 | 60 (30 positive) |"
    assert row in text
    assert f"of which no moments are found: `{names[1]}`, `{names[2]}`" in text


def test_card_of_a_mean_of_runs_says_so(run: Path, tmp_path: Path) -> None:
    assert command(["average", str(run), str(run), "--out", str(tmp_path / "mean")]) == 0
    text = card_of(tmp_path / "mean").text
    assert "The mean of the weights of 2 runs." in text
    assert "No validation was measured in training." in text


HOSTILE = ("---\n# Title", "a | b", "`code` ```", "<script>", "\x1b[31mred", "[x](http://x)", "# h")


def test_no_name_can_break_the_card() -> None:
    sizes = model_config("logistic", num_classes=len(HOSTILE), dims=(2,))
    tagger = Tagger(sizes, [("rgb", 2)], HOSTILE)
    stream = dataclasses.replace(
        tagger.features.streams[0], name="r|g\nb", encoder=EncoderIdentity(name="`e`\n---\n# E")
    )
    tagger.description = dataclasses.replace(tagger.features, streams=(stream,))
    tagger.thresholds = Thresholds.at_prob(HOSTILE, 0.5)
    config = {"reeltag": "# 1\n---", "data": {"root": "`d`\n# D", "videos": 3}}
    scores = {"videos": 1, "hit@1": 0.5, "hit@1_interval": [0.4, 0.6], "bootstrap": 2}
    measured = MeasuredScores(
        data="x: [\n---\n# X", split="test", synthetic=False, top_k=20, scores=scores
    )
    source = CardSource(
        repo="ann/birds",
        tagger=tagger,
        config=config,
        metrics={"metric": "# m\n", "best": 0.5},
        measured=measured,
        licence="",
    )
    card = ModelCard(model_card(source))
    assert [result.dataset_name for result in results_of(card)] == ["x: [\n---\n# X"]
    titles = [line for line in card.text.splitlines() if line.startswith("#")]
    plain = ModelCard(model_card(dataclasses.replace(source, tagger=_plain_tagger())))
    assert titles == [line for line in plain.text.splitlines() if line.startswith("#")]
    rows = [line for line in card.text.splitlines() if line.startswith("| `")]
    cells = {line.replace("\\|", "").count("|") for line in rows}
    assert len(rows) == len(HOSTILE) + 1 and cells == {6, 7}
    assert "<script>" not in card.text.replace("`<script>`", "") and "\x1b" not in card.text


def _plain_tagger() -> Tagger:
    names = [f"class {number}" for number in range(len(HOSTILE))]
    sizes = model_config("logistic", num_classes=len(names), dims=(2,))
    tagger = Tagger(sizes, [("rgb", 2)], names)
    tagger.thresholds = Thresholds.at_prob(names, 0.5)
    return tagger
