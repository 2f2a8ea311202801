"""Outward intervals: they hold the exact result, and they are no wider than the rounding that they answer for."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from symland.rigor.enumeration.lanes import (
    JET_ERROR,
    Interval,
    above,
    below,
    exponential,
    exponential_range,
    tanh_jet,
    tanh_range,
    total,
)

ROUNDINGS = Fraction(1, 2**49)
"""Two widenings of 2^-51, each at both ends of one operation, relative to the result."""


@mpmath.workdps(40)
def test_the_exponential_and_tanh_stay_within_their_proved_errors() -> None:
    rng = np.random.default_rng(0)
    ends = (rng.integers(-900, 900, 200) + rng.choice([-0.4999, 0.4999], 200)) * np.log(2)
    for x in [*rng.uniform(-690, 690, 300), *rng.uniform(-1, 1, 100), *ends, 690.0, -690.0]:
        true = mpmath.exp(mpmath.mpf(float(x)))
        # One unit in the last place is seen, 2^-46 is proved, 2^-44 is granted.
        assert abs(mpmath.mpf(float(exponential(np.float64(x)))) / true - 1) < 2.0**-52
        held = exponential_range(np.float64(x))
        assert mpmath.mpf(float(held.lo)) < true < mpmath.mpf(float(held.hi))
        assert float(held.hi) <= float(held.lo) * (1 + 2.0**-41)
    for x in [*rng.normal(size=400) * 3, *rng.uniform(-700, 700, 100), 0.0, 300.0, 299.0, -1e5]:
        t, s = tanh_jet(np.float64(x))
        assert abs(mpmath.mpf(float(t)) - mpmath.tanh(float(x))) < 2.0**-43
        assert abs(mpmath.mpf(float(s)) - mpmath.sech(float(x)) ** 2) < 2.0**-43


Pair = tuple[Fraction, Fraction]


def _products(a: Pair, b: Pair) -> list[Fraction]:
    return [x * y for x in a for y in b]


def _hull(values: list[Fraction]) -> Pair:
    return min(values), max(values)


def _is_hull(interval: Interval, k: int, wanted: Pair, size: Fraction) -> None:
    """``wanted`` lies inside, and the interval is wider by no more than the rounding of numbers of this size."""
    low, high = (Fraction(float(np.broadcast_to(end, 300)[k])) for end in (interval.lo, interval.hi))
    slack = size * ROUNDINGS + Fraction(1, 10**280)
    assert wanted[0] - slack <= low <= wanted[0]
    assert wanted[1] <= high <= wanted[1] + slack


def test_every_interval_operation_is_the_hull_of_its_exact_results() -> None:
    rng = np.random.default_rng(1)
    ends = np.sort(rng.normal(size=(2, 2, 300)) * 10.0 ** rng.integers(-8, 4, size=(2, 1, 300)), axis=1)
    ends[0, :, :20] = [[0.0], [1.5]]
    ends[0, :, 20:40] = [[-1.5], [0.0]]
    ends[1, :, 40:50] = [[-2.0], [3.0]]
    a, b = Interval(ends[0, 0], ends[0, 1]), Interval(ends[1, 0], ends[1, 1])
    p, q = Interval.point(ends[0, 0]), Interval.point(ends[1, 1])
    floor = np.abs(ends[1, 0]) + 0.5
    positive = Interval(floor, floor + np.abs(ends[1, 1]))
    found = {
        "add": [x + y for x, y in ((a, b), (p, q), (a, q), (p, b))],
        "sub": [x - y for x, y in ((a, b), (p, q), (a, q), (p, b))],
        "mul": [x * y for x, y in ((a, b), (p, q), (a, q), (p, b))],
    }
    scaled = {factor: (a.scaled(factor), p.scaled(factor)) for factor in (1.0, -1.0, 0.5, -2.0, 3.0, -0.7, 8.0)}
    quotients, squares = (a.over_positive(positive), p.over_positive(positive)), (a.square(), p.square())
    sums = total([a, b, p])
    for k in range(300):

        def exact(x: Interval, k: int = k) -> Pair:
            return Fraction(float(x.lo[k])), Fraction(float(x.hi[k]))

        for number, (x, y) in enumerate(((a, b), (p, q), (a, q), (p, b))):
            (x0, x1), (y0, y1) = exact(x), exact(y)
            size = max(map(abs, (x0, x1, y0, y1)))
            _is_hull(found["add"][number], k, (x0 + y0, x1 + y1), 2 * size)
            _is_hull(found["sub"][number], k, (x0 - y1, x1 - y0), 2 * size)
            products = _products((x0, x1), (y0, y1))
            _is_hull(found["mul"][number], k, _hull(products), max(map(abs, products)))
        for number, x in enumerate((a, p)):
            pair = exact(x)
            for factor, both in scaled.items():
                products = _products(pair, (Fraction(factor),))
                rounded = Fraction(0) if factor in (1.0, -1.0, 0.5, -2.0, 8.0) else max(map(abs, products))
                _is_hull(both[number], k, _hull(products), rounded)
            inverse = [1 / y for y in exact(positive)]
            products = [u * v for u in pair for v in inverse]
            _is_hull(quotients[number], k, _hull(products), max(map(abs, products)))
            squared = [u * u for u in pair]
            least = Fraction(0) if pair[0] <= 0 <= pair[1] else min(squared)
            _is_hull(squares[number], k, (least, max(squared)), max(squared))
            assert squares[number].lo[k] >= 0
        three = [exact(x) for x in (a, b, p)]
        size = sum((max(map(abs, pair)) for pair in three), Fraction(0))
        _is_hull(sums, k, (sum(x for x, _ in three), sum(y for _, y in three)), 3 * size)


def test_powers_of_two_and_signs_are_not_widened() -> None:
    x = Interval(np.array([-1.1, 0.3]), np.array([2.7, 0.9]))
    for factor in (1.0, -1.0, 2.0, -2.0, 0.25, -0.5):
        lo, hi = sorted((x.lo * factor, x.hi * factor), key=lambda end: end[1])
        assert np.array_equal(x.scaled(factor).lo, lo)
        assert np.array_equal(x.scaled(factor).hi, hi)
    assert x.scaled(3.0).lo[1] < 0.3 * 3.0 < 0.9 * 3.0 < x.scaled(3.0).hi[1]


def test_meets_middles_sizes_and_emptiness() -> None:
    x, y = Interval(np.array([-2.0, 1.0]), np.array([1.0, 4.0])), Interval(np.array([-1.0, 5.0]), np.array([3.0, 6.0]))
    met = x.meet(y)
    assert met.lo.tolist() == [-1.0, 5.0]
    assert met.hi.tolist() == [1.0, 4.0]
    assert met.is_empty().tolist() == [False, True]
    assert not Interval.point(np.array([1.0])).is_empty().any()
    assert x.middle().tolist() == [-0.5, 2.5]
    assert x.size().tolist() == [2.0, 4.0]
    point = Interval.point(np.array([0.1]))
    assert point.middle() is point.lo
    assert (-point).is_point
    assert not x.is_point
    assert (-x).lo.tolist() == [-1.0, -4.0]
    assert (-x).hi.tolist() == [2.0, -1.0]


@pytest.mark.parametrize("x", [0.0, 1.0, -3.7, 1e-300, 1e300, -5e-324])
def test_below_and_above_leave_the_rounding_of_one_operation(x: float) -> None:
    assert below(x) < x - abs(x) * 2.0**-52
    assert above(x) > x + abs(x) * 2.0**-52
    assert x - below(x) <= abs(x) * 2.0**-50 + 2e-290
    assert above(x) - x <= abs(x) * 2.0**-50 + 2e-290


def tanh_ranges(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranges of tanh and of sech^2 by plain floats."""
    slopes = [1 / np.cosh(np.clip(x, -350, 350)) ** 2 for x in (low, high)]
    top = np.where((low <= 0) & (high >= 0), 1.0, np.max(slopes, axis=0))
    return np.stack([np.tanh(low), np.tanh(high)]), np.stack([np.min(slopes, axis=0), top])


