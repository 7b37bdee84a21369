"""The label graph and its classifier: formulas as loops, and what they can and cannot do."""

import pytest
import torch
from torch import Tensor

from reeltag.layers.graph import GraphClassifier, GraphLayer, label_graph

COUNTS = torch.tensor([[8, 4, 1, 0], [4, 4, 0, 0], [1, 0, 5, 0], [0, 0, 0, 0]])


def test_label_graph_matches_loops() -> None:
    threshold, share, size = 0.2, 0.25, 4
    edge = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(size):
            if i != j and COUNTS[i, i] > 0 and COUNTS[i, j] / COUNTS[i, i] >= threshold:
                edge[i][j] = 1.0
    assert edge == [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    for j in range(size):
        total = sum(edge[i][j] for i in range(size))
        for i in range(size):
            edge[i][j] = share * edge[i][j] / total if total else 0.0
        edge[j][j] += 1
    degree = [sum(row) for row in edge]
    expected = [
        [edge[j][i] / (degree[i] * degree[j]) ** 0.5 for j in range(size)] for i in range(size)
    ]
    graph = label_graph(COUNTS, threshold=threshold, share=share)
    torch.testing.assert_close(graph, torch.tensor(expected))


def test_label_graph_row_has_the_labels_that_imply_it() -> None:
    graph = label_graph(torch.tensor([[4, 2], [2, 2]]), threshold=0.6)  # car; BMW, always a car
    assert graph[0, 1] > 0 and graph[1, 0] == 0


def test_label_graph_without_labels_is_the_identity() -> None:
    torch.testing.assert_close(label_graph(torch.zeros(3, 3)), torch.eye(3))


@pytest.mark.parametrize("sizes", [(5, 3, 4), (3, 5, 4)])
def test_graph_classifier_matches_loops(sizes: tuple[int, int, int], rng: torch.Generator) -> None:
    label_size, hidden, dim = sizes
    head = GraphClassifier(dim, 4, label_size=label_size, hidden=hidden).double()
    with torch.no_grad():
        head.graph.copy_(torch.randn(4, 4, generator=rng))
    x = torch.randn(2, dim, generator=rng).double()
    first, second = head.first.linear.weight.T, head.second.linear.weight.T

    def layer(nodes: Tensor, weight: Tensor) -> Tensor:
        heard = [sum(head.graph[i, j] * nodes[j] for j in range(4)) for i in range(4)]
        return torch.stack([node @ weight for node in heard])  # type: ignore[operator]

    hidden_nodes = layer(head.labels_CV, first)
    hidden_nodes = torch.where(hidden_nodes > 0, hidden_nodes, 0.2 * hidden_nodes)
    expected = x @ layer(hidden_nodes, second).T
    torch.testing.assert_close(head(x), expected, rtol=1e-10, atol=1e-12)


def test_graph_classifier_with_identity_can_be_any_linear_head(rng: torch.Generator) -> None:
    head, linear = GraphClassifier(4, 6, label_size=4, hidden=8), torch.randn(6, 4, generator=rng)
    first, second = (layer.linear.weight for layer in (head.first, head.second))
    with torch.no_grad():
        head.labels_CV.copy_(linear)
        both = torch.cat([torch.eye(4), -torch.eye(4)])  # leaky(x) - leaky(-x) = 1.2 x
        first.copy_(both)
        second.copy_(both.T / 1.2)
    x = torch.randn(3, 4, generator=rng)
    torch.testing.assert_close(head(x), x @ linear.T)


def test_graph_classifier_only_graph_and_vectors_grow_with_classes() -> None:
    def rest(num_classes: int) -> int:
        parameters = dict(GraphClassifier(4, num_classes, label_size=5).named_parameters())
        assert parameters.pop("graph").shape == (num_classes, num_classes)
        assert parameters.pop("labels_CV").shape == (num_classes, 5)
        return sum(value.numel() for value in parameters.values())

    assert rest(3) == rest(7)


def test_graph_classifier_keeps_a_fixed_graph_untrained() -> None:
    head = GraphClassifier(4, 4, label_size=5, train_graph=False)
    head.set_cooccurrence(COUNTS)
    assert "graph" in head.state_dict() and "graph" not in dict(head.named_parameters())
    torch.testing.assert_close(head.graph, label_graph(COUNTS))


def test_graph_layer_is_the_same_in_both_orders(rng: torch.Generator) -> None:
    graph, x = torch.randn(4, 4, generator=rng), torch.randn(4, 5, generator=rng)
    for layer in (GraphLayer(5, 3), GraphLayer(5, 7)):
        torch.testing.assert_close(layer(graph, x), graph @ x @ layer.linear.weight.T)


def test_graph_classifier_begins_with_given_label_vectors(rng: torch.Generator) -> None:
    classifier = GraphClassifier(4, 3, label_size=2, hidden=5)
    vectors_CV = torch.randn(3, 2, generator=rng)
    classifier.set_label_vectors(vectors_CV)
    assert torch.equal(classifier.labels_CV, vectors_CV) and classifier.labels_CV.requires_grad
    with pytest.raises(ValueError, match="label vectors are 3 x 2, got 3 x 7"):
        classifier.set_label_vectors(torch.zeros(3, 7))
