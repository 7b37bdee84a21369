"""Which two runs of benchmarks/technique_runs.py show what a technique is worth."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """A row of the table: a technique, the run with and the run without it, the paper's gain."""

    technique: str
    run: str
    against: str
    paper: str


SEGMENT_COMPARISONS = (
    Comparison(
        "rated segments after video labels (stage II-A)",
        "mask",
        "stage-1",
        "OPPO: MAP .7277 -> .7572",
    ),
    Comparison(
        "mask: rated classes only, against all others absent", "mask", "no-mask", "OPPO: no figure"
    ),
    *(
        Comparison(f"reweighting m = {m}, n = 0.1", f"reweight-{m}", "no-mask", f"Autohome: {gain}")
        for m, gain in (("2", ".778 -> .782"), ("2.5", ".778 -> .783"), ("3", ".778 -> .781"))
    ),
    Comparison("reweighting m = 2.5, n = 0.1, against the mask", "reweight-2.5", "mask", "none"),
    Comparison("weak negatives, alpha = 1", "weak-negatives", "mask", "2nd place: no figure"),
    *(
        Comparison(
            f"correlation targets, tau = {tau}", f"tau-{tau}", "reweight-2.5", f"Autohome: {gain}"
        )
        for tau, gain in (("0.4", ".783 -> .788"), ("0.5", ".783 -> .791"), ("0.6", ".783 -> .789"))
    ),
    Comparison(
        "windows agree with a slow copy, stage I",
        "stage-1-consistency",
        "stage-1",
        "none of the four",
    ),
    Comparison("mixup 0.4", "mixup", "mask", "OPPO: no figure"),
    Comparison("mixup 0.4, four times as long", "mixup-long", "mask-long", ""),
    Comparison("Gaussian noise on half of the dimensions", "noise", "mask", "Autohome: no figure"),
    Comparison(
        "soft labels, all (Original)",
        "soft",
        "mask",
        "OPPO: without the rated ones .7441 (A: .7572)",
    ),
    Comparison(
        "soft labels, equally many per class (Equal)", "soft-equal", "mask", "OPPO: .7572 -> .7690"
    ),
    Comparison(
        "soft labels, all, on top of reweighting m = 2.5", "soft-reweight", "reweight-2.5", "none"
    ),
    Comparison(
        "graph over the labels gives the classifier (DBoF)",
        "dbof-gcn",
        "dbof",
        "Autohome: .740 -> .749",
    ),
    Comparison("the same after stage I", "dbof-gcn-stage-1", "dbof-stage-1", ""),
    Comparison(
        "of it: two layers over label vectors, without a graph",
        "dbof-no-graph-stage-1",
        "dbof-stage-1",
        "",
    ),
    Comparison(
        "of it: the graph, as counted", "dbof-gcn-fixed-stage-1", "dbof-no-graph-stage-1", ""
    ),
    Comparison("of it: the graph is trained", "dbof-gcn-stage-1", "dbof-gcn-fixed-stage-1", ""),
)


def _graph_comparisons(stage: str = "") -> tuple[Comparison, ...]:
    """Return what a classifier out of a graph over the labels is worth, and its parts."""
    return tuple(
        Comparison(words, run + stage, against + stage, paper)
        for words, run, against, paper in (
            ("names as label vectors, graph trained", "dbof-gcn-names", "dbof-gcn", ""),
            ("the same against DBoF", "dbof-gcn-names", "dbof", "Autohome: .740 -> .749"),
            ("names, the graph as counted, against DBoF", "dbof-gcn-names-fixed", "dbof",
             "Autohome: .740 -> .749"),
            ("names, the graph at a hundredth of the rate, against DBoF", "dbof-gcn-names-slow",
             "dbof", "Autohome: .740 -> .749"),
            ("names against random vectors, the graph as counted", "dbof-gcn-names-fixed",
             "dbof-gcn-fixed", ""),
            ("names against random vectors, no graph", "dbof-names-no-graph", "dbof-no-graph", ""),
            ("with names: the graph, as counted", "dbof-gcn-names-fixed", "dbof-names-no-graph",
             ""),
            ("the graph at a hundredth of the rate, against the full rate", "dbof-gcn-slow",
             "dbof-gcn", ""),
        )
    )  # fmt: skip


