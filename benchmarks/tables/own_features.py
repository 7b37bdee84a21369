"""Tables of own features and videos: quality through import, moments, promises, films, speeds."""

from collections import defaultdict

from benchmarks.results import Row, read_rows
from benchmarks.tables.cells import interval, table, value, verdict

WAYS = {
    "moments": "moments, as `reeltag moments` finds them",
    "ranked": "moments, as `reeltag moments --ranked` finds them",
    "segments": "5-second segments as they are",
    "copied": "the score of the whole video, from its beginning to its end",
}

FILM_BASELINES = {
    "copied": "the score of the whole film, copied",
    "ceiling": "logistic regression on exact seconds",
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


def promises() -> str:
    """Return whether promised precisions are kept on test reels: all seeds together."""
    groups = defaultdict[tuple[str, float], list[Row]](list)
    for row in read_rows("precision_kept"):
        groups[row["model"], row["promise"]].append(row)
    rows = []
    for (model, promise), of in groups.items():
        chosen, measured, kept = (
            sum(row[name] for row in of) for name in ("with_threshold", "num_measured", "kept")
        )
        share = f"{kept / measured:.2f}" if measured else "none to measure"
        rows.append([model, f"{promise:g}", f"{len(of)}", f"{chosen}", f"{measured}", share])
    head = ["model", "promise", "seeds", "classes with a threshold", "measured", "kept"]
    return table(head, rows)


def films() -> str:
    """Return how near finders come to the exact truth of every second of films.

    The baselines, those of the first finder, are there once per kind of sound and seed.
    """
    groups = defaultdict[tuple[str, int], list[Row]](list)
    for row in read_rows("films"):
        groups[row["sound"], row["seed"]].append(row)
    rows = []
    for (sound, seed), found in groups.items():
        for row in found:
            shown = f"`solve moments --finder {row['finder']}`"
            cells = _film_cells(row["moments"])
            rows.append([sound, f"{seed}", shown, *cells, f"{row['share']:.0%}"])
        for way, shown in FILM_BASELINES.items():
            rows.append([sound, f"{seed}", shown, *_film_cells(found[0][way]), ""])
    head = [
        "sound",
        "seed",
        "scores",
        "AP of every second",
        "pictures",
        "sounds",
        "mAP@.5",
        "of the ceiling",
    ]
    return table(head, rows)


def _film_cells(found: Row) -> list[str]:
    names = ("per_second_ap", "pictures", "sounds", "map@tiou=0.5")
    return [f"{found[name]:.3f}" for name in names]
