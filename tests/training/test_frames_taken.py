"""Which frames of long videos a training takes, and what it logs of it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reeltag.core.batch import FrameBatch
from reeltag.data.sampling import FrameChoice
from reeltag.models import logistic
from reeltag.training.config import Recipe
from reeltag.training.fit import train
from reeltag.training.objectives import supervised
from tests.data.described import described, described_corpus

LENGTHS = [700, 20, 900, 30]


@pytest.mark.parametrize(
    ("choice", "longest", "words"),
    [
        (FrameChoice(), 900, "frames: all frames of each of 4 videos nothing is validated"),
        (FrameChoice(batch_frames=1600), 400, "; of 2 longer ones 400: one at random of each of"),
        (FrameChoice(max_frames=300), 300, ", but only of the first 300 of 2 longer ones"),
    ],
    ids=["all", "spread", "first"],
)
def test_training_sees_whole_videos_and_logs_it(
    choice: FrameChoice,
    longest: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = described_corpus(tmp_path / "data", described({"rgb": (4, "float32")}), LENGTHS)
    seen = list[int]()

    def objective(batch: FrameBatch, tagger: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        seen.append(int(batch.mask.sum(dim=1).max()))
        assert torch.isfinite(batch.frames[batch.mask]).all()
        return supervised(batch, tagger)

    recipe = Recipe(batch_size=4, max_steps=2, frames=choice, accelerator="cpu")
    train(data, tmp_path / "run", logistic.TINY, recipe, objective=objective, loggers=())
    assert seen == [longest] * 2
    assert words in " ".join(capsys.readouterr().err.split())
