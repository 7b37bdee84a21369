"""What is said at the end of an extraction."""

from pathlib import Path

from reeltag.library.extraction.summary import next_commands


def test_names_of_any_length_have_next_commands(tmp_path: Path) -> None:
    """Next to the longest name that a file may have, none fits that is longer."""
    film = tmp_path / f"{'x' * 251}.mp4"
    film.touch()
    assert next_commands(tmp_path / "data", [film]) == [f"reeltag info {tmp_path / 'data'}"]
