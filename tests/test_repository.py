"""What a repository promises: licence, metadata, workflows, templates; each says the same."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import reeltag
from reeltag.encoders import list_encoders

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(reeltag.__file__).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
PINNED = re.compile(r"- uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+$")
SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


@cache
def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def read_yaml(path: Path) -> Any:
    """Return a YAML file, whose key `on` is a text."""
    return yaml.load(path.read_text("utf-8"), yaml.BaseLoader)


def test_version_is_one() -> None:
    citation = read_yaml(ROOT / "CITATION.cff")
    assert project()["project"]["version"] == reeltag.__version__ == citation["version"]


def test_licence_is_apache_2_everywhere() -> None:
    about = project()["project"]
    assert about["license"] == read_yaml(ROOT / "CITATION.cff")["license"] == "Apache-2.0"
    assert about["license-files"] == ["LICENSE", "NOTICE"]
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert not [of for of in about["classifiers"] if of.startswith("License ::")]  # SPDX says it


def test_authors_are_the_same() -> None:
    citation = read_yaml(ROOT / "CITATION.cff")
    assert (
        project()["project"]["authors"] == citation["authors"] == [{"name": "The reeltag authors"}]
    )


@pytest.mark.parametrize("encoder", list_encoders("*"))
def test_notice_names_the_weights_of_an_encoder(encoder: Any) -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    rows = [line for line in notice.splitlines() if f" {encoder.name} " in line]
    package = re.fullmatch(r"package (\S+)", encoder.weights_from)
    if package:
        (row,) = [line for line in rows if f" {package[1]} " in line]
        assert re.search(r"Apache-2.0|MIT|not stated", encoder.licence)[0] in row  # type: ignore[index]
    elif "internet" in encoder.weights_from:
        assert len(rows) == 1 and "see its card" in rows[0]
    else:
        assert encoder.weights_from == "none needed" and not rows


def test_pythons_are_those_that_are_tested() -> None:
    classifiers = project()["project"]["classifiers"]
    named = [of.rpartition(" ")[2] for of in classifiers if re.search(r":: 3\.\d+$", of)]
    suite = read_yaml(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["suite"]
    assert suite["strategy"]["matrix"] == {"python": named, "torch": ["oldest", "newest"]}
    assert project()["project"]["requires-python"] == f">={named[0]}"
    lowest = next(of for of in project()["project"]["dependencies"] if of.startswith("torch>"))
    pinned = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    assert pinned and pinned[1].startswith(lowest.removeprefix("torch>="))


def test_files_of_the_package_are_package_data() -> None:
    """Without git or a build: the patterns of pyproject.toml cover all that is not Python."""
    patterns = project()["tool"]["setuptools"]["package-data"]["reeltag"]
    files = {
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name[0] != "."
    }
    found = {of: files & {*PACKAGE.glob(of)} for of in patterns}  # as setuptools reads them
    assert files and not files - set().union(*found.values())
    assert all(found.values()), f"a pattern fits nothing: {found}"


def test_folders_of_python_are_packages() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_has_the_least_rights(path: Path) -> None:
    text, workflow = path.read_text("utf-8"), read_yaml(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in text and "secrets." not in text
    for line in text.splitlines():
        assert "uses:" not in line or PINNED.fullmatch(line.strip()), line
    for job in workflow["jobs"].values():
        assert int(job["timeout-minutes"]) <= 60
        rights = job.get("permissions", {})
        assert not rights or ("environment" in job and rights["id-token"] == "write")
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")  # what others name is no program
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": "false"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_runs_targets_that_there_are(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"run: make (\S+)", path.read_text("utf-8")):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_workflows_are_those_that_there_should_be() -> None:
    assert [path.stem for path in WORKFLOWS] == ["docs", "release", "test"]
    publish = read_yaml(WORKFLOWS[1])["jobs"]["publish"]
    assert publish["needs"] == "build" and publish["permissions"] == {"id-token": "write"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_form_asks_for_what_is_needed(path: Path) -> None:
    form = read_yaml(path)
    assert {"name", "description", "body"} <= form.keys()
    asked = [of for of in form["body"] if of["type"] != "markdown"]
    names = [of["id"] for of in asked]
    assert len({*names}) == len(names) and {of["type"] for of in asked} <= {"input", "textarea"}
    assert all(of["attributes"]["label"] for of in asked)
    assert any(of.get("validations") == {"required": "true"} for of in asked)


def test_hooks_before_commits_have_fixed_versions() -> None:
    *others, local = read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    assert all(re.fullmatch(r"v?\d+\.\d+\.\d+", of["rev"]) for of in others)
    (hook,) = local["hooks"]
    (tool,) = hook["additional_dependencies"]
    assert tool in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert (ROOT / hook["entry"].removeprefix("python ")).is_file()


def test_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first, *versions = re.split(r"^## ", text, flags=re.M)
    assert "Keep a Changelog" in first and "Semantic Versioning" in first
    assert versions[0].startswith("[Unreleased]\n")
    for version in versions:
        head, *sections = re.split(r"^### ", version, flags=re.M)
        assert re.match(r"\[Unreleased\]\n|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d\n", head)
        names = [of.partition("\n")[0] for of in sections]
        assert names == [of for of in SECTIONS if of in names]
        assert all(of.partition("\n")[2].strip().startswith("- ") for of in sections)


def test_what_git_knows_is_small() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("no git")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    large = [of for of in paths if of.is_file() and of.stat().st_size > 500_000]
    assert not [of for of in large if "golden" not in of.parts]