RATED_GRAPHS = tuple(
    Comparison(f"names, {words}, after the ratings, against DBoF", run, "dbof",
               "Autohome: .740 -> .749")
    for words, run in (
        ("the graph as counted", "dbof-gcn-names-fixed"),
        ("the graph at a hundredth of the rate", "dbof-gcn-names-slow"),
    )
)  # fmt: skip


def _noise_comparisons() -> tuple[Comparison, ...]:
    """Return what is worth doing about wrong and missing labels."""
    return tuple(
        Comparison(words, run, "plain", "not of the four")
        for words, run in (
            ("labels that cost most left out", "wrong-left-out"),
            ("absent classes that cost most left out", "missing-left-out"),
            ("absent classes that cost most filled in", "missing-filled-in"),
            ("both left out", "both-left-out"),
            ("agreement with a slow copy (of one frame: no windows)", "consistency"),
        )
    )


def _video_comparisons(*more: Comparison) -> tuple[Comparison, ...]:
    return (
        Comparison(
            "mixup 0.4, a batch at a time",
            "mixup",
            "plain",
            "Samsung's ResNetLike: .861 with mixup; without not given",
        ),
        Comparison(
            "mixup 0.4, each with one of the batch before",
            "mixup-sample",
            "plain",
            "Samsung, as above",
        ),
        Comparison(
            "soft ranking in place of cross-entropy",
            "soft-ranking",
            "plain",
            "Samsung's ResNetLike: .852; cross-entropy not given",
        ),
        Comparison(
            "cross-entropy + 0.1 of soft ranking", "soft-ranking-too", "plain", "Samsung: no figure"
        ),
        Comparison(
            "hinge ranking in place of cross-entropy",
            "hinge-ranking",
            "plain",
            "Samsung: no figure",
        ),
        Comparison("log-sum-exp pairwise loss", "pairwise", "plain", "no figure"),
        Comparison("asymmetric loss", "asymmetric", "plain", "not of the four"),
        Comparison("focal loss", "focal", "plain", "not of the four"),
        Comparison(
            "out-of-fold soft labels alone",
            "soft-1",
            "plain",
            "Samsung's ResNetLike, of 115 models: .874",
        ),
        Comparison(
            "out-of-fold soft labels, half and half with the hard ones",
            "soft-0.5",
            "plain",
            "Samsung: no figure",
        ),
        *more,
    )


COMPARISONS: dict[str, tuple[Comparison, ...]] = {
    "reels": (*SEGMENT_COMPARISONS, *_graph_comparisons("-stage-1"), *RATED_GRAPHS),
    "mosaics": (*SEGMENT_COMPARISONS, *_graph_comparisons("-stage-1"), *RATED_GRAPHS),
    "yt8m": _video_comparisons(
        *_noise_comparisons(),
        Comparison(
            "labels smoothed by which appear together", "smoothed", "plain", "not of the four"
        ),
        Comparison("mixup 0.4, three times as long", "mixup-long", "plain-long", ""),
        Comparison(
            "mixup, ResNetLike",
            "resnet-like-mixup",
            "resnet-like",
            "Samsung: .861 with mixup; without not given",
        ),
        Comparison(
            "out-of-fold soft labels alone, ResNetLike",
            "resnet-like-soft",
            "resnet-like",
            "Samsung, of 115 models: .874",
        ),
        *(
            Comparison(
                f"relation regulariser {weight}, against as many steps without",
                f"relation-{weight}",
                "longer",
                paper=paper,
            )
            for weight, paper in (
                ("1e-8", "none"),
                ("1e-7", "none"),
                ("1e-6", "none"),
                ("0.2", "Axon: 85.75 -> 87.88 (in doubt)"),
            )
        ),
        Comparison(
            "neighbours in feature space, mixture of 4 experts",
            "moe-neighbours",
            "moe",
            "Axon: +.0023 of an average of two models, one with 16 experts",
        ),
    ),
    "yt8m_noisy": _video_comparisons(*_noise_comparisons()),
    "yt8m_100": (
        Comparison(
            "a graph gives the classifier (DBoF)", "dbof-gcn", "dbof", "Autohome: .740 -> .749"
        ),
        *_graph_comparisons(),
    ),
}
