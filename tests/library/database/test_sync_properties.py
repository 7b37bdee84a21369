"""Whatever happens to files, a content keeps its id, and its state tells whether it is there."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from reeltag.library.database.library import Library
from reeltag.library.media.finding import content_id, find_media

PATHS = [f"{folder}{name}.mp4" for folder in ("", "sub/", "sub/deep/") for name in "abA"]
place = st.sampled_from(PATHS)
change = st.one_of(
    st.tuples(st.just("write"), place, st.sampled_from("xyz")),
    st.tuples(st.just("move"), place, place),
    st.tuples(st.just("copy"), place, place),
    st.tuples(st.just("remove"), place, st.none()),
)


def do(folder: Path, what: str, first: str, second: str | None) -> None:
    path, other = folder / first, folder / (second or "")
    if what == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content {second}")
    elif path.is_file() and path != other:
        if what == "remove":
            path.unlink()
            return
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(path.read_bytes())
        if what == "move":
            path.unlink()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(change, max_size=4), max_size=6))
def test_content_keeps_its_id_and_state_tells_whether_it_is_there(
    rounds: list[list[tuple[str, str, str | None]]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, data = Path(name) / "videos", Path(name) / "data"
        folder.mkdir()
        data.mkdir()
        ids: dict[str, str] = {}
        with Library.open(data, create=True) as library:
            for changes in rounds:
                for each in changes:
                    do(folder, *each)
                library.sync(find_media([folder]))
                there: dict[str, set[Path]] = {}
                for path in folder.rglob("*.mp4"):
                    there.setdefault(content_id(path), set()).add(path)
                rows = {row.content: row for row in library.videos()}
                assert set(there) <= set(rows) and len({row.id for row in rows.values()}) == len(
                    rows
                )
                for content, row in rows.items():
                    assert ids.setdefault(content, row.id) == row.id
                    assert (row.state == "missing") == (content not in there)
                    if content in there:
                        assert set(library.paths(row)) == there[content]
