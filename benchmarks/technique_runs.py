"""What benchmarks/techniques.py trains: races, and runs in them.

Learning rates and lengths were chosen on seed 0 by the plain runs alone (stage II of the reels:
0.0002 of 0.0005, 0.0002, 0.00005 by MAP@K of the test segments, so that absolute values are
flattered a little, differences are not). No technique was tuned: those of the papers have the
papers' numbers, the others numbers that were set once, before any of them was run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.proofs import YT8M, YT8M_100, YT8M_100_SPLITS, YT8M_SPLITS
from reeltag.data.splits import Splits


@dataclass(frozen=True, kw_only=True)
class Race:
    """A data set, and what all its runs share."""

    data: str
    model: str
    budget: str
    predict: str
    metric: str
    splits: Splits = field(default_factory=Splits)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One way of training.

    Attributes:
        flags: of `reeltag train`, after those of the race.
        start: run whose weights it starts from.
        needs: other runs that its flags name as {run}.
        prepare: file -> the command that makes it, with `--out FILE` unless it says where {file}
            goes; flags name it {file stem}.
        model: instead of the race's.
        data: instead of the race's folder.
        predict: further flags of `reeltag predict`.
        shared: trained once, with seed 0, for all seeds of the runs that need it.
    """

    flags: str = ""
    start: str = ""
    needs: tuple[str, ...] = ()
    prepare: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    data: str = ""
    predict: str = ""
    shared: bool = False


FCN = "early_concat_fcn_norm --preprocessing.normalise streams --learning-rate 0.002"
RACES = {
    "reels": Race(
        data="reels",
        model="nextvlad --model.num-clusters 64 --model.hidden 1024",
        budget="--precision bf16 --batch-size 80",
        predict="--segments",
        metric="map@k",
    ),
    "mosaics": Race(
        data="mosaics",
        model="nextvlad --model.num-clusters 32 --model.hidden 512",
        budget="--precision bf16 --batch-size 80",
        predict="--segments",
        metric="map@k",
    ),
    "yt8m": Race(
        data="yt8m",
        model=FCN,
        budget=f"--precision bf16 --batch-size 256 --epochs 8 --schedule one-cycle {YT8M}",
        predict="--top-k 100",
        metric="gap@20",
        splits=YT8M_SPLITS,
    ),
    "yt8m_noisy": Race(
        data="yt8m",
        model=FCN,
        budget=f"--precision bf16 --batch-size 256 --epochs 8 --schedule one-cycle {YT8M} "
        "--labels.noise-precision 0.6 --labels.noise-recall 0.5",
        predict="--top-k 100",
        metric="gap@20",
        splits=YT8M_SPLITS,
    ),
    "yt8m_100": Race(
        data="yt8m",
        model=FCN,
        budget=f"--precision bf16 --batch-size 256 --epochs 8 --schedule one-cycle {YT8M_100}",
        predict="--top-k 100",
        metric="gap@20",
        splits=YT8M_100_SPLITS,
    ),
}
STAGE_1 = "--schedule one-cycle --learning-rate {rate} --epochs {epochs} --validate-every {steps}"
RATED = (
    "--items segments --train validate/* --holdout 0 --schedule constant --learning-rate 0.0002 "
    "--epochs 7 --frames.how all --frames.num-frames 0"
)
REWEIGHTED = f"{RATED} --labels.rated-weight 2.5 --labels.unrated-weight 0.1"
IMPLICATIONS, VECTORS = "implications.parquet", "vectors.parquet"


def _segment_runs(rate: float, epochs: int, steps: int, names: str, dbof: str) -> dict[str, Run]:
    """Return the runs of reels or mosaics: stage I on noisy video labels, then the rated segments.

    Args:
        rate: learning rate of stage I (at its peak).
        epochs: of stage I.
        steps: of stage I in all, so that it is validated once, at its end.
        names: flags of `reeltag labels` for the folder whose labels give which class implies which.
        dbof: sizes of the bags of frames for the comparison of their two heads.
    """
    stage_1 = STAGE_1.format(rate=rate, epochs=epochs, steps=steps)
    return {
        "stage-1": Run(flags=f"{stage_1} --frames.how stride"),
        "mask": Run(flags=RATED, start="stage-1"),
        "no-mask": _weighed(1, 1),
        "reweight-2": _weighed(2, 0.1),
        "reweight-2.5": _weighed(2.5, 0.1),
        "reweight-3": _weighed(3, 0.1),
        "weak-negatives": Run(flags=f"{RATED} --labels.weak-negatives 1", start="stage-1"),
        **{f"tau-{value}": _correlated(value, names) for value in (0.4, 0.5, 0.6)},
        "mixup": Run(flags=f"{RATED} --augment.mixup 0.4", start="stage-1"),
        "mask-long": Run(flags=f"{RATED} --epochs 28", start="stage-1"),
        "mixup-long": Run(flags=f"{RATED} --epochs 28 --augment.mixup 0.4", start="stage-1"),
        "noise": Run(flags=f"{RATED} --augment.noise 0.1", start="stage-1"),
        "stage-1-consistency": Run(flags=f"{stage_1} --frames.how stride --noisy.consistency 1"),
        "soft": _soft_segments("mask", RATED, "soft"),
        "soft-equal": _soft_segments("mask", RATED, "soft", "--soft.equal 100"),
        "soft-reweight": _soft_segments("reweight-2.5", REWEIGHTED, "soft-reweighted"),
        **_bags(f"{stage_1} --frames.how stride --frames.num-frames 0", names, dbof),
    }


