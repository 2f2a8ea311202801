"""Float64 certificates: the enclosures hold, and what they decide Arb decides alike."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from symland.errors import CertificateError
from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.digits import evaluate_digits
from symland.records import Verdict
from symland.rigor.certify import certify
from symland.rigor.enclosed import EXP_ERROR, Enclosed, EnclosedAlgebra, exponential
from symland.rigor.fast import certify_fast
from symland.spec import LandscapeSpec
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


def test_an_inverse_whose_bound_underflows_is_unbounded() -> None:
    tiny = Enclosed(np.array([1e-155, 1.0]), np.array([0.5e-155, 0.25]))
    with np.errstate(all="ignore"):
        found = tiny.inverse()
    assert np.isinf(found.rad[0])
    assert found.mid[1] + found.rad[1] >= 4 / 3
    assert found.rad[1] < 0.34


def test_what_is_no_point_is_refused() -> None:
    with pytest.raises(CertificateError):
        certify_fast(xor(2, "1e-3"), np.zeros((3, 11)))
    with pytest.raises(ValueError, match="finite"):
        certify_fast(xor(2, "1e-3"), np.full((1, 12), np.nan))
    with pytest.raises(CertificateError, match="sin"):
        certify_fast(xor(2, "1e-3").with_(activation="sin"), np.zeros((1, 12)))
