"""Samsung 2018: a hundred networks under trees, whose soft labels teach one graph.

Paper:     Aliev, Sterkin, Ostyakov, Logacheva, Suvorov, Khomenko (Samsung AI Center Moscow), 2nd
           YouTube-8M challenge 2018, rank 4: slides
Needs:     labels of whole videos, train, validate and test (--train, --validate, --test name other
           shards). YouTube-8M's video-level files, 18 GB; with frame-level files the networks on
           frames take part; a GPU
Cost:      published sizes: 95 (with frames 115) networks in five folds each, weeks on a GPU, some
           300 GB; 20,000 videos: three quarters of an hour on a core, 2 GB
Run:       reeltag solve samsung2018 --data DATA --out WORK
Try:       reeltag solve samsung2018 --tiny --out WORK
Reaches:   YouTube-8M shards, 20,252 videos: LightGBM over 8 networks GAP .7095 (best alone .7016),
           ResNetLike .660 -> .665 with soft labels, one graph .692 (slides: .861 with mixup to
           .874, .88743, .88729); docs/reproductions.md
Departs:   running statistics in batch norms; probabilities of the trees, where the code takes
           classes; small sizes have networks of ours among the fleet (docs/departures.md)
"""

from pathlib import Path

from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.papers.common.contract import Goal
from reeltag.papers.common.data_source import data_source
from reeltag.papers.common.splits.videos import fold_parts
from reeltag.papers.common.video_costs import VideoCosts
from reeltag.papers.common.work.videos import TENSORS
from reeltag.papers.samsung2018.config import SINGLES, TINY, Config, planned
from reeltag.papers.samsung2018.steps import Bench
from reeltag.papers.samsung2018.tables import judged

__all__ = ["TINY", "TINY_DATA", "Config", "solve"]

SCORED = 20  # classes of a video that GAP looks at
TINY_DATA = SynthConfig(
    videos=60, classes=4, rgb=8, audio=4, level="video", shards=2, held_out=0.25
)


def solve(data: Path, config: Config) -> Goal:
    """Return every row of the slides' table, and what each stage gains, as a graph of steps."""
    index = open_index(data)
    parts = fold_parts(
        index,
        folds=config.folds,
        train=config.train,
        validate=config.validate,
        test=config.test,
        with_validate=config.with_validate,
    )
    plan = planned(config, parts, index)
    bench = Bench(plan, VideoCosts(index, parts, SCORED), data_source(data, index))

    # First level: every network of the fleet, five times, each without a fold that it then predicts
    said = {member.name: bench.first_level(member) for member in plan.fleet}

    # Second level: trees over what the networks say of a video's likeliest classes, out of fold
    stacked = {member.name: said[member.name] for member in plan.fleet if member.stacked}
    trees = bench.stacked(stacked)
    soft = bench.softened(trees)

    # One ResNetLike on all videos, in four ways; the last learns from the trees' soft labels
    for name in SINGLES:
        how = {"soft": soft} if name == "soft" else {}
        bench.single(name, plan.single, plan.single_recipe(name), **how)

    # Six small nets learn from soft labels, then a net on top of them: one graph
    recipe = plan.net_recipe()
    nets = [
        bench.single(f"net-{name}", model, recipe, soft=soft) for name, model in plan.nets.items()
    ]
    start, recipe = bench.gathered(nets) / TENSORS, plan.net_recipe(final=True)
    bench.single("final", plan.final, recipe, start=start, soft=soft)
    return judged(bench)
