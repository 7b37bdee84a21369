"""Put what results/ holds into the tables of README.md and docs/.

python -m benchmarks.tables            rewrite what is between the markers
python -m benchmarks.tables --check    change nothing; name what differs, exit 1
"""

import argparse
import sys
from pathlib import Path

from benchmarks.results import PROJECT
from benchmarks.tables import (
    choosing,
    claims,
    gpu,
    install,
    own_features,
    quality,
    readme,
    reproductions,
    scale,
    speed,
    techniques,
    trust,
)
from benchmarks.tables.pages import PageError, Tables, differences, filled


def pages() -> dict[str, Tables]:
    """Return for each page its tables, by name."""
    return {
        "README.md": {"measured": readme.measured},
        "docs/results/index.md": {"quality": quality.quality, "speed": speed.speed},
        "docs/results/models.md": {"zoo": quality.zoo, "rates": speed.rates, "peers": speed.peers},
        "docs/results/gpu.md": {
            "figures": gpu.gpu_figures,
            "steps": gpu.gpu_steps,
            "problems": gpu.gpu_problems,
        },
        "docs/results/own-features.md": {
            "variants": own_features.variants,
            "import_speeds": own_features.speeds,
        },
        "docs/results/moments.md": {
            "events": own_features.events,
            "promises": own_features.promises,
            "films": own_features.films,
        },
        "docs/results/rating.md": {"choosing": choosing.choosing, "curves": choosing.whole_curves},
        "docs/results/own-videos.md": {
            "decoding": speed.figures_of("decoding"),
            "similar": speed.figures_of("similar"),
        },
        "docs/how-to/remote-archives.md": {"remote": speed.figures_of("remote")},
        "docs/reference/departures.md": {"moments": techniques.moments},
        "docs/explanation/techniques.md": {"summary": techniques.summary},
        "docs/results/techniques.md": {"costs": techniques.costs, **techniques.techniques()},
        "docs/results/claims.md": {**claims.claims()},
        "docs/results/reproductions.md": {
            **reproductions.reproductions(),
            "spreads": reproductions.spreads,
            "trials": reproductions.trials,
            "deployable": quality.deployable,
        },
        "docs/reference/install.md": {
            "sizes": install.sizes,
            "times": install.times,
            "extras": install.extras,
        },
        "docs/explanation/security.md": {"fuzz": trust.fuzz},
        "docs/reference/guarantees.md": {"kills": trust.kills, "full_disks": trust.full_disks},
        "docs/explanation/speed.md": {"in_short": readme.speed},
        "docs/explanation/scale.md": {
            "segment_scoring": speed.figures_of("segment_scoring"),
            "around": scale.around,
            "jobs": scale.jobs,
            "growth": scale.growth,
            "six_million": scale.six_million,
        },
    }


def main(arguments: list[str] | None = None, root: Path = PROJECT) -> int:
    """Rewrite the pages, or check them; return 1 where one differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    wrong = []
    for page, tables in pages().items():
        path = root / page
        text = path.read_text()
        try:
            if options.check:
                wrong += [f"{page}: {difference}" for difference in differences(text, tables)]
            else:
                path.write_text(filled(text, tables))
        except PageError as error:
            wrong.append(f"{page}: {error}")
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong and options.check:
        print("`python -m benchmarks.tables` writes them as results/ has them", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
