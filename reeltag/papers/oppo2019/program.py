"""OPPO 2019: soft labels expand a small set of rated segments.

Paper:     Kong, Wu, Yin, Guo, Dong, Wang (OPPO), 3rd YouTube-8M challenge 2019, rank 10
Needs:     frame-level records: train (video labels), validate (rated segments), test. YouTube-8M:
           2/frame/train, 3/frame/validate of 2019, linked into one folder; a GPU
Cost:      published sizes: 120k steps of batch 160 and 7 trainings on segments for each of two
           models, days on a GPU, 50 GB beside the 1.3 TB of data; 4,000 reels: 15 minutes of one
           core, 0.3 GB
Run:       reeltag solve oppo2019 --data DATA --out WORK
Try:       reeltag solve oppo2019 --tiny --out WORK
Reaches:   reels: MAP .77 (stage I) -> .85 (A) -> .85 (B, C), ensemble .86; copied video score .57;
           mosaics: .68 -> .79 -> .80, .81; .53 (paper: .7277 -> .7572 -> .7690 -> .7746, ensemble
           .7869); docs/reproductions.md
Departs:   ambiguities read as in docs/departures.md; the last weights count, nothing is selected
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.papers.common.contract import Goal
from reeltag.papers.common.data_source import data_source
from reeltag.papers.common.segment_costs import Costs
from reeltag.papers.common.splits.segments import Roles, roles
from reeltag.papers.common.work.segments import soften
from reeltag.papers.common.work.training import train
from reeltag.papers.oppo2019.config import TINY, Config, Plan, planned
from reeltag.papers.oppo2019.tables import judged
from reeltag.pipeline.steps import Source, Step, step
from reeltag.training.config import Recipe

__all__ = ["TINY", "TINY_DATA", "Config", "solve"]

TINY_DATA = SynthConfig(
    videos=40, classes=4, rgb=16, audio=4, min_frames=15, max_frames=30, shards=1, held_out=0.25
)


def solve(data: Path, config: Config) -> Goal:
    """Return tables 1 and 2, and what every stage gains, as a graph of steps."""
    index = open_index(data)
    parts = roles(index, folds=config.folds)
    plan, costs, given = planned(config, parts), Costs(index, parts), data_source(data, index)
    make = _Making(config, parts, plan, costs, given)
    models = stages_1_and_2(make)
    stage_1, a, _, c = models
    mixtures = stage_3(make, first_teacher=c)
    models += mixtures
    if config.ablations:
        models += ablations(make, stage_1, teacher=a)
    return judged(models, (mixtures[1], mixtures[2], mixtures[3]), plan, costs, given)


@dataclass(frozen=True)
class _Making:
    """The two kinds of steps that every stage is made of."""

    config: Config
    parts: Roles
    plan: Plan
    costs: Costs
    given: Source

    def trained(
        self,
        name: str,
        recipe: Recipe,
        *,
        mix: bool = False,
        start: Step | None = None,
        soft: Step | None = None,
        equal: int = 0,
    ) -> Step:
        """Train a NeXtVLAD, or a mixture of them, from the weights and with the labels given."""
        model = self.plan.mix if mix else self.plan.single
        added = 0 if soft is None else self.costs.num_soft(self.config.per_label, equal)
        return step(
            train,
            self.given,
            name=name,
            model=model,
            recipe=recipe,
            start=start,
            soft=soft,
            equal=equal,
            runtime={"accelerator": self.config.device},
            estimate=partial(self.costs.training, model, recipe, added),
        )

    def softened(self, teacher: Step, equal: int, mix: bool = False) -> Step:
        """Write soft labels of segments; `equal` of each class, 0 as many as there are."""
        model = self.plan.mix if mix else self.plan.single
        count = self.costs.num_soft(self.config.per_label, equal)
        return step(
            soften,
            teacher,
            self.given,
            name=f"by-{teacher.name.removeprefix('train-')}",
            choices=self.plan.draws(equal),
            classes=self.parts.judges.classes,
            splits=self.parts.videos,
            runtime={"device": self.config.device},
            estimate=partial(self.costs.softening, model, count),
        )


def stages_1_and_2(make: _Making) -> list[Step]:
    """NeXtVLAD learns from whole videos, then three times from segments: I, II-A, II-B, II-C."""
    m, segments = make.plan.sizes.per_class, make.plan.segments()
    stage_1 = make.trained("I", make.plan.videos())
    a = make.trained("II-A", segments, start=stage_1)
    original = make.softened(a, equal=0)
    b = make.trained("II-B", segments, start=stage_1, soft=original, equal=m)
    c = make.trained("II-C", segments, start=stage_1, soft=make.softened(b, m), equal=m)
    return [stage_1, a, b, c]


def stage_3(make: _Making, first_teacher: Step) -> list[Step]:
    """MixNeXtVLAD, whose first teacher is the best NeXtVLAD: III-I, III-A, III-B, III-C."""
    m, segments = make.plan.sizes.per_class, make.plan.segments(mix=True)
    stage_1 = make.trained("III-I", make.plan.videos(mix=True), mix=True)
    mix = partial(make.trained, recipe=segments, mix=True, start=stage_1, equal=m)
    a = mix("III-A", soft=make.softened(first_teacher, m))
    b = mix("III-B", soft=make.softened(a, m, mix=True))
    c = mix("III-C", soft=make.softened(b, m, mix=True))
    return [stage_1, a, b, c]


def ablations(make: _Making, stage_1: Step, teacher: Step) -> list[Step]:
    """Stage I without down-sampling; table 2: Original or Equal, with or without stage I."""
    plan, original = make.plan, make.softened(teacher, equal=0)
    fresh = partial(make.trained, recipe=plan.segments(fresh=True), soft=original)
    return [
        make.trained("I-all-frames", plan.videos(all_frames=True)),
        fresh("original-fresh"),
        make.trained("original", plan.segments(), start=stage_1, soft=original),
        fresh("equal-fresh", equal=plan.sizes.per_class),
    ]
