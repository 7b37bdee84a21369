"""Weak labels of the videos of a data folder: sources -> words -> classes -> labels.csv."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from reeltag.core.addresses import check_is_local
from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, MissingPackageError
from reeltag.data.class_list import CLASS_LISTS, ClassList
from reeltag.data.dataset import Dataset
from reeltag.encoders import check_packages, create_text_encoder, find_encoder
from reeltag.encoders.base import Float32, TextEncoder
from reeltag.library.labelling.config import (
    DEFAULT_TEXTS,
    Source,
    WeakLabelsConfig,
    WeakLabelsSummary,
)
from reeltag.library.labelling.from_encoder import encoder_scores, encoders_of
from reeltag.library.labelling.from_paths import (
    FOLDERS,
    INFO_JSON,
    Word,
    folder_words,
    info_words,
)
from reeltag.library.labelling.from_table import table_words
from reeltag.library.labelling.from_text import class_features, text_scores, usual_prompts
from reeltag.library.labelling.mapping import Match, Matcher, read_mapping, write_mapping
from reeltag.library.labelling.names import words_of
from reeltag.library.labelling.scores import choose_by_rank
from reeltag.library.labelling.tables import (
    VIDEOS_FILE,
    LabelTable,
    WeakLabel,
    video_paths,
)


@dataclass
class _Run:
    """What the sources of a run share, and what they find."""

    data: Path
    config: WeakLabelsConfig
    quiet: bool
    classes: tuple[str, ...]
    texts: TextEncoder | None = None
    given: tuple[Match, ...] = ()
    labels: list[WeakLabel] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    _dataset: Dataset | None = None

    @property
    def dataset(self) -> Dataset:
        """The data set, without labels."""
        if self._dataset is None:
            self._dataset = Dataset.open(self.data, labels=(), ratings=(), quiet=self.quiet)
        return self._dataset

    @property
    def ids(self) -> list[str]:
        """The ids of all videos."""
        if (self.data / VIDEOS_FILE).is_file():
            return [*video_paths(self.data)]
        ids: list[str] = self.dataset.table["id"].to_pylist()
        return ids

    def match(self, source: str, words: Sequence[str], by: Literal["word", "class"]) -> list[Match]:
        """Return what words of a source mean, and keep it."""
        matcher = Matcher(self.classes, self.texts, self.config.least_cosine, self.given)
        found = matcher.match(source, words, by)
        self.matches += found
        return found


def weak_labels(
    data: Path, sources: Sequence[Source], config: WeakLabelsConfig, *, quiet: bool = False
) -> WeakLabelsSummary:
    """Write labels of some sources into labels.csv of a data folder; rows of others stay.

    Args:
        data: folder of `reeltag extract`, or of other records with a videos.csv (id, path).
        sources: one after the other.
        config: options.
        quiet: show no progress.

    Returns:
        What is in labels.csv now.

    Raises:
        ConfigError: an option is missing, or what a source needs is not installed.
        DataError: a file cannot be read, or a source has no labels of the videos.
        OutputError: labels.csv cannot be written.
    """
    check_is_local(data)
    _check(data, sources, config)
    table, listed = LabelTable.open(data), _class_list(data, config.classes)
    texts = None if sources == ["text"] else _texts(config)
    is_there = config.mapping is not None and config.mapping.is_file()
    given = read_mapping(config.mapping) if config.mapping and is_there else ()
    run = _Run(data, config, quiet, listed.names if listed else (), texts, given)
    for kind in dict.fromkeys(sources):
        if kind == "encoder":
            _label_by_encoders(run)
        elif kind == "text":
            _label_by_texts(run)
        else:
            _label_by_words(run, kind)
    table = table.replaced(run.labels, run.sources)
    new_classes = not any((data / name).is_file() for name in CLASS_LISTS)
    if new_classes:
        (listed or ClassList(run.classes)).save(data / CLASS_LISTS[0])
    table.save(data)
    if config.mapping:
        others = [match for match in given if match.source not in run.sources]
        write_mapping(config.mapping, [*others, *run.matches])
    return _summary(run, table, new_classes)


def _check(data: Path, sources: Sequence[Source], config: WeakLabelsConfig) -> None:
    """Raise an error for options that do not fit each other, before anything is done."""
    known = get_args(Source)
    wrong = [source for source in sources if source not in known]
    if wrong or not sources:
        what = f"must be of {', '.join(known)}, got {wrong[0] if wrong else 'nothing'}"
        raise ConfigError(what, where="--from")
    if ("csv" in sources) != (config.table is not None):
        what = "is needed for --from csv" if config.table is None else "is read by --from csv alone"
        raise ConfigError(what, where="--table")
    if not data.is_dir():
        raise DataError("is no folder", where=data, hint="Give the folder of `reeltag extract`.")


def _class_list(data: Path, given: Path | None) -> ClassList | None:
    """Return the class list that counts; DataError where a given one differs from that of DATA."""
    own = ClassList.find(data)
    if given is None:
        return own
    listed = ClassList.open(given, full=True)
    if own is not None:
        hint = f"Remove {own.source} first, if no run or rating needs it."
        listed.check_same(own, where=given, other_where=own.source, hint=hint)
    return listed


def _texts(config: WeakLabelsConfig) -> TextEncoder | None:
    """Return the encoder of texts; None where it is not wanted, or is not installed."""
    if config.texts == "none":
        return None
    name = DEFAULT_TEXTS if config.texts == "auto" else config.texts
    if config.texts == "auto":
        try:
            check_packages(find_encoder(name).info)
        except MissingPackageError as error:
            say(f"only names that are the same are matched: matching by meaning {error}")
            return None
    return create_text_encoder(name, device=config.device, where="--texts")


def _label_by_words(run: _Run, kind: Source) -> None:
    """Add the labels of folders, a table or .info.json files."""
    source: str = kind
    if kind == FOLDERS:
        words = folder_words(video_paths(run.data))
    elif kind == INFO_JSON:
        words = info_words(video_paths(run.data), run.classes)
    else:
        assert run.config.table is not None
        source = f"csv:{run.config.table.name}"
        words = table_words(run.config.table, run.ids, run.classes)
    if not run.classes:
        run.classes = _classes_of(words, run.config.min_videos)
    matches = run.match(source, [*dict.fromkeys(of.word for of in words)], "word")
    meant = {match.word: match for match in matches if match.class_name}
    best = dict[tuple[str, str], float]()
    for video, word, confidence in words:
        if word in meant:
            cosine = meant[word].cosine
            sure = confidence * (1 if cosine is None else min(1, cosine))
            key = (video, meant[word].class_name)
            best[key] = max(best.get(key, 0), sure)
    if not best:
        shown = ", ".join([*dict.fromkeys(of.word for of in words)][:5])
        raise DataError(
            f"no word of {source} means a class: {shown}",
            where=run.data,
            hint="Correct the mapping (--mapping FILE), or give another class list (--classes).",
        )
    run.sources.add(source)
    run.labels += [WeakLabel(*key, source, sure) for key, sure in best.items()]


def _classes_of(words: Sequence[Word], min_videos: int) -> tuple[str, ...]:
    """Return words as classes, sorted; of those that mean the same the most frequent spelling."""
    videos = dict[tuple[str, ...], set[str]]()
    spellings = dict[tuple[str, ...], Counter[str]]()
    for video, word, _ in words:
        key = words_of(word)
        videos.setdefault(key, set()).add(video)
        spellings.setdefault(key, Counter())[word] += 1
    kept = [key for key, of in videos.items() if key and len(of) >= min_videos]
    if len(kept) < len(videos):
        few = len(videos) - len(kept)
        say(f"{few:,} words of fewer than {min_videos} videos are no classes")
    if not kept:
        what = f"no word is given to {min_videos} videos, so that there is no class"
        raise DataError(what, hint="Give a class list (--classes), or --min-videos 1.")
    return tuple(sorted(spellings[key].most_common(1)[0][0] for key in kept))


def _check_classes(run: _Run, kind: str) -> None:
    if not run.classes:
        raise ConfigError(
            f"--from {kind} needs a class list",
            where=run.data,
            hint="Give one with --classes: a CSV file with the columns index and name.",
        )


def _label_by_encoders(run: _Run) -> None:
    """Add the labels of the own classes of the encoders of the data."""
    _check_classes(run, "encoder")
    used = False
    for stream, encoder in encoders_of(run.dataset, run.config.device):
        if not encoder.class_names:
            say(f"{encoder.identity.name} has no classes of its own")
            continue
        used, source = True, f"encoder:{encoder.identity.name}"
        places = {**encoder.class_groups}
        places |= {name: (at,) for at, name in enumerate(encoder.class_names)}
        meant: list[set[int]] = [set() for _ in run.classes]
        for match in run.match(source, [*places], "class"):
            if match.class_name:
                meant[run.classes.index(match.class_name)].update(places.get(match.word, ()))
        if not any(meant):
            say(f"no class of {encoder.identity.name} means one of yours")
        ids, scores_VC = encoder_scores(
            run.dataset, stream, encoder, meant, run.config.seconds, quiet=run.quiet
        )
        _add_by_rank(run, source, ids, scores_VC, np.exp(scores_VC))
    if not used:
        names = ", ".join(of.encoder.name for of in run.dataset.features.streams)
        raise ConfigError(
            f"no encoder of the data has classes of its own: {names}",
            where=run.data,
            hint="efficientnet_lite0 (pictures) and yamnet (sound) have.",
        )


def _label_by_texts(run: _Run) -> None:
    """Add the labels of the names of classes, by encoders that texts share a space with."""
    _check_classes(run, "text")
    used = False
    for stream, encoder in encoders_of(run.dataset, run.config.device):
        texts = encoder.text_encoder()
        if texts is None:
            continue
        used, source = True, f"text:{encoder.identity.name}"
        prompts = run.config.prompts or usual_prompts(encoder)
        class_CD = class_features(texts, run.classes, prompts)
        ids, scores_VC = text_scores(
            run.dataset, stream, class_CD, run.config.seconds, quiet=run.quiet
        )
        rank_VC = scores_VC.argsort(0, kind="stable").argsort(0, kind="stable")
        _add_by_rank(run, source, ids, scores_VC, (rank_VC + 0.5) / max(1, len(ids)))
    if not used:
        names = ", ".join(of.encoder.name for of in run.dataset.features.streams)
        raise ConfigError(
            f"no encoder of the data shares its space with texts: {names}",
            where=run.data,
            hint="Extract with --picture open_clip:ARCH/TAG or hf:REPO of CLIP or SigLIP, or "
            "--sound hf:REPO of CLAP.",
        )


def _add_by_rank(
    run: _Run, source: str, ids: Sequence[str], scores_VC: Float32, confidence_VC: np.ndarray
) -> None:
    chosen = choose_by_rank(scores_VC, run.config.per_video)
    run.sources.add(source)
    run.labels += [
        WeakLabel(ids[video], run.classes[column], source, float(confidence_VC[video, column]))
        for video, column in np.argwhere(chosen).tolist()
    ]


def _summary(run: _Run, table: LabelTable, new_classes: bool) -> WeakLabelsSummary:
    place = table.columns.index("source")
    rows = Counter(row[place] for row in table.rows)
    videos = Counter(source for source, _ in {(row[place], row[0]) for row in table.rows})
    return WeakLabelsSummary(
        dict(sorted(rows.items())),
        dict(sorted(videos.items())),
        len(run.ids),
        run.classes,
        new_classes,
        run.matches,
    )
