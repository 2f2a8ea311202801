"""The inlined polynomials against mpmath, in units in the last place, over all kinds of arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from symland.kernels.elementary import BOUNDS
from symland.kernels.single import evaluate_primitive

ARGUMENTS = 12_000
FLUSHED = 2.0**-1018

INF, NAN = float("inf"), float("nan")


def wide(draw: np.random.Generator, largest: float, n: int) -> np.ndarray:
    """Half uniform up to `largest`, half with magnitudes down to the subnormal."""
    uniform = draw.uniform(-largest, largest, n // 2)
    logarithmic = np.exp2(draw.uniform(-1074, np.log2(largest), n - n // 2)) * draw.choice([-1.0, 1.0], n - n // 2)
    return np.concatenate([uniform, logarithmic])


def positive(draw: np.random.Generator, n: int) -> np.ndarray:
    near_one = 1 + draw.normal(size=n // 4) * np.exp2(draw.uniform(-50, -1, n // 4))
    return np.concatenate([np.abs(near_one), draw.uniform(0, 10, n // 4), np.exp2(draw.uniform(-1073, 1023, n // 2))])


def near_quarter_turns(draw: np.random.Generator, n: int) -> np.ndarray:
    turns = draw.integers(-(2**18), 2**18, n // 4) * (np.pi / 2)
    return np.concatenate([wide(draw, 1e5, n // 2), turns, draw.uniform(-2, 2, n - n // 2 - n // 4 - 200), far(draw)])


def far(draw: np.random.Generator) -> np.ndarray:
    return np.exp2(draw.uniform(19, 1023, 200))


def ulps(got: np.ndarray, exact: Sequence[Any], condition: np.ndarray | None = None) -> float:
    """The largest error in units in the last place of the exact value, where that is not flushed to zero."""
    worst = 0.0
    scale = np.ones(len(got)) if condition is None else condition
    for y, e, c in zip(got.tolist(), exact, scale.tolist(), strict=True):
        nearest = float(e)
        if not abs(nearest) >= FLUSHED or abs(nearest) == INF:
            assert abs(y - nearest) <= FLUSHED or y == nearest, (y, nearest)
            continue
        worst = max(worst, abs(float((mpf(y) - e) / mpf(float(np.spacing(abs(nearest)))))) / c)
    return worst


def logistic(x: mpf) -> mpf:
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def softplus(x: mpf) -> mpf:
    return x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x))


Domain = Callable[[np.random.Generator, int], np.ndarray]

FUNCTIONS: dict[str, tuple[Callable[[mpf], mpf], Domain]] = {
    "exp": (mp.exp, lambda draw, n: wide(draw, 745, n)),
    "log": (mp.log, positive),
    "tanh": (mp.tanh, lambda draw, n: wide(draw, 25, n)),
    "sech2": (lambda x: mp.sech(x) ** 2, lambda draw, n: wide(draw, 360, n)),
    "logistic": (logistic, lambda draw, n: wide(draw, 720, n)),
    "softplus": (softplus, lambda draw, n: wide(draw, 720, n)),
    "sin": (mp.sin, near_quarter_turns),
    "cos": (mp.cos, near_quarter_turns),
    "erf": (mp.erf, lambda draw, n: wide(draw, 6.5, n)),
    "gauss": (lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x), lambda draw, n: wide(draw, 27, n)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_polynomial_is_within_its_stated_bound(name: str) -> None:
    function, domain = FUNCTIONS[name]
    x = domain(np.random.default_rng(7), ARGUMENTS)
    got = evaluate_primitive(name, x[:, np.newaxis])
    with mp.workprec(160 if name in ("sin", "cos") else 80):
        # Beyond 2^19 the reduction needs as many bits as the argument's exponent; mpmath adds them itself.
        assert ulps(got, [function(mpf(v)) for v in x.tolist()]) <= BOUNDS[name]


@pytest.mark.parametrize("q", [2, 4])
def test_the_softmax_and_its_logarithm_are_within_their_stated_bounds(q: int) -> None:
    draw = np.random.default_rng(q)
    scale = np.exp2(draw.uniform(-60, 8, (8_000, 1)))
    m = scale * draw.normal(size=(8_000, q))
    condition = 1 + np.abs(m).max(axis=1)
    with mp.workprec(80):
        parts = [[mpf(1), *(mp.exp(mpf(v)) for v in row)] for row in m.tolist()]
        sums = [mp.fsum(row[1:]) for row in parts]
        assert ulps(evaluate_primitive("lse0", m), [mp.log1p(s) for s in sums], condition) <= BOUNDS["lse0"]
        for k in (0, 1):
            exact = [row[k] / (1 + s) for row, s in zip(parts, sums, strict=True)]
            assert ulps(evaluate_primitive("softmax0", m, Fraction(k)), exact, condition) <= BOUNDS["softmax0"]


SPECIAL: dict[str, list[tuple[float, float]]] = {
    "exp": [(INF, INF), (-INF, 0.0), (710.0, INF), (0.0, 1.0), (-1e308, 0.0)],
    "log": [(INF, INF), (0.0, -INF), (-1.0, NAN), (-INF, NAN), (1.0, 0.0), (5e-324, float(np.log(5e-324)))],
    "tanh": [(INF, 1.0), (-INF, -1.0), (1e308, 1.0), (1e-300, 1e-300), (0.0, 0.0)],
    "sech2": [(INF, 0.0), (-INF, 0.0), (1e308, 0.0), (0.0, 1.0), (5e-324, 1.0)],
    "logistic": [(INF, 1.0), (-INF, 0.0), (0.0, 0.5), (-1e308, 0.0)],
    "softplus": [(INF, INF), (-INF, 0.0), (1e308, 1e308), (-1e308, 0.0)],
    "sin": [(INF, NAN), (-INF, NAN), (0.0, 0.0), (5e-324, 5e-324), (1e308, 0.4533964905016491)],
    "cos": [(INF, NAN), (-INF, NAN), (0.0, 1.0), (5e-324, 1.0), (1e308, -0.8913089376870335)],
    "erf": [(INF, 1.0), (-INF, -1.0), (0.0, 0.0), (1e308, 1.0)],
    "gauss": [(INF, 0.0), (-INF, 0.0), (0.0, float(2 / np.sqrt(np.pi))), (1e308, 0.0)],
    "sqrt": [(INF, INF), (0.0, 0.0), (-1.0, NAN), (4.0, 2.0)],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_arguments_give_their_limits(name: str) -> None:
    arguments, expected = (np.array(column) for column in zip(*SPECIAL[name], strict=True))
    got = evaluate_primitive(name, arguments[:, np.newaxis])
    assert got == pytest.approx(expected, rel=1e-15, abs=0, nan_ok=True)
    assert np.isnan(evaluate_primitive(name, np.full((9, 1), NAN))).all()


@pytest.mark.parametrize("name", ["tanh", "erf", "sin"])
def test_an_odd_function_is_odd_to_the_last_bit(name: str) -> None:
    x = wide(np.random.default_rng(1), 30, 1000)[:, np.newaxis]
    assert np.array_equal(evaluate_primitive(name, -x), -evaluate_primitive(name, x))


@pytest.mark.parametrize("name", ["sech2", "gauss", "cos"])
def test_an_even_function_is_even_to_the_last_bit(name: str) -> None:
    x = wide(np.random.default_rng(2), 30, 1000)[:, np.newaxis]
    assert np.array_equal(evaluate_primitive(name, -x), evaluate_primitive(name, x))
