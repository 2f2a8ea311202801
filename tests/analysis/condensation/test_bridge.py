"""A dead node at every class: its escape against central differences of the wide loss."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from symland.analysis.condensation.bridge import dead_nodes
from symland.analysis.dead_nodes import QUESTION
from symland.errors import SpecError
from symland.explore import explore
from symland.kernels import compile_kernel
from symland.landscape.landscape import Landscape
from symland.records import Verdict
from symland.spec import load_spec
from symland.symbolic.symmetry import find_symmetry

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
LABELS = np.array([0, 1, 1, 0])


@cache
def landscape(**changes):
    spec = load_spec("xor", **{"hidden": (1,), "penalty": "1e-2", **changes})
    return Landscape(spec=spec, points=explore(compile_kernel(spec), find_symmetry(spec), seed=1).points)


def wide_loss(theta, node, penalty):
    """The network of one tanh node (W1, W2, b, c) and a second node (w1, w2, b, a0, a1)."""
    h = np.tanh(X @ theta[:2] + theta[4])[:, None] * theta[2:4] + theta[5:7]
    z = h + np.tanh(X @ node[:2] + node[2])[:, None] * node[3:]
    data = np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(4), LABELS])
    return data + penalty * ((theta**2).sum() + (node**2).sum())


def test_a_dead_node_escapes_along_the_orientation_where_the_curvature_says_so():
    found = landscape()
    answer = dead_nodes(found)
    assert len(answer.nodes) == 7
    assert QUESTION.verdict(answer) is Verdict.CERTIFIED
    step = 1e-3
    for node in answer.nodes:
        theta = found.points[node.number].theta
        still = wide_loss(theta, np.zeros(5), 0.01)
        if node.order != 1:
            assert np.abs(theta).max() < 1e-6
            assert (node.order, len(node.orientations), node.escapes) == (3, 4, False)
            continue
        (w,) = node.orientations
        # Of all output weights of the same length (1, -1) / sqrt 2 is the best, by the gauge of the softmax.
        bends = []
        for s in (1, -1):
            direction = np.array([*w, s / 2**0.5, -s / 2**0.5]) / 2**0.5
            bends.append((wide_loss(theta, step * direction, 0.01) - still) * 2 / step**2)
        assert min(bends) == pytest.approx(node.curvature, abs=1e-5)
        assert node.escapes == (node.pull > 0.02) == (min(bends) < 0)


def test_without_penalty_higher_orders_let_a_dead_node_go():
    answer = dead_nodes(landscape(activation="z*tanh(z)"))
    assert {node.order for node in answer.nodes} == {2}
    assert not any(node.escapes for node in answer.nodes)
    assert all(node.curvature == pytest.approx(0.02) for node in answer.nodes)
    assert "order 2 decides" in QUESTION.sentence(answer)


def test_several_hidden_layers_are_refused_with_advice():
    spec = load_spec("xor", hidden=(1, 1))
    with pytest.raises(SpecError, match="with one"):
        dead_nodes(Landscape(spec=spec, points=()))
