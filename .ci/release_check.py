"""Build what would be released, look into it, and run it where nothing else is installed.

    release_check.py FOLDER [--constraints FILE]

The files that git knows are copied, so that nothing else gets in. FOLDER then has dist/ with wheel
and sdist, and two environments: in `bare` the wheel is alone with what it needs, in `all` it has
the extra `all`. Exit status 1 where something is wrong.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# next to the package: what says what it is, and under which licence
BESIDE = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "NOTICE", "README.md"}
BESIDE |= {"SECURITY.md", "pyproject.toml"}
MADE = {"PKG-INFO", "setup.cfg"}  # by setuptools


def main() -> int:
    """Build, look and run; the problems are printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    chosen = parser.parse_args()
    folder, constraints = chosen.folder.resolve(), chosen.constraints.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wheel, sdist = build(folder)
    problems = contents_problems(wheel, sdist)
    for problem in problems:
        print(f"release-check: {problem}")
    if problems:
        return 1
    python = environment(folder / "bare", constraints, [str(wheel)])
    run_bare(python)
    again = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", sdist]
    run(*again)
    run_bare(python)
    python = environment(folder / "all", constraints, [f"{wheel}[all]"])
    with tempfile.TemporaryDirectory() as place:
        run(python, "-I", "-m", "reeltag", "demo", "--films", "10", cwd=Path(place))
    print(f"release-check: {wheel.name} and {sdist.name} are whole, and run")
    return 0


def build(folder: Path) -> tuple[Path, Path]:
    """Build wheel and sdist of the files that git knows; return their paths."""
    source, out = folder / "source", folder / "dist"
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--outdir", out, source)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def tracked() -> list[str]:
    """Return the files that git knows and that are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def contents_problems(wheel: Path, sdist: Path) -> list[str]:
    """Return what is missing in wheel and sdist, and what should not be there."""
    package = {name for name in tracked() if name.startswith("reeltag/")}
    with zipfile.ZipFile(wheel) as file:
        in_wheel = {name for name in file.namelist() if ".dist-info/" not in name}
        about = {name.partition(".dist-info/")[2] for name in file.namelist()}
    with tarfile.open(sdist) as archive:
        names = {of.name.partition("/")[2] for of in archive if of.isfile()}
    in_sdist = {name for name in names if not name.startswith("reeltag.egg-info/")} - MADE
    wanted = {"wheel": package, "sdist": package | BESIDE}
    found = {"wheel": in_wheel, "sdist": in_sdist}
    problems = [
        f"the {kind} {what}: {name}"
        for kind in wanted
        for what, some in (
            ("lacks", wanted[kind] - found[kind]),
            ("should not have", found[kind] - wanted[kind]),
        )
        for name in sorted(some)
    ]
    licences = {"licenses/LICENSE", "licenses/NOTICE"} - about
    return problems + [f"the wheel lacks {name}" for name in sorted(licences)]


def environment(folder: Path, constraints: Path, packages: list[str]) -> Path:
    """Install packages into a new environment; return its Python."""
    run(sys.executable, "-m", "venv", folder)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*install, "-c", constraints, *packages)
    run(python, "-m", "pip", "check")
    return python


def run_bare(python: Path) -> None:
    """Run what needs no extra, in an empty folder: all help, and from records to scores."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        run(python, "-I", "-c", "import reeltag; print(reeltag.__version__)", cwd=place)
        run(python, "-I", "-m", "reeltag", "--help", cwd=place, quiet=True)
        commands = "from reeltag.cli.main import COMMANDS; print(*COMMANDS)"
        listed = subprocess.run(
            [python, "-I", "-c", commands], check=True, capture_output=True, text=True
        )
        for command in listed.stdout.split():
            run(python, "-I", "-m", "reeltag", command, "--help", cwd=place, quiet=True)
        reeltag = [python, "-I", "-m", "reeltag"]
        run(*reeltag, "synth", "data", "--videos", "60", "--classes", "6", cwd=place)
        recipe = ["--max-steps", "5", "--batch-size", "8"]
        run(*reeltag, "train", "logistic", "--data", "data", "--out", "run", *recipe, cwd=place)
        run(*reeltag, "predict", "run", "--data", "data", "--out", "p.parquet", cwd=place)
        run(*reeltag, "evaluate", "p.parquet", "--data", "data", cwd=place)


def run(*command: str | Path, cwd: Path | None = None, quiet: bool = False) -> None:
    """Run a program, which must end well."""
    words = " ".join(str(word) for word in command[1:])
    if not quiet:
        print(f"$ {words}", flush=True)
    ended = subprocess.run(
        list(map(str, command)), cwd=cwd, stdout=subprocess.DEVNULL if quiet else None, check=False
    )
    if ended.returncode:
        sys.exit(f"release-check: it ended with {ended.returncode}: {words}")


if __name__ == "__main__":
    sys.exit(main())
