"""Moments: a finder of 5-second moments, from your own videos and a few hundred ratings.

Paper:     none: what was worth its cost here of OPPO 2019 and Autohome 2019 (docs/techniques.md)
Needs:     your frame-level TFRecords: videos with video labels, and 100 rated segments or more of
           some of them, in the same files or others; files named test never teach
Cost:      4,000 reels and 5,166 ratings: a minute and a half of one core, 34 MB
Run:       reeltag solve moments --data DATA --out WORK
Try:       reeltag solve moments --tiny --out WORK
Reaches:   reels: MAP .85 (stage I .77, copied video score .57), mosaics .82 (.76, .53);
           docs/reproductions.md
Departs:   one NeXtVLAD; whole videos, then rated segments (+ .08 MAP on reels), rated classes
           weighing 2.5 and unrated ones 0.1 (over the mask + .004 on reels, + .055 on mosaics).
           Left out: soft labels, noise and mixup, which gained nothing sure on reels, and
           correlation targets, whose gain on mosaics hangs on labels that imply each other

Part of the rated videos is held out and judges, beside the two things one has without ratings: the
video's score copied to its segments, and stage I asked about each segment. The finder that you get
is then fitted on all ratings. Numbers that are not given follow the data; below,

    V  videos to learn from          C  classes with ratings
    R  ratings                       D  values of a frame
"""

from functools import partial
from pathlib import Path

from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.papers.common.contract import Goal
from reeltag.papers.common.data_source import data_source
from reeltag.papers.common.segment_costs import Costs
from reeltag.papers.common.splits.own_videos import own_data
from reeltag.papers.common.work.training import train
from reeltag.papers.moments.config import TINY, Config, planned
from reeltag.papers.moments.tables import judged
from reeltag.pipeline.steps import Step, step
from reeltag.training.config import Recipe

__all__ = ["TINY", "TINY_DATA", "Config", "solve"]

TINY_DATA = SynthConfig(
    videos=120, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=1, held_out=0.3
)


def solve(data: Path, config: Config) -> Goal:
    """Return the moment finder, and how good it is on rated videos that it has never seen."""
    index = open_index(data)
    own = own_data(index, folds=config.folds, without_ratings=config.without_ratings)
    plan, costs, given = planned(config, own), Costs(index, own.roles), data_source(data, index)

    def trained(name: str, recipe: Recipe, start: Step | None = None) -> Step:
        return step(
            train,
            given,
            name=name,
            model=plan.model,
            recipe=recipe,
            start=start,
            runtime={"accelerator": config.device},
            estimate=partial(costs.training, plan.model, recipe),
        )

    # Stage I: whole videos, which say what is in them and not where
    stage_1 = trained("I", plan.videos())
    if config.without_ratings:
        return judged(stage_1, stage_1, stage_1, plan, costs, given)

    # Stage II: rated segments, but for the part that judges; then all of them
    tuned = trained("II", plan.segments(own.roles.fold), stage_1)
    final = trained("final", plan.all_segments(), stage_1) if own.roles.fold.count else tuned
    return judged(stage_1, tuned, final, plan, costs, given)
