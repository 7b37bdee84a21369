"""Several trainings after one another on each rank of torchrun: `two_ranks.py OUT RUN...`."""

import sys
from pathlib import Path

from reeltag.cli.main import run

for trained in sys.argv[2:]:
    out = Path(sys.argv[1]) / Path(trained).name
    code = run(["train", "--config", trained, "--out", str(out), "--accelerator", "cpu"])
    if code:
        sys.exit(code)
