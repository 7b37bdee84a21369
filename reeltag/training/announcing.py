"""What a person is told when a training begins."""

from pathlib import Path

from reeltag.core.console import say
from reeltag.data.findings import find, lines
from reeltag.tagger.tagger import Tagger
from reeltag.training.averaging import Averaging
from reeltag.training.batches import Batches
from reeltag.training.config import Recipe
from reeltag.training.loggers import why_not


def announce(
    tagger: Tagger,
    recipe: Recipe,
    batches: Batches,
    num_steps: int,
    out: Path,
    averaging: Averaging | None,
) -> None:
    """Log what is trained on what, what is left out, and what looks wrong.

    Args:
        tagger: that is trained.
        recipe: how.
        batches: of the data.
        num_steps: in all.
        out: folder of the run.
        averaging: of the weights; None: there is none.
    """
    parameters = sum(p.numel() for p in tagger.parameters())
    say(
        f"{tagger.family}: {parameters / 1e6:.1f} M parameters, {tagger.num_classes} classes, "
        f"{len(batches.train)} batches of {recipe.batch_size} an epoch, {num_steps} steps -> {out}"
    )
    if taken := batches.train.frames_taken:
        say(f"frames: {taken}")
    if order := batches.train.order_taken:
        say(f"order: {order}")
    if batches.unvalidated:
        say(f"nothing is validated: {batches.unvalidated}. The last weights are kept.")
    if batches.validated:
        say(batches.validated)
    if averaging:
        say(averaging.words)
    for name, found in batches.skipped.items():
        say(f"skipped: {found} records with {name} (`reeltag info` names them)")
    data = batches.items.dataset
    for line in lines(data, find(data, num_records=200, num_frames=500)):
        say(line)


def announce_default_loggers(out: Path) -> None:
    """Log why TensorBoard does not log a run, where it cannot and no logger was chosen."""
    if why := why_not("tensorboard", out):
        say(f"{why}; metrics.csv is written.")
