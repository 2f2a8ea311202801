"""The way back: which nodes of a wide network say nothing of their own, and which narrower network it extends.

A node says nothing of its own if its outgoing weights vanish (dead), if its incoming weights vanish (constant: its
output goes into the next layer's bias, or is zero), or if its incoming weights equal another node's, or their negative
where the activation is odd or even (duplicated, opposite: its outgoing weights are added to the other's).

Under a penalty only dead nodes leave a stationary point behind (theorem T6-penalty-forbids; a constant node shares the
next bias just as two equal nodes share their outgoing weights). Two equal nodes are then a symmetric point of the wide
network, not the extension of a narrow one. Such twins are reported and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from flint import arb

from symland.analysis.answer_types.labels import ClassLabel
from symland.landscape.landscape import Landscape
from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.records import FloatArray, Verdict, read_only
from symland.spec import LandscapeSpec
from symland.symbolic.activation import derive_activation

__all__ = ["Pruned", "Reason", "RemovedNode", "label_classes", "prune"]

TOLERANCE = 1e-7
"""Largest parameter, or difference of two, taken for zero, in the units of theta."""

PRECISION = 128
"""Bits of the balls that bound what pruning changes."""


class Reason(Enum):
    """Why a node was removed; the value says what became of it."""

    DEAD = "its outgoing weights vanish: removed"
    CONSTANT = "its incoming weights vanish: its constant output went into the next bias, or is zero"
    DUPLICATE = "its incoming weights equal those of another node: its outgoing weights were added there"
    OPPOSITE = "its incoming weights are those of another node with opposite signs: merged with it"


@dataclass(frozen=True, kw_only=True)
class RemovedNode:
    """Node `node` of hidden layer `layer` (counted from 1, node from 0, in the wide network)."""

    layer: int
    node: int
    reason: Reason
    partner: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """The narrow network inside a wide one.

    Attributes
    ----------
    width : tuple of int
        Hidden widths that are left; 0 where a layer says nothing.
    removed : tuple of RemovedNode
    twins : tuple of RemovedNode
        Constant nodes and pairs that a penalty forbids to merge.
    spec : LandscapeSpec or None
        The narrow question; None where a layer is empty.
    theta : (P_narrow,) or None
    loss_change : float
        Upper bound, by balls, of the change of the loss when the pruned parameters are set to exactly zero or merged.
    gradient_bound : float
        Upper bound of the narrow network's |gradient| components at theta.
    stationary : Verdict
        REFUTED where the narrow gradient is proved to exceed the tolerance, CERTIFIED where it is proved below it.
    """

    width: tuple[int, ...]
    removed: tuple[RemovedNode, ...]
    twins: tuple[RemovedNode, ...]
    spec: LandscapeSpec | None
    theta: FloatArray | None
    loss_change: float
    gradient_bound: float
    stationary: Verdict

    def __post_init__(self) -> None:
        if self.theta is not None:
            object.__setattr__(self, "theta", read_only(self.theta, 1))

    @property
    def irreducible(self) -> bool:
        """Whether no node could be removed."""
        return not self.removed


class _Network:
    """Weights and biases that shrink as nodes go; `names` keeps each node's number in the wide network."""

    def __init__(self, spec: LandscapeSpec, theta: FloatArray) -> None:
        layout = spec.layout
        layers = range(1, layout.n_layers + 1)
        self.bias = spec.bias
        self.weights = [layout.weight(n).of(theta).copy() for n in layers]
        blocks = [layout.biases(n) for n in layers]
        self.biases = [
            np.zeros(len(w)) if b is None else b.of(theta).copy() for w, b in zip(self.weights, blocks, strict=True)
        ]
        self.names = [list(range(n)) for n in spec.hidden]

    def drop(self, layer: int, node: int) -> None:
        self.weights[layer] = np.delete(self.weights[layer], node, axis=0)
        self.biases[layer] = np.delete(self.biases[layer], node)
        self.weights[layer + 1] = np.delete(self.weights[layer + 1], node, axis=1)
        del self.names[layer][node]

    @property
    def width(self) -> tuple[int, ...]:
        return tuple(len(names) for names in self.names)

    def theta(self) -> FloatArray:
        parts = [w.ravel() for w in self.weights] + ([*self.biases] if self.bias else [])
        return np.concatenate(parts)


@dataclass(frozen=True, kw_only=True)
class _Nature:
    """What pruning must know of an activation."""

    at: Any
    odd: bool
    even: bool


def _nature(spec: LandscapeSpec) -> _Nature:
    activation = derive_activation(spec.activation)
    return _Nature(at=lambda z: float(activation.at(z)), odd=activation.is_odd, even=activation.is_even)


def _remove_dead(net: _Network, tolerance: float) -> RemovedNode | None:
    """Remove one node of zero outgoing weights."""
    for layer, names in enumerate(net.names):
        for node, name in enumerate(names):
            if np.abs(net.weights[layer + 1][:, node]).max(initial=0.0) <= tolerance:
                net.drop(layer, node)
                return RemovedNode(layer=layer + 1, node=name, reason=Reason.DEAD)
    return None


def _constants(net: _Network, tolerance: float) -> Iterator[tuple[int, int, RemovedNode]]:
    """(layer, node, record) for each node of zero incoming weights."""
    for layer, names in enumerate(net.names):
        for node, name in enumerate(names):
            if np.abs(net.weights[layer][node]).max(initial=0.0) <= tolerance:
                yield layer, node, RemovedNode(layer=layer + 1, node=name, reason=Reason.CONSTANT)


