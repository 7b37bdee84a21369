"""The tables in short: what was reached on real data (README.md), how fast (speed.md)."""

from statistics import mean

from benchmarks.originals import originals
from benchmarks.results import Row
from benchmarks.tables.cells import interval, row_of, table, value
from benchmarks.tables.quality import runs_of

TARGET = 0.715  # GAP@20 of the trees over the first level


def measured() -> str:
    """Return the figures on real data."""
    prior, ridge = (
        _reference(f"{name}, YouTube-8M test part") for name in ("class prior", "ridge")
    )
    rows = [
        [
            "YouTube-8M shards (17,499 videos to train on), one model: `early_concat_fcn_norm`",
            "test GAP@20",
            _proof("yt8m_early_concat_fcn"),
            f"plain ResNetLike {_reference('ResNetLike, YouTube-8M test part')}, ridge regression "
            f"{ridge}, class prior {prior}",
        ],
        _trees(),
        _graph(),
        [
            "AudioSet, bal_train -> eval part, audio alone, gated NetVLAD",
            "mAP, 527 classes",
            _proof("audioset_netvlad"),
            f"ridge regression {_reference('ridge, AudioSet evaluation set')}",
        ],
        [
            "reels, trained on weak video labels, every 5 seconds scored, NeXtVLAD",
            "MAP@K, 58 classes",
            _proof("reels_nextvlad"),
            f"logistic regression {mean(run['value'] for run in runs_of('reels_logistic')):.3f}",
        ],
        *_moments(),
        _autohome(),
    ]
    return table(["on real data", "metric", "reeltag", "for comparison"], rows)


def _reference(name: str) -> str:
    return f"{row_of('references', name)['value']:.3f}"


def _proof(name: str) -> str:
    """Return the mean over seeds, and the interval of the first."""
    runs = runs_of(name)
    return f"{mean(run['value'] for run in runs):.3f} {interval(runs[0]['interval'])}"


def _reproduced(proof: str, name: str) -> Row:
    """Return a row of the tables of a paper's proof."""
    for paper in row_of("reproductions", proof, key="proof")["tables"]:
        for row in paper["rows"]:
            if row["name"] == name:
                found: Row = row
                return found
    raise KeyError(f"the tables of {proof} have no row {name!r}")


def _trees() -> list[str]:
    row = _reproduced("samsung2018-yt8m", "Large ensemble (LightGBM over the first level)")
    reached = row["ours"][0]
    return [
        "the same shards, tune part included, LightGBM over 8 networks in 5 folds "
        "(`solve samsung2018`, one seed)",
        "test GAP@20",
        f"{reached:.3f} {interval(row['intervals'][0])}",
        f"target {TARGET:.3f}: {'met' if reached >= TARGET else 'missed'}",
    ]


def _graph() -> list[str]:
    exact, rough = (
        row_of("deployable", f"onnxruntime, {form}", "graphs", "form") for form in ("fp32", "uint8")
    )
    return [
        "ten networks of one kind, each of nine tenths of these videos, as one exported graph of "
        f"{exact['bytes'] / 1e6:.0f} MB (uint8: {rough['bytes'] / 1e6:.0f} MB; one seed)",
        "test GAP@20",
        f"{exact['gap@20']:.3f} {interval(exact['gap@20_interval'])}",
        f"target {exact['target'].removeprefix('>= ')}",
    ]


def _moments() -> list[list[str]]:
    copied = _reproduced("oppo2019-reels", "no segments: the video's score, copied")["ours"][0]
    finder = row_of("reproductions", "moments-reels", key="proof")["orders"][0]["value"]
    ensemble = _reproduced("oppo2019-reels", "Final ensemble")["ours"][0]
    against, metric = f"copied video score {copied:.3f}", "MAP@K, 58 classes"
    return [
        [
            "the same, then rated segments: `solve moments`, one NeXtVLAD, three seeds",
            *(metric, f"{finder:.3f}", against),
        ],
        [
            "the same: `solve oppo2019`, final ensemble, three seeds",
            *(metric, f"{ensemble:.3f}", against),
        ],
    ]


def _autohome() -> list[str]:
    proof = "autohome2019-mosaics"
    orders = row_of("reproductions", proof, key="proof")["orders"]
    gain = next(o for o in orders if (o["better"], o["worse"]) == ("tau0.5", "same"))
    paper = _reproduced(proof, "tau0.5 over 3 same")["paper"][0]
    return [
        "mosaics: `solve autohome2019`, all its steps over three equal NeXtVLAD, three seeds",
        "MAP@K, 65 classes",
        f"{gain['difference']:+.3f} {interval(gain['interval'])}",
        f"the paper's {paper:+.3f}",
    ]


def speed() -> str:
    """Return the figures of speed and memory."""
    nextvlad = row_of("bench_models", "train nextvlad_8g_k128 bf16")
    growth = row_of(
        "bench_prediction_memory", "predict, growth of resident memory from 2,000 to 40,000 videos"
    )
    original = originals()["nextvlad_8g_k128"]
    low, high = original.videos_per_second
    ratio = original.ratio(nextvlad)
    times = "" if ratio is None else f": {ratio:.2g} times, target {original.target:g}"
    rows = [
        [
            "frame records -> batches, 218 frames, one process",
            value(row_of("bench_loading", "frame records, shuffled")),
            f"best tf.data pipeline {row_of('bench_loading', 'frame records, tf.data')['value']:,}",
        ],
        _figure(
            "video-level records -> batches, shuffled",
            "bench_loading",
            "video-level records, shuffled",
        ),
        _figure("indexing with checksums", "bench_indexing", "indexing, checksums verified"),
        [
            "NeXtVLAD (8 groups, 128 clusters, batch 80 x 300 frames), training step in bf16, the "
            "model alone",
            value(nextvlad),
            f"TensorFlow original {low:g} to {high:g}{times}",
        ],
        [
            "all other families at their authors' sizes",
            "[models](../results/models.md)",
            "",
        ],
        [
            "the same with preprocessing, from files",
            value(row_of("bench_training", "nextvlad from files")),
            f"from memory {row_of('bench_training', 'nextvlad from memory')['value']:g}",
        ],
        _against(
            "GAP@20 of 100,000 x 3862 scores", "GAP@20 of 100,000 x 3862 dense float32 scores"
        ),
        _against(
            "MAP@100k, 1000 classes x 10,000 segments",
            "MAP@100k of 1000 classes x 10,000 segments, all rated",
        ),
        [
            "`predict`, resident memory, 40,000 videos against 2,000",
            f"{growth['value']:+.1f} %",
            _target(growth),
        ],
    ]
    return table(["speed and memory", "reeltag", "peer or target"], rows)


def _figure(what: str, file: str, name: str) -> list[str]:
    row = row_of(file, name)
    return [what, value(row), _target(row)]


def _target(row: Row) -> str:
    """Return the target of a figure, and whether it is missed."""
    return f"{row['target']}{'' if row['met'] else ': missed'}"


def _against(what: str, name: str) -> list[str]:
    """Return a time of ours and of google's scorer."""
    peer = row_of("references", f"google's scorer, {what.split(',')[0].split(' of')[0]}")
    return [
        what,
        f"{row_of('bench_metrics', name)['value']:.2f} s",
        f"google's {peer['value']:g} s",
    ]
