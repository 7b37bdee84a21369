"""Check that docstrings name all arguments or none: the rules DOC1 of pydoclint.

    docstrings.py [FILE ...]    none: all of reeltag

pydoclint cannot select rules; the others ask for sections that ours do not have. Exit status 1
where a docstring is wrong.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = "from pydoclint.main import main; main()"  # also where it is on PYTHONPATH alone


def main(files: list[str]) -> int:
    """Run pydoclint, and print what it finds of arguments."""
    config = f"--config={ROOT / 'pyproject.toml'}"
    command = [sys.executable, "-c", START, config, *(files or [str(ROOT / "reeltag")])]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    printed = ended.stdout + ended.stderr
    if "Traceback" in printed or ended.returncode not in (0, 1):
        sys.exit(f"pydoclint cannot be run:\n{printed}")
    path, found = "", 0
    for line in printed.splitlines():
        path = line if line and not line[0].isspace() else path
        if ": DOC1" in line:
            print(f"{path}:{line.strip()}")
            found += 1
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
