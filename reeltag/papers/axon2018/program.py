"""Axon 2018 as a graph of steps."""

from collections.abc import Sequence

from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.papers.axon2018.config import TINY, TINY_DATA, Config, make_plan
from reeltag.papers.axon2018.steps import SOLVERS, AxonGraph, Ensemble, Member
from reeltag.papers.axon2018.tables import evaluate_members
from reeltag.papers.common.dataset_source import dataset_source
from reeltag.papers.common.graph import GraphBuilder
from reeltag.papers.common.program import Goal, Program
from reeltag.papers.common.splits.videos import assign_held_out_splits


def solve(data: Dataset, config: Config) -> Goal:
    """Return tables 2, 3 and 4, every ensemble and student, as a graph of steps."""
    given = Splits(train=config.train, validate=config.validate, test=config.test)
    assignment = assign_held_out_splits(data, given)
    plan = make_plan(config, assignment, data)
    builder = GraphBuilder(
        data=dataset_source(data).without_ratings,
        evaluation=assignment.evaluation,
        bootstrap=config.bootstrap,
        precision=plan.sizes.precision,
        device=config.device,
    )
    graph = AxonGraph(plan, builder)

    # Sec. 2.1: sets of the seven models of table 1, each set with its own seed
    sets = [[graph.single(name, number) for name in plan.seven] for number in range(config.sets)]
    singles = [model for models in sets for model in models]
    netvlad = sets[0][0]

    # Sec. 3.1: a mixture of experts trains on samples around the means of rare videos
    means = graph.means()
    augmented = graph.augmented(means)
    moes = {"moe-augmented": augmented} | ({"moe-plain": None} if config.ablations else {})
    experts = [graph.experts(name, means, samples) for name, samples in moes.items()]
    pairs = [graph.mean(f"netvlad+{moe.name}", (netvlad, moe)) for moe in experts]

    # Sec. 3.2: gated NetVLAD is fine-tuned with a penalty that draws related labels together
    related = [graph.fine_tuned("relation", netvlad, plan.sizes.relation)]
    related += [graph.fine_tuned("longer", netvlad, 0.0)] if config.ablations else []

    # Sec. 3.3: ensembles with equal weights, a weight per model, a weight per model and class
    first = _ensembles(graph, sets[0])
    ensembles = first | _ensembles(graph, singles, classes=True)

    # Sec. 3.4: the ensemble's predictions of the training videos train a NetVLAD of limited size
    teacher = ensembles[f"weights-{len(singles)}-nnls"]
    students = graph.students(teacher)

    members: list[Member] = [*singles, *experts, *pairs, *related, *ensembles.values(), *students]
    return evaluate_members(members, augmented, first, teacher, students, graph)


def _ensembles(
    graph: AxonGraph, members: Sequence[Member], *, classes: bool = False
) -> dict[str, Ensemble]:
    """Return the mean of some models and both kinds of learned weights; per class too."""
    count = len(members)
    found = [graph.mean(f"mean-{count}", members)]
    for solver in SOLVERS:
        found.append(graph.weighted(f"weights-{count}-{solver}", members, solver))
        if classes:
            name = f"class-weights-{count}-{solver}"
            found.append(graph.weighted(name, members, solver, classes=True))
    return {ensemble.name: ensemble for ensemble in found}


PROGRAM = Program(
    name="axon2018",
    title="Axon 2018: fourteen models, label relations and a fuller feature space, distilled into "
    "one model.",
    paper="Cho, Antin, Arora, Ashrafi, Duan, Huynh, James, Nguyen, Solgi, Than (Axon AI), 2nd "
    "YouTube-8M challenge 2018, rank 3",
    needs="labels of whole videos. YouTube-8M: 2/frame/train, validate and test, linked into one "
    "folder; a GPU. Also AudioSet (--train, --validate and --test name the shards), or video-level "
    "records, which the frame-level models take for videos of one frame",
    cost="published sizes: 14 trainings of 350k steps of batch 64 and three of 650k of batch 40, "
    "weeks on a GPU, 60 GB besides the 1.3 TB of data; AudioSet's 19,000 clips: 16 minutes of one "
    "core, 1 GB",
    reaches="AudioSet's clips: GAP .35 (gated NetVLAD), .375 (best single), mean of 14 .363, "
    "learned weights .385, distilled .370 (paper: .8575 -> .8827 -> .8862 -> .8873, distilled "
    ".8732); docs/results/reproductions.md",
    departs="the teacher is the ensemble of exact weights; of each training the weights best on "
    "the held-out videos count; ambiguities read as in docs/reference/departures.md",
    config=Config,
    tiny=TINY,
    tiny_data=TINY_DATA,
    solve=solve,
)