@pytest.mark.parametrize("width", [1e-6, 0.3, 4.0])
def test_the_ranges_of_tanh_and_its_derivative_are_their_ranges(width: float) -> None:
    rng = np.random.default_rng(2)
    low = np.append(rng.normal(size=3000) * 2, [-1e-3, 0.0, -1e-6, 320.0, -330.0])
    high = low + width * rng.exponential(size=low.size)
    ranges = tanh_range(Interval(low, high))

    found = (ranges.value, ranges.slope)
    for interval, plain in zip(found, tanh_ranges(low, high), strict=True):
        assert (interval.lo <= plain[0]).all()
        assert (plain[1] <= interval.hi).all()
        assert (interval.lo >= plain[0] - 20 * JET_ERROR).all()
        assert (interval.hi <= plain[1] + 20 * JET_ERROR).all()
    for x in np.linspace(low, high, 9):
        for interval, (value, _) in zip(found, tanh_ranges(x, x), strict=True):
            assert ((interval.lo <= value) & (value <= interval.hi)).all()
    point = tanh_range(Interval.point(low))
    assert np.array_equal(point.value.lo, tanh_range(Interval(low, low.copy())).value.lo)
    assert (np.abs(ranges.value.lo) <= 1).all()
    assert (np.abs(ranges.value.hi) <= 1).all()
    assert (ranges.slope.lo >= 0).all()
    assert (ranges.slope.hi <= 1).all()
