"""Texts that are searched for: by the encoder of the data, by the meaning of classes, or not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from reeltag.core.errors import ConfigError
from reeltag.data.dataset import Dataset
from reeltag.data.features import StreamFeatures
from reeltag.encoders import check_packages, create_encoder, may_encode_texts
from reeltag.encoders._hugging_face import INFO as HUGGING_FACE
from reeltag.encoders.base import Encoder, Float32, PictureEncoder, TextEncoder
from reeltag.library.labelling.scores import stream_frames
from reeltag.server.app import create_app
from reeltag.server.project import text_classes
from reeltag.server.project.missing import NotThereError
from reeltag.server.project.project import Project
from reeltag.server.project.search import MomentSearchChoice, found_moments, search_view
from reeltag.server.project.text_classes import TextMeaning, meaning_of
from tests.encoders import tiny
from tests.library.labelling.synthetic import (
    NoClasses,
    SyntheticEncoder,
    SyntheticTexts,
    seconds_of,
    synthetic_data,
    write_classes,
    write_stream,
)
from tests.server.shells import HERE

CAT, DOG, PUP, RAIN = range(4)
MOMENTS = {"v0": {3: CAT, 4: CAT, 9: DOG}, "v1": {6: RAIN}, "v2": {}}


class KnownTexts(TextEncoder):
    """Texts of which the cosines are known: "near", "far" and the names of the test's classes."""

    def encode(self, texts: Sequence[str]) -> Float32:
        known = {"Dog": (1.0, 0.0), "Rain": (0.0, 1.0), "near": (0.8, 0.6), "far": (0.64, -0.768)}
        rows = np.array([known[text] for text in texts], np.float32)
        unit: Float32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are compared by `KnownTexts`, whether the extra is installed or not."""
    monkeypatch.setattr(text_classes, "_text_encoder", KnownTexts)
    monkeypatch.setattr(text_classes, "has_text_encoder", lambda: True)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    return synthetic(tmp_path / "synthetic", SyntheticEncoder)


def synthetic(data: Path, encoder: type[PictureEncoder]) -> Path:
    videos = {of: seconds_of(12, at, seed) for seed, (of, at) in enumerate(MOMENTS.items())}
    synthetic_data(data, videos, encoder)
    write_classes(data / "classes.csv", "Dog", "Rain")
    return data


def test_text_is_compared_with_frames_by_the_encoder_that_made_them(films: Path) -> None:
    project = Project.open(films)
    assert project.has_text_search
    view = search_view(project, MomentSearchChoice(text="two cats"))
    best = view.moments[0]
    assert (best.video, best.start_s, best.end_s) == ("v0", 3.0, 5.0)
    assert best.class_name == view.class_name == "" and view.threshold == 0
    assert "two cats" in view.what and SyntheticTexts.info.name in view.what
    frames_TD = dict(stream_frames(project.data, project.data.features.streams[0], quiet=True))
    frame_D = frames_TD["v0"][int(best.best_s)]
    cosine = frame_D[CAT] / np.linalg.norm(frame_D)  # both prompts hold the word
    assert best.prob == pytest.approx(float(cosine), abs=1e-4)
    probs = [of.prob for of in view.moments]
    assert probs == sorted(probs, reverse=True)


def test_moments_of_a_text_come_in_pages_and_by_names_of_videos(films: Path) -> None:
    project = Project.open(films)
    every = search_view(project, MomentSearchChoice(text="rain", limit=100))
    page = search_view(project, MomentSearchChoice(text="a rain", offset=1, limit=2))
    assert page.total == every.total and page.moments == every.moments[1:3]
    named = search_view(project, MomentSearchChoice(text="a rain", search="v2"))
    assert {of.video for of in named.moments} == {"v2"}


def test_name_of_a_class_searches_its_curves_where_there_are_some(
    films: Path, curved: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = search_view(Project.open(films), MomentSearchChoice(text="DOG"))
    assert without.class_name == "" and without.moments[0].best_s == 9.0

    def fail(data: Dataset, text: str) -> None:
        raise AssertionError(text)

    monkeypatch.setattr(curved.texts, "find", fail)
    name = curved.data.classes.names[0]
    found = search_view(curved, MomentSearchChoice(text=name.upper()))
    assert found == search_view(curved, MomentSearchChoice(class_name=name))
    assert found.class_name == name


def test_moments_of_a_text_have_no_class_to_export(films: Path) -> None:
    with pytest.raises(ConfigError, match="moments like a text are of no class"):
        found_moments(Project.open(films), MomentSearchChoice(text="two cats"))


def test_encoder_that_is_another_one_now_is_named_and_does_not_search(
    films: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, known: None
) -> None:
    description = films / "features.json"
    text = description.read_text().replace('"version": "1"', '"version": "0"')
    description.write_text(text)
    project = Project.open(films)
    for _ in range(2):
        view = search_view(project, MomentSearchChoice(text="far"))
        assert view.total == 0 and view.suggestions
    assert capsys.readouterr().err.count("no search by text") == 1


def test_encoder_without_texts_leaves_the_classes(tmp_path: Path, known: None) -> None:
    data = synthetic(tmp_path / "data", NoClasses)
    project = Project.open(data)
    view = search_view(project, MomentSearchChoice(text="far"))
    assert view.total == 0 and view.class_name == "" and view.suggestions == ("Dog", "Rain")
    with pytest.raises(NotThereError, match=r"no class is like 'far'\n  Did you mean Dog or Rain"):
        found_moments(project, MomentSearchChoice(text="far"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("near", TextMeaning("Dog", alike=("Rain",))),  # cosine .8
        ("far", TextMeaning("", alike=("Dog", "Rain"))),  # .64
        (" dOG ", TextMeaning("Dog", is_name=True)),
    ],
)
def test_text_means_a_class_from_a_cosine_on(text: str, expected: TextMeaning, known: None) -> None:
    assert meaning_of(text, ["Dog", "Rain"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("guitar", "Bass guitar"), ("uitar", ""), ("(", ""), (" ", "")]
)
def test_without_a_text_encoder_words_of_a_name_are_enough(
    text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_classes, "has_text_encoder", lambda: False)
    names = ["Electric guitar", "Bass guitar", "Dog"]
    assert meaning_of(text, names) == TextMeaning(expected)


@pytest.mark.skipif(not text_classes.has_text_encoder(), reason="the extra text is not installed")
def test_nonsense_means_no_class_and_a_synonym_does() -> None:
    names = ["Dog", "Car", "Piano", "Beep, bleep", "Rain", "Bleat", "Snoring"]
    for nonsense in ("zzzz", "qwertz", "monetary policy"):
        meaning = meaning_of(nonsense, names)
        assert meaning.name == "" and len(meaning.alike) == 3
    assert meaning_of("automobile", names).name == "Car"


def test_page_offers_the_nearest_classes(tmp_path: Path, known: None) -> None:
    app = create_app(Project.open(synthetic(tmp_path / "data", NoClasses)))
    with TestClient(app, base_url=HERE) as client:
        found = client.get("/search.json", params={"text": "far"})
        assert found.status_code == 200 and found.json()["suggestions"] == ["Dog", "Rain"]
        assert client.get("/search", params={"text": "far"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (SyntheticEncoder.identity.name, True),
        ("efficientnet_lite0", False),
        ("timm:resnet18", False),
        ("no such encoder", False),
    ],
)
def test_it_is_known_unloaded_which_encoders_may_know_texts(name: str, expected: bool) -> None:
    assert may_encode_texts(name) is expected


def test_text_of_a_tiny_clip_finds_the_nearest_pictures(tmp_path: Path) -> None:
    try:
        check_packages(HUGGING_FACE)
    except ConfigError:
        pytest.skip("the extra encoders is not installed")
    name = tiny.saved(tmp_path / "clip", tiny.clip(), tiny.image_processor(), tiny.tokenizer())
    encoder = create_encoder(name, device="cpu")
    assert isinstance(encoder, PictureEncoder)
    pictures = np.random.default_rng(0).integers(0, 256, (12, *encoder.size, 3), np.uint8)
    features = encoder.encode(pictures)
    data = _float_data(tmp_path / "data", encoder, {"v0": features[:6], "v1": features[6:]})
    view = search_view(Project.open(data), MomentSearchChoice(text="a dog barks"))
    texts = encoder.text_encoder()
    assert texts is not None
    directions = texts.encode(["a photo of a dog barks", "a dog barks"]).sum(0)
    cosines = features @ directions / np.linalg.norm(directions)
    cosines /= np.linalg.norm(features, axis=1)
    best = view.moments[0]
    assert best.prob == pytest.approx(float(cosines.max()), abs=1e-3)
    assert 6 * (best.video == "v1") + best.best_s == cosines.argmax()


def _float_data(folder: Path, encoder: Encoder, videos: Mapping[str, Float32]) -> Path:
    stream = StreamFeatures(
        name="rgb", width=encoder.width, dtype="float32", encoder=encoder.identity
    )
    return write_stream(folder, videos, stream)
