"""Optional packages: commands start without them, and the error names the extra."""

import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import reeltag
import reeltag.training.fit  # so torchmetrics has looked for matplotlib before it is missing
from reeltag.core import extras
from reeltag.core.errors import ConfigError, MissingPackageError
from reeltag.core.extras import EXTRAS, check_extra
from tests.processes import Launch

ROOT = Path(reeltag.__file__).parents[1]
FOR_DEVELOPERS = {"dev", "docs"}
APART = {"encoders", "yamnet"}  # of `all`: heavy, with weights from elsewhere; without a licence


def commands_without(packages: list[str]) -> dict[str, str]:
    """Import every command where the packages are missing, and return the errors by command."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "reeltag"]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys(packages))  # type: ignore[arg-type]
    errors = {}
    for path in sorted((ROOT / "reeltag" / "cli").glob("[a-z]*.py")):
        try:
            import_module(f"reeltag.cli.{path.stem}")
        except ImportError as error:
            errors[path.stem] = str(error)
    return errors


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


def test_commands_start_without_any_extra_or_name_it(launch: Launch) -> None:
    packages = [package for needed in EXTRAS.values() for package in needed]
    errors = launch(commands_without, packages).result()
    assert {name: text.split("pip install ")[1] for name, text in errors.items()} == {
        "augment": "'reeltag[plots]'",
        "export": "'reeltag[export]'",
        "report": "'reeltag[plots]'",
        "tune": "'reeltag[plots]'",
    }
