"""The exact gauge of a loss: translations of theta that change nothing, and the slice across them.

The softmax loss of the data does not feel one number s added to all outputs: W_ij -> W_ij + s for all i, at one node j
of the last hidden layer, or c_i -> c_i + s for all i. Where the penalty does not hold these parameters either, E is
constant along the direction e of the set. Every stationary point then lies on a flat of them, and its Hessian is
singular along each e. With m > 0,

    E_s(theta) = E(theta) + (m/2) sum over the sets (e . theta)^2

has as stationary points exactly those of E with e . theta = 0 for every set, at the same loss (theorem T2-slice): the
projection of its gradient on e is m K (e . theta), as e . grad E = 0, |e|^2 = K, and the sets are disjoint. Its Hessian
is that of E on the complement of the e, and m K along each of them: the same index, and no zero but those of E across
the flat. So an isolated stationary point of E_s is a stationary point of E that is isolated modulo the gauge.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from flint import arb, arb_mat

from symland.rigor.decimals import decimal_places, exact_decimal
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.losses import LOSSES

__all__ = ["gauge_sets", "into_slice", "raised", "slice_gradient", "slice_value"]

SPARE_PLACES = 40
"""Decimal places beyond those of a point to which it is moved into the slice, where one K-th has no finite decimal."""


@lru_cache(maxsize=64)
def gauge_sets(spec: LandscapeSpec) -> tuple[tuple[int, ...], ...]:
    """Disjoint sets of K parameters: one number added to all of a set changes neither the loss nor the penalty."""
    if not LOSSES[spec.loss].shift_invariant:
        return ()
    layout = spec.layout
    weights, biases = layout.weight(layout.n_layers), layout.biases(layout.n_layers)
    outputs, nodes = weights.shape
    sets = []
    if spec.penalty == 0:
        sets = [tuple(weights.offset + i * nodes + j for i in range(outputs)) for j in range(nodes)]
    if biases is not None and (spec.penalty == 0 or spec.penalised is Penalised.WEIGHTS):
        sets.append(tuple(range(biases.offset, biases.offset + outputs)))
    return tuple(sets)


def slice_value(spec: LandscapeSpec, theta: Sequence[arb]) -> arb:
    """(1/2) sum (e . theta)^2: what E_s has beyond E, with m = 1."""
    totals = [_sum(theta, places) for places in gauge_sets(spec)]
    return sum((total * total / 2 for total in totals), arb(0))


def slice_gradient(spec: LandscapeSpec, theta: Sequence[arb]) -> list[arb]:
    """Its gradient (P): e . theta at each parameter of a set."""
    out = [arb(0)] * len(theta)
    for places in gauge_sets(spec):
        total = _sum(theta, places)
        for p in places:
            out[p] = total
    return out


def raised(spec: LandscapeSpec, hessian: arb_mat, height: arb | int = 1) -> arb_mat:
    """H + m sum e e^T, with m = `height`."""
    sets = gauge_sets(spec)
    if not sets:
        return hessian
    added = arb_mat(hessian.nrows(), hessian.ncols())
    for places in sets:
        for p in places:
            for q in places:
                added[p, q] = arb(height)
    return hessian + added


def into_slice(spec: LandscapeSpec, point: Sequence[str]) -> tuple[str, ...]:
    """A point in decimal texts, moved along the gauge so that each set sums to 0; nearly, where that is no decimal."""
    numbers = list(point)
    for places in gauge_sets(spec):
        exact = [Fraction(numbers[p]) for p in places]
        if not sum(exact):
            continue
        unit = 10 ** (SPARE_PLACES + max(0, *(decimal_places(numbers[p]) for p in places)))
        mean = Fraction(round(sum(exact) / len(exact) * unit), unit)
        for p, value in zip(places, exact, strict=True):
            numbers[p] = exact_decimal(value - mean)
    return tuple(numbers)


def _sum(theta: Sequence[arb], places: Sequence[int]) -> arb:
    return sum((theta[p] for p in places), arb(0))
