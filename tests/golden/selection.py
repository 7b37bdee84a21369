"""The golden files that a clone carries: `python -m tests.golden.selection FOLDER` copies them.

Chosen is every file up to LIMIT bytes, and the larger ones that are the only one of their kind.
`elsewhere.txt` names the rest, so that a test of one of them is skipped and counted, not unseen.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ELSEWHERE = "elsewhere.txt"
LIMIT = 140_000
ONLY_ONES = {"layers/lin_model_mix_logistic.npz", "tfrecord/expected.npz"}


def golden_names(folder: Path) -> Iterator[str]:
    """Yield the files of a golden folder, relative to it: the map's vectors and four folders."""
    for found in sorted([folder / "golden_map.json", *folder.glob("*/*")]):
        if found.is_file() and found.suffix not in (".py", ".pyc"):
            yield found.relative_to(folder).as_posix()


def select(source: Path, target: Path = HERE) -> None:
    """Make target's golden files the chosen ones of source, and list the others there."""
    for name in golden_names(target):
        (target / name).unlink()
    elsewhere = []
    for name in golden_names(source):
        size = (source / name).stat().st_size
        if size > LIMIT and name not in ONLY_ONES:
            elsewhere.append(f"{name} {size}\n")
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((source / name).read_bytes())
    (target / ELSEWHERE).write_text("".join(elsewhere))


if __name__ == "__main__":
    select(Path(sys.argv[1]))
