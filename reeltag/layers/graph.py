"""A classifier that is computed from label vectors by layers over a graph of the labels.

Shape letters: B videos, D input size, C classes, V size of a label vector, H hidden units.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLU
LABEL_STD = 0.4  # of a label vector's entries, about that of GloVe's


def label_graph(counts_CC: Tensor, *, threshold: float = 0.4, share: float = 0.25) -> Tensor:
    """Return the matrix of a graph of labels (C, C), float32: row i is what class i hears of all.

        E_ij = 1 where P(j | i) = M_ij / N_i >= threshold and i != j
        A = share * E / (column sums of E) + I
        result = Q A^T Q with Q = diag(row sums of A)^-1/2

    Source: Chen et al. 2019, arXiv:1904.03582 sec. 3.4, as in their code: the weight of the
    neighbours is 0.25 there, 0.2 in the paper; they divide by column sums.

    Args:
        counts_CC: M_ij, videos with both classes; on the diagonal N_i, videos with class i.
        threshold: least probability that makes an edge.
        share: what the neighbours of a class count together, against 1 for itself.
    """
    counts_CC = counts_CC.float()
    videos_C1 = counts_CC.diagonal().unsqueeze(-1)
    edges_CC = (counts_CC >= threshold * videos_C1) & (counts_CC > 0)
    edges_CC.fill_diagonal_(False)
    graph_CC = edges_CC.float()
    graph_CC *= share / graph_CC.sum(dim=0).clamp(min=1)
    graph_CC.diagonal().add_(1)
    scale_C = graph_CC.sum(dim=1).rsqrt()
    return scale_C.unsqueeze(-1) * graph_CC.T * scale_C


class GraphLayer(nn.Module):
    """y = G x W, for every node at once. No bias.

    Source: Kipf & Welling 2017, arXiv:1609.02907 eq. 2; initial weights as arXiv:1904.03582's code.

    Args:
        fan_in: size of a node's vector.
        fan_out: size of what comes out.
    """

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(fan_in, fan_out, bias=False)
        nn.init.uniform_(self.linear.weight, -(fan_out**-0.5), fan_out**-0.5)

    def forward(self, graph_CC: Tensor, x_CI: Tensor) -> Tensor:
        """Return (C, fan_out); the large product with the graph is taken on the narrower side."""
        if self.linear.in_features <= self.linear.out_features:
            y_CO: Tensor = self.linear(graph_CC @ x_CI)
        else:
            y_CO = graph_CC @ self.linear(x_CI)
        return y_CO


class GraphClassifier(nn.Module):
    """logits = x (G leaky_relu(G X W1) W2)^T with label vectors X and a graph G of the labels.

    Source: Autohome 2019 sec. 3.4, after arXiv:1904.03582 (ML-GCN). G is trained too, as
    Autohome says (in ML-GCN's code it is fixed). Label vectors begin at random, or as
    `set_label_vectors` gives them, where ML-GCN has GloVe's, and are learned.

    Args:
        dim: D.
        num_classes: C.
        label_size: V.
        hidden: H.
        train_graph: G is trained; else it stays what `set_cooccurrence` made it.
        threshold: see `label_graph`.
        share: see `label_graph`.
    """

    graph: Tensor

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        label_size: int = 300,
        hidden: int = 1024,
        train_graph: bool = True,
        threshold: float = 0.4,
        share: float = 0.25,
    ) -> None:
        super().__init__()
        self.threshold, self.share = threshold, share
        if train_graph:
            self.graph = nn.Parameter(torch.eye(num_classes))
        else:
            self.register_buffer("graph", torch.eye(num_classes))
        self.labels_CV = nn.Parameter(torch.randn(num_classes, label_size) * LABEL_STD)
        self.first, self.second = GraphLayer(label_size, hidden), GraphLayer(hidden, dim)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return logits (B, C), float32 (float64 stays)."""
        logits_BC = F.linear(x_BD, self.classifier())
        return logits_BC.to(torch.promote_types(logits_BC.dtype, torch.float32))

    def classifier(self) -> Tensor:
        """Return the weights of the classifier (C, D)."""
        hidden_CH = F.leaky_relu(self.first(self.graph, self.labels_CV), SLOPE)
        classifier_CD: Tensor = self.second(self.graph, hidden_CH)
        return classifier_CD

    @torch.no_grad()
    def set_cooccurrence(self, counts_CC: Tensor) -> None:
        """Let the graph begin as `label_graph` of the counts; until then it is the identity."""
        graph_CC = label_graph(counts_CC, threshold=self.threshold, share=self.share)
        self.graph.copy_(graph_CC)

    @torch.no_grad()
    def set_label_vectors(self, vectors_CV: Tensor) -> None:
        """Let the label vectors begin as these; until then they are random.

        Args:
            vectors_CV: of the classes.

        Raises:
            ValueError: they are of another shape.
        """
        if vectors_CV.shape != self.labels_CV.shape:
            own, given = (" x ".join(map(str, of.shape)) for of in (self.labels_CV, vectors_CV))
            raise ValueError(f"label vectors are {own}, got {given}")
        self.labels_CV.copy_(vectors_CV)
