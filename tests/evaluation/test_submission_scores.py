"""Submissions scored and blended: as the predictions that they were made of, as far as they say."""

import json
from pathlib import Path

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.core.errors import ConfigError, DataError
from reeltag.data.dataset import Dataset
from reeltag.deploy.submission import write_segments, write_videos
from reeltag.ensembling.blending import BlendConfig, blend, fit_blend, unfitted_blend
from reeltag.predictions.challenges import HEADERS
from reeltag.predictions.file import open_predictions
from tests.data.made import frame_record, write_shard
from tests.ensembling.synthetic import drawn, read, write
from tests.evaluation.scored_files import many, scores_of
from tests.inference.scored import write_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """Return predictions of 60 videos, their submissions of 2018 and 2019, and the data."""
    path, data = many(tmp_path / "many", 60)
    found = open_predictions(path)
    videos, segments = tmp_path / "2018.csv", tmp_path / "2019.csv"
    write_videos(found, videos)
    write_segments(found, segments, range(found.info.num_classes))
    return path, videos, segments, data


def test_scores_of_a_submission_are_those_of_its_predictions(
    corpus: tuple[Path, Path, Path, Path],
) -> None:
    path, videos, segments, data = corpus
    own = scores_of(path, data, bootstrap=20)
    of_videos = scores_of(videos, data, bootstrap=20)
    for name in ("gap@20", "hit@1", "perr", "map", "gap@20_interval", "map_interval"):
        assert of_videos[name] == own[name], name
    assert "map@k" not in of_videos
    of_segments = scores_of(segments, data, bootstrap=20)
    for name in ("map@k", "map@k_interval", "classes", "segments"):
        assert of_segments[name] == own[name], name
    assert "gap@20" not in of_segments and "map" not in of_segments


@pytest.mark.parametrize("largest", [2, 8])
def test_data_without_a_class_list_may_have_fewer_or_more_classes(
    largest: int, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    records = [frame_record("a", 9, [1]), frame_record("b", 9, [largest])]
    write_shard(data / "train0.tfrecord", records)
    path = tmp_path / "s.csv"
    path.write_text(f"{HEADERS[2018]}\na,1 0.9 5 0.5\nb,5 0.4 1 0.2\n", encoding="utf-8")
    assert scores_of(path, data)["hit@1"] == 0.5


def test_evaluate_says_what_a_submission_is_not_of(
    corpus: tuple[Path, Path, Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    _, _, segments, data = corpus
    with segments.open("a") as file:
        file.write("5,elsewhere:0 elsewhere:5\n")
    (data / "classes.csv").write_text("index,name\n" + "".join(f"{n},c{n}\n" for n in range(8)))
    command = ["evaluate", str(segments), "--data", str(data), "--bootstrap", "0"]
    assert run([*command, "--json"]) == 0
    printed = capfd.readouterr()
    assert json.loads(printed.out)["rows_without_truth"] == 2
    said = " ".join(printed.err.split())
    assert (
        "has ranks alone, as a submission of 2019 does: MAP@K can be computed, for nothing" in said
    )
    assert "2 rows are about videos outside" in said
    with segments.open("a") as file:
        file.write("8,v0:0\n")
    assert run(command) == 2
    assert f"{segments}, line 8: has class 8, outside 0..7" in " ".join(
        capfd.readouterr().err.split()
    )


def test_blend_of_submissions_is_that_of_their_predictions(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}", drawn(n)) for n in range(3)]
    given = [tmp_path / f"{n}.csv" for n in range(3)]
    for path, out in zip(files, given, strict=True):
        write_videos(open_predictions(path), out)
    text = given[1].read_text().splitlines(keepends=True)
    given[1].write_text("".join([text[0], *text[:0:-1]]))  # rows in another order
    for method in ("mean", "geometric"):
        blend(files, unfitted_blend(files, method), tmp_path / f"{method}.parquet")
        blend(given, unfitted_blend(given, method), tmp_path / f"{method}-csv.parquet")
        mixed = [files[0], *given[1:]]
        blend(mixed, unfitted_blend(mixed, method), tmp_path / f"{method}-mixed.parquet")
        own = read(tmp_path / f"{method}.parquet")
        for name in ("csv", "mixed"):
            found = read(tmp_path / f"{method}-{name}.parquet")
            assert found.keys() == own.keys()
            for row, listed in own.items():
                assert list(found[row]) == list(listed)
                np.testing.assert_allclose([*found[row].values()], [*listed.values()], 1e-5, 1e-5)
    assert open_predictions(tmp_path / "mean-csv.parquet").info.inferred
    assert not open_predictions(tmp_path / "mean-mixed.parquet").info.inferred


def test_blend_of_submissions_alone_is_evaluated_by_data_with_more_classes(tmp_path: Path) -> None:
    data = write_corpus(tmp_path / "data", {f"v{n}": (n % 4,) for n in range(40)})
    (data / "classes.csv").write_text("index,name\n" + "".join(f"{n},c{n}\n" for n in range(9)))
    given = [tmp_path / f"{n}.csv" for n in range(2)]
    for n, out in enumerate(given):
        write_videos(open_predictions(write(tmp_path / f"{n}", drawn(n))), out)
    blend(given, unfitted_blend(given, "mean"), tmp_path / "mean.parquet")
    assert scores_of(tmp_path / "mean.parquet", data)["videos"] == 40
    dataset = Dataset.open(data, quiet=True)
    fitted = fit_blend(given, dataset, BlendConfig(method="weights"), split="all", allow_leak=True)
    assert fitted.num_classes == 9
    blend(given, fitted, tmp_path / "weighted.parquet")
    assert open_predictions(tmp_path / "weighted.parquet").info.num_classes == 9


def test_ranks_are_blended_by_rank_alone(corpus: tuple[Path, Path, Path, Path]) -> None:
    path, _, segments, data = corpus
    other = segments.with_name("other.csv")
    other.write_text(segments.read_text())
    for given in ([segments, other], [path, segments]):
        with pytest.raises(ConfigError, match=r"2019\.csv: has ranks.*\n.*--method rank"):
            unfitted_blend(given, "mean")
    out = segments.with_name("ranks.parquet")
    blend([segments, other], unfitted_blend([segments, other], "rank"), out)
    assert open_predictions(out).info.ranks
    assert scores_of(out, data)["map@k"] == scores_of(path, data)["map@k"]
    with pytest.raises(DataError, match="2019.csv: lacks 60 of the 60 videos"):
        blend([path, segments], unfitted_blend([path, segments], "rank"), out)
