"""Refined points have the digits that they claim; the oracle is the loss from its definition in mpmath."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import log, log10

import pytest
from flint import arb
from mpmath import mp, mpf

from symland.datasets import Dataset
from symland.errors import RefinementError, SymlandError
from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor.refine import MOST_FIRST_STEPS, RefinedPoint, _certified_places, refine
from symland.spec import LandscapeSpec, Loss
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


@pytest.mark.parametrize(("power", "places"), [(-5, 3), (-8, 6), (-20, 18), (-60, 40)])
def test_a_point_that_is_off_has_the_places_that_its_distance_leaves(power: int, places: int) -> None:
    spec = xor(1, "1e-2")
    theta = refine(spec, xor_points(1, "1e-2")[0], 80).theta
    with working_precision(400):
        moved = [arb(t) for t in theta]
        moved[2] += 3 * arb(10) ** power
        # 3 10^e and half a unit of the last place are less than a unit for -e - 1 places; one place is spared.
        assert _certified_places(spec, [x.mid() for x in moved], 40) == places
        assert _certified_places(spec, [x.mid() + arb("0.5") for x in moved], 40) == 0


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


def test_a_degenerate_point_that_newton_nears_by_thirds_has_no_certified_digit() -> None:
    # E = ln 2 + (w v)^2 / 8 + ..., whose Newton step from (a, a) is -a / 3.
    data = Dataset(name="tie", inputs=((Fraction(1),), (Fraction(1),)), labels=(0, 1))
    spec = LandscapeSpec(
        name="flat", hidden=(1,), bias=False, loss=Loss.LOGISTIC, penalty=Fraction(0), data=data, outputs=1
    )
    refined = refine(spec, [0.01, 0.01], 40)
    assert (refined.verdict, refined.digits) == (Verdict.UNDECIDED, 0)
    assert mpf(refined.loss) == pytest.approx(log(2))
    # As many steps as allowed did not raise the precision; then one more is the last.
    assert sum(a.digits == b.digits for a, b in pairwise(refined.steps)) == MOST_FIRST_STEPS
    assert 0 < float(refined.theta[0]) < 1e-9
    for before, after in pairwise(refined.steps[:20]):
        assert abs(float(after.length) / float(before.length) - 2 / 3) < 1e-2
    assert abs(float(refined.steps[0].length) - 0.01 / 3) < 1e-5
    assert abs(float(refined.steps[0].residual) / 0.25e-6 - 1) < 1e-2


def test_steps_and_residual_say_what_they_measure() -> None:
    for theta in xor_points(2, "1e-3")[:3]:
        refined = refine(xor(2, "1e-3"), theta, 60)
        with mp.workdps(200):
            point = [mpf(t) for t in refined.theta]
            true = max(map(abs, gradient(point, 2, mpf("1e-3"))))
            assert true <= mpf(refined.residual) * (1 + mpf(10) ** -30)
            assert mpf(refined.residual) < mpf(10) ** -58
            start = max(map(abs, gradient([mpf(float(t)) for t in theta], 2, mpf("1e-3"))))
            assert start <= mpf(refined.steps[0].residual) < mpf("1.01") * start
            moved = max(abs(mpf(float(t)) - p) for t, p in zip(theta, point, strict=True))
            assert moved * mpf("0.999") < mpf(refined.steps[0].length) < mpf("1.011") * moved
        assert refined.steps[0].digits == 30
        assert refined.steps[-1].digits == 60 + 12 + 3
        assert refined.asked == 60


def test_a_radius_of_a_tenth_certifies_no_place() -> None:
    with working_precision(256):
        # The loss is nearly the penalty, whose Hessian is constant.
        for far, places in (("0.0005", 2), ("0.005", 1), ("0.05", 0), ("0.5", 0)):
            assert _certified_places(xor(1, "1000"), [arb(far)] * 7, 9) == places


@pytest.mark.parametrize(("reach", "allowed"), [(1.05, True), (0.95, False)])
def test_a_point_may_move_by_a_share_of_its_size(reach: float, allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = xor(1, "1e-2")
    theta = max(xor_points(1, "1e-2"), key=lambda point: max(map(abs, point)))
    start = [t + 1e-4 for t in theta]
    moved = max(abs(float(t) - s) for t, s in zip(refine(spec, start).theta, start, strict=True))
    monkeypatch.setattr("symland.rigor.refine.FARTHEST_MOVE", reach * moved / (1 + max(map(abs, start))))
    if allowed:
        assert refine(spec, start).verdict is Verdict.CERTIFIED
    else:
        with pytest.raises(RefinementError, match="neighbourhood"):
            refine(spec, start)


def test_a_singular_hessian_is_shifted_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two nodes alike: the Hessian without penalty is singular where the gradient is not zero.
    spec = xor(2, "0")
    assert refine(spec, [0.0] * 12).verdict is Verdict.UNDECIDED
    monkeypatch.setattr("symland.rigor.refine.SINGULAR_SHIFT", 0)
    with pytest.raises(RefinementError, match="singular"):
        refine(spec, [0.0] * 12)


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
