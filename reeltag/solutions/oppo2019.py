"""OPPO 2019: soft labels expand a small set of rated segments.

Paper:     Kong, Wu, Yin, Guo, Dong, Wang (OPPO), 3rd YouTube-8M challenge 2019, rank 10
Needs:     frame-level records: train (video labels), validate (rated segments), test. YouTube-8M:
           2/frame/train, 3/frame/validate of 2019, linked into one folder; a GPU
Cost:      published sizes: 120k steps of batch 160 and 7 trainings on segments for each of two
           models, days on a GPU, 50 GB beside the 1.3 TB of data; 4,000 reels: about an hour on 2
           cores, 0.5 GB (estimated; see --dry-run)
Run:       reeltag solve oppo2019 --data DATA --out WORK
Try:       reeltag solve oppo2019 --tiny --out WORK
Reaches:   not measured yet here (paper: MAP .7277 -> .7572 -> .7690 -> .7746, ensemble .7869)
Departs:   ambiguities read as in docs/departures.md; the last weights count, nothing is selected
"""

from functools import partial
from pathlib import Path

from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.pipeline.steps import Step, step
from reeltag.solutions.contract import Goal
from reeltag.solutions.costs import Costs
from reeltag.solutions.data import data_source
from reeltag.solutions.judges import roles
from reeltag.solutions.oppo2019_config import TINY, Config, planned
from reeltag.solutions.oppo2019_tables import judged
from reeltag.solutions.work import soften, train
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
    m = plan.sizes.per_class

    def trained(
        name: str,
        recipe: Recipe,
        *,
        mix: bool = False,
        start: Step | None = None,
        soft: Step | None = None,
        equal: int = 0,
    ) -> Step:
        model = plan.mix if mix else plan.single
        added = 0 if soft is None else costs.num_soft(config.per_label, equal)
        return step(
            train,
            given,
            name=name,
            family="mix_nextvlad" if mix else "nextvlad",
            model=model,
            recipe=recipe,
            start=start,
            soft=soft,
            equal=equal,
            means={"accelerator": config.device},
            estimate=partial(costs.training, model, recipe, added),
        )

    def softened(teacher: Step, equal: int, mix: bool = False) -> Step:
        model, count = plan.mix if mix else plan.single, costs.num_soft(config.per_label, equal)
        return step(
            soften,
            teacher,
            given,
            name=f"by-{teacher.name.removeprefix('train-')}",
            choices=plan.draws(equal),
            classes=parts.judges.classes,
            splits=parts.videos,
            means={"device": config.device},
            estimate=partial(costs.softening, model, count),
        )

    # Stages I and II: NeXtVLAD learns from whole videos, then three times from segments
    segments = plan.segments()
    stage_1 = trained("I", plan.videos())
    a = trained("II-A", segments, start=stage_1)
    original = softened(a, equal=0)
    b = trained("II-B", segments, start=stage_1, soft=original, equal=m)
    c = trained("II-C", segments, start=stage_1, soft=softened(b, m), equal=m)

    # Stage III: MixNeXtVLAD, whose first teacher is the best NeXtVLAD
    segments = plan.segments(mix=True)
    mix_1 = trained("III-I", plan.videos(mix=True), mix=True)
    mix = partial(trained, recipe=segments, mix=True, start=mix_1, equal=m)
    mix_a = mix("III-A", soft=softened(c, m))
    mix_b = mix("III-B", soft=softened(mix_a, m, mix=True))
    mix_c = mix("III-C", soft=softened(mix_b, m, mix=True))
    models = [stage_1, a, b, c, mix_1, mix_a, mix_b, mix_c]

    # Stage I without down-sampling, and table 2: Original or Equal, with or without stage I
    if config.ablations:
        fresh = partial(trained, recipe=plan.segments(fresh=True), soft=original)
        models += [
            trained("I-all-frames", plan.videos(all_frames=True)),
            fresh("original-fresh"),
            trained("original", plan.segments(), start=stage_1, soft=original),
            fresh("equal-fresh", equal=m),
        ]
    return judged(models, (mix_a, mix_b, mix_c), plan, costs, given)
