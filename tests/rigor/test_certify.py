"""What a certificate claims is true of the loss from its definition."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from mpmath import mp, mpf

from symland.errors import CertificateError
from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.certify import _uniqueness, certify
from symland.rigor.check import check_certificate
from symland.rigor.decimals import decimal_places
from symland.rigor.inertia import eigenvalues, eigenvectors
from symland.rigor.krawczyk import cube, hessian_over, preconditioned_midpoint
from symland.rigor.refine import refine
from tests.rigor.plain import gradient, hessian, loss
from tests.rigor.points import xor, xor_points

CASES = [(1, "1e-2"), (2, "1e-2"), (2, "1e-4")]


@pytest.mark.parametrize(("hidden", "penalty"), CASES)
def test_every_point_is_certified_and_four_methods_agree_on_the_index(hidden: int, penalty: str) -> None:
    spec = xor(hidden, penalty)
    for theta in xor_points(hidden, penalty):
        made = certify(spec, refine(spec, theta), opinions=True)
        assert made.verdict is Verdict.CERTIFIED, made.reason
        assert certify(spec, theta).index == made.index
        assert {index for _, index in made.opinions} == {made.index}
        assert {"congruence", "pivots"} <= {name for name, _ in made.opinions}
        assert Fraction(made.inclusion_radius) <= Fraction(made.uniqueness_radius)
        assert Fraction(made.inclusion_radius) < Fraction(1, 10**10)


def test_a_uniqueness_radius_is_shortened_only_where_the_test_holds_and_never_below_the_inclusion_radius() -> None:
    with working_precision(128):
        balls = [arb(0)] * 7
        point = preconditioned_midpoint(xor(1, "1e-2"), balls, 128)
        assert point is not None
        point = replace(point, shift=arb(1))
        assert _uniqueness(point, "1.25", arb(100), arb(0.5)) == "9.80e1"
        assert _uniqueness(point, "1.25", arb(1.25), arb(0.1)) == "1.25"
        assert _uniqueness(point, "1.25", arb(1.5), arb(0.33)) == "1.25"


def test_loss_and_eigenvalues_lie_in_their_bounds() -> None:
    for hidden, penalty, count in ((1, "1e-2", 4), (2, "1e-3", 2)):
        spec = xor(hidden, penalty)
        for theta in xor_points(hidden, penalty)[-count:]:
            refined = refine(spec, theta, 60)
            with mp.workdps(90):
                point, strength = [mpf(t) for t in refined.theta], mpf(penalty)
                value = loss(point, hidden, strength)
                values = sorted(mp.eigsy(hessian(point, hidden, strength), eigvals_only=True))
                for made in (certify(spec, refined), certify(spec, theta)):
                    assert mpf(made.loss[0]) - mpf(10) ** -58 <= value <= mpf(made.loss[1]) + mpf(10) ** -58
                    slack = mpf(10) ** -35  # of the differences
                    for (low, high), known in zip(made.eigenvalues, values, strict=True):
                        assert mpf(low) - slack <= known <= mpf(high) + slack
                        assert mpf(high) - mpf(low) < mpf(10) ** -10
                    assert made.index == sum(v < 0 for v in values)
                    centre = [mpf(t) for t in made.midpoint]
                    far = max(abs(a - b) for a, b in zip(centre, point, strict=True))
                    assert far <= mpf(made.inclusion_radius) + mpf(10) ** -59


def test_the_bounds_of_a_rough_point_are_those_of_its_cube() -> None:
    spec, penalty = xor(1, "1e-2"), mpf("1e-2")
    for theta in xor_points(1, "1e-2")[:3]:
        made = certify(spec, list(np.array(theta) + 1e-6))
        radius = mpf(made.inclusion_radius)
        assert mpf("1e-6") <= radius < mpf("2e-6")
        with mp.workdps(60):
            centre = [mpf(t) for t in made.midpoint]
            bend = hessian(centre, 1, penalty)
            # |grad E| over the cube is about |H r| and more; from there to the zero the loss changes by that times r.
            size = mp.fsum(abs(x) for x in bend)
            low, high = map(mpf, made.loss)
            assert low < loss([mpf(t) for t in refine(spec, theta, 50).theta], 1, penalty) < high
            at, most = loss(centre, 1, penalty), mp.fsum(map(abs, gradient(centre, 1, penalty))) + size * radius
            assert at - high < 0 < at - low
            assert most * radius < (high - low) / 2 < mpf("1.1") * most * radius
            values = mp.eigsy(bend, eigvals_only=True)
            assert all(mpf(a) < v < mpf(b) for (a, b), v in zip(made.eigenvalues, values, strict=True))
        with working_precision(128):
            over = hessian_over(spec, cube([arb(t) for t in made.midpoint], arb(made.inclusion_radius)))
            tight = eigenvalues(over, eigenvectors(over, 1))
            assert tight is not None
            for (a, b), ball in zip(made.eigenvalues, tight, strict=True):
                # Room for a reader whose enclosure is wider.
                assert 7.9 < (arb(b) - arb(a)) / (2 * ball.rad()) < 8.2


def test_a_point_without_a_wide_cube_is_unique_in_the_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symland.rigor.certify.widest", lambda spec, point, least: None)
    made = certify(xor(1, "1e-2"), xor_points(1, "1e-2")[0])
    assert made.verdict is Verdict.CERTIFIED
    assert made.uniqueness_radius == made.inclusion_radius


def test_newton_from_anywhere_in_the_uniqueness_cube_finds_no_other_zero() -> None:
    spec, penalty = xor(1, "1e-2"), mpf("1e-2")
    rng = np.random.default_rng(3)
    for theta in xor_points(1, "1e-2")[:3]:
        made = certify(spec, theta)
        radius = float(made.uniqueness_radius)
        assert radius > 1e-4
        centre = np.array([float(t) for t in made.midpoint])
        for _ in range(2):
            with mp.workdps(40):
                at = [mpf(t) for t in centre + radius * rng.uniform(-1, 1, centre.size)]
                for _ in range(6):
                    step = mp.lu_solve(hessian(at, 1, penalty), mp.matrix(gradient(at, 1, penalty)))
                    at = [a - s for a, s in zip(at, step, strict=True)]
                near = max(abs(a - mpf(m)) for a, m in zip(at, made.midpoint, strict=True))
            assert near < 1e-8 or near > radius


def test_an_index_on_which_methods_differ_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symland.rigor.certify.OTHER_METHODS", (("another", lambda matrix: 3),))
    theta = xor_points(1, "1e-2")[0]
    made = certify(xor(1, "1e-2"), theta, max_bits=256, opinions=True)
    assert (made.verdict, made.index) == (Verdict.UNDECIDED, None)
    assert "do not agree" in made.reason
    assert certify(xor(1, "1e-2"), theta).verdict is Verdict.CERTIFIED


def test_where_congruence_fails_another_method_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symland.rigor.certify.congruence_index", lambda *_: None)
    for theta in xor_points(1, "1e-2")[:3]:
        made = certify(xor(1, "1e-2"), theta)
        assert made.verdict is Verdict.CERTIFIED
        assert check_certificate(made.to_dict()).verdict is Verdict.CERTIFIED


def test_a_float_enters_exactly() -> None:
    theta = [float(t) for t in xor_points(1, "1e-2")[0]]
    made = certify(xor(1, "1e-2"), theta)
    assert [Fraction(t) for t in made.midpoint] == [Fraction(t) for t in theta]


@pytest.mark.parametrize("penalty", ["1e-8", "1e-12", "1e-30", "1e-100", "1e-200"])
def test_a_nearly_degenerate_point_is_decided(penalty: str) -> None:
    made = certify(xor(2, penalty), [0.0] * 12)
    assert (made.verdict, made.index) == (Verdict.CERTIFIED, 0)
    # The spectrum of T4: 2 lambda, 11 times, and 2 lambda + 1/2.
    for k, (low, high) in enumerate(made.eigenvalues):
        exact = 2 * Fraction(penalty) + (Fraction(1, 2) if k == 11 else 0)
        assert Fraction(low) <= exact <= Fraction(high)
        assert Fraction(high) - Fraction(low) < exact / 1000
    # The Hessian's entries change by about r over a cube of radius r.
    assert Fraction(penalty) / 100 < Fraction(made.uniqueness_radius) < 10 * Fraction(penalty)
    assert check_certificate(made.to_dict()).verdict is Verdict.CERTIFIED


def test_a_degenerate_point_is_undecided_with_the_reason() -> None:
    made = certify(xor(2, "0"), [0.0] * 12)
    assert made.verdict is Verdict.UNDECIDED
    assert (made.index, made.loss, made.inclusion_radius) == (None, None, None)
    assert "degenerate" in made.reason


def test_the_bound_on_the_precision_is_kept() -> None:
    made = certify(xor(2, "1e-100"), [0.0] * 12, max_bits=256)
    assert made.verdict is Verdict.UNDECIDED
    assert made.precision <= 256


def test_the_reason_names_the_smallest_eigenvalue_or_the_bits() -> None:
    made = certify(xor(2, "1e-30"), [1e-12] * 12, max_bits=128)
    assert (made.verdict, made.precision) == (Verdict.UNDECIDED, 128)
    assert "at 128 bits" in made.reason
    assert "smallest eigenvalue" in made.reason
    assert 0 < float(made.reason.rpartition(" ")[2]) < 1e-20
    assert certify(xor(2, "1e-3"), [0.0] * 12, max_bits=64).reason == "64 bits allow no attempt"


@pytest.mark.parametrize("far", [3e-3, 9e-3])
def test_a_point_beyond_the_reach_of_the_test_is_moved_by_newton(far: float) -> None:
    for theta in xor_points(2, "1e-3")[:6]:
        exact = refine(xor(2, "1e-3"), theta, 40).theta
        made = certify(xor(2, "1e-3"), list(np.array(theta) + far))
        assert made.verdict is Verdict.CERTIFIED
        assert Fraction(made.inclusion_radius) < Fraction(1, 10**19)
        # 128 bits are 38 places.
        assert (made.precision, max(map(decimal_places, made.midpoint))) == (128, 38)
        for a, b in zip(made.midpoint, exact, strict=True):
            assert abs(Fraction(a) - Fraction(b)) < Fraction(1, 10**19)


def test_a_point_with_a_gradient_is_refuted() -> None:
    made = certify(xor(2, "1e-3"), [0.5] * 12)
    assert made.existence is Verdict.REFUTED
    assert made.verdict is Verdict.REFUTED
    assert made.reason == "the gradient does not vanish within 1e-06 of the point"
    # Found at the first precision, not at the last.
    assert made.precision == 256


def test_the_precision_is_that_of_the_digits_given() -> None:
    spec, theta = xor(1, "1e-2"), xor_points(1, "1e-2")[0]
    for digits, bits in ((12, 128), (60, 263), (200, 728)):
        made = certify(spec, refine(spec, theta, digits))
        assert (made.verdict, made.precision) == (Verdict.CERTIFIED, bits)
        # The bounds of the loss are as sharp as the cube allows, not as the digits of the midpoint.
        assert mpf(made.loss[1]) - mpf(made.loss[0]) < mpf(10) ** (-min(1.8 * digits, 58))


def test_a_rough_point_is_polished() -> None:
    theta = np.array(xor_points(2, "1e-3")[0]) + 1e-6
    made = certify(xor(2, "1e-3"), list(theta))
    assert made.verdict is Verdict.CERTIFIED
    assert Fraction(made.inclusion_radius) < Fraction(1, 10**4)


@pytest.mark.parametrize(("reach", "allowed"), [(1.05, True), (0.95, False)])
def test_newton_may_move_a_point_by_a_share_of_its_size(
    reach: float, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    theta = np.array(max(xor_points(1, "1e-2"), key=lambda point: max(map(abs, point))))
    start = theta + np.linspace(1e-4, 3e-3, 7)
    moved = float(np.abs(theta - start).max())
    monkeypatch.setattr("symland.rigor.certify.FARTHEST_MOVE", reach * moved / (1 + float(np.abs(start).max())))
    made = certify(xor(1, "1e-2"), list(start), max_bits=128)
    assert (made.verdict is Verdict.CERTIFIED) == allowed


def test_from_points_ever_farther_off_only_what_the_checker_accepts_is_certified() -> None:
    spec, moved = xor(2, "1e-3"), 0
    for theta in xor_points(2, "1e-3")[:5]:
        for far in (1e-5, 1e-4, 1e-3, 1e-2, 0.1):
            made = certify(spec, list(np.array(theta) + far))
            if made.verdict is Verdict.CERTIFIED:
                assert check_certificate(made.to_dict()).verdict is Verdict.CERTIFIED
                moved += Fraction(made.midpoint[0]) != Fraction(float(theta[0] + far))
    assert moved > 5


@pytest.mark.parametrize("theta", [[0.0] * 11, [float("nan")] * 12, [Fraction(1, 3)] * 12, ["1e"] * 12])
def test_what_is_no_point_is_refused(theta: list[float]) -> None:
    with pytest.raises(CertificateError):
        certify(xor(2, "1e-3"), theta)


def test_every_index_from_zero_to_the_dimension_can_be_said() -> None:
    values = certify(xor(1, "1e-2"), [0.0] * 7).to_dict()
    for index in (0, 7):
        changed = {**values, "claims": {**values["claims"], "index": {"verdict": "certified", "value": index}}}
        assert Certificate.from_dict(changed).index == index
    again = Certificate.from_dict(values)
    assert (again.existence, again.uniqueness, again.index_verdict) == (Verdict.CERTIFIED,) * 3
    assert again.spec.name == "spec"
    assert again.to_json().count("\n") > len(values["midpoint"])
    assert again.to_json().startswith('{\n "format"')
    # Bounds may meet.
    met = {**values["claims"], "loss": ["0.5", "0.5"], "eigenvalues": [["0.02", "0.02"]] * 7}
    assert Certificate.from_dict({**values, "claims": met}).loss == ("0.5", "0.5")
    # One that decides nothing keeps its reason.
    flat = certify(xor(1, "0"), [0.0] * 7)
    kept = Certificate.from_dict(flat.to_dict())
    assert (kept.reason, kept.loss, kept.to_dict()) == (flat.reason, None, flat.to_dict())


def test_a_certificate_that_contradicts_itself_cannot_be_made() -> None:
    values = certify(xor(1, "1e-2"), [0.0] * 7).to_dict()
    for change in (
        {"inclusion_radius": None},
        {"uniqueness_radius": None},
        {"midpoint": ["0"] * 6},
        {"claims": {**values["claims"], "index": {"verdict": "certified", "value": None}}},
        {"claims": {**values["claims"], "index": {"verdict": "certified", "value": 8}}},
        {"claims": {**values["claims"], "existence": "perhaps"}},
        {"inclusion_radius": "0"},
        {"inclusion_radius": "-1e-30"},
        {"inclusion_radius": "1", "uniqueness_radius": "0.5"},
        {"claims": {**values["claims"], "loss": ["1", "0.5"]}},
        {"claims": {**values["claims"], "eigenvalues": [["0.1", "0"]] * 7}},
        {"spec_digest": "0" * 64},
        {"format": "other"},
        {"spec": None},
        {"midpoint": ["x"] * 7},
    ):
        with pytest.raises(CertificateError):
            Certificate.from_dict({**values, **change})
