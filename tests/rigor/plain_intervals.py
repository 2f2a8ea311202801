"""Interval arithmetic of plain floats without any rounding: what the lane programs compute, by an independent hand.

An interval is an array whose first axis holds the lower and the upper end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


def times(a: Any, b: Any) -> Array:
    """Product of two intervals."""
    ends = np.stack([a[i] * b[j] for i in (0, 1) for j in (0, 1)])
    return np.stack([ends.min(axis=0), ends.max(axis=0)])


def minus(a: Any, b: Any) -> Array:
    return np.stack([a[0] - b[1], a[1] - b[0]])


def meet(a: Any, b: Any) -> Array:
    return np.stack([np.maximum(a[0], b[0]), np.minimum(a[1], b[1])])


def middle(a: Any) -> Array:
    return (a[0] + a[1]) / 2


def radius(a: Any) -> Array:
    return (a[1] - a[0]) / 2


def size(a: Any) -> Array:
    """Largest absolute value."""
    return np.maximum(np.abs(a[0]), np.abs(a[1]))


def balance(pull: Any, bias: Any) -> tuple[Array, Array]:
    """One round of gamma = sum P: boxes (2, D, ...) and (2, ...)."""
    bias = meet(bias, pull.sum(axis=1))
    return meet(pull, minus(bias[:, None], pull.sum(axis=1, keepdims=True) - pull)), bias


def around(centre: Any, reach: Any) -> Array:
    return np.stack([centre - reach, centre + reach])


def combine(factors: Sequence[float], terms: Sequence[Any]) -> Array:
    """sum_k factors_k terms_k."""
    return np.sum([np.sort(c * np.asarray(t), axis=0) for c, t in zip(factors, terms, strict=True)], axis=0)


def _hull(values: list[Any], low: Any, high: Any, turns: dict[float, float]) -> Array:
    """Range over [low, high] of a function with these values at the ends and these extremes at its turning points."""
    inside = [np.where((low <= x) & (x <= high), y, values[0]) for x, y in turns.items()]
    return np.stack([np.min([*values, *inside], axis=0), np.max([*values, *inside], axis=0)])


def tanh_ranges(a: Any) -> tuple[Array, Array, Array, Array]:
    """Ranges of tanh and of its first three derivatives; the peak 2/3 of the third is granted near its place."""
    low, high = a
    t = [np.tanh(x) for x in a]
    s = [1 / np.cosh(np.clip(x, -350, 350)) ** 2 for x in a]
    turn, peak = float(np.arctanh(3**-0.5)), 4 / (3 * 3**0.5)
    third = _hull([(1 - x**2) * (6 * x**2 - 2) for x in t], low, high, {0.0: -2.0})
    squares = _hull([x**2 for x in t], low, high, {0.0: 0.0})
    third[1] = np.where((squares[0] <= 0.7) & (squares[1] >= 0.6), 2 / 3, third[1])
    return (
        np.stack(t),
        _hull(s, low, high, {0.0: 1.0}),
        _hull([-2 * x * y for x, y in zip(t, s, strict=True)], low, high, {-turn: peak, turn: -peak}),
        third,
    )