def _weighed(rated: float, unrated: float) -> Run:
    flags = f"--labels.rated-weight {rated} --labels.unrated-weight {unrated}"
    return Run(flags=f"{RATED} {flags}", start="stage-1")


def _correlated(tau: float, names: str) -> Run:
    flags = f"{REWEIGHTED} --labels.correlation {{implications}} --labels.tau {tau}"
    flags += " --labels.min-videos 20"  # P of rarer classes is unreliable
    return Run(flags=flags, start="stage-1", prepare={IMPLICATIONS: f"labels {names}"})


def _soft_segments(teacher: str, flags: str, file: str, more: str = "") -> Run:
    """Return a run on the soft labels that a teacher gives the training videos."""
    stem, run = file.replace("-", "_"), teacher.replace("-", "_").replace(".", "_")
    command = f"soft-labels {{{run}}} --data {{root}} --train train/* --per-label 2"
    return Run(
        flags=f"{flags} --soft.file {{{stem}}} {more}".strip(),
        start="stage-1",
        needs=(teacher,),
        prepare={f"{file}-{{seed}}.parquet": command},
    )


def _bags(stage_1: str, names: str, dbof: str) -> dict[str, Run]:
    """Return the runs of bags of frames, with a plain head and with one computed over a graph."""

    def rated(head: str, start: str, more: str = "") -> Run:
        return Run(model=f"{head} {dbof}", flags=f"{RATED} {more}".strip(), start=start)

    stage_1_runs = {
        f"{name}-stage-1": run for name, run in _graphs(names, dbof, flags=stage_1).items()
    }
    named = f"dbof_gcn {NAMED}"
    return {
        **stage_1_runs,
        "dbof": rated("dbof", "dbof-stage-1"),
        "dbof-gcn": rated("dbof_gcn", "dbof-gcn-stage-1"),
        "dbof-gcn-names-fixed": rated(f"{named} {FIXED}", "dbof-gcn-names-fixed-stage-1"),
        "dbof-gcn-names-slow": rated(named, "dbof-gcn-names-slow-stage-1", SLOW),
    }


FIXED, NAMED, SLOW = "--model.no-train-graph", "--model.label-size 384", "--rates head.graph=0.01"


def _graphs(names: str, dbof: str, *, flags: str = "") -> dict[str, Run]:
    """Return a bag of frames, and with the classifier out of a graph taken apart.

    Args:
        names: flags of `reeltag labels` for the labels that are counted.
        dbof: sizes.
        flags: of all trainings.
    """

    def bag(model: str, more: str = "") -> Run:
        named = NAMED in model
        more = f"--labels.graph {{implications}} {more}"
        return Run(
            model=f"dbof_gcn {dbof} {model}".strip(),
            flags=f"{flags} {more} {'--labels.vectors {vectors}' if named else ''}".strip(),
            prepare={IMPLICATIONS: f"labels {names}"}
            | ({VECTORS: f"labels {names} --vectors {{file}}"} if named else {}),
        )

    return {
        "dbof": Run(model=f"dbof {dbof}", flags=flags),
        "dbof-gcn": bag(""),
        "dbof-gcn-fixed": bag(FIXED),
        "dbof-gcn-slow": bag("", SLOW),
        "dbof-no-graph": bag(f"{FIXED} --model.share 0"),
        "dbof-gcn-names": bag(NAMED),
        "dbof-gcn-names-fixed": bag(f"{NAMED} {FIXED}"),
        "dbof-gcn-names-slow": bag(NAMED, SLOW),
        "dbof-names-no-graph": bag(f"{NAMED} {FIXED} --model.share 0"),
    }


