"""Optional packages: what is missing is named, with the extra that installs it."""

import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import reeltag
import reeltag.training.fit  # so torchmetrics has looked for matplotlib before it is missing
from reeltag.core import extras
from reeltag.core.errors import ConfigError, MissingPackageError
from reeltag.core.extras import EXTRAS, check_extra

ROOT = Path(reeltag.__file__).parents[1]
FOR_DEVELOPERS = {"dev", "docs"}
APART = {"encoders", "yamnet"}  # of `all`: heavy, with weights from elsewhere; without a licence


@pytest.mark.parametrize("extra", EXTRAS)
def test_check_extra_names_the_extra_and_the_package(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if extra in APART and any(find_spec(package) is None for package in EXTRAS[extra]):
        pytest.skip(f"the extra {extra!r} is not installed")
    check_extra(extra)
    package = EXTRAS[extra][0]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"needs {package}.*\n.*'reeltag\[{extra}\]'"):
        check_extra(extra)


def test_missing_package_error_is_an_import_error_and_a_config_error() -> None:
    assert issubclass(MissingPackageError, ImportError)
    assert issubclass(MissingPackageError, ConfigError)


def test_check_extra_of_some_packages_ignores_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    check_extra("export", "onnxruntime")
    with pytest.raises(MissingPackageError, match="needs onnxscript, which is not"):
        check_extra("export")


def test_extras_are_in_pyproject_and_installed_by_all() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        offered = tomllib.load(file)["project"]["optional-dependencies"]
    assert EXTRAS.keys() <= offered.keys()
    (everything,) = offered["all"]
    assert set(everything.removeprefix("reeltag[").rstrip("]").split(",")) == (
        offered.keys() - FOR_DEVELOPERS - {"all"} - APART
    )


def test_functions_that_use_faiss_name_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from reeltag.augment.neighbours import nearest
    from reeltag.training.centroids import fit_centroids

    monkeypatch.setattr(extras, "find_spec", lambda package: None)
    points = np.zeros((4, 2), np.float32)
    for call in (lambda: nearest(points, 1), lambda: fit_centroids(points, 2)):
        with pytest.raises(MissingPackageError, match=r"needs faiss(.|\n)*'reeltag\[knn\]'"):
            call()
