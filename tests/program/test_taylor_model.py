"""Taylor models enclose mpmath's functions at every point of the cube, and their rests are of high order."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from flint import arb

from symland.program.balls import working_precision
from symland.program.taylor_model import TaylorModel, TaylorModelAlgebra, monomials

ONE: dict[str, Callable[[Any], Any]] = {
    "exp": mp.exp,
    "log": mp.log,
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "tanh": mp.tanh,
    "sech2": lambda x: mp.sech(x) ** 2,
    "logistic": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "erf": mp.erf,
    "gauss": lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x),
}
N, P = 2, 1


def model(algebra: TaylorModelAlgebra, value: str, linear: tuple[float, ...], eps: float) -> TaylorModel:
    keys = [(k,) for k in range(N + P)]
    return algebra.number(arb(value), keys, eps * np.array(linear))


def at(x: TaylorModel, z: list[Any]) -> Any:
    """The polynomial's value, by mpmath."""
    total = mp.mpf(x.value)
    if x.terms is not None:
        for key, c in zip(x.among.keys, x.terms.tolist(), strict=True):
            total += mp.mpf(c) * mp.fprod(z[k] for k in key)
    return total


def points() -> list[list[Any]]:
    draw = np.random.default_rng(3)
    corners = draw.choice([-1.0, 1.0], size=(6, N + P))
    return [[mp.mpf(v) for v in row] for row in [*corners.tolist(), *draw.uniform(-1, 1, size=(6, N + P)).tolist()]]


@pytest.mark.parametrize("order", [0, 1, 2, 4])
@pytest.mark.parametrize("op", [*ONE, "div", "power", "lse0", "softmax0"])
def test_a_function_of_products_is_enclosed(op: str, order: int) -> None:
    with working_precision(96), mp.workdps(30):
        algebra = TaylorModelAlgebra(monomials(N, P, order))
        x = model(algebra, "0.75", (0.4, -0.3, 0.05), 0.3)
        y = model(algebra, "1.25", (-0.2, 0.5, 0.02), 0.3)
        u, w = x * y + y, x + -(y * y)
        value = {"power": Fraction(-3), "softmax0": Fraction(2)}.get(op)
        args = [u] if op in ONE or op == "power" else [w, u]
        found = algebra.primitive(op, args, value)
        for z in points():
            a = mp.mpf("0.75") + mp.mpf(0.3) * (mp.mpf(0.4) * z[0] - mp.mpf(0.3) * z[1] + mp.mpf(0.05) * z[2])
            b = mp.mpf("1.25") + mp.mpf(0.3) * (-mp.mpf(0.2) * z[0] + mp.mpf(0.5) * z[1] + mp.mpf(0.02) * z[2])
            big, small = a * b + b, a - b * b
            logits = [mp.mpf(1), mp.exp(small), mp.exp(big)]
            wanted = {
                "div": lambda s=small, t=big: s / t,
                "power": lambda t=big: t**-3,
                "lse0": lambda e=logits: mp.log(sum(e)),
                "softmax0": lambda e=logits: e[2] / sum(e),
            }.get(op, lambda t=big: ONE[op](t))()
            assert abs(wanted - at(found, z)) <= found.rest
            ball = found.range()
            assert mp.mpf(float(ball.lower())) - 1e-15 <= wanted <= mp.mpf(float(ball.upper())) + 1e-15


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_rest_is_of_the_next_order(order: int) -> None:
    with working_precision(96):
        algebra = TaylorModelAlgebra(monomials(N, 0, order))
        rests = []
        for eps in (1e-2, 2e-2):
            x = algebra.number(arb("0.3"), [(0,), (1,)], eps * np.array([1.0, -0.5]))
            y = algebra.number(arb("0.7"), [(0,), (1,)], eps * np.array([0.25, 1.0]))
            rests.append(algebra.primitive("tanh", [x * y], None).rest)
        assert 1.8**order * 1.8 < rests[1] / rests[0] < 2.4 ** (order + 1)


def test_a_wide_argument_of_a_logarithm_has_no_bound() -> None:
    algebra = TaylorModelAlgebra(monomials(1, 0, 2))
    x = algebra.number(arb("0.5"), [(0,)], np.array([0.6]))
    assert algebra.primitive("log", [x], None).rest == np.inf
    assert algebra.primitive("power", [x], Fraction(-1)).rest == np.inf
