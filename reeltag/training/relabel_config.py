"""How training items are relabelled: the flags `--labels.*` of `reeltag train`."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from reeltag.core.bounds import Amount, CheckedFields, Part, Positive, Rate
from reeltag.core.errors import ConfigError
from reeltag.core.fields import ADDED


@dataclass(frozen=True, kw_only=True)
class RelabelConfig(CheckedFields):
    """How the labels of the training items are changed. By default they are not."""

    prefix: ClassVar[str] = "labels"

    rated_weight: Rate = 1.0
    """Segments: weight of the classes that are rated (m; 2.5 in Autohome's paper). Soft labels keep
    theirs, --soft.weight."""
    unrated_weight: Amount = 0.0
    """Segments: weight of the unrated classes, taken as absent (n; 0.1 in Autohome's
    paper). 0 leaves them out, 1 trains as the starter code does."""
    weak_negatives: Amount = 0.0
    """Segments: what all classes that the video is not labelled with weigh together, as absent
    (alpha; 1 in the 2nd place of 2019); its own unrated labels weigh nothing. 0 is off."""
    classes: str = ""
    """Segments: CSV file with a column Index, such as segment_label_ids.csv; only these of the
    unrated classes count. Empty: all."""
    correlation: str = ""
    """File that `reeltag labels DATA --out FILE` wrote: a rating also counts for the classes
    that it implies (BMW, so Car). Empty is off."""
    tau: Part = 0.5
    """Least probability of an implication that is used, in (0, 1]."""
    min_videos: Positive = 1
    """Videos that a class must have been counted in to imply another: of few, much is chance."""
    correlation_mode: Literal["sum", "max"] = "sum"
    """What several classes imply together: the sum of their probabilities (at most 1), or the
    largest."""
    correlation_share: Part = field(default=1.0, metadata=ADDED)
    """What the probabilities of implied targets are multiplied by; 1 as published. Of whole videos
    0.1 smooths their labels by which ones appear together."""
    correlation_weight: Amount | None = None
    """Weight of implied targets; None: that of an unrated class."""
    graph: str = ""
    """File of `reeltag labels`: the graph over the labels of models that have one (dbof_gcn).
    Empty: counted over the training videos."""
    vectors: str = field(default="", metadata=ADDED)
    """File that `reeltag labels DATA --vectors FILE` wrote, or a Parquet table with the columns
    name and vector: what the label vectors of models that have some (dbof_gcn) begin as. Empty:
    random."""
    noise_precision: Part = 1.0
    """Videos: wrong labels are added, for experiments, until this fraction of all is true."""
    noise_recall: Part = 1.0
    """Videos: fraction of the true labels that is not forgotten, for experiments."""
    noise_seed: int = 0
    """Random seed of that noise alone; a video's noise depends on it and on the video's id."""

    def check(self) -> None:
        """Raise ConfigError for options that contradict."""
        if self.weak_negatives and self.unrated_weight:
            raise ConfigError(
                f"labels.weak_negatives {self.weak_negatives} and labels.unrated_weight "
                f"{self.unrated_weight} both weigh unrated classes",
                hint="Leave one of them at 0.",
            )
        if self.classes and not (self.weak_negatives or self.unrated_weight or self.correlation):
            raise ConfigError(
                "labels.classes chooses which unrated classes count, and none does",
                hint="Give --labels.unrated-weight or --labels.weak-negatives too.",
            )

    @property
    def weighs(self) -> bool:
        """Whether classes weigh other than as rated."""
        return (self.rated_weight, self.unrated_weight) != (1, 0) or self.weak_negatives > 0

    @property
    def noisy(self) -> bool:
        """Whether labels are made worse."""
        return (self.noise_precision, self.noise_recall) != (1, 1)

    def noise_alone(self) -> "RelabelConfig":
        """Return what makes labels worse, and no more; it comes before soft ones are mixed in."""
        return RelabelConfig(
            noise_precision=self.noise_precision,
            noise_recall=self.noise_recall,
            noise_seed=self.noise_seed,
        )

    def without_noise(self) -> "RelabelConfig":
        """Return all but that."""
        return replace(self, noise_precision=1.0, noise_recall=1.0, noise_seed=0)
