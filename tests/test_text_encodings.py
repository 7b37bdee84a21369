"""Text has the encoding that the code names, not that of the system: Windows has another one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import run_program

ROOT = Path(__file__).parent.parent
WITHOUT = re.compile(rf"{re.escape(str(ROOT))}/reeltag/\S+ EncodingWarning.*")


def without_encoding(*paths: Path) -> list[str]:
    """Return, by ruff, where text is read or written in an encoding that is not named."""
    ruff = Path(sys.executable).with_name("ruff")
    select = ["--isolated", "--preview", "--select", "PLW1514", "--output-format", "concise"]
    done = run_program([ruff, "check", "--no-cache", *select, *paths], statuses=(0, 1))
    return [line for line in done.stdout.splitlines() if "unspecified-encoding" in line]


def test_every_text_file_is_opened_with_an_encoding(tmp_path: Path) -> None:
    ours = ("reeltag", "tests", "benchmarks", "website", "examples", ".ci", "hubconf.py")
    assert not without_encoding(*(ROOT / of for of in ours))
    planted = tmp_path / "planted.py"
    planted.write_text("with open('a.csv') as file:\n    pass\n", encoding="utf-8")
    assert len(without_encoding(planted)) == 1


@pytest.mark.system
def test_commands_read_and_write_no_text_in_the_encoding_of_the_system(tmp_path: Path) -> None:
    """What ruff cannot see: text of programs that are started, or through variables."""
    program = ROOT / "tests" / "every_command.py"
    (tmp_path / "out").mkdir()
    done = run_program(
        [sys.executable, program, tmp_path / "data", tmp_path / "out"],
        environment={
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNDEFAULTENCODING": "1",
            "PYTHONWARNINGS": "always::EncodingWarning",
            "OMP_NUM_THREADS": "1",
        },
        stdin=subprocess.DEVNULL,
    )
    assert not WITHOUT.findall(done.stderr)
    assert WITHOUT.findall(f"{ROOT}/reeltag/a.py:1: EncodingWarning: 'encoding' argument")
