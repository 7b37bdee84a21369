"""Keeping freed memory, in a process of its own."""

import sys

from tests.processes import run_program


def test_memory_setting_takes_effect_on_linux_with_glibc_and_is_harmless_elsewhere() -> None:
    program = (
        "from reeltag.core.memory import keep_freed_memory; import platform;"
        "expected = platform.libc_ver()[0] == 'glibc';"
        "assert keep_freed_memory() == expected, platform.libc_ver()"
    )
    run_program([sys.executable, "-c", program])