def _noise_runs(precision: float, recall: float) -> dict[str, Run]:
    """Return the runs that bear with wrong and missing labels.

    Args:
        precision: of the labels, known where they were made worse, else a guess: what is wrong is
            left out.
        recall: of the labels: as much as is missing is left out, or filled in.
    """
    wrong, missing = 1 - precision, (1 - recall) / recall * precision
    return {
        "wrong-left-out": Run(flags=f"--noisy.present {wrong:.2g}"),
        "missing-left-out": Run(flags=f"--noisy.absent {missing:.2g}"),
        "missing-filled-in": Run(flags=f"--noisy.absent {missing:.2g} --noisy.correct"),
        "both-left-out": Run(flags=f"--noisy.present {wrong:.2g} --noisy.absent {missing:.2g}"),
        "consistency": Run(flags="--noisy.consistency 1"),
    }


def _video_runs(extra: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs that both races of whole videos have."""
    folds = {
        f"fold-{fold}": Run(flags=f"--fold.count 5 --fold.hold-out {fold}", shared=True)
        for fold in range(5)
    }
    return {
        "plain": Run(),
        "mixup": Run(flags="--augment.mixup 0.4"),
        "mixup-sample": Run(
            flags="--augment.mixup 0.4 --augment.mixup-per sample --augment.mixup-partner previous"
        ),
        "soft-ranking": Run(flags="--loss.name soft-ranking"),
        "soft-ranking-too": Run(
            flags="--loss.name soft-ranking --loss.cross-entropy-weight 0.0026"  # 10 / C
        ),
        "hinge-ranking": Run(flags="--loss.name hinge-ranking"),
        "pairwise": Run(flags="--loss.name pairwise"),
        "asymmetric": Run(flags="--loss.name asymmetric"),
        "focal": Run(flags="--loss.name focal"),
        **folds,
        **extra,
    }


OUT_OF_FOLD = {
    f"oof-{fold}.parquet": f"predict {{fold_{fold}}} --data {{root}} --split train "
    f"--fold.count 5 --fold.hold-out {fold} --top-k 50"
    for fold in range(5)
}
SOFT = {
    **OUT_OF_FOLD,
    "soft.parquet": "soft-labels --from {oof_0} {oof_1} {oof_2} {oof_3} {oof_4} --data {root} "
    + YT8M,
}
FOLDS = tuple(f"fold-{fold}" for fold in range(5))
LONGER = "--epochs 3 --schedule constant --learning-rate 0.0002"
MOE = "--learning-rate 0.03 --max-steps 272 --validate-every 68"


def _soft(weight: float, model: str = "") -> Run:
    flags = f"--soft.file {{soft}} --soft.weight {weight}"
    return Run(flags=flags, needs=FOLDS, prepare=SOFT, model=model)


RESNET = "resnet_like_1024 --learning-rate 0.0015"
RUNS: dict[str, dict[str, Run]] = {
    "reels": _segment_runs(
        0.002,
        20,
        1000,
        "{data}/audioset --train bal_train-0[0-6]*",
        "--model.num-clusters 2048 --model.hidden 512",
    ),
    "mosaics": _segment_runs(
        0.001,
        12,
        300,
        f"{{data}}/yt8m {YT8M}",
        "--model.num-clusters 1024 --model.hidden 256",
    ),
    "yt8m": _video_runs(
        {
            "resnet-like": Run(model=RESNET),
            "resnet-like-mixup": Run(
                model=RESNET,
                flags="--augment.mixup 0.4 --augment.mixup-per sample "
                "--augment.mixup-partner previous",
            ),
            "resnet-like-soft": _soft(1.0, RESNET),
            "soft-1": _soft(1.0),
            "soft-0.5": _soft(0.5),
            **_noise_runs(0.9, 0.8),
            "smoothed": Run(
                flags="--labels.correlation {implications} --labels.tau 0.1 "
                "--labels.min-videos 20 --labels.correlation-share 0.2",
                prepare={IMPLICATIONS: f"labels {{data}}/yt8m {YT8M}"},
            ),
            "plain-long": Run(flags="--epochs 24"),
            "mixup-long": Run(flags="--epochs 24 --augment.mixup 0.4"),
            "longer": Run(flags=LONGER, start="plain"),
            **{
                f"relation-{weight}": Run(
                    flags=f"{LONGER} --relation.weight {weight}", start="plain"
                )
                for weight in ("1e-8", "1e-7", "1e-6", "0.2")
            },
            "moe": Run(model="moe_4", flags=MOE),
            "moe-neighbours": Run(
                model="moe_4",
                flags=MOE,
                prepare={"neighbours": f"augment {{data}}/yt8m {YT8M} --pivot auto"},
                data="{neighbours}",
            ),
        }
    ),
    "yt8m_noisy": _video_runs(
        {
            "soft-1": _soft(1.0),
            "soft-0.5": _soft(0.5),
            **_noise_runs(0.6, 0.5),
        }
    ),
    "yt8m_100": {
        "plain": Run(),
        **_graphs(f"{{data}}/yt8m {YT8M_100}", "--model.num-clusters 2048 --model.hidden 1024"),
    },
}
