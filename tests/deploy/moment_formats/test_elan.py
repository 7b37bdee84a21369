"""ELAN's documents: read by pympi, valid as far as its schema goes, and ratings back."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pympi.Elan import Eaf

from reeltag.core.errors import DataError
from reeltag.deploy.moment_formats import elan
from tests.deploy.moment_formats.synthetic import (
    NAMES,
    TITLES,
    export_of,
    hard_export,
    moment,
    written,
)

ORDER = [
    *("LICENSE", "HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LOCALE", "LANGUAGE"),
    *("CONSTRAINT", "CONTROLLED_VOCABULARY", "LEXICON_REF", "REF_LINK_SET", "EXTERNAL_REF"),
]  # of the schema


def test_documents_are_read_by_pympi(tmp_path: Path) -> None:
    folder, _ = written("elan", hard_export(), tmp_path / "eaf")
    document = Eaf(str(folder / "film_001.eaf"))
    assert set(document.get_tier_names()) == set(TITLES)
    assert document.get_annotation_data_for_tier("Guitar") == [(3000, 9500, "0.75")]
    assert document.get_annotation_data_for_tier(TITLES[3]) == [
        (3000, 9500, "0.75"),
        (3600000, 3661250, "0.00"),
    ]
    assert document.get_annotation_data_for_tier(TITLES[2]) == [(3000, 9500, "0.75")]
    (media,) = document.media_descriptors
    assert media["MEDIA_URL"] == "file:///films/Best of/film 1 é.mp4"
    assert media["MIME_TYPE"] == "video/mp4"
    _words, entries, _ = document.controlled_vocabularies["verdict"]
    assert [values[0][0] for values, _ in entries.values()] == ["yes", "no"]


def test_documents_keep_the_rules_of_the_schema(tmp_path: Path) -> None:
    folder, _ = written("elan", hard_export(), tmp_path / "eaf")
    for path in folder.iterdir():
        root = ElementTree.parse(path).getroot()
        places = [ORDER.index(child.tag) for child in root]
        assert places == sorted(places)
        assert {"AUTHOR", "DATE", "VERSION", "FORMAT"} <= root.attrib.keys()
        slots = [slot.attrib for slot in root.iter("TIME_SLOT")]
        times = {slot["TIME_SLOT_ID"]: int(slot["TIME_VALUE"]) for slot in slots}
        assert len(times) == len(slots) and list(times.values()) == sorted(times.values())
        names = [each.attrib["ANNOTATION_ID"] for each in root.iter("ALIGNABLE_ANNOTATION")]
        assert len(set(names)) == len(names)
        types = {each.attrib["LINGUISTIC_TYPE_ID"] for each in root.iter("LINGUISTIC_TYPE")}
        for tier in root.iter("TIER"):
            assert tier.attrib["LINGUISTIC_TYPE_REF"] in types
            spans = [
                (times[a.attrib["TIME_SLOT_REF1"]], times[a.attrib["TIME_SLOT_REF2"]])
                for a in tier.iter("ALIGNABLE_ANNOTATION")
            ]
            assert all(end > start for start, end in spans)
            assert all(b[0] >= a[1] for a, b in pairwise(spans))


def test_overlapping_moments_of_a_class_are_joined_and_counted(tmp_path: Path) -> None:
    spans = [(0, 5, 0.5), (4, 8, 0.9), (8, 9, 0.6), (20, 20.0001, 0.7)]
    export = export_of(*(moment(a, b, prob=p) for a, b, p in spans), moment(4, 6, index=1))
    folder, notes = written("elan", export, tmp_path / "eaf")
    found = Eaf(str(folder / "film_001.eaf")).get_annotation_data_for_tier("Guitar")
    assert found == [(0, 8000, "0.90"), (8000, 9000, "0.60"), (20000, 20001, "0.70")]
    assert notes == ["1 moments were joined with another of their class, which they overlap"]


def test_verdicts_come_back_with_the_id(tmp_path: Path) -> None:
    export = export_of(moment(3, 9.5, id="a/b"), moment(3, 4, index=2, id="a/b"))
    folder, _ = written("elan", export, tmp_path / "eaf")
    (path,) = folder.iterdir()
    assert [each.value for each in elan.read(path)] == [None, None]
    document = Eaf(str(path))
    document.remove_annotation("Guitar", 4000)
    document.add_annotation("Guitar", 3250, 9000, "yes")  # an edge was moved
    document.add_annotation("Guitar", 20000, 21000, "")  # drawn
    document.add_annotation("Guitar", 30000, 31000, "no")
    document.add_tier("Whistle")
    document.add_annotation("Whistle", 1000, 2000, "yes")
    document.to_file(str(path))
    found = [(each.title, each.start_s, each.end_s, each.value) for each in elan.read(path)]
    assert sorted(found, key=str) == [
        ("Guitar", 20.0, 21.0, 1.0),
        ("Guitar", 3.25, 9.0, 1.0),
        ("Guitar", 30.0, 31.0, 0.0),
        ("Whistle", 1.0, 2.0, 1.0),
        ("tab here and line", 3.0, 4.0, None),
    ]
    assert {each.video for each in elan.read(path)} == {"a/b"}


def test_documents_of_others_are_read_by_their_name(tmp_path: Path) -> None:
    document = Eaf()
    document.add_tier("Dog")
    document.add_annotation("Dog", 100, 200, "yes")
    document.timeslots["ts9"] = None  # a time that is not known
    document.to_file(str(tmp_path / "film 7.eaf"))
    (rating,) = elan.read(tmp_path / "film 7.eaf")
    assert (rating.video, rating.title, rating.value) == ("film 7", "Dog", 1.0)


@pytest.mark.parametrize("text", ["", "<a>", "<html></html>", "\0\0"])
def test_read_raises_for_other_files(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.eaf").write_text(text)
    with pytest.raises(DataError, match="a.eaf"):
        list(elan.read(tmp_path / "a.eaf"))


def test_class_names_that_are_equal_have_tiers_of_their_own(tmp_path: Path) -> None:
    export = export_of(moment(1, 2, 0), moment(1, 2, 1), moment(1, 2, 6))
    same = type(export)(moments=export.moments, class_names=("Dog", " Dog\n", *NAMES[2:6], "Cat"))
    folder, _ = written("elan", same, tmp_path / "eaf")
    tiers = set(Eaf(str(folder / "film_001.eaf")).get_tier_names())
    assert tiers == {"Dog (class 0)", "Dog (class 1)", "Cat"}
