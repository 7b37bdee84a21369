"""What the four papers claim, and which of our figures tests it.

docs/results/claims.md is made of this and of results/. A claim names its evidence; whether it holds
is decided by the interval of a difference alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """A difference of two models of a proof (benchmarks/reproductions.py)."""

    proof: str
    better: str
    worse: str


@dataclass(frozen=True)
class Gain:
    """A row of a proof's table of gains."""

    proof: str
    row: str


@dataclass(frozen=True)
class Trial:
    """A difference in a trial of benchmarks/failed_orders.py."""

    about: str
    better: str
    worse: str


@dataclass(frozen=True)
class Technique:
    """A comparison of a race (benchmarks/techniques.py)."""

    race: str
    technique: str


@dataclass(frozen=True)
class Untested:
    """What cannot be tested here, and why."""

    why: str


Evidence = Order | Gain | Trial | Technique | Untested


@dataclass(frozen=True)
class Claim:
    """A line of the page, or several: one for each data set that it was tested on.

    Attributes:
        words: what is claimed.
        paper: its figures there.
        evidence: what tests it here.
        gain: the paper's difference, of the metric; None: not published.
        margin: of a claim to be as good as: how far behind is as good.
    """

    words: str
    paper: str
    evidence: tuple[Evidence, ...]
    gain: float | None = None
    margin: float = 0.0


def _orders(better: str, worse: str, *proofs: str) -> tuple[Order, ...]:
    return tuple(Order(proof, better, worse) for proof in proofs)


def _uneven(better: str, worse: str) -> tuple[Trial, ...]:
    about = "themes of very different frequency"
    return tuple(Trial(f"{about}, {kind}", better, worse) for kind in ("reels", "mosaics"))


DATA = {  # proof -> what it is on, in words
    "oppo2019-reels": "reels",
    "oppo2019-reels-more": "reels, four times the soft labels",
    "oppo2019-mosaics": "mosaics",
    "autohome2019-reels": "reels",
    "autohome2019-mosaics": "mosaics",
    "axon2018-audioset": "AudioSet",
    "axon2018-yt8m-100": "100 shards",
    "samsung2018-yt8m": "60 shards",
    "samsung2018-yt8m-10-folds": "60 shards, ten folds",
    "samsung2018-yt8m-100": "100 shards, ten folds",
}
_OPPO = ("oppo2019-reels", "oppo2019-reels-more", "oppo2019-mosaics")
_AUTOHOME = ("autohome2019-reels", "autohome2019-mosaics")
_AXON = ("axon2018-audioset", "axon2018-yt8m-100")
_SAMSUNG = ("samsung2018-yt8m", "samsung2018-yt8m-10-folds", "samsung2018-yt8m-100")
_RATE = "stage II at the rate of stage I, mosaics"
_GRAPH = "graph over the labels gives the classifier (DBoF)"


