"""Names of files hold on every system, by the rules of Windows and of folders without case."""

import ntpath
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from reeltag.core.system.file_names import is_device, usable_name
from reeltag.deploy.moment_formats.names import file_stem, file_stems
from reeltag.library.database.syncing import safe_stem

ODD = [
    "CON",
    "nul.txt",
    "Com1",
    "LPT³",
    "aux .b",
    "conin$",
    "a:b",
    "C:\\x",
    "a\\b",
    "a/b",
    "..",
    ".",
]
ODD += [
    "end.",
    "end ",
    "tab\t",
    'a"b',
    "a|b",
    "<a>",
    "a*b?",
    "~",
    "-",
    "Ä",
    "ä",
    "a",
    "A",
    "",
    "\x7f",
]


def holds_on_windows(name: str) -> bool:
    """Return whether Windows takes a name as that of one file, and gives it back."""
    if hasattr(ntpath, "isreserved"):  # from Python 3.13 on
        return bool(name) and not ntpath.isreserved(name) and PureWindowsPath(name).name == name
    path = PureWindowsPath(name)
    is_plain = not set(name) & set('\\/:*?"<>|') and min(map(ord, name), default=0) >= 32
    return is_plain and not path.is_reserved() and path.name == name and name.rstrip(". ") == name


def test_rules_of_the_test_refuse_what_windows_refuses() -> None:
    assert holds_on_windows("a b.mp4") and holds_on_windows("console")
    refused = ["NUL", "con.mp4", "a:b", "a?b", "a.", "a/b", ""]
    assert not [name for name in refused if holds_on_windows(name)]


@pytest.mark.parametrize("name", ODD)
def test_name_is_usable_on_windows(name: str) -> None:
    usable = usable_name(name)
    assert not usable or holds_on_windows(usable)
    assert holds_on_windows(f"{safe_stem(name)}.mp4") and holds_on_windows(safe_stem(name))
    assert not name or holds_on_windows(f"{file_stem(name)}.vtt")


@pytest.mark.parametrize("name", ["a b", "naïve", "小", "video.1", "console", "auxiliary.mp4"])
def test_usable_name_stays_as_it_is(name: str) -> None:
    assert usable_name(name) == name and not is_device(name)


def test_names_of_a_folder_without_case_do_not_meet() -> None:
    stems = file_stems(name for name in ODD if name)
    folded = [f"{stem}.vtt".casefold() for stem in stems.values()]
    assert len(set(folded)) == len(stems)


def test_stems_have_no_separator_of_either_system() -> None:
    for name in ODD:
        stem = safe_stem(name)
        assert PurePosixPath(stem).name == PureWindowsPath(stem).name == stem
