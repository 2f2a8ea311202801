"""Float64 certificates: the enclosures hold, and what they decide Arb decides alike."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from benchmarks.enclosed import EXP_ERROR, UNIT, Enclosed, EnclosedAlgebra, exponential
from benchmarks.fast import _above, _index, _inverse, _product_error, _slope, certify_fast
from symland.errors import CertificateError
from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.digits import evaluate_digits
from symland.records import Verdict
from symland.rigor.certify import certify
from symland.spec import LandscapeSpec
from tests.rigor.plain import gradient, hessian
from tests.rigor.points import xor, xor_points
from tests.strategies import specs


def test_the_exponential_keeps_its_proved_error() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate(
        (rng.uniform(-700, 700, 4000), rng.uniform(-1, 1, 4000), rng.normal(size=2000) * 1e-8, [0.0, -745.2, -1e5])
    )
    with np.errstate(all="ignore"):
        mid, rad = exponential(x)
        wild = exponential(np.array([710.0, 1e308]))[1]
    before, ctx.prec = ctx.prec, 160
    try:
        for point, m, r in zip(x.tolist(), mid.tolist(), rad.tolist(), strict=True):
            true = arb(point).exp()
            assert abs(true - m) <= r
            if point > -600:
                assert abs(true - m) <= 0.7 * EXP_ERROR * true
    finally:
        ctx.prec = before
    assert np.isinf(wild).all()


@given(specs(deepest=2, widest=2), st.integers(0, 2**32), st.sampled_from((0.0, 1e-12, 1e-3, 0.1)))
@settings(max_examples=40, phases=(Phase.generate,))
def test_enclosures_hold_every_point_of_the_cube(spec: LandscapeSpec, seed: int, radius: float) -> None:
    assume("sin" not in spec.activation and "erf" not in spec.activation)
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=spec.n_parameters) * rng.choice((0.1, 1.0, 4.0))
    program = build_program(spec)
    with np.errstate(all="ignore"):
        ran = run(program, EnclosedAlgebra(), [Enclosed(np.array([c]), np.array([radius])) for c in centre])
    inside = [Fraction(float(c)) + Fraction(radius) * int(rng.choice((-1, 1))) for c in centre]
    with mp.workdps(50):
        true = evaluate_digits(program, [mpf(t.numerator) / t.denominator for t in inside])
        pairs = [(ran.value, true.value), *zip(ran.gradient, true.gradient, strict=True)]
        for row, known in zip(ran.hessian, true.hessian, strict=True):
            pairs.extend(zip(row, known, strict=True))
        for held, known in pairs:
            mid, rad = (float(np.asarray(a).reshape(-1)[0]) for a in (held.mid, held.rad))
            assert not abs(mpf(mid) - known) > mpf(rad)
            if radius == 0.0:
                assert rad < 1e-9 * (1 + abs(mid)) or not np.isfinite(rad) or held is ran.value


@pytest.mark.parametrize(("hidden", "penalty"), [(1, "1e-2"), (2, "1e-2"), (2, "1e-4")])
def test_all_known_points_are_decided_and_arb_agrees(hidden: int, penalty: str) -> None:
    spec = xor(hidden, penalty)
    theta = np.array(xor_points(hidden, penalty))
    fast = certify_fast(spec, theta)
    assert fast.decided.all()
    for k in range(len(theta)):
        slow = certify(spec, [float(t) for t in fast.theta[k]])
        assert slow.verdict is Verdict.CERTIFIED
        assert slow.index == fast.index[k]
        far = max(abs(Fraction(a) - Fraction(float(b))) for a, b in zip(slow.midpoint, fast.theta[k], strict=True))
        assert far + Fraction(slow.inclusion_radius) <= Fraction(float(fast.uniqueness_radius[k]))
        assert fast.inclusion_radius[k] <= fast.uniqueness_radius[k]


def test_random_points_are_decided_only_where_there_is_a_stationary_point() -> None:
    spec, rng = xor(1, "1e-2"), np.random.default_rng(5)
    known = np.array(xor_points(1, "1e-2"))
    noise = 10.0 ** rng.uniform(-14, 0.5, 3000)[:, None] * rng.normal(size=(3000, 7))
    fast = certify_fast(spec, known[rng.integers(len(known), size=3000)] + noise)
    assert 500 < fast.decided.sum() < 3000
    assert (fast.index[~fast.decided] == -1).all()
    assert np.isnan(fast.inclusion_radius[~fast.decided]).all()
    for k in np.flatnonzero(fast.decided)[::15]:
        slow = certify(spec, [float(t) for t in fast.theta[k]])
        assert (slow.verdict, slow.index) == (Verdict.CERTIFIED, fast.index[k])
        # The zero that Arb encloses lies in the cube claimed by float64.
        far = max(abs(Fraction(a) - Fraction(float(b))) for a, b in zip(slow.midpoint, fast.theta[k], strict=True))
        assert far - Fraction(slow.inclusion_radius) <= Fraction(float(fast.inclusion_radius[k]))


def test_degenerate_points_and_wild_points_are_left_undecided() -> None:
    assert not certify_fast(xor(2, "0"), np.zeros((3, 12))).decided.any()
    assert not certify_fast(xor(2, "1e-3"), np.full((3, 12), 1e200)).decided.any()
    assert certify_fast(xor(2, "1e-3"), np.zeros((0, 12))).decided.shape == (0,)


def test_the_slope_bounds_every_matrix_of_the_enclosure_and_no_more() -> None:
    rng = np.random.default_rng(0)
    inverse, middle = rng.normal(size=(2, 40, 3, 3))
    spread = 10.0 ** rng.uniform(-18, 0, (40, 3, 3))
    spread[:5] = 0.0
    slopes = _slope(inverse, middle, spread)
    for k in range(40):
        y, m, r = ([[Fraction(float(x)) for x in row] for row in matrix[k]] for matrix in (inverse, middle, spread))
        rows = []
        for i in range(3):
            total = Fraction(0)
            for j in range(3):
                total += abs((i == j) - sum(y[i][n] * m[n][j] for n in range(3)))
                total += sum(abs(y[i][n]) * r[n][j] for n in range(3))
            rows.append(total)
        assert max(rows) <= Fraction(float(slopes[k])) <= max(rows) * (1 + Fraction(1, 10**12)) + Fraction(1, 10**13)
    assert np.isinf(_slope(np.full((1, 2, 2), np.nan), np.eye(2)[None], np.zeros((1, 2, 2)))).all()
    assert 0 < _slope(np.eye(2)[None], np.eye(2)[None], np.zeros((1, 2, 2)))[0] < 1e-13


def test_the_index_is_decided_up_to_the_spread_at_which_dominance_ends() -> None:
    middle = np.diag([2.0, -3.0])[None]
    for spread, index in ((0.0, 1), (0.999999, 1), (1.000001, -1), (np.nan, -1), (np.inf, -1)):
        with np.errstate(all="ignore"):
            assert _index(middle, np.full((1, 2, 2), spread))[0] == index
    turn = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    for values, index in (((1.0, 2.0, 3.0), 0), ((-1.0, 2.0, 3.0), 1), ((-1.0, -2.0, -3.0), 3), ((0.0, 1.0, 2.0), -1)):
        turned = (turn * np.array(values)) @ turn.T
        assert _index(turned[None], np.zeros((1, 3, 3)))[0] == index
    assert _index(np.full((1, 2, 2), np.nan), np.zeros((1, 2, 2)))[0] == -1
    # One spread for one entry: only the row that it stands in ceases to dominate.
    assert _index(middle, np.array([[[0.0, 1.9], [1.9, 0.0]]]))[0] == 1
    assert _index(middle, np.array([[[0.0, 2.1], [2.1, 0.0]]]))[0] == -1
    assert _index(middle, np.array([[[0.0, 0.0], [0.0, 2.9]]]))[0] == 1
    assert _index(middle, np.array([[[0.0, 0.0], [0.0, 3.1]]]))[0] == -1


def test_every_matrix_of_an_enclosure_has_the_index_that_is_decided() -> None:
    rng, count = np.random.default_rng(8), 4000
    middle, spread = rng.normal(size=(count, 3, 3)), rng.uniform(size=(count, 3, 3)) ** 6
    middle, spread = middle + middle.transpose(0, 2, 1), spread + spread.transpose(0, 2, 1)
    index = _index(middle, spread)
    assert 400 < (index >= 0).sum() < 3600
    for signs in product((-1.0, 1.0), repeat=6):
        sign = np.zeros((3, 3))
        sign[np.triu_indices(3)] = signs
        corner = middle + (sign + np.triu(sign, 1).T) * spread
        true = (np.linalg.eigvalsh(corner) < 0).sum(axis=1)
        assert ((index == true) | (index == -1)).all()


def test_the_rounding_of_products_is_bounded() -> None:
    for size in (1, 12, 400):
        least = Fraction(size, 2**53) / (1 - Fraction(size, 2**53))
        assert least < Fraction(_product_error(size))
        # Neither below g nor above that of one term more.
        g, more = (Fraction(n, 2**53) / (1 - Fraction(n, 2**53)) for n in (size + 8, size + 9))
        assert g <= Fraction(_product_error(size)) <= more


def test_a_sum_that_rounds_down_at_every_step_is_bounded() -> None:
    for size in (1, 3, 12, 400):
        # 1 + u + u + ... from the left stays 1.
        total, steps = 1.0, 2 * size + 12
        for _ in range(steps):
            total += UNIT
        exact = 1 + steps * Fraction(UNIT)
        assert total == 1.0
        bound = Fraction(float(_above(np.array(total), size)))
        assert exact <= bound <= exact * (1 + 6 * Fraction(UNIT))
    assert _above(np.array(0.0), 3) > 0.0


def test_inverses_are_given_where_there_are_any() -> None:
    good, singular = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])
    with np.errstate(all="ignore"):
        found = _inverse(np.stack((good, singular, np.full((2, 2), np.nan), -good)))
        alone = _inverse(np.stack((good, np.full((2, 2), np.inf))))
    for k, sign in ((0, 1), (3, -1)):
        assert np.allclose(found[k] @ good, sign * np.eye(2), atol=1e-14)
    assert not found[1].any()
    assert not found[2].any()
    assert np.allclose(alone[0] @ good, np.eye(2), atol=1e-14)
    assert not alone[1].any()


@pytest.mark.parametrize(
    ("slope", "decided"), [(0.0, True), (0.19, True), (0.21, False), (0.9, False), (np.inf, False)]
)
def test_a_point_is_decided_only_where_shift_and_slope_leave_room(
    slope: float, decided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The inclusion radius is 1.25 shifts: the test holds for slopes below 0.2.
    monkeypatch.setattr("benchmarks.fast._slope", lambda inverse, middle, spread: np.full(len(middle), slope))
    fast = certify_fast(xor(1, "1e-2"), np.array(xor_points(1, "1e-2")))
    assert (fast.decided == decided).all()


def test_the_cube_of_uniqueness_is_the_wide_one_only_where_the_test_holds_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slopes = iter([0.1, 0.5, 0.1, 1.0, 0.1, 2.0])
    monkeypatch.setattr("benchmarks.fast._slope", lambda inverse, middle, spread: np.full(len(middle), next(slopes)))
    theta = np.array(xor_points(1, "1e-2"))
    wide, tight, none = (certify_fast(xor(1, "1e-2"), theta) for _ in range(3))
    assert (wide.uniqueness_radius == 1e-5 * (1 + np.abs(wide.theta).max(axis=1))).all()
    assert (tight.uniqueness_radius == tight.inclusion_radius).all()
    assert (none.uniqueness_radius == none.inclusion_radius).all()


def test_the_radius_covers_the_step_that_newton_would_still_take() -> None:
    spec, penalty = xor(1, "1e-2"), mpf("1e-2")
    fast = certify_fast(spec, np.array(xor_points(1, "1e-2")) + 1e-7)
    with mp.workdps(60):
        for theta, radius in zip(fast.theta, fast.inclusion_radius, strict=True):
            at = [mpf(float(t)) for t in theta]
            step = mp.lu_solve(hessian(at, 1, penalty), mp.matrix(gradient(at, 1, penalty)))
            length = max(abs(s) for s in step)
            assert 1.25 * length <= radius <= 1.25 * length + 1e-12


def test_an_inverse_whose_bound_underflows_is_unbounded() -> None:
    tiny = Enclosed(np.array([1e-155, 1.0]), np.array([0.5e-155, 0.25]))
    with np.errstate(all="ignore"):
        found = tiny.inverse()
    assert np.isinf(found.rad[0])
    assert found.mid[1] + found.rad[1] >= 4 / 3
    assert found.rad[1] < 0.34


def test_points_near_a_stationary_point_are_moved_to_it() -> None:
    theta = np.array(xor_points(1, "1e-2"))
    fast = certify_fast(xor(1, "1e-2"), theta + 1e-5)
    assert fast.decided.all()
    assert np.abs(fast.theta - theta).max() < 1e-7


def test_results_are_read_only_and_no_points_give_none() -> None:
    spec = xor(1, "1e-2")
    for n in (0, 2):
        fast = certify_fast(spec, np.zeros((n, 7)))
        assert fast.theta.shape == (n, 7)
        for array in (fast.decided, fast.inclusion_radius, fast.uniqueness_radius, fast.index):
            assert array.shape == (n,)
        assert (fast.decided.dtype, fast.index.dtype, fast.inclusion_radius.dtype) == (bool, np.int64, np.float64)
        assert fast.uniqueness_radius.dtype == np.float64
        for array in (fast.theta, fast.decided, fast.inclusion_radius, fast.uniqueness_radius, fast.index):
            assert not array.flags.writeable


def test_what_is_no_point_is_refused() -> None:
    with pytest.raises(CertificateError):
        certify_fast(xor(2, "1e-3"), np.zeros((3, 11)))
    with pytest.raises(ValueError, match="finite"):
        certify_fast(xor(2, "1e-3"), np.full((1, 12), np.nan))
    with pytest.raises(CertificateError, match="sin"):
        certify_fast(xor(2, "1e-3").with_(activation="sin"), np.zeros((1, 12)))
