"""Certificates modulo the gauge: what they say is true of the loss by mpmath, and a lie about the gauge is refused."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq
from mpmath import mp, mpf

from symland.errors import CertificateError
from symland.kernels import compile_kernel
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.check import check_certificate
from symland.rigor.distinct import distinct
from symland.rigor.gauge import gauge_sets, into_slice, raised, slice_gradient, slice_value
from symland.rigor.refine import refine
from symland.rigor.singular import Kind, read_point
from symland.spec import LandscapeSpec, Loss, Penalised, load_spec
from symland.symbolic.symmetry import find_symmetry
from tests.rigor.certificates import redigested, sealed

WEIGHTS = load_spec("xor", hidden=(1,), penalty="1e-2").with_(penalised=Penalised.WEIGHTS)
"""W_1 (1, 2), W_2 (2, 1), b_1, b_2 (2): the last two are free."""

POINTS = (
    [1.693813, -1.693813, 1.079932, -1.079932, 1.532172, -0.764348, 0.764348],
    [1.693813, 1.693813, -1.079932, 1.079932, -0.16164, 0.764348, -0.764348],
    [-0.164226, -0.164226, -0.112871, 0.112871, 0.865369, 0.067719, -0.067719],
)

XS, COUNTS = (-2, -1, 0, 1, 2), ((4, 1), (3, 2), (2, 3), (1, 4), (1, 5))
"""Inputs, and how often each has the label 0 and 1: no network fits them all, so that no minimum lies at infinity."""


@cache
def unpenalised() -> tuple[LandscapeSpec, tuple[float, ...]]:
    """One tanh node without a penalty, and a minimum: SciPy's, by its own differences."""
    from scipy.optimize import minimize

    samples = [(x, label) for x, both in zip(XS, COUNTS, strict=True) for label in (0, 1) for _ in range(both[label])]
    spec = LandscapeSpec.from_canonical(
        {
            **WEIGHTS.canonical(),
            "penalty": "0",
            "penalised": "all",
            "inputs": [[str(x)] for x, _ in samples],
            "targets": [label for _, label in samples],
        }
    )

    def loss(theta: np.ndarray) -> float:
        w, v0, v1, b, c0, c1 = theta
        z = [((v1 - v0) * np.tanh(w * x + b) + c1 - c0) * (1 - 2 * label) for x, label in samples]
        return float(np.logaddexp(0, z).mean())

    found = minimize(loss, [0.7, -0.9, 0.9, 0.2, 0, 0.1], method="BFGS", options={"gtol": 1e-7})
    return spec, tuple(map(float, found.x))


def weights_loss(theta: list[Any]) -> Any:
    """XOR with one tanh node, from its definition; the biases are free."""
    u, w, v0, v1, b, c0, c1 = theta
    total = mpf(0)
    for x, y in ((0, 0), (0, 1), (1, 0), (1, 1)):
        h = mp.tanh(b + u * x + w * y)
        z = (v0 * h + c0, v1 * h + c1)
        total += mp.log(mp.exp(z[0]) + mp.exp(z[1])) - z[x ^ y]
    return total / 4 + mpf("0.01") * (u**2 + w**2 + v0**2 + v1**2)


def by_differences(theta: list[Any]) -> tuple[list[Any], Any]:
    """Gradient and Hessian of `weights_loss` by central differences."""
    n, step = len(theta), mpf(10) ** -18

    def at(*moves: tuple[int, int]) -> Any:
        moved = list(theta)
        for p, sign in moves:
            moved[p] += sign * step
        return weights_loss(moved)

    slope = [(at((p, 1)) - at((p, -1))) / (2 * step) for p in range(n)]
    bend = mp.matrix(n, n)
    for p in range(n):
        for q in range(p + 1):
            signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
            bend[p, q] = bend[q, p] = sum(a * b * at((p, a), (q, b)) for a, b in signs) / (4 * step**2)
    return slope, bend


@cache
def made() -> tuple[Certificate, ...]:
    return tuple(certify(WEIGHTS, refine(WEIGHTS, point, 40)) for point in POINTS)


