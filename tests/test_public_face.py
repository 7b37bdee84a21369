"""What `import reeltag` offers: complete, sorted, documented, and loaded only when it is used."""

import inspect
import sys

import pytest

import reeltag
from tests.processes import run_program

PUBLIC = [name for name in reeltag.__all__ if name != "__version__"]


def test_public_names_are_sorted_and_complete() -> None:
    assert list(reeltag.__all__) == sorted(reeltag.__all__)
    assert set(PUBLIC) == set(reeltag._MODULE)
    assert set(reeltag.__all__) <= set(dir(reeltag))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_documentation(name: str) -> None:
    thing = getattr(reeltag, name)
    text = inspect.getdoc(thing) or ""
    assert text.splitlines()[0].endswith((".", ":"))
    if inspect.isfunction(thing):
        documented = [p for p in inspect.signature(thing).parameters if f"{p}:" not in text]
        assert not documented, f"{name} documents no {documented}"
        assert ">>>" in text or name == "open_predictions"  # its example is that of predict


def test_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = reeltag.trian


def test_import_loads_neither_torch_nor_arrow() -> None:
    program = "import sys, reeltag; print({'torch', 'pyarrow', 'numpy'} & set(sys.modules))"
    assert run_program([sys.executable, "-c", program]).stdout == "set()\n"
