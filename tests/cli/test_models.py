"""`reeltag models`: the list, one family, and names that do not exist."""

import json

import pytest

from reeltag.cli.main import run
from reeltag.models import families, list_models

COUNTS = {  # millions of parameters that papers and the authors' code give
    "nextvlad_8g_k128": 88.9,
    "nextvlad_8g_k112_r16": 78.6,
    "netvlad_k256_h1024": 321.5,
    "netvlad_k256_h800": 254.4,
}


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["models", *arguments]) == 0
    return capsys.readouterr().out


def test_models_json_lists_families_and_variants_with_parameters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = json.loads(shown(capsys, "--json"))["families"]
    assert [f["name"] for f in listed] == [family.name for family in families()]
    variants = {v["name"]: v["parameters"] for f in listed for v in f["variants"]}
    assert set(variants) | {f["name"] for f in listed} == set(list_models())
    for name, millions in COUNTS.items():
        assert variants[name] == pytest.approx(millions * 1e6, abs=0.05e6), name


def test_model_fields_have_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for family in json.loads(shown(capsys, "--json"))["families"]:
        assert family["about"].endswith(".") and family["source"]
        assert all(family["help"].values()), family["name"]


def test_models_list_names_every_family_variant_and_source(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = shown(capsys).replace(",", " ").split()
    assert set(list_models()) <= set(words)


@pytest.mark.parametrize("name", ["nextvlad", "nextvlad_8g_k112_r16"])
def test_models_of_a_name_show_fields_variants_and_recipe(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = " ".join(shown(capsys, name).split())
    assert "num_clusters 128 Clusters of the first stream" in text
    assert "nextvlad_8g_k112_r16 78.6 M num_clusters 112, reduction 16" in text
    assert "--batch-size 160 --learning-rate 0.0002" in text


@pytest.mark.parametrize("command", [["models"], ["train", "--data", "x", "--out", "y"]])
def test_models_unknown_name_error_names_close_ones(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command[0], "nextvald", *command[1:]]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "there is no model 'nextvald'" in error
    assert "Did you mean nextvlad" in error and "logistic, lstm" in error