def test_the_sets_are_the_directions_along_which_the_machine_code_finds_no_change() -> None:
    rng = np.random.default_rng(0)
    for spec, flat in (
        (WEIGHTS, 1),
        (WEIGHTS.with_(hidden=(3,)), 1),
        (WEIGHTS.with_(hidden=(2, 3), penalty="0"), 4),
        (WEIGHTS.with_(bias=False, penalty="0"), 1),
        (WEIGHTS.with_(bias=False), 0),
        (WEIGHTS.with_(penalised=Penalised.ALL), 0),
        (WEIGHTS.with_(loss=Loss.LOGISTIC, outputs=1, penalty="0"), 0),
    ):
        assert len(gauge_sets(spec)) == flat
        theta = rng.normal(size=spec.n_parameters)
        kernel, moved = compile_kernel(spec), theta.copy()
        for places in gauge_sets(spec):
            moved[list(places)] += rng.normal()
        assert kernel.value(moved[None])[0] == pytest.approx(kernel.value(theta[None])[0], abs=1e-14)
        values = np.linalg.eigvalsh(kernel.hessian(theta[None])[0])
        assert (np.abs(values) < 1e-13).sum() == flat


def test_the_claims_are_true_of_the_loss_and_hold_again() -> None:
    for certificate, index in zip(made(), (0, 0, 1), strict=True):
        assert certificate.verdict is Verdict.CERTIFIED, certificate.reason
        assert certificate.gauge == ((5, 6),)
        checked = check_certificate(certificate.to_json())
        assert checked.verdict is Verdict.CERTIFIED
        assert checked.reason.endswith("hold, modulo the gauge")
        with mp.workdps(70):
            theta = [mpf(t) for t in certificate.midpoint]
            slope, bend = by_differences(theta)
            assert max(map(abs, slope)) < mpf(10) ** -33
            assert abs(theta[5] + theta[6]) < mpf(10) ** -38
            low, high = map(mpf, certificate.loss)
            assert low - mpf(10) ** -45 <= weights_loss(theta) <= high + mpf(10) ** -45
            values = sorted(mp.eigsy(bend, eigvals_only=True))
            for (least, most), value in zip(certificate.eigenvalues, values, strict=True):
                assert mpf(least) - mpf(10) ** -25 <= value <= mpf(most) + mpf(10) ** -25
        assert certificate.eigenvalues[index] == ("0", "0")
        assert certificate.index == index == sum(v < -1e-9 for v in values)


def test_a_point_moved_along_the_gauge_has_the_certificate_of_its_flat() -> None:
    at = np.array(POINTS[0])
    far = at + 7.25 * np.array([0, 0, 0, 0, 0, 1, 1])
    one, other = certify(WEIGHTS, list(at)), certify(WEIGHTS, list(far))
    assert one.verdict is other.verdict is Verdict.CERTIFIED
    assert max(abs(Fraction(a) - Fraction(b)) for a, b in zip(one.midpoint, other.midpoint, strict=True)) < 1e-12
    assert distinct([one, other], find_symmetry(WEIGHTS)).verdict is Verdict.REFUTED
    assert refine(WEIGHTS, list(far), 30).theta == refine(WEIGHTS, list(at), 30).theta
    assert distinct(list(made()), find_symmetry(WEIGHTS)).verdict is Verdict.CERTIFIED


def test_without_a_penalty_each_node_has_a_free_shift_and_a_minimum_is_certified_across_them() -> None:
    spec, theta = unpenalised()
    certificate = certify(spec, refine(spec, theta, 30))
    assert certificate.verdict is Verdict.CERTIFIED, certificate.reason
    assert certificate.gauge == ((1, 2), (4, 5))
    assert certificate.index == 0
    assert certificate.eigenvalues[:2] == (("0", "0"), ("0", "0"))
    assert float(certificate.eigenvalues[2][0]) > 0
    assert check_certificate(certificate.to_json()).verdict is Verdict.CERTIFIED
    reading = read_point(spec, np.array(theta), gauge=2)
    assert (reading.kind, reading.index, reading.nullity) == (Kind.ISOLATED, 0, 2)


def test_what_the_slice_adds_has_the_slope_and_the_curvature_that_are_used() -> None:
    """(1/2) (t_5 + t_6)^2 by hand: slope t_5 + t_6 along both, curvature 1 in the block of both."""
    theta = [arb(k) / 8 for k in range(7)]
    total = Fraction(11, 8)
    assert slice_value(WEIGHTS, theta) == arb(fmpq(121, 128))
    assert [Fraction(float(x)) for x in slice_gradient(WEIGHTS, theta)] == [0, 0, 0, 0, 0, total, total]
    added = raised(WEIGHTS, arb_mat(7, 7), 3).tolist()
    assert [[float(x) for x in row] for row in added] == [[3.0 * (p > 4 and q > 4) for q in range(7)] for p in range(7)]
    around = slice_value(WEIGHTS, [*theta[:5], arb(0, 1), arb(0, 1)])
    assert around.is_finite()
    assert around.contains(arb(2))


