"""Bounds on Bernstein ellipses: held against functions whose maxima are known, and simple zeros that are planted."""

from __future__ import annotations

import cmath
import math

import numpy as np
from flint import arb

from symland.rigor.chebyshev import arcs, bound, coefficients, curve_bound, node_values, nodes, simple_zeros, values_at


def test_the_bound_holds_and_is_near_for_an_analytic_function() -> None:
    """f(s) = exp(3 s) / 50: on E_rho1 its maximum is at the right end, where it is exp(3 a) / 50."""
    rho1, rho, n = 1.15, 3.0, 24
    values = [arb(math.exp(3 * s) / 50) for s in nodes(n)]
    top = arb(math.exp(3 * (rho + 1 / rho) / 2) / 50)
    truth = math.exp(3 * (rho1 + 1 / rho1) / 2) / 50
    rough = bound(max(values, key=float), top, rho1, rho, n)
    close = curve_bound([[v] for v in values], top, rho1, rho)
    assert truth <= float(close) < 1.2 * truth
    assert float(close) < float(rough)


def test_a_bound_without_the_remainder_would_be_false() -> None:
    """T_n vanishes at the nodes: only the remainder bounds it."""
    n, rho1, rho = 8, 1.15, 2.0
    top = arb((rho**n + rho**-n) / 2)
    truth = (rho1**n + rho1**-n) / 2
    assert float(bound(arb(0), arb(0), rho1, rho, n)) < truth
    assert float(bound(arb(0), top, rho1, rho, n)) >= truth


def test_arcs_cover_the_upper_half_of_the_ellipse() -> None:
    rho = 2.3
    found = arcs(rho, 12, 5)
    for phi in np.linspace(0, math.pi, 101):
        w = rho * cmath.exp(1j * phi)
        s = (w + 1 / w) / 2
        held = [k for k, (ball, _) in enumerate(found) if ball.real.contains(s.real) and ball.imag.contains(s.imag)]
        assert held or phi in (0.0, math.pi)
        for k in held:
            value = found[k][1][5]
            truth = 16 * s**5 - 20 * s**3 + 5 * s
            assert value.real.overlaps(arb(truth.real, 1e-9))
            assert value.imag.overlaps(arb(truth.imag, 1e-9))


def test_a_polynomial_comes_back_from_its_coefficients() -> None:
    table = coefficients((nodes(12) ** 3)[:, None])
    assert values_at(table, arb(0.3))[0].overlaps(arb(0.027, 1e-12))
    row = node_values(12, 3).tolist()[2]
    assert abs(float(row[3]) - math.cos(3 * math.acos(nodes(12)[2]))) < 1e-12


def test_simple_zeros_are_all_found_and_a_double_one_is_refused() -> None:
    three = coefficients(np.array([s**3 - s / 4 for s in nodes(8)]))
    zeros = simple_zeros(three, arb(1e-9), arb(1e-7))
    assert zeros is not None
    assert [zero.above for zero in zeros] == [1, -1, 1]
    for zero, truth in zip(zeros, (-0.5, 0.0, 0.5), strict=True):
        assert zero.low - 1e-8 <= truth <= zero.high + 1e-8
        assert zero.high - zero.low < 1e-6
    double = coefficients(np.array([s**2 for s in nodes(8)]))
    assert simple_zeros(double, arb(1e-9), arb(1e-7)) is None
    lifted = coefficients(np.array([s**2 + 0.1 for s in nodes(8)]))
    assert simple_zeros(lifted, arb(1e-9), arb(1e-7)) == []
