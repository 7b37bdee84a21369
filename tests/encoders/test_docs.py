"""The example of docs/how-to/encoders.md is an encoder as it is printed."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from reeltag.cli.main import run
from reeltag.encoders import PictureEncoder, _registry, create_encoder, list_encoders
from reeltag.testing.encoders import CHECKS

DOCS = Path(__file__).parent.parent.parent / "docs" / "how-to" / "encoders.md"


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Write the module of the page, and import it."""
    (source,) = re.findall(r'```python\n("""colours.py.*?)```', DOCS.read_text(), re.DOTALL)
    (tmp_path / "colours.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    list_encoders()
    monkeypatch.setattr(_registry, "_registered", dict(_registry._registered))
    yield __import__("colours")
    sys.modules.pop("colours")


def test_example_keeps_the_contract_and_is_listed(
    colours: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = create_encoder("colours")
    assert isinstance(encoder, PictureEncoder)
    for check in CHECKS:
        check(encoder)
    red = np.zeros((1, 32, 32, 3), np.uint8)
    red[..., 0] = 255
    assert encoder.encode(red)[0].tolist() == [float(at == 48) for at in range(64)]
    assert run(["encoders", "colours"]) == 0
    assert "histogram of 64 colours" in capsys.readouterr().out


def test_page_names_all_encoders_with_their_widths_and_extras() -> None:
    table = re.findall(r"^\| `([^`]+)` \| (.*) \|$", DOCS.read_text(), re.MULTILINE)
    rows = dict(reversed(table))  # the first of a name
    for info in list_encoders():
        row = rows[info.name]
        assert not info.width or f"| {info.width} |" in row
        assert not info.extra or f"reeltag[{info.extra}]" in row