def test_thirds_are_moved_into_the_slice() -> None:
    spec = LandscapeSpec.from_canonical({**WEIGHTS.canonical(), "outputs": 3, "targets": [0, 1, 2, 0]})
    moved = into_slice(spec, ["0"] * 6 + ["1", "0", "0"])
    assert 0 < abs(sum(map(Fraction, moved[-3:]))) < Fraction(1, 10**39)
    assert abs(Fraction(moved[-1]) + Fraction(1, 3)) < Fraction(1, 10**39)


def test_a_flat_that_the_gauge_does_not_explain_is_undecided() -> None:
    """At the origin the bias of the node is free too, as nothing reads it: T5-flat-bias."""
    certificate = certify(WEIGHTS, [0.0] * 7, max_bits=256)
    assert certificate.existence is Verdict.UNDECIDED
    assert check_certificate(certificate.to_json()).verdict is Verdict.UNDECIDED


def test_lies_about_the_gauge_are_refused() -> None:
    true = made()[2].to_dict()

    def told(**changes: Any) -> dict[str, Any]:
        return redigested({**true, **changes})

    without = {key: value for key, value in true.items() if key != "gauge"}
    claims, eigenvalues = true["claims"], true["claims"]["eigenvalues"]
    wrong = [["1e-9", "2e-9"] if pair == ["0", "0"] else pair for pair in eigenvalues]
    everything = {**true["spec"], "penalised": "all"}
    lies = (
        told(gauge=[[2, 3]]),
        told(gauge=[[2, 3], [5, 6]]),
        told(gauge=[]),
        told(gauge=[[5.0, 6]]),
        sealed(without),
        sealed({**without, "format": "symland-certificate/1"}),
        told(spec=everything),
        told(claims={**claims, "eigenvalues": wrong}),
        told(claims={**claims, "index": {"verdict": "certified", "value": 0}}),
        told(midpoint=[*true["midpoint"][:-1], "0.5"]),
    )
    for number, lie in enumerate(lies):
        assert check_certificate(lie).verdict is not Verdict.CERTIFIED, number
    assert check_certificate(told(claims={**claims, "eigenvalues": wrong})).verdict is Verdict.REFUTED
    plain = certify(WEIGHTS.with_(penalised=Penalised.ALL), [0.0] * 7).to_dict()
    assert "gauge" not in plain
    assert check_certificate(plain).verdict is Verdict.CERTIFIED
    for gauge in ([], [[5, 6]]):
        lie = sealed({**plain, "format": "symland-certificate/2", "gauge": gauge})
        assert check_certificate(lie).verdict is Verdict.REFUTED


def test_a_certificate_is_read_back_and_an_old_one_that_claims_nothing_too() -> None:
    certificate = made()[0]
    assert Certificate.from_dict(certificate.to_dict()).to_dict() == certificate.to_dict()
    with pytest.raises(CertificateError, match="format differs"):
        Certificate.from_dict({**certificate.to_dict(), "gauge": [[4, 5]]})
    nothing = certify(WEIGHTS, [0.0] * 7, max_bits=128).to_dict()
    old = {key: value for key, value in nothing.items() if key != "gauge"} | {"format": "symland-certificate/1"}
    assert Certificate.from_dict(old).existence is Verdict.UNDECIDED
    with pytest.raises(CertificateError, match="format differs"):
        Certificate.from_dict({**certificate.to_dict(), "format": "symland-certificate/1"})


def test_a_certificate_that_stands_alone_says_in_which_slice_the_point_is_alone() -> None:
    from symland.report.standalone import certificate_document

    document = certificate_document(made()[2].to_json().encode(), "class-3.json")
    assert document.count(r"$b^{(2)}_{1} + b^{(2)}_{2} = 0$") == 3
    assert "none that vanishes but the 1 of the shift" in document
    plain = certify(WEIGHTS.with_(penalised=Penalised.ALL), [0.0] * 7)
    assert "shift" not in certificate_document(plain.to_json().encode(), "class-0.json")
