"""Tables of own features: what import costs in quality, moments against marked events, speeds."""

from benchmarks.results import read_rows
from benchmarks.tables.cells import interval, table, value, verdict

WAYS = {
    "moments": "moments, as `reeltag moments` finds them",
    "ranked": "moments, as `reeltag moments --ranked` finds them",
    "segments": "5-second segments as they are",
    "copied": "the score of the whole video, from its beginning to its end",
}


def variants() -> str:
    """Return MAP of a moment finder on reels, for each way through import and seed."""
    rows = [
        [
            row["variant"],
            f"{row['seed']}",
            row["precision"],
            f"{row['value']:.3f} {interval(row['interval'])}",
            f"{row['stage_1']:.3f}",
            f"{row['copied']:.3f}",
        ]
        for row in read_rows("own_features")
    ]
    head = ["reels as", "seed", "arithmetic", "moment finder: MAP", "stage I", "copied video score"]
    return table(head, rows)


def events() -> str:
    """Return mAP at temporal IoU of moments, segments and copied scores."""
    rows = []
    for row in read_rows("moments"):
        for way, shown in WAYS.items():
            if way not in row:
                continue
            found = row[way]
            ious = [f"{found[f'map@tiou={at}']:.3f}" for at in ("0.3", "0.5", "0.7")]
            rows.append([f"{row['seed']}", shown, *ious, f"{found['map@tiou']:.3f}"])
    return table(["seed", "intervals", "mAP@.3", "mAP@.5", "mAP@.7", "mean"], rows)


def speeds() -> str:
    """Return what import, reading and finding moments take."""
    files = ("bench_importing", "bench_described", "bench_moments")
    rows = [
        [row["name"], value(row), row.get("target", ""), verdict(row)]
        for file in files
        for row in read_rows(file)
    ]
    return table(["figure", "value", "target", "met"], rows)
