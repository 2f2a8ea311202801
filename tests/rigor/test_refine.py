"""Refined points have the digits that they claim; the oracle is the loss from its definition in mpmath."""

from __future__ import annotations

from itertools import pairwise
from math import log10

import pytest
from mpmath import mp, mpf

from symland.errors import RefinementError, SymlandError
from symland.records import Verdict
from symland.rigor.refine import RefinedPoint, refine
from tests.rigor.plain import gradient, loss
from tests.rigor.points import xor, xor_points


@pytest.mark.parametrize(("hidden", "penalty", "digits"), [(1, "1e-2", 50), (2, "1e-3", 80), (1, "1e-2", 7)])
def test_the_gradient_by_differences_vanishes_at_the_refined_point(hidden: int, penalty: str, digits: int) -> None:
    for theta in xor_points(hidden, penalty)[:3]:
        refined = refine(xor(hidden, penalty), theta, digits)
        assert (refined.verdict, refined.digits) == (Verdict.CERTIFIED, digits)
        with mp.workdps(3 * digits + 30):
            point = [mpf(t) for t in refined.theta]
            assert max(map(abs, gradient(point, hidden, mpf(penalty)))) < mpf(10) ** (1 - digits)
            assert abs(loss(point, hidden, mpf(penalty)) - mpf(refined.loss)) <= mpf(10) ** -digits


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_few_digits_are_certified_too(digits: int) -> None:
    long = [refine(xor(2, "1e-3"), theta, 30).theta for theta in xor_points(2, "1e-3")[:4]]
    for theta in long:
        refined = refine(xor(2, "1e-3"), theta, digits)
        assert refined.digits == digits
        for a, b in zip(refined.theta, theta, strict=True):
            assert abs(mpf(a) - mpf(b)) <= mpf(10) ** -digits


def test_convergence_is_quadratic() -> None:
    for theta in xor_points(2, "1e-3")[:4]:
        steps = refine(xor(2, "1e-3"), theta, 400).steps
        sizes = [-log10(float(mpf(s.residual))) if mpf(s.residual) > 1e-300 else None for s in steps]
        known = [s for s in sizes if s is not None]
        for before, after in pairwise(known):
            assert after > 1.6 * before or before < 14
        assert [s.digits for s in steps] == sorted(s.digits for s in steps)


def test_more_digits_extend_fewer() -> None:
    theta = xor_points(1, "1e-2")[0]
    short, long = (refine(xor(1, "1e-2"), theta, digits) for digits in (40, 1500))
    assert long.digits == 1500
    with mp.workdps(1600):
        for a, b in zip(short.theta, long.theta, strict=True):
            assert abs(mpf(a) - mpf(b)) <= mpf(10) ** -40
            assert len(a.partition(".")[2]) == 40
            assert len(b.partition(".")[2]) == 1500


def test_digits_beyond_what_python_prints_are_given_and_taken() -> None:
    spec = xor(1, "1e-2")
    refined = refine(spec, xor_points(1, "1e-2")[0], 4400)
    assert refined.digits == 4400
    assert refine(spec, refined.theta, 20).theta[0][:20] == refined.theta[0][:20]


def test_a_degenerate_point_has_no_certified_digit() -> None:
    refined = refine(xor(2, "0"), [0.0] * 12)
    assert (refined.verdict, refined.digits) == (Verdict.UNDECIDED, 0)


def test_a_point_that_is_not_stationary_is_refused() -> None:
    with pytest.raises(RefinementError, match="neighbourhood"):
        refine(xor(2, "1e-3"), [0.5] * 12)


@pytest.mark.parametrize("theta", [[0.0] * 11, [float("nan")] * 12, ["x"] * 12, [float("inf")] * 12])
def test_what_is_no_point_is_refused(theta: list[float]) -> None:
    with pytest.raises(SymlandError):
        refine(xor(2, "1e-3"), theta)


def test_no_digits_are_refused() -> None:
    with pytest.raises(RefinementError):
        refine(xor(1, "1e-2"), [0.0] * 7, 0)


def test_a_refined_point_survives_json() -> None:
    refined = refine(xor(1, "1e-2"), xor_points(1, "1e-2")[0], 20)
    assert RefinedPoint.from_dict(refined.to_dict()) == refined
