"""Files in a data folder that nothing reads."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from reeltag.data.annotation_tables import SUFFIXES
from reeltag.data.class_list import CLASS_LISTS, SEGMENT_CLASSES
from reeltag.data.dataset import Dataset, files_of_source
from reeltag.data.features import FEATURES_FILE
from reeltag.data.indexing.locations import dangles
from reeltag.data.indexing.shard_names import looks_like_shard
from reeltag.data.synth.about import MARKER

# what `reeltag extract` keeps of the videos themselves
_OF_VIDEOS = ("videos.csv", "library.sqlite", "library.sqlite-wal", "library.sqlite-shm")
_PREVIEWS = "previews"
# what `reeltag synth` writes about its records
_OF_SYNTHETIC = (MARKER, "README.md", "hierarchy.csv", "truth.csv")
_ANNOTATIONS = {f"{kind}{suffix}": kind for kind in ("labels", "ratings") for suffix in SUFFIXES}


def unused_files(data: Dataset) -> Iterator[tuple[str, str]]:
    """Yield files of the data folder that are not read, alike ones together, and why not.

    Args:
        data: opened by its folder; a single shard has no others.
    """
    if data.path.is_file():
        return
    used = {(data.root / shard).absolute() for shard in data.shards}
    used |= {file for source in data.sources.values() for file in files_of_source(source)}
    used |= {Path(data.classes.source).resolve()} if data.classes.source else set()
    groups = defaultdict[tuple[str, str], list[str]](list)
    mirror = data.index.mirror
    files = _files(data.root) if mirror is None else (data.root / f.name for f in mirror.files)
    for path in files:
        if path.absolute() in used or path.resolve() in used:
            continue
        why = _why_not(path, data)
        if why:
            groups[why, path.suffix].append(path.relative_to(data.root).as_posix())
    for (why, _), names in groups.items():
        shown = ", ".join(sorted(names)[:3]) + ", ..." * (len(names) > 3)
        yield (shown if len(names) == 1 else f"{len(names):,} files ({shown})"), why


def _files(root: Path) -> Iterator[Path]:
    """Yield the files in and below a folder but hidden ones."""
    seen = set[str]()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        subfolders[:] = [] if real in seen else [n for n in subfolders if not n.startswith(".")]
        if real not in seen:
            yield from (Path(folder, name) for name in names if not name.startswith("."))
        seen.add(real)


def _why_not(path: Path, data: Dataset) -> str:
    """Return why a file that is not a source of the data is not read; empty where it is."""
    name = path.name
    if dangles(path):
        return "a link to a file that is not there"
    if name == FEATURES_FILE or (name == SEGMENT_CLASSES and path.parent == data.root):
        return ""
    ours = _OF_VIDEOS + (_OF_SYNTHETIC if (data.root / MARKER).is_file() else ())
    is_ours = name in ours and path.parent == data.root
    if is_ours or path.parent == data.root / _PREVIEWS:
        return ""
    if name in _ANNOTATIONS:
        kind = _ANNOTATIONS[name]
        if path.parent != data.root:
            return f"{kind} are looked for in {data.root} alone"
        given = data.sources.get(kind)
        if given is None or not files_of_source(given):
            return f"{kind} are left out here"
        return f"other {kind} were given"
    if name in CLASS_LISTS:
        source = data.classes.source
        return f"the class list is {source}" if source else "another class list was given"
    if looks_like_shard(name):
        return "its name does not end as a shard's: a download that broke off?"
    return "neither a shard nor a file with a known name"
