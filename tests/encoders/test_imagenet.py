"""ImageNet's classes, and words for groups of them."""

import pytest

from reeltag.encoders._imagenet import imagenet_groups, imagenet_names


def test_names_are_1000_and_each_once() -> None:
    assert len(imagenet_names()) == len(set(imagenet_names())) == 1000


def test_groups_hold_classes_each_once_and_are_called_otherwise_than_classes() -> None:
    groups = imagenet_groups()
    assert len(groups) > 90 and not set(groups) & set(imagenet_names())
    for name, numbers in groups.items():
        assert len(numbers) == len(set(numbers)) > 0, name
        assert min(numbers) >= 0 and max(numbers) < 1000, name


@pytest.mark.parametrize(
    ("group", "inside", "outside"),
    [
        ("dog, domestic dog", ("golden retriever", "Mexican hairless"), ("timber wolf", "sorrel")),
        ("fish", ("tench", "puffer"), ("cock", "abacus")),
        ("bird", ("cock", "great grey owl", "albatross"), ("European fire salamander", "tusker")),
        ("vehicle", ("ambulance", "sports car", "yawl"), ("car wheel", "wig")),
        ("musical instrument, instrument", ("accordion", "violin", "upright"), ("drumstick",)),
        ("flower, blossom", ("daisy",), ("corn", "vase")),
        ("insect, bug", ("tiger beetle", "lycaenid"), ("starfish", "tick")),
    ],
)
def test_group_holds_what_its_name_says(
    group: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    first = {imagenet_names()[at].partition(",")[0] for at in imagenet_groups()[group]}
    assert set(inside) <= first and not set(outside) & first


def test_smaller_groups_are_in_the_larger_ones() -> None:
    groups = {name.partition(",")[0]: set(of) for name, of in imagenet_groups().items()}
    for small, large in (
        ("shark", "fish"),
        ("owl", "bird"),
        ("snake", "reptile"),
        ("beetle", "insect"),
        ("dog", "canine"),
        ("canine", "mammal"),
        ("mammal", "animal"),
        ("car", "vehicle"),
        ("boat", "vehicle"),
        ("guitar", "musical instrument"),
        ("beach", "landscape"),
    ):
        assert groups[small] < groups[large], (small, large)
