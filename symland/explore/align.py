"""The nearest copy of a point: which group element brings it closest to another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symland.records import FloatArray
from symland.symmetry import GroupElement, Parity, SymmetryGroup

__all__ = ["nearest_copy"]

SWEEPS = 20
"""Passes over the hidden layers before the alignment is left as it is."""


def nearest_copy(group: SymmetryGroup, a: FloatArray, b: FloatArray) -> GroupElement:
    """An element g that makes |g a - b|_2 small.

    For each data automorphism the nodes of each hidden layer in turn are assigned optimally, the other layers held,
    until no layer improves. With one hidden layer that is the minimum over the group; with more, a local minimum.
    """
    best, smallest = group.identity, np.inf
    for number in range(len(group.data_automorphisms)):
        element = replace(group.identity, data=number)
        gap = float(np.linalg.norm(group.apply(element, a) - b))
        for _ in range(SWEEPS):
            before = gap
            for layer in range(len(group.hidden)):
                element = _assign(group, element, layer, a, b)
            gap = float(np.linalg.norm(group.apply(element, a) - b))
            if gap >= before - 1e-12 * (1.0 + before) or len(group.hidden) == 1:
                break
        if gap < smallest:
            best, smallest = element, gap
    return best


def _assign(group: SymmetryGroup, element: GroupElement, layer: int, a: FloatArray, b: FloatArray) -> GroupElement:
    """The element with the nodes of one hidden layer (from 0) placed best, all else held."""
    from scipy.optimize import linear_sum_assignment

    identity = group.identity
    unplaced = replace(
        element,
        places=(*element.places[:layer], identity.places[layer], *element.places[layer + 1 :]),
        signs=(*element.signs[:layer], identity.signs[layer], *element.signs[layer + 1 :]),
    )
    from_incoming, from_outgoing = _nodes(group, layer, group.apply(unplaced, a))
    to_incoming, to_outgoing = _nodes(group, layer, b)
    # |s u - v|^2 summed over incoming and outgoing: only the cross terms depend on the sign.
    incoming, outgoing = from_incoming @ to_incoming.T, from_outgoing @ to_outgoing.T
    if group.parity is Parity.NONE:
        gain, sign = incoming + outgoing, np.ones_like(incoming)
    elif group.parity is Parity.ODD:
        gain, sign = np.abs(incoming + outgoing), np.where(incoming + outgoing < 0.0, -1.0, 1.0)
    else:
        gain, sign = np.abs(incoming) + outgoing, np.where(incoming < 0.0, -1.0, 1.0)
    rows, columns = linear_sum_assignment(-gain)
    places = tuple(int(j) for j in columns)
    signs = tuple(int(sign[i, j]) for i, j in zip(rows, columns, strict=True))
    return replace(
        unplaced,
        places=(*unplaced.places[:layer], places, *unplaced.places[layer + 1 :]),
        signs=(*unplaced.signs[:layer], signs, *unplaced.signs[layer + 1 :]),
    )


def _nodes(group: SymmetryGroup, layer: int, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Incoming weights with bias, and outgoing weights, of the nodes of a hidden layer, one row each."""
    block, after = group.layout.weight(layer + 1), group.layout.weight(layer + 2)
    bias = group.layout.biases(layer + 1)
    incoming = block.of(theta)
    if bias is not None:
        incoming = np.column_stack((incoming, bias.of(theta)))
    return incoming, after.of(theta).T
