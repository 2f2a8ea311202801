"""What follows from a box that is not closed: which boxes wait for a narrower slab, and which do not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from symland.rigor.enumeration.problem import reduced_problem
from symland.rigor.enumeration.search import Survivors, Task
from symland.rigor.enumeration.splitting import followers
from symland.spec import builtin


def left_of(states: float, pull: float) -> tuple[Task, Survivors]:
    """Two nodes with three samples' worth of boxes: states and residuals of so much width."""
    low, high = np.zeros((9, 3)), np.zeros((9, 3))
    high[:5], high[5:] = pull, states
    box = np.stack([np.zeros(5), np.full(5, pull)])
    nodes = np.stack([low, high])
    return Task(box, nodes, box.copy()), Survivors(pull=box, nodes=nodes, size=9)


@pytest.mark.parametrize("pull", [0.0, 1e-9])
def test_a_box_whose_residuals_are_a_point_does_not_wait_while_its_nodes_are_wide(pull: float) -> None:
    slab = reduced_problem(builtin("xor-pm").with_(hidden=(2,), penalty="0.047")).slab(
        Fraction("0.047"), Fraction("0.0470047")
    )
    task, left = left_of(0.4, pull)
    found = followers(slab, task, left)
    assert found is not None
    (one,) = found
    assert one.nodes.shape[2] == 6
    # Halves of nodes: no state is lost, and each is half as wide.
    assert (one.nodes[1] - one.nodes[0])[5:].max(axis=0).max() <= 0.4
    assert one.nodes[1, 5:].max() == 0.4
    assert one.nodes[0, 5:].min() == 0.0
    assert np.prod((one.nodes[1] - one.nodes[0])[5:], axis=0).sum() == pytest.approx(3 * 0.4**4)
    # Where the nodes are as narrow as the slab allows, it waits.
    assert followers(slab, *left_of(1e-4, pull)) is None
