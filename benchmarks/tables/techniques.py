"""What each technique is worth, and what it costs."""

from collections.abc import Callable
from functools import partial

from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import interval, row_of, table

MOMENTS = {  # what it is in `solve moments` -> its comparison
    "kept: rated segments after video labels": "rated segments after video labels (stage II-A)",
    "kept: reweighting, against the mask": "reweighting m = 2.5, n = 0.1, against the mask",
    "left out: correlation targets": "correlation targets, tau = 0.5",
    "left out: noise": "Gaussian noise on half of the dimensions",
    "left out: mixup": "mixup 0.4",
    "left out: soft labels": "soft labels, all (Original)",
}

RACES = {
    "reels": "reels",
    "mosaics": "mosaics",
    "yt8m": "60 shards",
    "yt8m_noisy": "60 shards, worse labels",
    "yt8m_100": "100 shards",
}
SUMMARY = {  # a technique -> its comparison in each race that has one
    "ratings after noisy video labels": ("rated segments after video labels (stage II-A)",),
    "reweighting of unrated classes": ("reweighting m = 2.5, n = 0.1",),
    "reweighting, against leaving them out": ("reweighting m = 2.5, n = 0.1, against the mask",),
    "correlation targets": ("correlation targets, tau = 0.5",),
    "soft labels of segments": ("soft labels, all (Original)",),
    "soft labels of videos, half and half": (
        "out-of-fold soft labels, half and half with the hard ones",
    ),
    "a graph over the labels": ("of it: the graph, as counted",),
    "a classifier made by its network": ("graph over the labels gives the classifier (DBoF)",),
    "mixup": ("mixup 0.4", "mixup 0.4, a batch at a time"),
    "noise on features": ("Gaussian noise on half of the dimensions",),
    "asymmetric loss": ("asymmetric loss",),
    "focal loss": ("focal loss",),
    "soft ranking loss": ("soft ranking in place of cross-entropy",),
    "label relation regulariser": ("relation regulariser 1e-6, against as many steps without",),
    "neighbours in feature space": ("neighbours in feature space, mixture of 4 experts",),
}


def techniques() -> dict[str, Callable[[], str]]:
    """Return for each race what makes its table of differences."""
    races = dict.fromkeys(row["race"] for row in read_rows("techniques", "comparisons"))
    return {race: partial(_race, race) for race in races}


def _race(race: str) -> str:
    """Return each technique's difference with its interval, and the paper's."""
    rows = [row for row in read_rows("techniques", "comparisons") if row["race"] == race]
    head = ["technique", "without", "with", "difference [95 %]", "sd of seeds", "seeds", "paper"]
    return table(head, map(_difference, rows))


def _difference(row: Row) -> list[str]:
    low, high = row["interval"]
    bold = "**" if low > 0 or high < 0 else ""
    spread = max(row["seed_sd"] or 0.0, row["against_seed_sd"] or 0.0)
    return [
        row["technique"],
        f"{row['against_value']:.4f}",
        f"{row['value']:.4f}",
        f"{bold}{row['difference']:+.4f}{bold} {interval(row['interval'], 4, '+')}",
        f"{spread:.4f}",
        str(row["seeds"]),
        row["paper"],
    ]


def costs() -> str:
    """Return what the techniques cost, with their targets."""
    layer, mixture = "NeXtVLAD's layer (2048 x 3862)", "moe_16 (1152 x 3862)"
    step = next(row for row in read_rows("bench_relation") if row["unit"] == "ms")
    rows = [
        _cost(
            "bench_relation",
            f"relation penalty, Omega every 10 steps, {layer}: of its step of "
            f"{step['value'] / 1000:.2f} s",
            f"{layer}, omega",
        ),
        _cost("bench_relation", "the same, nuclear norm", f"{layer}, nuclear"),
        _cost(
            "bench_relation",
            "mixture of 16 experts (1152 x 3862): Omega, nuclear norm, of that step",
            f"{mixture}, omega",
            f"{mixture}, nuclear",
        ),
        _cost(
            "bench_augmentation",
            "mixup: per batch, per sample, with the batch before, after the norm; of a NeXtVLAD "
            "step of 80 x 300 frames",
            *("mixup", "mixup, per sample", "mixup, batch before", "mixup, after the norm"),
        ),
        _cost(
            "bench_augmentation",
            "masked noise: per video, per frame, absolute",
            *("noise", "noise, per frame", "noise, absolute"),
        ),
        _cost(
            "bench_augmentation",
            "frame drop, similar frames, stream dropout",
            *("frame drop", "similar frames", "stream dropout"),
        ),
        _cost(
            "bench_labels",
            "co-occurrence of 6.1 M videos, 3.0 labels each, 3862 classes: real lists, resampled; "
            "synthetic ones, far more pairs",
            "co-occurrence of 6,100,000 real lists, resampled",
            "co-occurrence of 6,100,000 synthetic lists",
        ),
        _neighbours(),
    ]
    return table(["what", "measured", "target"], rows)


def _cost(file: str, what: str, *names: str) -> list[str]:
    """Return the cells of figures with one unit."""
    found = [row_of(file, name) for name in names]
    unit = "%" if found[0]["unit"].startswith("%") else found[0]["unit"].split(",")[0]
    digits = 1 if unit == "%" else 2
    values = ", ".join(f"{row['value']:.{digits}f}" for row in found)
    return [what, f"{values} {unit}", found[0].get("target", "")]


def _neighbours() -> list[str]:
    rows = [r for r in read_rows("bench_neighbours") if r["name"].startswith("augment, published")]
    videos, samples = (
        next(row for row in rows if row["unit"] == unit)
        for unit in ("videos/s per core", "samples/s per core")
    )
    hours = row_of("bench_neighbours", "YouTube-8M, estimated")["value"]
    size = videos["name"].split("(x ")[1].rstrip(")")
    what = f"neighbours at the published plan ({size} samples per video)"
    rates = f"{videos['value']:,.0f} videos/s ({samples['value']:,.0f} samples/s) per core"
    return [what, f"{rates}; YouTube-8M estimated at {hours:.2f} core hours", ""]


def moments() -> str:
    """Return what `solve moments` keeps of the papers, and leaves out, by what it is worth."""
    races = {race: _by_technique(race) for race in ("reels", "mosaics")}
    rows = [
        [what, *(_gain(found[technique]) for found in races.values())]
        for what, technique in MOMENTS.items()
    ]
    return table(["difference of MAP@K [95 %]", *races], rows)


def summary() -> str:
    """Return what each technique gained in each race, bold where the interval leaves out 0."""
    races = {race: _by_technique(race) for race in RACES}
    rows = []
    for what, names in SUMMARY.items():
        found = [[of[name] for name in names if name in of] for of in races.values()]
        rows.append([what, *(_difference(of[0])[3] if of else "" for of in found)])
    return table(["difference [95 %]", *RACES.values()], rows)


def _by_technique(race: str) -> dict[str, Row]:
    rows = read_rows("techniques", "comparisons")
    return {row["technique"]: row for row in rows if row["race"] == race}


def _gain(row: Row) -> str:
    return f"{row['difference']:+.4f} {interval(row['interval'], 4, '+')}"
