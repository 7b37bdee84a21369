"""Axon 2018: fourteen models, label relations and a fuller feature space, distilled into one model.

Paper:     Cho, Antin, Arora, Ashrafi, Duan, Huynh, James, Nguyen, Solgi, Than (Axon AI), 2nd
           YouTube-8M challenge 2018, rank 3
Needs:     labels of whole videos. YouTube-8M: 2/frame/train, validate and test, linked into one
           folder; a GPU. Also AudioSet (--train, --validate and --test name the shards), or
           video-level records, which the frame-level models take for videos of one frame
Cost:      published sizes: 14 trainings of 350k steps of batch 64 and three of 650k of batch 40,
           weeks on a GPU, 60 GB beside the 1.3 TB of data; AudioSet's 19,000 clips: 16 minutes of
           one core, 1 GB
Run:       reeltag solve axon2018 --data DATA --out WORK
Try:       reeltag solve axon2018 --tiny --out WORK
Reaches:   AudioSet's clips: GAP .35 (gated NetVLAD), .375 (best single), mean of 14 .363, learned
           weights .385, distilled .370 (paper: .8575 -> .8827 -> .8862 -> .8873, distilled .8732);
           docs/reproductions.md
Departs:   the teacher is the ensemble of exact weights; of each training the weights best on the
           held-out videos count; ambiguities read as in docs/departures.md
"""

from collections.abc import Sequence
from pathlib import Path

from reeltag.data.index import open_index
from reeltag.data.synth.config import SynthConfig
from reeltag.papers.axon2018.config import TINY, TOP_K, Config, planned
from reeltag.papers.axon2018.steps import SOLVERS, Bench, Ensemble, Voter
from reeltag.papers.axon2018.tables import judged
from reeltag.papers.common.contract import Goal
from reeltag.papers.common.data_source import data_source
from reeltag.papers.common.splits.videos import held_out_parts
from reeltag.papers.common.video_costs import VideoCosts

__all__ = ["TINY", "TINY_DATA", "Config", "solve"]

TINY_DATA = SynthConfig(
    videos=72, classes=4, rgb=8, audio=4, min_frames=4, max_frames=8, shards=12, held_out=0.25
)


def solve(data: Path, config: Config) -> Goal:
    """Return tables 2, 3 and 4, every ensemble and student, as a graph of steps."""
    index = open_index(data)
    parts = held_out_parts(index, train=config.train, validate=config.validate, test=config.test)
    plan = planned(config, parts, index)
    bench = Bench(plan, VideoCosts(index, parts, TOP_K), data_source(data, index))

    # Sec. 2.1: sets of the seven models of table 1, each set by its own seed
    sets = [[bench.single(name, number) for name in plan.seven] for number in range(config.sets)]
    every = [model for models in sets for model in models]
    netvlad = sets[0][0]

    # Sec. 3.1: a mixture of experts learns from samples made around the means of rare videos
    means = bench.means()
    augmented = bench.augmented(means)
    moes = {"moe-augmented": augmented} | ({"moe-plain": None} if config.ablations else {})
    experts = [bench.experts(name, means, made) for name, made in moes.items()]
    pairs = [bench.mean(f"netvlad+{moe.name}", (netvlad, moe)) for moe in experts]

    # Sec. 3.2: gated NetVLAD is trained on, with a penalty that draws related labels together
    related = [bench.fine_tuned("relation", netvlad, plan.sizes.relation)]
    related += [bench.fine_tuned("longer", netvlad, 0.0)] if config.ablations else []

    # Sec. 3.3: ensembles, alike, by a weight a model, and by a weight a model and class
    first = _ensembles(bench, sets[0])
    ensembles = first | _ensembles(bench, every, classes=True)

    # Sec. 3.4: what the ensemble says of the training videos teaches a NetVLAD that is light enough
    teacher = ensembles[f"weights-{len(every)}-nnls"]
    students = bench.students(teacher)

    voters: list[Voter] = [*every, *experts, *pairs, *related, *ensembles.values(), *students]
    return judged(voters, augmented, first, teacher, students, bench)


def _ensembles(
    bench: Bench, members: Sequence[Voter], *, classes: bool = False
) -> dict[str, Ensemble]:
    """Return the mean of some models and both kinds of learned weights; a weight a class too."""
    count = len(members)
    made = [bench.mean(f"mean-{count}", members)]
    for solver in SOLVERS:
        made.append(bench.weighted(f"weights-{count}-{solver}", members, solver))
        if classes:
            name = f"class-weights-{count}-{solver}"
            made.append(bench.weighted(name, members, solver, classes=True))
    return {ensemble.name: ensemble for ensemble in made}
