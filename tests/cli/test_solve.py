"""`reeltag solve`: listed, planned, run, resumed, cleaned; and what people get wrong."""

import io
import json
from pathlib import Path

import pytest

from reeltag import papers
from reeltag.cli.main import main, run
from tests.papers import synthetic2019


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "PROGRAMS", (synthetic2019.PROGRAM,))


def solve(out: Path, *arguments: str) -> int:
    return run(["solve", "synthetic2019", "--tiny", "--out", str(out), *arguments])


def names(root: Path) -> set[str]:
    return {path.name.rsplit("-", 1)[0] for path in root.iterdir() if path.is_dir()}


def test_list_shows_needs_cost_and_results(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["solve"]) == 0
    out = capsys.readouterr().out
    assert "synthetic2019  Synthetic 2019: sums" in out and "frames, at least four of them" in out
    assert "seconds, and some bytes" in out and "12 (paper: 42)" in out
    assert run(["solve", "--json"]) == 0
    (program,) = json.loads(capsys.readouterr().out)["programs"]
    assert (
        program["name"] == "synthetic2019" and program["needs"] == "frames, at least four of them"
    )


def test_help_shows_the_program_and_its_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["solve", "synthetic2019", "--help"])
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert caught.value.code == 0 and "Paper: Nobody 2019, nowhere" in lines
    assert "V videos" in lines and "R ratings" in lines
    assert "--rate" in out and "Factor of each." in out and "--dry-run" in out


def test_run_prints_the_papers_figures_next_to_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert solve(tmp_path) == 0
    out, err = capsys.readouterr()
    assert "Table 1: sums" in out and "synthetic data" in out
    assert "paper: MAP" in out and "here: sum" in out
    (line,) = (line for line in out.splitlines() if line.strip().startswith("mean"))
    assert line.split() == ["mean", "42.0", "12.0", "(1.0", "to", "2.0)", "-"]
    assert "[best]" in out and "not published" in out
    assert "[3/3] mean_of_members done" in err
    saved = json.loads((tmp_path / "synthetic2019.json").read_text())
    assert saved["config"]["seeds"] == [0, 1] and saved["tables"][0]["lines"][0]["ours"][0] == 12


def test_config_flags_change_what_depends_on_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert solve(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["tables"][0]["lines"][0]["ours"][0] == 12
    assert solve(tmp_path, "--json", "--seeds", "0", "1", "2") == 0
    captured = capsys.readouterr()
    assert "member-2 done" in captured.err and "member-1" not in captured.err
    assert solve(tmp_path, "--json", "--rate", "2", "--helpers", "7") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["tables"][0]["lines"][0]["ours"][0] == 24
    assert solve(tmp_path, "--rate", "2", "--helpers", "8") == 0
    assert "[1/3]" not in capsys.readouterr().err


def test_dry_run_shows_the_graph_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert solve(tmp_path, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "3 mean_of_members" in out and "├─ 1 member-0" in out and "└─ data" in out
    assert "0 of 3 steps are done; to do: about 1.0 s, 200 B, and 1 of unknown length." in out
    assert names(tmp_path) == {"tiny"}
    assert (
        solve(tmp_path, "--only", "member-0") == 0 and solve(tmp_path, "--dry-run", "--json") == 0
    )
    planned = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["state"] for row in planned["steps"]] == ["done", "to do", "to do"]
    assert planned["program"] == "synthetic2019" and planned["steps"][1]["basis"] == "estimate"


def test_dry_run_shows_the_time_of_several_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert solve(tmp_path, "--dry-run", "--workers", "2") == 0
    assert "about 1.0 s of work, 0.5 s on 2 workers, 200 B, and 1" in capsys.readouterr().out
    assert solve(tmp_path, "--dry-run", "--workers", "2", "--json") == 0
    to_do = json.loads(capsys.readouterr().out)["to_do"]
    assert (to_do["workers"], to_do["seconds"], to_do["seconds_on_them"]) == (2, 1.0, 0.5)


def test_table_in_a_file_is_not_wrapped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert solve(tmp_path, "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "member-0" in line)
    assert line.split() == ["├─", "1", "member-0", "to", "do", "~", "0.5", "s", "~", "100", "B"]


def test_only_option_runs_a_step_and_its_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert solve(tmp_path, "--only", "member-1") == 0
    out = capsys.readouterr().out
    assert names(tmp_path) == {"tiny", "member-1"} and "Table" not in out and "member-1: " in out
    folder = next(tmp_path.glob("member-1-*"))
    assert solve(tmp_path, "--only", folder.name) == 0
    assert solve(tmp_path, "--only", "membre-1") == 2
    assert "Did you mean member-1" in capsys.readouterr().err


def test_clean_confirms_and_removes_folders_of_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert solve(tmp_path, "--rate", "2") == 0 and solve(tmp_path) == 0
    before = set(tmp_path.iterdir())
    capsys.readouterr()
    assert solve(tmp_path, "--clean", "--dry-run") == 0 and set(tmp_path.iterdir()) == before
    assert "not needed: 3 folders" in capsys.readouterr().out
    assert solve(tmp_path, "--clean") == 2 and set(tmp_path.iterdir()) == before
    assert "Add --yes" in capsys.readouterr().err
    for typed, removed in (("n\n", 0), ("y\n", 3)):
        stdin = io.StringIO(typed)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", stdin)
        assert solve(tmp_path, "--clean") == 0
        assert len(before) - len(set(tmp_path.iterdir())) == removed
    capsys.readouterr()
    assert solve(tmp_path, "--clean", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"not_needed": [], "bytes": 0, "removed": []}
    assert solve(tmp_path) == 0 and "[1/3]" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synthetic2091", "--out", "w"], "Did you mean synthetic2019"),
        (["--out", "w"], "the name of a program must come first"),
        (["synthetic2019", "--out", "w"], "give the data with --data"),
        (["synthetic2019", "--out", "w", "--data", "nowhere"], "nowhere: is not there"),
        (["synthetic2019", "--out", "w", "--colour", "red"], "--colour"),
    ],
)
def test_wrong_arguments_are_named_with_status_2(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status: object = run(["solve", *arguments])
    except SystemExit as error:
        status = error.code
    captured = capsys.readouterr()
    assert status == 2 and not captured.out and message in captured.err
    assert not list(tmp_path.iterdir())


def test_empty_list_of_programs_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers, "PROGRAMS", ())
    assert run(["solve"]) == 0
    assert "no programs" in capsys.readouterr().err
