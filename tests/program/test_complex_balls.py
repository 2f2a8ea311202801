"""The complex ball algebra holds the values of mpmath at points of its boxes, and has no value across a cut."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from flint import acb, arb
from mpmath import mp, mpc

from symland.program.complex_balls import ComplexBallAlgebra

ORACLE: dict[str, Any] = {
    "exp": mp.exp,
    "log": mp.log,
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "tanh": mp.tanh,
    "sech2": lambda z: 1 / mp.cosh(z) ** 2,
    "logistic": lambda z: 1 / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log(1 + mp.exp(z)),
    "erf": mp.erf,
    "gauss": lambda z: 2 * mp.exp(-z * z) / mp.sqrt(mp.pi),
}


@pytest.mark.parametrize("name", sorted(ORACLE))
@pytest.mark.parametrize("centre", [(0.7, 0.4), (1.5, -0.8), (0.2, 0.1)])
def test_a_primitive_holds_the_corners_of_its_box(name: str, centre: tuple[float, float]) -> None:
    radius = 0.05
    box = acb(arb(centre[0], radius), arb(centre[1], radius))
    found = ComplexBallAlgebra().primitive(name, [box], None)
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            truth = ORACLE[name](mpc(centre[0] + a * radius * 0.999, centre[1] + b * radius * 0.999))
            assert found.real.overlaps(arb(float(truth.real), 1e-12))
            assert found.imag.overlaps(arb(float(truth.imag), 1e-12))


def test_of_several_arguments() -> None:
    algebra = ComplexBallAlgebra()
    a, b = mpc(0.3, 0.2), mpc(-0.5, 0.4)
    balls = [acb(0.3, 0.2), acb(-0.5, 0.4)]
    whole = 1 + mp.exp(a) + mp.exp(b)
    for op, value, truth in (
        ("lse0", None, mp.log(whole)),
        ("softmax0", Fraction(0), 1 / whole),
        ("softmax0", Fraction(2), mp.exp(b) / whole),
        ("div", None, a / b),
    ):
        found = algebra.primitive(op, balls, value)
        assert abs(complex(found) - complex(truth)) < 1e-12


def test_across_a_cut_nothing_is_finite() -> None:
    algebra = ComplexBallAlgebra()
    for op in ("log", "sqrt"):
        assert not algebra.primitive(op, [acb(-1, arb(0, 0.1))], None).is_finite()
    pole = acb(arb(0, 0.1), arb(1.57, 0.1))
    for op in ("tanh", "sech2"):
        assert not algebra.primitive(op, [pole], None).is_finite()
