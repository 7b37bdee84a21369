"""examples/tag_service.py: started as a program, and asked for tags."""

import io
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from reeltag.data.dataset import Dataset
from reeltag.data.shards import read_record
from reeltag.library.extraction.config import ExtractionConfig
from reeltag.library.extraction.run import extract
from reeltag.tagger.tagger import Tagger
from tests.conftest import PROJECT
from tests.deploy.synthetic_runs import run_of
from tests.library.extraction.synthetic_videos import write_film
from tests.library.extraction.test_one_file import tagger_of
from tests.processes import HANG_S, program, wait_until

pytestmark = pytest.mark.system
PROGRAM = PROJECT / "examples" / "tag_service.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with film.mp4, frames.npy of it, and RUN, a tagger of loud videos."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "films").mkdir()
    write_film(folder / "films" / "film.mp4", [60, 70], 0.5)
    extract([folder / "films"], folder / "data", ExtractionConfig(picture="none"), quiet=True)
    data = Dataset.open(folder / "data", quiet=True)
    np.save(folder / "frames.npy", read_record(data.index, 0)["audio"])
    tagger = tagger_of(data.features)
    tagger.features.save(run_of(tagger, folder / "RUN"))
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Start the service on a free port, and yield its address, which it prints when it listens."""
    said = folder / "said"
    with (
        said.open("w") as err,
        program([sys.executable, PROGRAM, folder / "RUN", "0"], stderr=err, cwd=folder) as started,
    ):

        def listens() -> bool:
            text = said.read_text(encoding="utf-8")
            assert started.poll() is None, text
            return "running on http" in text

        wait_until(listens)
        found = re.search(r"running on (http://\S+)", said.read_text(encoding="utf-8"))
        assert found
        yield found[1]


def sent(address: str, content: bytes, name: str, **query: int) -> httpx.Response:
    """Return the answer to an uploaded file."""
    files = {"file": (name, io.BytesIO(content))}
    return httpx.post(f"{address}/tags", files=files, params=query, timeout=HANG_S)


def test_videos_and_frames_get_the_tags_of_the_run(address: str, folder: Path) -> None:
    own = Tagger.load(folder / "RUN").predict(np.load(folder / "frames.npy"))
    for path in (folder / "films" / "film.mp4", folder / "frames.npy"):
        answer = sent(address, path.read_bytes(), path.name, top_k=1)
        assert answer.status_code == 200
        (tag,) = answer.json()
        assert (tag["index"], tag["name"]) == (0, "loud")
        assert tag["prob"] == pytest.approx(own[0].prob, abs=1e-3)  # sound is decoded again


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.mp4", bytes(5000)),
        ("empty.npy", b""),
        ("../../x.npy", b"no array"),
        ("objects.npy", pickle.dumps({"a": 1})),
        ("", b"?"),
    ],
)
def test_what_is_no_video_is_an_error_and_the_service_goes_on(
    name: str, content: bytes, address: str, folder: Path
) -> None:
    answer = sent(address, content, name)
    assert answer.status_code == 422 and "Traceback" not in answer.text
    assert sent(address, b"", "frames.npy", top_k=0).status_code == 422
    good = (folder / "frames.npy").read_bytes()
    assert sent(address, good, "frames.npy").status_code == 200


def test_wrong_width_is_named(address: str) -> None:
    frames = io.BytesIO()
    np.save(frames, np.zeros((3, 7), np.uint8))
    answer = sent(address, frames.getvalue(), "frames.npy")
    assert answer.status_code == 422 and "192" in answer.json()["detail"]


def test_the_service_is_15_lines() -> None:
    lines = PROGRAM.read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
    own = [line for line in lines if line.strip() and not line.startswith(("import ", "from "))]
    assert len(own) <= 15
