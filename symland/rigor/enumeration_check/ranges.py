r"""Ranges: pairs of arrays (2, ...) of lower and upper ends, and operations that lose no value.

Sharper than balls where a number has one sign, as pulls and outputs have.  Write u = 2^-53.  A sum of at most 16
doubles or products of doubles, each computed with at most four more operations, is off by at most 2^5 u times the sum
of the sizes of its terms, plus underflows (see ``balls``).  So every end moves outward by ROUND = 2^-47 = 2^6 u times
this sum, and by TINY; half of that covers the rounding of the move itself.

An end that is not a number says nothing: ``meet`` does not cut with it.  A range may come out empty, its lower end
above the upper one.  Operations after that mean nothing, but ``meet`` leaves an empty range empty.
"""

from __future__ import annotations

import numpy as np

from symland.rigor.enumeration_check import balls
from symland.rigor.enumeration_check.balls import TANH_ERROR, TINY, Doubles, near_tanh

__all__ = [
    "ROUND",
    "artanh",
    "combined",
    "meet",
    "minus",
    "others",
    "outward",
    "over",
    "plus",
    "sech2",
    "sech2_room",
    "signed",
    "tanh",
    "times",
    "total",
]

ROUND = 2.0**-47
"""Relative rounding granted to an operation."""


def outward(low: Doubles, high: Doubles) -> Doubles:
    """Ends that were each computed by a few operations without cancellation."""
    return np.stack([low - (np.abs(low) * ROUND + TINY), high + (np.abs(high) * ROUND + TINY)])


def meet(a: Doubles, b: Doubles) -> Doubles:
    """What two ranges share."""
    return np.stack([np.fmax(a[0], b[0]), np.fmin(a[1], b[1])])


def plus(a: Doubles, b: Doubles) -> Doubles:
    """a + b."""
    return outward(a[0] + b[0], a[1] + b[1])


def minus(a: Doubles, b: Doubles) -> Doubles:
    """a - b."""
    return outward(a[0] - b[1], a[1] - b[0])


def times(p: Doubles, x: Doubles) -> Doubles:
    """p x for p >= 0."""
    return outward(np.minimum(p[0] * x[0], p[1] * x[0]), np.maximum(p[0] * x[1], p[1] * x[1]))


def signed(x: Doubles, factors: Doubles) -> Doubles:
    """x times doubles, along the last axis."""
    product = x * factors
    return outward(np.minimum(*product), np.maximum(*product))


def over(x: Doubles, p: Doubles) -> Doubles:
    """x / p for p >= 0: an end that has no bound is infinite, or not a number."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low = np.where(x[0] >= 0.0, x[0] / p[1], x[0] / p[0])
        high = np.where(x[1] >= 0.0, x[1] / p[0], x[1] / p[1])
        return outward(low, high)


def total(x: Doubles, axis: int) -> Doubles:
    """The sum along an axis."""
    room = np.abs(x).sum(axis=axis) * ROUND + TINY
    low, high = x.sum(axis=axis)
    return np.stack([low - room[0], high + room[1]])


def others(x: Doubles, axis: int) -> Doubles:
    """For each entry the sum of the others along an axis."""
    room = np.abs(x).sum(axis=axis, keepdims=True) * ROUND + TINY
    low, high = x.sum(axis=axis, keepdims=True) - x
    return np.stack([low - room[0], high + room[1]])


def combined(x: Doubles, matrix: Doubles) -> Doubles:
    """x M for x (2, ..., m) and doubles M (m, n)."""
    rise, fall = np.maximum(matrix, 0.0), np.minimum(matrix, 0.0)
    room = np.abs(x).max(axis=0) @ np.abs(matrix) * ROUND + TINY
    return np.stack([x[0] @ rise + x[1] @ fall - room, x[1] @ rise + x[0] @ fall + room])


def tanh(x: Doubles) -> Doubles:
    """tanh."""
    return np.stack(balls.tanh(*x))


def _above_artanh(t: Doubles) -> Doubles:
    """An upper bound of artanh t: a guess b with tanh b >= t, infinity where it fails."""
    size = np.minimum(np.abs(t), 1.0 - 2.0**-49)
    guess = np.copysign(np.arctanh(size), t)
    guess += np.abs(guess) * ROUND + 2.0**-47 / (1.0 - size * size)
    return np.where(near_tanh(guess) - TANH_ERROR >= t, guess, np.inf)


def artanh(t: Doubles) -> Doubles:
    """All x whose tanh lies in a range."""
    return np.stack([-_above_artanh(-t[0]), _above_artanh(t[1])])


def sech2(t: Doubles) -> Doubles:
    """1 - t^2 for t in a part of [-1, 1]."""
    return np.stack(balls.sech2(*t))


def sech2_room(s: Doubles) -> Doubles:
    """All t with 1 - t^2 in a range."""
    size = np.sqrt(np.maximum(1.0 - s[0] + ROUND, 0.0)) * (1.0 + ROUND)
    return np.stack([-size, size])
