"""What `test_windows` runs on a simulated Windows: `on_windows.py FUNCTION FOLDER`."""

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.core.system.windows import become_windows


def names(folder: Path) -> list[str]:
    """Return all names below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def write_files(folder: Path) -> object:
    """Write files and folders in all ways there are; return what is there."""
    from reeltag.core import files

    for text in ("first", "second"):
        files.write_text(folder / "file", text)
        with files.files_into(folder / "into") as part:
            (part / "a").write_text(text, encoding="utf-8")
        with files.appending(folder / "appended") as file:
            file.write(text.encode() + b"\n")
    with files.whole_folder(folder / "whole") as part:
        (part / "inner").mkdir()
        (part / "inner" / "file").touch()
    files.link(folder / "file", folder / "link")
    with files.scratch_folder() as scratch:
        (scratch / "file").touch()
    assert not scratch.exists()
    assert files.private_folder().is_dir()
    texts = {name: (folder / name).read_bytes().decode() for name in ("file", "into/a", "appended")}
    return names(folder), texts, (folder / "link").is_symlink()


def hold_a_lock(folder: Path) -> object:
    """Return what a second one gets of a lock that is held, and what is left of it."""
    from reeltag.core.locks import lock_holder, try_lock

    lock = folder / "lock"
    with try_lock(lock) as first, try_lock(lock) as second:
        holder = lock_holder(lock)
    with try_lock(lock) as again:
        free = lock_holder(lock)
    return first, second, f"process {os.getpid()} on" in holder, again, bool(free), names(folder)


def die_while_writing(folder: Path) -> object:
    """End in the midst of a file and a folder, without any cleaning up."""
    from reeltag.core.files import whole_file, whole_folder

    with whole_file(folder / "file") as file, whole_folder(folder / "folder") as part:
        file.write_text("half", encoding="utf-8")
        (part / "inner").touch()
        os._exit(9)


def write_again(folder: Path) -> object:
    """Write what another process began; that of a living one stays meanwhile."""
    from reeltag.core.files import whole_file, whole_folder
    from reeltag.core.parts import remove_dead_parts

    left = names(folder)
    with whole_file(folder / "file") as file:
        file.write_text("whole", encoding="utf-8")
        remove_dead_parts(folder)
        assert file.exists()
    with whole_folder(folder / "folder") as part:
        (part / "inner").touch()
    return len(left), names(folder)


def replace_an_open_file(folder: Path) -> object:
    """Return the error of replacing a file that is open, and whether it works afterwards."""
    from reeltag.core import files
    from reeltag.core.errors import OutputError
    from reeltag.core.system import folders

    folders._PATIENCE_S = 0.0
    files.write_text(folder / "file", "first")
    with (folder / "file").open(encoding="utf-8"):
        try:
            files.write_text(folder / "file", "second")
        except OutputError as error:
            words = str(error)
    kept = (folder / "file").read_text(encoding="utf-8")
    files.write_text(folder / "file", "third")
    return words, kept, names(folder)


def length(payload: str, _: object) -> int:
    """Return the length of a text; end the process for a long one."""
    if len(payload) > 3:
        os._exit(7)
    return len(payload)


def prepare() -> Callable[..., int]:
    """Return the work of the pool."""
    return length


def use_workers(folder: Path) -> object:
    """Return what workers make of three tasks, of which one ends its process."""
    from reeltag.library.extraction.worker_process import PoolTask, WorkerPool

    tasks = [PoolTask(key=text, payload=text) for text in ("a", "abcd", "abc")]
    with WorkerPool(prepare, workers=2) as pool:
        found = {outcome.key: (outcome.value, outcome.message) for outcome in pool.run(tasks)}
    return sorted(found.items())


def run_commands(folder: Path) -> object:
    """Go from data to a page; return how many commands failed, and what is left of locks."""
    from tests.every_command import main

    (folder / "out").mkdir()
    failed = main([str(folder / "data"), str(folder / "out")])
    return failed, [name for name in names(folder) if "reeltag-" in name]


if __name__ == "__main__":
    FUNCTION, FOLDER = sys.argv[1], Path(sys.argv[2])
    become_windows(FOLDER)
    module = import_module("tests.core.system.on_windows")  # where workers find its functions
    print(json.dumps(getattr(module, FUNCTION)(FOLDER)))
