"""ELAN: an annotation document for each video, a tier for each class.

The value of an annotation is the probability of its moment; a person who sets it to yes or no, from
the list that ELAN offers, rates the moment.

Source: H. Sloetjes, "ELAN Annotation Format EAF 3.0" (Max Planck Institute for Psycholinguistics).
"""

import mimetypes
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from reeltag.core.errors import DataError, reason_of
from reeltag.core.files import PathLike
from reeltag.deploy.moment_formats.contract import ExportedMoment, MomentExport, MomentFormat
from reeltag.deploy.moment_formats.names import one_line
from reeltag.deploy.moment_formats.verdicts import GivenRating, verdict_of

ID_PROPERTY = "reeltag.id"
VERDICTS = ("yes", "no")
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_LANGUAGE = "http://cdb.iso.org/lg/CDB-00130975-001"  # of a vocabulary: undetermined
_TYPE, _VOCABULARY = "moment", "verdict"

Element = ElementTree.Element


def write(export: MomentExport, folder: Path) -> list[str]:
    """Write `<id>.eaf` for each video; times are whole milliseconds.

    Args:
        export: what to write.
        folder: empty.

    Returns:
        How many moments were joined, for annotations of a tier may not overlap.
    """
    joined = 0
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    for video, moments in export.by_video.items():
        document = _Document(video, export, now)
        for index in sorted({moment.index for moment in moments}):
            of_class = [moment for moment in moments if moment.index == index]
            spans = _without_overlaps(of_class)
            joined += len(of_class) - len(spans)
            document.add_tier(export.titles[index], spans)
        document.save(folder / f"{export.stems[video]}.eaf")
    if not joined:
        return []
    return [f"{joined:,} moments were joined with another of their class, which they overlap"]


def _without_overlaps(moments: list[ExportedMoment]) -> list[tuple[int, int, float]]:
    """Return start and end in milliseconds and probability, those that overlap as one, by start."""
    spans: list[tuple[int, int, float]] = []
    for moment in moments:
        start = round(1000 * moment.start_s)
        end, prob = max(start + 1, round(1000 * moment.end_s)), moment.prob
        if spans and start < spans[-1][1]:
            start, last, best = spans.pop()
            end, prob = max(last, end), max(best, prob)
        spans.append((start, end, prob))
    return spans


class _Document:
    """An annotation document that is being built; elements must come in the order of the schema."""

    def __init__(self, video: str, export: MomentExport, date: str) -> None:
        attributes = {"AUTHOR": "reeltag", "DATE": date, "FORMAT": "3.0", "VERSION": "3.0"}
        attributes[f"{{{_XSI}}}noNamespaceSchemaLocation"] = _SCHEMA
        self.root = Element("ANNOTATION_DOCUMENT", attributes)
        header = _add(self.root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
        path = one_line(export.file_of(video).path)
        if path:
            kind = mimetypes.guess_type(path)[0] or "unknown"
            _add(header, "MEDIA_DESCRIPTOR", MEDIA_URL=f"file://{path}", MIME_TYPE=kind)
        if one_line(video) == video:  # or else the name of the file is the id
            _add(header, "PROPERTY", NAME=ID_PROPERTY).text = video
        self.last = _add(header, "PROPERTY", NAME="lastUsedAnnotationId")
        self.slots = _add(self.root, "TIME_ORDER")
        self.times: list[tuple[int, Element]] = []
        self.number = 0

    def add_tier(self, title: str, spans: list[tuple[int, int, float]]) -> None:
        """Add the moments of a class."""
        tier = _add(self.root, "TIER", LINGUISTIC_TYPE_REF=_TYPE, TIER_ID=title)
        for start, end, prob in spans:
            self.number += 1
            annotation = _add(
                _add(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", ANNOTATION_ID=f"a{self.number}"
            )
            for key, time in (("TIME_SLOT_REF1", start), ("TIME_SLOT_REF2", end)):
                name = f"ts{len(self.times) + 1}"
                slot = Element("TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(time)})
                self.times.append((time, slot))
                annotation.set(key, name)
            _add(annotation, "ANNOTATION_VALUE").text = f"{prob:.2f}"

    def save(self, path: Path) -> None:
        """Write the document, with the list of verdicts."""
        self.last.text = str(self.number)
        self.slots.extend(slot for _, slot in sorted(self.times, key=lambda each: each[0]))
        kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _TYPE}
        kind |= {"TIME_ALIGNABLE": "true", "CONTROLLED_VOCABULARY_REF": _VOCABULARY}
        _add(self.root, "LINGUISTIC_TYPE", **kind)
        _add(self.root, "LANGUAGE", LANG_DEF=_LANGUAGE, LANG_ID="und", LANG_LABEL="undetermined")
        listed = _add(self.root, "CONTROLLED_VOCABULARY", CV_ID=_VOCABULARY)
        _add(listed, "DESCRIPTION", LANG_REF="und").text = "Is the class there?"
        for verdict in VERDICTS:
            entry = _add(listed, "CV_ENTRY_ML", CVE_ID=f"cve_{verdict}")
            _add(entry, "CVE_VALUE", LANG_REF="und").text = verdict
        ElementTree.indent(self.root)
        ElementTree.register_namespace("xsi", _XSI)
        ElementTree.ElementTree(self.root).write(path, encoding="UTF-8", xml_declaration=True)


def read(path: PathLike) -> Iterator[GivenRating]:
    """Yield the annotations of a document that have times of their own: class and value.

    Args:
        path: of an .eaf file.

    Raises:
        DataError: it cannot be read, or is no annotation document.
    """
    path = Path(path)
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"cannot be read ({reason_of(error)})", where=path) from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise DataError(f"is no document of ELAN: it begins with <{root.tag}>", where=path)
    times = {
        slot.get("TIME_SLOT_ID", ""): int(slot.get("TIME_VALUE", ""))
        for slot in root.iter("TIME_SLOT")
        if slot.get("TIME_VALUE", "").isdecimal()
    }
    named = [p.text for p in root.iter("PROPERTY") if p.get("NAME") == ID_PROPERTY and p.text]
    video = named[0] if named else path.stem
    for tier in root.iter("TIER"):
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            start = times.get(annotation.get("TIME_SLOT_REF1", ""))
            end = times.get(annotation.get("TIME_SLOT_REF2", ""))
            if start is None or end is None:  # ELAN allows times that are not known
                continue
            title = tier.get("TIER_ID", "")
            verdict = verdict_of(annotation.findtext("ANNOTATION_VALUE") or "")
            yield GivenRating(video, start / 1000, end / 1000, title, verdict)


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, attributes)


FORMAT = MomentFormat(
    name="elan", what="annotation documents (.eaf), a tier per class", makes="folder", write=write
)