CLAIMS: dict[str, tuple[Claim, ...]] = {
    "OPPO 2019": (
        Claim(
            "rated segments after video labels (A > pre-trained)",
            "MAP .7277 -> .7572",
            _orders("II-A", "I", *_OPPO),
            gain=0.0295,
        ),
        Claim(
            "soft labels, equally many of each class, on top (B > A)",
            ".7572 -> .7690",
            (
                *_orders("II-B", "II-A", *_OPPO),
                *_uneven("II-B", "II-A"),
                Trial(_RATE, "II-B", "II-A"),
            ),
            gain=0.0118,
        ),
        Claim(
            "a second round of soft labels (C > B)",
            ".7690 -> .7745; MixNeXtVLAD .7859 -> .7860",
            (*_orders("II-C", "II-B", *_OPPO), *_uneven("II-C", "II-B")),
            gain=0.0055,
        ),
        Claim(
            "equally many soft labels of each class, against all (Equal > Original)",
            ".7441 -> .7676",
            (
                *_orders("II-B", "original", *_OPPO),
                *_uneven("II-B", "original"),
                Trial("Equal cuts most classes", "II-B", "original"),
                Trial(_RATE, "II-B", "original"),
            ),
            gain=0.0235,
        ),
        Claim(
            "pre-training on video labels, with Equal",
            ".7624 -> .7676",
            (*_orders("II-B", "equal-fresh", *_OPPO), Trial(_RATE, "II-B", "equal-fresh")),
            gain=0.0052,
        ),
        Claim(
            "pre-training on video labels, with Original",
            ".7244 -> .7441",
            (
                *_orders("original", "original-fresh", *_OPPO),
                Trial(_RATE, "original", "original-fresh"),
            ),
            gain=0.0197,
        ),
        Claim(
            "a mixture of three NeXtVLADs > one (after stage II-C)",
            ".7745 -> .7860",
            _orders("III-C", "II-C", *_OPPO),
            gain=0.0115,
        ),
        Claim(
            "a tenth of the frames in stage I > all",
            "about +.004",
            _orders("I", "I-all-frames", *_OPPO),
            gain=0.004,
        ),
        Claim(
            "the mean of A, B and C > C",
            ".7860 -> .7869",
            _orders("mean-ensemble", "III-C", *_OPPO),
            gain=0.0009,
        ),
        Claim(
            "mixup of rated segments",
            "no figure of it alone",
            (Technique("reels", "mixup 0.4"), Technique("mosaics", "mixup 0.4")),
        ),
    ),
    "Autohome 2019": (
        Claim(
            "three different NeXtVLADs > three alike",
            "MAP .770 -> .773",
            _orders("different", "same", *_AUTOHOME),
            gain=0.003,
        ),
        Claim(
            "+ a GRU with attention",
            ".773 -> .778",
            _orders("gru", "different", *_AUTOHOME),
            gain=0.005,
        ),
        Claim(
            "+ rated classes weigh 2.5, others 0.1",
            ".778 -> .783",
            _orders("m2.5", "gru", *_AUTOHOME),
            gain=0.005,
        ),
        Claim(
            "+ targets of classes that rated ones imply, tau 0.5",
            ".783 -> .791",
            _orders("tau0.5", "m2.5", *_AUTOHOME),
            gain=0.008,
        ),
        Claim(
            "all of it over three alike",
            ".770 -> .791",
            _orders("tau0.5", "same", *_AUTOHOME),
            gain=0.021,
        ),
        Claim(
            "a graph over the labels gives the classifier (GCN > DBoF)",
            ".740 -> .749",
            (
                *_orders("dbof-gcn", "dbof", *_AUTOHOME),
                Technique("yt8m_100", "a graph gives the classifier (DBoF)"),
            ),
            gain=0.009,
        ),
        Claim(
            "the same, label vectors of what the names mean",
            ".740 -> .749",
            (Technique("yt8m_100", "the same against DBoF"),),
            gain=0.009,
        ),
        Claim(
            "the same, the matrix as counted",
            "no figure",
            (Technique("yt8m_100", "names, the graph as counted, against DBoF"),),
        ),
        Claim(
            "the graph itself, against labels that hear only themselves",
            "no figure",
            (
                Technique("reels", "of it: the graph, as counted"),
                Technique("mosaics", "of it: the graph, as counted"),
                Technique("yt8m_100", "with names: the graph, as counted"),
            ),
        ),
        Claim(
            "Gaussian noise on half of the features",
            "no figure",
            (
                Technique("reels", "Gaussian noise on half of the dimensions"),
                Technique("mosaics", "Gaussian noise on half of the dimensions"),
            ),
        ),
    ),
    "Axon AI 2018": (
        Claim(
            "the mean of seven models > the best of them",
            "GAP .8575 -> .8827",
            _orders("mean-mean-7", "lstm-1", *_AXON),
        ),
        Claim(
            "two sets of seven > one",
            ".8827 -> .8862",
            _orders("mean-mean-14", "mean-mean-7", *_AXON),
        ),
        Claim(
            "learned weights > the mean",
            ".8862 -> .8873",
            _orders("combine-weights-14-sgd", "mean-mean-14", *_AXON),
        ),
        Claim(
            "a weight of a model > one of a model and class",
            "no figure",
            _orders("combine-weights-14-sgd", "combine-class-weights-14-sgd", *_AXON),
        ),
        Claim(
            "new samples near rare classes, by GAP",
            ".8575 -> .8598 of a pair of models",
            (
                *_orders("mean-netvlad+moe-augmented", "netvlad-1", *_AXON),
                Technique("yt8m", "neighbours in feature space, mixture of 4 experts"),
            ),
        ),
        Claim(
            "a penalty that draws related classes together",
            ".8575 -> .8788 (without a control)",
            (
                *_orders("relation", "longer", *_AXON),
                Technique("yt8m", "relation regulariser 1e-6, against as many steps without"),
                Technique("yt8m", "relation regulariser 0.2, against as many steps without"),
            ),
        ),
        Claim(
            "a student of the ensemble > the same model by itself",
            ".8575 -> .8732",
            tuple(Gain(proof, "student-1 over netvlad-1") for proof in _AXON),
        ),
        Claim(
            "soft labels alone > mixed with the hard ones (lambda 1 > 0)",
            "no figure; lambda 1 is the final one",
            _orders("student-1", "student-0", *_AXON),
        ),
    ),
    "Samsung AI 2018": (
        Claim(
            "out-of-fold soft labels > mixup, ResNetLike",
            "GAP .8610 -> .8742",
            tuple(Gain(proof, "soft labels over mixup") for proof in _SAMSUNG),
        ),
        Claim(
            "mixup > plain",
            "no figure of plain",
            (
                Gain(_SAMSUNG[0], "mixup over plain"),
                Technique("yt8m", "mixup 0.4, a batch at a time"),
                Technique("yt8m", "mixup 0.4, three times as long"),
            ),
        ),
        Claim(
            "soft ranking in place of cross-entropy",
            ".8518, beside mixup's .8610",
            (
                Gain(_SAMSUNG[0], "soft-ranking over plain"),
                Technique("yt8m", "soft ranking in place of cross-entropy"),
            ),
        ),
        Claim(
            "LightGBM over the first level > its best model",
            ".8742 -> .8874",
            tuple(Gain(proof, "LightGBM over fcn") for proof in _SAMSUNG),
        ),
        Claim(
            "one graph of small nets is as good as LightGBM, to .005",
            ".8874 -> .8873",
            tuple(Gain(proof, "final graph over LightGBM") for proof in _SAMSUNG),
            margin=0.005,
        ),
        Claim(
            "first level of frame models (LSTM, attention, VLAD, sorting)",
            ".8237 to .8532",
            (
                Untested(
                    "the official shards here are video-level; the families run, and are compared "
                    "on AudioSet ([models](models.md))"
                ),
            ),
        ),
    ),
}
