"""A moment finder as a graph of steps."""

from dataclasses import replace

from reeltag.data.dataset import Dataset
from reeltag.labels.folds import FoldConfig
from reeltag.papers.common.dataset_source import dataset_source
from reeltag.papers.common.graph import GraphBuilder
from reeltag.papers.common.program import Goal, Program
from reeltag.papers.common.splits.own_videos import assign_own_splits
from reeltag.papers.moments.config import TINY, TINY_DATA, Config, MomentsPlan, make_plan
from reeltag.papers.moments.tables import evaluate_finder
from reeltag.training.frame_regression import FrameRegressionConfig


def solve(data: Dataset, config: Config) -> Goal:
    """Return the moment finder, and how good it is on rated videos that it has never seen."""
    own = assign_own_splits(
        data,
        folds=config.folds,
        without_ratings=config.without_ratings,
        regressed_below=config.regressed_below,
    )
    plan = make_plan(config, own)
    builder = GraphBuilder(
        data=dataset_source(data),
        evaluation=own.assignment.evaluation,
        bootstrap=config.bootstrap,
        precision=config.precision,
        device=config.device,
    )

    if plan.is_regression:
        return _regressed(plan, builder, data)

    # Stage I: whole videos, whose labels say what is in them and not where
    stage_1 = builder.train("I", plan.model, plan.videos())
    if config.without_ratings:
        return evaluate_finder(stage_1, stage_1, stage_1, plan, builder, data)

    # Stage II: rated segments without the held-out fold; then all of them
    recipe = plan.segments(own.assignment.fold)
    tuned = final = builder.train("II", plan.model, recipe, start=stage_1)
    if own.assignment.fold.count:
        final = builder.train("final", plan.model, plan.all_segments(), start=stage_1)
    return evaluate_finder(stage_1, tuned, final, plan, builder, data)


def _regressed(plan: MomentsPlan, builder: GraphBuilder, data: Dataset) -> Goal:
    """Return the finder for few videos: every frame, labels and ratings at once."""
    videos = plan.regressed_videos()
    how = FrameRegressionConfig(steps=plan.config.frame_steps)
    stage_1 = builder.regress_frames("I", videos, None, how)
    if plan.config.without_ratings:
        return evaluate_finder(stage_1, stage_1, stage_1, plan, builder, data)
    fold = plan.own.assignment.fold
    tuned = final = builder.regress_frames("II", videos, plan.regressed_segments(fold), how)
    if fold.count:
        every = replace(videos, fold=FoldConfig())
        rated = plan.regressed_segments(FoldConfig())
        final = builder.regress_frames("final", every, rated, how)
    return evaluate_finder(stage_1, tuned, final, plan, builder, data)


PROGRAM = Program(
    name="moments",
    title="Moments: when is what in your own videos, from a few hundred ratings.",
    paper="none: what was worth its cost here of OPPO 2019 and Autohome 2019 "
    "(docs/explanation/techniques.md)",
    needs="your frame-level TFRecords: videos with video labels, and 100 rated segments or more of "
    "some of them, in the same files or others; below 1,000 videos two ratings are enough, and no "
    "labels are needed; files named test never train",
    cost="4,000 reels and 5,166 ratings: a minute and a half of one core, 34 MB",
    reaches="reels: MAP .85 (stage I .77, copied video score .57), mosaics .82 (.76, .53); "
    "docs/results/reproductions.md",
    departs="one NeXtVLAD; whole videos, then rated segments (+ .08 MAP on reels), rated classes "
    "weighing 2.5 and unrated ones 0.1 (over the mask + .004 on reels, + .055 on mosaics). Left "
    "out: soft labels, noise and mixup, which gained nothing sure on reels, and correlation "
    "targets, whose gain on mosaics needs labels that imply each other",
    notes="""\
Part of the rated videos is held out for evaluation, next to the two baselines without ratings: the
video's score copied to its segments, and stage I scoring each segment. The finder that you get is
then fitted on all ratings, and thresholds for --target-precision are written into it: they are
chosen on the held-out ratings, and classes that cannot reach it are named. Numbers that are not
given follow the data; below,

V  videos to train on            C  classes with ratings
R  ratings                       D  values of a frame""",
    config=Config,
    tiny=TINY,
    tiny_data=TINY_DATA,
    solve=solve,
)
