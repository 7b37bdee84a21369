"""Finding videos: names hint, first bytes decide, and nothing is left out without a reason."""

import os
from pathlib import Path

import pytest

from reeltag.library.media.finding import ID_BYTES, content_id, find_media

MP4 = b"\0\0\0\x20ftypisom" + bytes(40)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "a.mp4": MP4,
        "deep/er/B.MKV": b"\x1aE\xdf\xa3",
        "deep/no ending": MP4,
        "deep/broken.mov": b"this is text",
        "deep/code.ts": b"let x = 1\n",
        "deep/broadcast.ts": (b"G" + bytes(187)) * 4,
        "deep/photo.jpg": b"\xff\xd8\xff",
        "deep/photo": b"\xff\xd8\xff\xe0",
        "deep/a.info.json": b"{}",
        "deep/a.en.vtt": b"WEBVTT",
        "deep/unknown.bin": bytes(range(256)),
        ".hidden.mp4": MP4,
        ".trash/c.mp4": MP4,
        "data/library.sqlite": b"",
        "data/previews/d.mp4": MP4,
    }
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def test_names_hint_and_first_bytes_decide(tree: Path) -> None:
    found = find_media([tree])
    names = [str(of.path.relative_to(tree)) for of in found.files]
    assert names == [
        "a.mp4",
        "deep/broadcast.ts",
        "deep/broken.mov",
        "deep/er/B.MKV",
        "deep/no ending",
    ]
    assert [of.is_named_so for of in found.files] == [True, True, True, True, False]
    assert found.left_out == {
        "hidden": 2,
        "pictures": 2,
        "text and tables": 2,
        "subtitles": 1,
        "others": 1,
        "folders of reeltag's own data": 1,
    }


def test_loops_of_links_end_and_each_path_is_there_once(tree: Path) -> None:
    (tree / "deep" / "loop").symlink_to(tree)
    (tree / "self").symlink_to(tree / "self")
    (tree / "link.mp4").symlink_to(tree / "a.mp4")
    found = find_media([tree, tree / "a.mp4", tree / "deep"])
    paths = [of.path for of in found.files]
    assert len(paths) == len(set(paths)) == 6 and tree / "link.mp4" in paths


def test_what_is_not_there_is_a_problem(tree: Path) -> None:
    found = find_media([tree / "none", tree / "deep" / "photo.jpg"])
    assert found.problems == [(tree / "none", "No such file or directory")]
    assert [of.path.name for of in found.files] == ["photo.jpg"]  # it was given itself


def test_pipes_are_no_videos(tree: Path) -> None:
    os.mkfifo(tree / "pipe.mp4")
    assert find_media([tree]).left_out["no ordinary files"] == 1


def test_content_id_depends_on_size_beginning_and_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    base = bytearray(3 * ID_BYTES)
    seen = set()
    for place in (None, 0, ID_BYTES - 1, -1, -ID_BYTES):
        data = base.copy()
        if place is not None:
            data[place] = 1
        path.write_bytes(data)
        seen.add(content_id(path))
    path.write_bytes(base + b"\0")
    seen.add(content_id(path))
    assert len(seen) == 6 and all(len(of) == 32 for of in seen)
    path.write_bytes(base)
    assert content_id(path) in seen
