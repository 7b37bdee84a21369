"""Which two runs of benchmarks/technique_runs.py show what a technique is worth."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row of the table: a technique, the run with and the run without it, the paper's gain."""

    technique: str
    run: str
    against: str
    paper: str


SEGMENT_COMPARISONS = (
    Comparison(
        technique="rated segments after video labels (stage II-A)",
        run="mask",
        against="stage-1",
        paper="OPPO: MAP .7277 -> .7572",
    ),
    Comparison(
        technique="mask: rated classes only, against all others absent",
        run="mask",
        against="no-mask",
        paper="OPPO: no figure",
    ),
    *(
        Comparison(
            technique=f"reweighting m = {m}, n = 0.1",
            run=f"reweight-{m}",
            against="no-mask",
            paper=f"Autohome: {gain}",
        )
        for m, gain in (("2", ".778 -> .782"), ("2.5", ".778 -> .783"), ("3", ".778 -> .781"))
    ),
    Comparison(
        technique="reweighting m = 2.5, n = 0.1, against the mask",
        run="reweight-2.5",
        against="mask",
        paper="none",
    ),
    Comparison(
        technique="weak negatives, alpha = 1",
        run="weak-negatives",
        against="mask",
        paper="2nd place: no figure",
    ),
    *(
        Comparison(
            technique=f"correlation targets, tau = {tau}",
            run=f"tau-{tau}",
            against="reweight-2.5",
            paper=f"Autohome: {gain}",
        )
        for tau, gain in (("0.4", ".783 -> .788"), ("0.5", ".783 -> .791"), ("0.6", ".783 -> .789"))
    ),
    Comparison(technique="mixup 0.4", run="mixup", against="mask", paper="OPPO: no figure"),
    Comparison(
        technique="mixup 0.4, four times as long",
        run="mixup-long",
        against="mask-long",
        paper="",
    ),
    Comparison(
        technique="Gaussian noise on half of the dimensions",
        run="noise",
        against="mask",
        paper="Autohome: no figure",
    ),
    Comparison(
        technique="soft labels, all (Original)",
        run="soft",
        against="mask",
        paper="OPPO: without the rated ones .7441 (A: .7572)",
    ),
    Comparison(
        technique="soft labels, equally many per class (Equal)",
        run="soft-equal",
        against="mask",
        paper="OPPO: .7572 -> .7690",
    ),
    Comparison(
        technique="soft labels, all, on top of reweighting m = 2.5",
        run="soft-reweight",
        against="reweight-2.5",
        paper="none",
    ),
    Comparison(
        technique="graph over the labels gives the classifier (DBoF)",
        run="dbof-gcn",
        against="dbof",
        paper="Autohome: .740 -> .749",
    ),
    Comparison(
        technique="the same after stage I",
        run="dbof-gcn-stage-1",
        against="dbof-stage-1",
        paper="",
    ),
    Comparison(
        technique="of it: two layers over label vectors, without a graph",
        run="dbof-no-graph-stage-1",
        against="dbof-stage-1",
        paper="",
    ),
    Comparison(
        technique="of it: the graph, as counted",
        run="dbof-gcn-fixed-stage-1",
        against="dbof-no-graph-stage-1",
        paper="",
    ),
    Comparison(
        technique="of it: the graph is trained",
        run="dbof-gcn-stage-1",
        against="dbof-gcn-fixed-stage-1",
        paper="",
    ),
)


def _video_comparisons(*more: Comparison) -> tuple[Comparison, ...]:
    return (
        Comparison(
            technique="mixup 0.4, a batch at a time",
            run="mixup",
            against="plain",
            paper="Samsung's ResNetLike: .861 with mixup; without not given",
        ),
        Comparison(
            technique="mixup 0.4, each with one of the batch before",
            run="mixup-sample",
            against="plain",
            paper="Samsung, as above",
        ),
        Comparison(
            technique="soft ranking in place of cross-entropy",
            run="soft-ranking",
            against="plain",
            paper="Samsung's ResNetLike: .852; cross-entropy not given",
        ),
        Comparison(
            technique="cross-entropy + 0.1 of soft ranking",
            run="soft-ranking-too",
            against="plain",
            paper="Samsung: no figure",
        ),
        Comparison(
            technique="hinge ranking in place of cross-entropy",
            run="hinge-ranking",
            against="plain",
            paper="Samsung: no figure",
        ),
        Comparison(
            technique="log-sum-exp pairwise loss",
            run="pairwise",
            against="plain",
            paper="no figure",
        ),
        Comparison(
            technique="asymmetric loss", run="asymmetric", against="plain", paper="not of the four"
        ),
        Comparison(technique="focal loss", run="focal", against="plain", paper="not of the four"),
        Comparison(
            technique="out-of-fold soft labels alone",
            run="soft-1",
            against="plain",
            paper="Samsung's ResNetLike, of 115 models: .874",
        ),
        Comparison(
            technique="out-of-fold soft labels, half and half with the hard ones",
            run="soft-0.5",
            against="plain",
            paper="Samsung: no figure",
        ),
        *more,
    )


COMPARISONS: dict[str, tuple[Comparison, ...]] = {
    "reels": SEGMENT_COMPARISONS,
    "mosaics": SEGMENT_COMPARISONS,
    "yt8m": _video_comparisons(
        Comparison(
            technique="mixup 0.4, three times as long",
            run="mixup-long",
            against="plain-long",
            paper="",
        ),
        Comparison(
            technique="mixup, ResNetLike",
            run="resnet-like-mixup",
            against="resnet-like",
            paper="Samsung: .861 with mixup; without not given",
        ),
        Comparison(
            technique="out-of-fold soft labels alone, ResNetLike",
            run="resnet-like-soft",
            against="resnet-like",
            paper="Samsung, of 115 models: .874",
        ),
        *(
            Comparison(
                technique=f"relation regulariser {weight}, against as many steps without",
                run=f"relation-{weight}",
                against="longer",
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
            technique="neighbours in feature space, mixture of 4 experts",
            run="moe-neighbours",
            against="moe",
            paper="Axon: +.0023 of an average of two models, one with 16 experts",
        ),
    ),
    "yt8m_noisy": _video_comparisons(),
}
