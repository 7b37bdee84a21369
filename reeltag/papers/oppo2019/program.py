"""OPPO 2019 as a graph of steps."""

from dataclasses import dataclass
from functools import partial

from reeltag.data.dataset import Dataset
from reeltag.papers.common.dataset_source import dataset_source
from reeltag.papers.common.graph import GraphBuilder
from reeltag.papers.common.program import Goal, Program
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.papers.common.splits.segments import assign_segment_splits
from reeltag.papers.common.steps.soft_labels import soft_label_segments
from reeltag.papers.oppo2019.config import TINY, TINY_DATA, Config, OppoPlan, make_plan
from reeltag.papers.oppo2019.tables import evaluate_models
from reeltag.pipeline.steps import Step, step


def solve(data: Dataset, config: Config) -> Goal:
    """Return tables 1 and 2, and what every stage gains, as a graph of steps."""
    plan = make_plan(config, assign_segment_splits(data, folds=config.folds))
    builder = GraphBuilder(
        data=dataset_source(data),
        evaluation=plan.assignment.evaluation,
        bootstrap=config.bootstrap,
        precision=plan.sizes.precision,
        device=config.device,
    )
    stages = _Stages(plan, builder)
    models = stages.first_and_second()
    stage_1, a, _, c = models
    mixtures = stages.third(first_teacher=c)
    models += mixtures
    if config.ablations:
        models += stages.ablations(stage_1, teacher=a)
    return evaluate_models(models, mixtures[1:], plan, builder)


@dataclass(frozen=True)
class _Stages:
    """The stages of the paper as steps."""

    plan: OppoPlan
    builder: GraphBuilder

    def first_and_second(self) -> list[Step]:
        """Train NeXtVLAD on whole videos, then three times on segments: I, II-A, II-B, II-C."""
        m = self.plan.sizes.per_class
        stage_1 = self._train("I", self.plan.videos())
        train = partial(self._train, recipe=self.plan.segments(), start=stage_1)
        a = train("II-A")
        b = train("II-B", soft=self._soft_labels(a, equal=0), equal=m)
        c = train("II-C", soft=self._soft_labels(b, equal=m), equal=m)
        return [stage_1, a, b, c]

    def third(self, first_teacher: Step) -> list[Step]:
        """Train MixNeXtVLAD, its first teacher the best NeXtVLAD: III-I, III-A, III-B, III-C."""
        m = self.plan.sizes.per_class
        stage_1 = self._train("III-I", self.plan.videos(mix=True), mix=True)
        segments = self.plan.segments(mix=True)
        train = partial(self._train, recipe=segments, mix=True, start=stage_1, equal=m)
        a = train("III-A", soft=self._soft_labels(first_teacher, equal=m))
        b = train("III-B", soft=self._soft_labels(a, equal=m))
        c = train("III-C", soft=self._soft_labels(b, equal=m))
        return [stage_1, a, b, c]

    def ablations(self, stage_1: Step, teacher: Step) -> list[Step]:
        """Train stage I without down-sampling; table 2: Original or Equal, with stage I or not."""
        plan, soft = self.plan, self._soft_labels(teacher, equal=0)
        fresh = partial(self._train, recipe=plan.segments(fresh=True), soft=soft)
        return [
            self._train("I-all-frames", plan.videos(all_frames=True)),
            fresh("original-fresh"),
            self._train("original", plan.segments(), start=stage_1, soft=soft),
            fresh("equal-fresh", equal=plan.sizes.per_class),
        ]

    def _train(
        self,
        name: str,
        recipe: SplitRecipe,
        *,
        mix: bool = False,
        start: Step | None = None,
        soft: Step | None = None,
        equal: int = 0,
    ) -> Step:
        model = self.plan.mix if mix else self.plan.single
        return self.builder.train(name, model, recipe, start=start, soft=soft, equal=equal)

    def _soft_labels(self, teacher: Step, equal: int) -> Step:
        """Write soft labels of segments; `equal` of each class, 0 as many as there are."""
        return step(
            soft_label_segments,
            teacher,
            self.builder.data,
            name=f"by-{teacher.name.removeprefix('train-')}",
            choices=self.plan.drawn(equal),
            classes=self.plan.assignment.evaluation.classes,
            splits=self.plan.assignment.videos,
            runtime={"device": self.builder.device},
        )


PROGRAM = Program(
    name="oppo2019",
    title="OPPO 2019: soft labels expand a small set of rated segments.",
    paper="Kong, Wu, Yin, Guo, Dong, Wang (OPPO), 3rd YouTube-8M challenge 2019, rank 10",
    needs="frame-level records: train (video labels), validate (rated segments), test. YouTube-8M: "
    "2/frame/train, 3/frame/validate of 2019, linked into one folder; a GPU",
    cost="published sizes: 120k steps of batch 160 and 7 trainings on segments for each of two "
    "models, days on a GPU, 50 GB besides the 1.3 TB of data; 4,000 reels: 15 minutes of one core, "
    "0.3 GB",
    reaches="reels: MAP .77 (stage I) -> .85 (A) -> .85 (B, C), ensemble .86; copied video score "
    ".57; mosaics: .68 -> .79 -> .80, .81; .53 (paper: .7277 -> .7572 -> .7690 -> .7746, ensemble "
    ".7869); docs/results/reproductions.md",
    departs="ambiguities read as in docs/reference/departures.md; the last weights count, nothing "
    "is selected",
    config=Config,
    tiny=TINY,
    tiny_data=TINY_DATA,
    solve=solve,
)