def _absorb(net: _Network, nature: _Nature, tolerance: float) -> RemovedNode | None:
    """Take one constant node's output into the next bias."""
    for layer, node, record in _constants(net, tolerance):
        constant = nature.at(float(net.biases[layer][node]))
        if net.bias or constant == 0:
            net.biases[layer + 1] = net.biases[layer + 1] + constant * net.weights[layer + 1][:, node]
            net.drop(layer, node)
            return record
    return None


def _pairs(net: _Network, nature: _Nature, tolerance: float) -> Iterator[tuple[int, int, int, RemovedNode, int]]:
    """(layer, node, partner, record, sign) for each pair of nodes with equal or opposite incoming weights."""
    for layer, names in enumerate(net.names):
        incoming = np.column_stack((net.weights[layer], net.biases[layer]))
        for node, name in enumerate(names):
            for other in range(node):
                relation = _relation(incoming[node], incoming[other], nature, tolerance)
                if relation is not None:
                    reason, sign = relation
                    record = RemovedNode(layer=layer + 1, node=name, reason=reason, partner=names[other])
                    yield layer, node, other, record, sign


def _merge(net: _Network, nature: _Nature, tolerance: float) -> RemovedNode | None:
    """Merge one pair."""
    for layer, node, other, record, sign in _pairs(net, nature, tolerance):
        net.weights[layer + 1][:, other] += sign * net.weights[layer + 1][:, node]
        net.drop(layer, node)
        return record
    return None


def _relation(a: FloatArray, b: FloatArray, nature: _Nature, tolerance: float) -> tuple[Reason, int] | None:
    if np.abs(a - b).max() <= tolerance:
        return Reason.DUPLICATE, 1
    if (nature.odd or nature.even) and np.abs(a + b).max() <= tolerance:
        return Reason.OPPOSITE, -1 if nature.odd else 1
    return None


def _shrunk(
    spec: LandscapeSpec, theta: FloatArray, nature: _Nature, tolerance: float
) -> tuple[_Network, tuple[RemovedNode, ...]]:
    """What is left when the nodes that say nothing of their own are removed, and those nodes."""
    theta = read_only(theta, 1)
    if theta.shape != (spec.n_parameters,):
        raise ValueError(f"theta has {theta.size} parameters, the network {spec.n_parameters}")
    if not tolerance > 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}")
    net, removed = _Network(spec, theta), list[RemovedNode]()
    while True:
        gone = _remove_dead(net, tolerance)
        if gone is None and not spec.penalty:
            gone = _absorb(net, nature, tolerance) or _merge(net, nature, tolerance)
        if gone is None:
            break
        removed.append(gone)
    return net, tuple(removed)


def prune(spec: LandscapeSpec, theta: FloatArray, tolerance: float = TOLERANCE) -> Pruned:
    """Remove the nodes that say nothing of their own, until none is left.

    Raises
    ------
    ValueError
        If theta has the wrong length, or the tolerance is not positive.
    """
    net, removed = _shrunk(spec, theta, nature := _nature(spec), tolerance)
    twins = tuple(record for _, _, record in _constants(net, tolerance))
    twins += tuple(record for _, _, _, record, _ in _pairs(net, nature, tolerance))
    width = net.width
    if 0 in width:
        # The outputs are the constants of what follows the empty layer; the wide gradient speaks for the point.
        return Pruned(
            width=width,
            removed=removed,
            twins=twins,
            spec=None,
            theta=None,
            loss_change=float("nan"),
            gradient_bound=float("nan"),
            stationary=Verdict.UNDECIDED,
        )
    narrow, small = spec.with_(hidden=width), net.theta()
    with working_precision(PRECISION):
        before = evaluate_balls(build_program(spec, ["value"]), [arb(t) for t in theta]).value
        after = evaluate_balls(build_program(narrow, ["value", "gradient"]), [arb(t) for t in small])
        assert before is not None
        assert after.value is not None
        change = float(abs(before - after.value).upper())
        sizes = [abs(g) for g in after.gradient]
        bound = max(float(size.upper()) for size in sizes)
        above = any(size > tolerance for size in sizes)
    return Pruned(
        width=width,
        removed=removed,
        twins=twins,
        spec=narrow,
        theta=small,
        loss_change=change,
        gradient_bound=bound,
        stationary=Verdict.CERTIFIED if bound <= tolerance else Verdict.REFUTED if above else Verdict.UNDECIDED,
    )


def label_classes(landscape: Landscape, *narrower: Landscape, tolerance: float = TOLERANCE) -> tuple[ClassLabel, ...]:
    """Label every class; `narrower` are landscapes of narrower networks, whose classes are named."""
    lists = {other.spec.hidden: other for other in narrower}
    nature, labels = _nature(landscape.spec), []
    for number, point in enumerate(landscape.points):
        net, removed = _shrunk(landscape.spec, point.theta, nature, tolerance)
        width, irreducible = net.width, not removed
        known = lists.get(width)
        found = None
        if not irreducible and known is not None and 0 not in width:
            found = known.find(net.theta())
        at = ", ".join(map(str, width))
        if irreducible:
            label = f"irreducible at width {at}"
        else:
            label = f"extension of width {at}" if found is None else f"extension of class {found} at width {at}"
        labels.append(
            ClassLabel(
                number=number,
                width=width,
                irreducible=irreducible,
                narrow_class=found,
                label=label,
                missing=known is not None and not irreducible and found is None,
            )
        )
    return tuple(labels)
