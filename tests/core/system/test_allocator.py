"""Keeping or returning freed memory, in a process of its own."""

import sys

import pytest

from tests.processes import run_program


@pytest.mark.parametrize("setting", ["keep_freed_memory", "return_freed_memory"])
def test_memory_setting_takes_effect_on_linux_with_glibc_and_is_harmless_elsewhere(
    setting: str,
) -> None:
    program = (
        f"from reeltag.core.system.allocator import {setting}; import platform;"
        "expected = platform.libc_ver()[0] == 'glibc';"
        f"assert {setting}() == expected, platform.libc_ver()"
    )
    run_program([sys.executable, "-c", program])
