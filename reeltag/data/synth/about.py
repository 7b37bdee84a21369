"""The files next to the records of a synthetic corpus: vocabulary, hierarchy, marker, README."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reeltag.core.csv_rows import CsvWriter
from reeltag.core.files import write_json
from reeltag.data.synth.config import SynthConfig
from reeltag.data.synth.world import World

MARKER = "synth.json"
VOCABULARY_COLUMNS = (
    "Index", "TrainVideoCount", "KnowledgeGraphId", "Name", "WikiUrl",
    "Vertical1", "Vertical2", "Vertical3",
)  # fmt: skip


@dataclass(kw_only=True)
class SynthCounts:
    """What was written, summed over shards. `seconds` are of video, not of work."""

    videos: int = 0
    seconds: int = 0
    labels: int = 0
    true_labels: int = 0
    correct_labels: int = 0
    rated: int = 0
    positive: int = 0

    def add(self, other: "SynthCounts") -> None:
        """Add the counts of `other`."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


def read_marker(data: Path) -> dict[str, Any] | None:
    """Return the content of the data folder's synth.json, or None where the data are not synthetic.

    Args:
        data: the folder, or one of its shards.
    """
    path = (data if data.is_dir() else data.parent) / MARKER
    if not path.is_file():
        return None
    marker: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return marker


def write_marker(
    folder: Path, command: str, config: dict[str, Any], written: dict[str, Any]
) -> None:
    """Write synth.json, by which `read_marker` finds that data are synthetic.

    Args:
        folder: that of the data.
        command: of reeltag, that wrote them.
        config: its options.
        written: counts.
    """
    about = {"synthetic": True, "made_by": f"reeltag {command} {version('reeltag')}"}
    write_json(folder / MARKER, about | {"config": config, "written": written})


def describe_corpus(
    folder: Path, world: World, counts: SynthCounts, train_counts: NDArray[np.int64]
) -> None:
    """Write vocabulary.csv, hierarchy.csv, synth.json and README.md into `folder`.

    Args:
        folder: that of the records.
        world: that the videos were drawn from.
        counts: of all splits.
        train_counts: (C,) written labels of the train split.
    """
    tree = world.tree
    verticals = [tree.names[root] for root in tree.roots]
    _write_table(
        folder / "vocabulary.csv",
        VOCABULARY_COLUMNS,
        (
            (index, train_counts[index], f"/synth/{index}", name, "", verticals[index], "", "")
            for index, name in enumerate(tree.names)
        ),
    )
    _write_table(
        folder / "hierarchy.csv",
        ("index", "name", "parent", "in_picture", "in_sound"),
        (
            (index, name, "" if parent < 0 else parent, int(visible), int(audible))
            for index, (name, parent, visible, audible) in enumerate(
                zip(tree.names, tree.parents, world.visible, world.audible, strict=True)
            )
        ),
    )
    config = world.config
    write_marker(folder, "synth", asdict(config) | asdict(config.noise), asdict(counts))
    (folder / "README.md").write_text(_readme(config, counts), encoding="utf-8")


def _write_table(path: Path, columns: Iterable[str], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = CsvWriter(file)
        table.writerow(columns)
        table.writerows(rows)


def _readme(config: SynthConfig, counts: SynthCounts) -> str:
    noise = config.noise
    options = "\n".join(f"    {name} = {value}" for name, value in asdict(config).items())
    splits = ", ".join(f"{count} {split}" for split, count in config.counts.items())
    return f"""# A synthetic corpus

Nothing here was ever filmed: `reeltag synth` {version("reeltag")} drew these videos from random
numbers and wrote them in YouTube-8M's file format. They are for tests, for demonstrations and for
rehearsing a big run. A figure measured on them shows nothing about the quality of a model.

{counts.videos} videos ({splits}), {counts.seconds / 3600:.1f} hours, {config.classes} classes,
{counts.labels / counts.videos:.2f} labels per video, {counts.rated} rated segments.

## How it was made

- Classes have parents (hierarchy.csv); whatever shows a class shows its parents too. The class
  of rank r is drawn as a subject of a video with weight (r + 1)^-{config.zipf:g}.
- A video has {noise.subjects:g} subjects on average. It is cut into scenes of about 12 s, and a
  subject shows in some scenes only. truth.csv holds every appearance, [start_s, end_s).
- A frame is the sum of the prototypes of the classes shown, the look of the video and of the
  scene, noise that drifts over seconds and noise of its own. It is coded as YouTube-8M's bytes,
  round((clip(x, -2, 2) + 2) * 255 / 4). Some classes are in the picture only, some in the sound
  only (hierarchy.csv).
- The written video labels are noisy: {noise.precision:.1%} of them are true, and {noise.recall:.1%}
  of what is true is written, rather what shows long and strongly. Where nothing is left, a video
  is written without labels.
- Of the validate and test videos {config.rated_fraction:.0%} have three to seven rated 5-second
  segments, one class each (frame level only): positive where the class shows in three seconds or
  more, negative where in none. Unlike YouTube-8M's they may be in the first 30 seconds and the
  last 10.

## The arguments

{options}

The same arguments give the same bytes.
"""
