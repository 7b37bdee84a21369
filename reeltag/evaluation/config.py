"""What predictions are scored against, and by what."""

from dataclasses import dataclass, fields

from reeltag.core.bounds import Amount, CheckedFields, NotNegative, Positive
from reeltag.core.errors import ConfigError
from reeltag.data.splits import Split, Splits
from reeltag.metrics.segment import AverageOver


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(CheckedFields):
    """Which videos and classes the scores are over, and the bootstrap of their intervals."""

    split: Split | None = None
    """All videos of this split are the truth: a label of one that was not predicted counts as
    missed. None: the predicted videos alone."""
    top_k: Positive = 20
    """Classes of a video that enter GAP."""
    k: Positive = 100_000
    """K of MAP@K: segments in the list of a class."""
    average_over: AverageOver = "rated"
    """Classes that MAP@K is the mean of: all with a rated positive, where one that is in no row of
    a segment counts as 0, as the challenge defines it; or without those, as the starter's script
    has it."""
    bootstrap: NotNegative = 200
    """Replicates for the intervals; 0 = no intervals."""
    seed: int = 0
    """Random seed of the bootstrap."""
    blank_std: Amount = 0.0
    """Videos whose mean rgb frame has at most this standard deviation are left out (`reeltag
    predict --blank-std` does not score them); 0 leaves none out. Costs a pass over the frames."""

    def check_splits(self, splits: Splits) -> None:
        """Raise ConfigError where patterns of shards are given, and no split that they define."""
        given = [f.name for f in fields(splits) if getattr(splits, f.name) != f.default]
        if given and self.split is None:
            raise ConfigError(
                "has no effect without --split",
                where=f"--{given[0]}",
                hint="Add --split test, for example.",
            )
