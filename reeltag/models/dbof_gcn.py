"""Deep bag of frames, classified by weights that two layers over a graph of the labels compute.

    frames -> deep bag of frames -> hidden units -+
    label vectors -> graph layer -> graph layer --+-> products -> logits

The graph begins as which labels appear together in the training split, and is trained from there.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor

from reeltag.layers.graph import GraphClassifier
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import dbof
from reeltag.models._config import ModelConfig
from reeltag.models._fields import Size

SOURCE = "Autohome 2019 sec. 3.4, after arXiv:1904.03582; base: google/youtube-8m, DbofModel"
PREPROCESSING = PreprocessingConfig()
RECIPE = {
    "batch_size": 80,
    "frames": {"how": "random", "num_frames": 30},
    "optim": {"learning_rate": 2e-4},
}  # the paper's pre-training; the frames are the starter code's


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Deep bag of frames with a classifier from a graph of the labels."""

    num_clusters: Size = 8192
    """Words that a frame can light up."""
    hidden: Size = 1024
    """Units between pooling and classifier: the size of a class's weights."""
    activation: Literal["relu6", "sigmoid"] = "relu6"
    """Of words and hidden units."""
    pooling: Literal["max", "mean"] = "max"
    """Over the frames of a video."""
    label_size: Size = 300
    """Size of a label's vector, which is learned, from --labels.vectors on where they are given."""
    graph_hidden: Size = 1024
    """Units a label has between the two graph layers."""
    train_graph: bool = True
    """Train the graph too, or leave it as the labels of the training split have it."""
    threshold: Annotated[float, Ge(0)] = 0.4
    """Least probability P(j | i) that joins two labels."""
    share: Annotated[float, Ge(0)] = 0.25
    """What the neighbours of a label count together at the start, against 1 for itself."""

    def base(self) -> dbof.Config:
        """Return the sizes of the deep bag of frames."""
        return dbof.Config(
            num_classes=self.num_classes,
            dims=self.dims,
            num_clusters=self.num_clusters,
            hidden=self.hidden,
            activation=self.activation,
            pooling=self.pooling,
        )

    def build(self) -> "DBoFGraphModel":
        """Return the model with freshly drawn weights."""
        return DBoFGraphModel(self)


class DBoFGraphModel(dbof.DBoFBody):
    """See the module docstring."""

    head: GraphClassifier

    def __init__(self, config: Config) -> None:
        super().__init__(config.base())
        self.head = GraphClassifier(
            config.hidden,
            config.num_classes,
            label_size=config.label_size,
            hidden=config.graph_hidden,
            train_graph=config.train_graph,
            threshold=config.threshold,
            share=config.share,
        )

    def set_cooccurrence(self, counts_CC: Tensor) -> None:
        """Let the graph begin as which labels appear together; until then it is the identity.

        Args:
            counts_CC: videos with both classes; on the diagonal, videos with the class.
        """
        self.head.set_cooccurrence(counts_CC)

    def set_label_vectors(self, vectors_CV: Tensor) -> None:
        """Let the label vectors begin as these.

        Args:
            vectors_CV: of the names of the classes, or of any other meaning.

        Raises:
            ValueError: they are not of the size `label_size`.
        """
        self.head.set_label_vectors(vectors_CV)


TINY = Config(num_classes=5, dims=(6, 2), num_clusters=16, hidden=8, label_size=4, graph_hidden=8)
VARIANTS = {
    "dbof_gcn_k8192_h1024": Config(),
    "dbof_gcn_1000_classes": Config(num_classes=1000),
    "dbof_gcn_fixed_graph": Config(train_graph=False),
}
