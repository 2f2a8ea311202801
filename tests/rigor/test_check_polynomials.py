"""The checker's polynomials and series enclose mpmath's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from flint import arb

from symland.records import Verdict
from symland.rigor.check_activation import Refusal
from symland.rigor.check_polynomials import Polynomial, Space
from symland.rigor.check_series import read_series

TEXTS: dict[str, Callable[[Any], Any]] = {
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "sin": mp.sin,
    "erf": mp.erf,
    "z/(1+exp(-z))": lambda x: x / (1 + mp.exp(-x)),
    "z*tanh(softplus(z))": lambda x: x * mp.tanh(mp.log(1 + mp.exp(x))),
    "-z**3 + 0.1*cos(z) - 2": lambda x: -(x**3) + mp.cos(x) / 10 - 2,
    "sqrt(1+z**2)-log(2+sin(z))": lambda x: mp.sqrt(1 + x * x) - mp.log(2 + mp.sin(x)),
    "(1+z**2)**-2": lambda x: (1 + x * x) ** -2,
}


@pytest.mark.parametrize("text", TEXTS)
def test_taylor_coefficients_of_any_activation(text: str) -> None:
    series = read_series(text)
    with mp.workdps(40):
        for x in (-1.3, 0.2, 2.1):
            for point, wanted in zip(series(arb(x), 6), mp.taylor(TEXTS[text], x, 5), strict=True):
                assert abs(float(point.mid()) - wanted) < 1e-11
            wide = series(arb(x, 0.05), 6)
            for y in (x - 0.049, x + 0.049):
                for ball, wanted in zip(wide, mp.taylor(TEXTS[text], y, 5), strict=True):
                    assert float(ball.lower()) - 1e-9 <= wanted <= float(ball.upper()) + 1e-9


@pytest.mark.parametrize(("text", "ball"), [("1/z", arb(0, 1)), ("log(z)", arb(0.5, 1)), ("sqrt(z-1)", arb(1, 0.5))])
def test_a_ball_around_a_singularity_is_refused(text: str, ball: arb) -> None:
    with pytest.raises(Refusal) as refusal:
        read_series(text)(ball, 3)
    assert refusal.value.args[1] is Verdict.UNDECIDED


def value(x: Polynomial, z: list[Any]) -> Any:
    pairs = zip(x.space.exponents, x.c.tolist(), strict=True)
    return mp.fsum(mp.mpf(c) * mp.fprod(z[k] for k in a) for a, c in pairs)


@pytest.mark.parametrize("weight", [0, 1, 2, 4])
def test_products_and_functions_are_enclosed(weight: int) -> None:
    among = Space(2, 1, weight) if weight else Space(0, 0, 0)
    x = among.number({(): arb("0.3"), (0,): arb("0.2"), (1,): arb("-0.1"), (2,): arb("0.01")})
    y = among.number({(): arb("-0.6"), (0,): arb("0.05"), (1,): arb("0.3"), (0, 1): arb("0.02")})
    plain = x * y - y.scaled(2.0)
    found = plain.under(read_series("tanh"))
    draw = np.random.default_rng(5)
    with mp.workdps(30):
        rows = [*draw.choice([-1.0, 1.0], size=(8, 3)).tolist(), *draw.uniform(-1, 1, size=(8, 3)).tolist()]
        for row in rows:
            z = [mp.mpf(v) for v in row]
            a = mp.mpf("0.3") + mp.mpf("0.2") * z[0] - mp.mpf("0.1") * z[1] + mp.mpf("0.01") * z[2]
            b = mp.mpf("-0.6") + mp.mpf("0.05") * z[0] + mp.mpf("0.3") * z[1] + mp.mpf("0.02") * z[0] * z[1]
            assert abs(a * b - 2 * b - value(plain, z)) <= plain.rest
            wanted = mp.tanh(a * b - 2 * b)
            assert abs(wanted - value(found, z)) <= found.rest
            bounds = found.bounds()
            assert float(bounds.lower()) - 1e-15 <= wanted <= float(bounds.upper()) + 1e-15
    if weight == 4:
        assert found.rest < 5e-2
