"""Samsung 2018 as a graph of steps."""

from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.papers.common.dataset_source import dataset_source
from reeltag.papers.common.graph import GraphBuilder
from reeltag.papers.common.program import Goal, Program
from reeltag.papers.common.splits.videos import assign_fold_splits
from reeltag.papers.common.steps.files import TENSORS
from reeltag.papers.samsung2018.config import SINGLES, TINY, TINY_DATA, Config, make_plan
from reeltag.papers.samsung2018.steps import SamsungGraph
from reeltag.papers.samsung2018.tables import evaluate_graph


def solve(data: Dataset, config: Config) -> Goal:
    """Return every row of the slides' table, and what each stage gains, as a graph of steps."""
    given = Splits(train=config.train, validate=config.validate, test=config.test)
    assignment = assign_fold_splits(
        data, given, folds=config.folds, with_validate=config.with_validate
    )
    plan = make_plan(config, assignment, data)
    builder = GraphBuilder(
        data=dataset_source(data).without_ratings,
        evaluation=assignment.evaluation,
        bootstrap=config.bootstrap,
        precision=plan.sizes.precision,
        device=config.device,
    )
    graph = SamsungGraph(plan, builder)

    # First level: every network, five times, each without a fold that it then predicts
    predictions = {member.name: graph.first_level(member) for member in plan.members}

    # Second level: trees over the networks' out-of-fold scores of a video's likeliest classes
    stacked = {member.name: predictions[member.name] for member in plan.members if member.stacked}
    soft = graph.soft_labels(graph.stacked(stacked))

    # One ResNetLike on all videos, in four ways; the last learns from the trees' soft labels
    for name in SINGLES:
        recipe = plan.single_recipe(name)
        graph.single(name, plan.single, recipe, soft=soft if name == "soft" else None)

    # Six small nets learn from soft labels, then a net on top of them: one graph
    recipe = plan.net_recipe()
    nets = [
        graph.single(f"net-{name}", model, recipe, soft=soft) for name, model in plan.nets.items()
    ]
    start, recipe = graph.gathered(nets) / TENSORS, plan.net_recipe(final=True)
    graph.single("final", plan.final, recipe, start=start, soft=soft)
    return evaluate_graph(graph)


PROGRAM = Program(
    name="samsung2018",
    title="Samsung 2018: a hundred networks under trees, whose soft labels train one graph.",
    paper="Aliev, Sterkin, Ostyakov, Logacheva, Suvorov, Khomenko (Samsung AI Center Moscow), 2nd "
    "YouTube-8M challenge 2018, rank 4: slides",
    needs="labels of whole videos, train, validate and test (--train, --validate, --test name "
    "other shards). YouTube-8M's video-level files, 18 GB; with frame-level files the networks on "
    "frames take part; a GPU",
    cost="published sizes: 95 (with frames 115) networks in five folds each, weeks on a GPU, some "
    "300 GB; 20,000 videos: three quarters of an hour on a core, 2 GB",
    reaches="YouTube-8M shards, 20,252 videos: LightGBM over 8 networks GAP .7095 (best alone "
    ".7016), ResNetLike .660 -> .665 with soft labels, one graph .692 (slides: .861 with mixup to "
    ".874, .88743, .88729); docs/results/reproductions.md",
    departs="running statistics in batch norms; probabilities of the trees, where the code takes "
    "classes; small sizes have networks of ours in the first level (docs/reference/departures.md)",
    config=Config,
    tiny=TINY,
    tiny_data=TINY_DATA,
    solve=solve,
)
