"""Features of one file are those of the archive; a tagger takes files by them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.data.features import EncoderIdentity, Features, StreamFeatures
from reeltag.data.shards import read_record
from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.one_file import features_of_file
from reeltag.library.extraction.run import extract
from reeltag.models import model_config
from reeltag.predictions.intervals import IntervalConfig
from reeltag.tagger.tagger import Tagger
from tests.library.extraction.synthetic_videos import write_film, write_silent_film


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_film(folder / "loud.mp4", [60, 70, 80], 0.5)
    write_film(folder / "quiet.mp4", [60, 50], 0.001)
    return folder


@pytest.fixture(scope="module")
def data(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("extracted") / "data"
    extract([films], out, ExtractionConfig(picture="none"), workers=1, quiet=True)
    return Dataset.open(out, quiet=True)


def tagger_of(features: Features) -> Tagger:
    """Return a tagger with the class "loud", by the mean of the log-mel bands."""
    width = features.streams[0].width
    config = model_config("logistic", num_classes=1, dims=(width,))
    tagger = Tagger(config, [(features.streams[0].name, width)], ["loud"], features=features)
    with torch.no_grad():
        for name, value in tagger.model.named_parameters():
            value.fill_(1.0 if name.endswith("weight") else 0.0)
    return tagger.eval()


def test_features_of_a_file_are_those_in_the_archive(films: Path, data: Dataset) -> None:
    row = data.table["id"].to_pylist().index("loud")
    stored = read_record(data.index, row)["audio"]
    found = features_of_file(films / "loud.mp4", data.features)
    assert found.dtype == np.uint8 and found.shape == (3, 192)
    assert np.abs(found.astype(int) - stored).max() <= 1


def test_tagger_takes_files_and_lists_of_them(films: Path, data: Dataset) -> None:
    tagger = tagger_of(data.features)
    loud, quiet = films / "loud.mp4", films / "quiet.mp4"
    (tag,) = tagger.predict(str(loud))
    both = tagger.predict([loud, quiet])
    assert both[0][0].prob == pytest.approx(tag.prob, abs=1e-5)
    assert both[0][0].prob > both[1][0].prob
    between = (both[0][0].prob + both[1][0].prob) / 2
    (moment,) = tagger.moments(loud, config=IntervalConfig(length_s=1), prob=between)
    assert (moment.name, moment.start_s, moment.end_s) == ("loud", 0.0, 3.0)
    assert not tagger.moments(str(quiet), config=IntervalConfig(length_s=1), prob=between)


def test_file_that_cannot_be_used_is_named(films: Path, data: Dataset, tmp_path: Path) -> None:
    broken, silent = tmp_path / "broken.mp4", tmp_path / "silent.mp4"
    broken.write_bytes(bytes(1000))
    write_silent_film(silent, [100])
    with pytest.raises(DataError, match=r"broken\.mp4"):
        features_of_file(broken, data.features)
    with pytest.raises(DataError, match=r"silent\.mp4: has only pictures"):
        features_of_file(silent, data.features)
    with pytest.raises(DataError, match=r"nowhere\.mp4"):
        tagger_of(data.features).predict("nowhere.mp4")


def described(identity: EncoderIdentity, width: int = 192, name: str = "audio") -> Features:
    stream = StreamFeatures(name=name, width=width, dtype="float16", encoder=identity)
    return Features(streams=(stream,))


def test_features_of_unknown_or_other_encoders_are_refused(films: Path, data: Dataset) -> None:
    loud, known = films / "loud.mp4", data.features.streams[0].encoder
    for features, words in (
        (described(EncoderIdentity(name="my_vggish")), "there is no encoder 'my_vggish'"),
        (described(EncoderIdentity()), "how to compute them of a video is not known"),
        (described(known, name="clip"), "how to compute them of a video is not known"),
        (Features.published(data.streams), "how to compute them of a video is not known"),
    ):
        with pytest.raises(ConfigError, match=words):
            features_of_file(loud, features)
    for features in (described(EncoderIdentity(name="log_mel", version="0")), described(known, 9)):
        with pytest.raises(DataError, match="the tagger has"):
            features_of_file(loud, features)


def test_link_to_a_film_is_a_film(films: Path, data: Dataset, tmp_path: Path) -> None:
    shutil.copy(films / "loud.mp4", tmp_path / "no ending")
    assert len(features_of_file(tmp_path / "no ending", data.features)) == 3
