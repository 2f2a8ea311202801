"""Why a family of stationary points goes on along its null directions: the theorems that give flat directions.

At a member theta with the null space N of its Hessian, each candidate that a theorem names is kept where it lies in N:

- a shift of all outputs;
- the bias of a node that reads nothing and hands nothing on (T5-flat-bias);
- what a node reads that hands nothing on, since the loss does not feel it;
- outgoing weights that go over from one of two equal nodes to the other (T6-splitting);
- a rotation of two nodes into one another, for a linear activation (T6-linear-circle).

What is left of N is unexplained.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from symland.landscape.evidence import FlatDirection
from symland.layout import Layout
from symland.records import FloatArray
from symland.symmetry import Parity, SymmetryGroup

__all__ = ["flat_directions"]

EQUAL = 1e-8
"""Difference up to which weights count as equal, in units of 1 + max |theta|."""

INSIDE = 1e-6
"""Part of a unit vector that may lie outside the null space."""


def flat_directions(group: SymmetryGroup, theta: FloatArray, null: FloatArray) -> tuple[FlatDirection, ...]:
    """Directions that span the null space (P, n) at theta (P,), those with a reason first."""
    found: list[FlatDirection] = []
    basis = np.zeros((theta.size, 0))
    for origin, what, candidate in _candidates(group, theta):
        unit = candidate / np.linalg.norm(candidate)
        if np.linalg.norm(unit - null @ (null.T @ unit)) > INSIDE:
            continue
        rest = unit - basis @ (basis.T @ unit)
        if np.linalg.norm(rest) > INSIDE:
            basis = np.column_stack((basis, rest / np.linalg.norm(rest)))
            found.append(FlatDirection(origin=origin, what=what, direction=unit))
    left = null - basis @ (basis.T @ null)
    vectors, sizes, _ = np.linalg.svd(left, full_matrices=False)
    for vector, size in zip(vectors.T, sizes, strict=True):
        if size > 0.5:
            found.append(FlatDirection(origin="unexplained", what="a null direction", direction=vector))
    return tuple(found)


def _unit(layout: Layout, place: int) -> FloatArray:
    out = np.zeros(layout.size)
    out[place] = 1.0
    return out


def _candidates(group: SymmetryGroup, theta: FloatArray) -> Iterator[tuple[str, str, FloatArray]]:
    layout = group.layout
    slack = EQUAL * (1.0 + float(np.abs(theta).max(initial=0.0)))
    for column in group.gauge.T:
        yield "gauge", "a shift of all outputs", column
    for layer, width in enumerate(layout.widths[1:-1], start=1):
        inward, outward, bias = layout.weight(layer), layout.weight(layer + 1), layout.biases(layer)
        reads, hands = inward.of(theta), outward.of(theta)
        idle = [j for j in range(width) if np.abs(hands[:, j]).max() <= slack]
        for j in idle:
            name = f"node {j + 1} of layer {layer}"
            if bias is not None and np.abs(reads[j]).max() <= slack:
                yield "T5-flat-bias", f"the bias of {name}, which is zero otherwise", _unit(layout, bias.offset + j)
        for j in idle:
            name = f"node {j + 1} of layer {layer}"
            columns = inward.shape[1]
            places = [inward.offset + j * columns + k for k in range(columns)]
            for place in places + ([] if bias is None else [bias.offset + j]):
                yield "idle node", f"what {name} reads, which hands nothing on", _unit(layout, place)
        rows = reads if bias is None else np.column_stack((reads, bias.of(theta)))
        signs = (1.0,) if group.parity is Parity.NONE else (1.0, -1.0)
        for i, j in combinations(range(width), 2):
            for sign in signs:
                if np.abs(rows[i] - sign * rows[j]).max() > slack:
                    continue
                turned = sign if group.parity is Parity.ODD else 1.0
                what = f"outgoing weights go over between the equal nodes {i + 1} and {j + 1} of layer {layer}"
                for vector in (hands[:, i] + turned * hands[:, j], *np.eye(outward.shape[0])):
                    if np.abs(vector).max() > slack:
                        direction = np.zeros(layout.size)
                        for k, value in enumerate(vector):
                            direction[outward.offset + k * outward.shape[1] + i] = value
                            direction[outward.offset + k * outward.shape[1] + j] = -turned * value
                        yield "T6-splitting", what, direction
        for i, j in combinations(range(width), 2):
            direction = np.zeros(layout.size)
            turned_in, turned_out = inward.of(direction), outward.of(direction)
            turned_in[i], turned_in[j] = reads[j], -reads[i]
            turned_out[:, i], turned_out[:, j] = hands[:, j], -hands[:, i]
            if bias is not None:
                shifts = bias.of(theta)
                bias.of(direction)[[i, j]] = shifts[j], -shifts[i]
            if np.linalg.norm(direction) > slack:
                yield "T6-linear-circle", f"nodes {i + 1} and {j + 1} of layer {layer} are rotated", direction
