"""The algebra of truncated Taylor series: third and fourth derivatives from the program of the Hessian.

A number is a + b t + c t^2 with float64 arrays a, b, c, one entry for each point and direction. Along theta + t w the
Hessian is H + t D^3E[w] + t^2 D^4E[w, w] / 2 + ..., so its coefficients are the third and half of the fourth
derivative, exact but for rounding. A primitive f takes

    f(a + b t + c t^2) = f(a) + f'(a) b t + (f'(a) c + f''(a) b^2 / 2) t^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symland.program.algebra import Algebra, run
from symland.program.derive import build_program
from symland.program.floats import NumpyAlgebra
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["Taylor", "TaylorAlgebra", "hessian_series"]


@dataclass(frozen=True, slots=True)
class Taylor:
    """a + b t + c t^2, of the coefficients' shapes."""

    a: FloatArray
    b: FloatArray
    c: FloatArray

    def __add__(self, other: Taylor) -> Taylor:
        return Taylor(self.a + other.a, self.b + other.b, self.c + other.c)

    def __mul__(self, other: Taylor) -> Taylor:
        return Taylor(
            self.a * other.a,
            self.a * other.b + self.b * other.a,
            self.a * other.c + self.b * other.b + self.c * other.a,
        )

    def __neg__(self) -> Taylor:
        return Taylor(-self.a, -self.b, -self.c)

    def of(self, f: FloatArray, first: FloatArray, second: FloatArray) -> Taylor:
        """A function of this number from its value and two derivatives at a."""
        return Taylor(f, first * self.b, first * self.c + second * self.b**2 / 2)


class TaylorAlgebra(Algebra[Taylor]):
    """Numbers are `Taylor`."""

    def __init__(self) -> None:
        self._plain = NumpyAlgebra()

    def constant(self, value: Fraction) -> Taylor:
        return Taylor(self._plain.constant(value), _ZERO, _ZERO)

    def primitive(self, op: str, args: Sequence[Taylor], value: Fraction | None) -> Taylor:
        x = args[0]
        match op:
            case "div":
                y = args[1].a
                return x * args[1].of(1 / y, -1 / y**2, 2 / y**3)
            case "power":
                assert value is not None
                n = int(value)
                first = n * _power(x.a, n - 1) if n else _ZERO
                second = n * (n - 1) * _power(x.a, n - 2) if n not in (0, 1) else _ZERO
                return x.of(_power(x.a, n), first, second)
            case "lse0":
                return self._lse0(args)
            case "softmax0":
                assert value is not None
                return self._softmax0(int(value), args)
        f = self._plain.primitive(op, [x.a], value)
        return x.of(f, *self._slopes(op, x.a, f))

    def _slopes(self, op: str, x: FloatArray, f: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f' and f'' of a function of one argument."""
        match op:
            case "exp":
                return f, f
            case "log":
                return 1 / x, -1 / x**2
            case "sqrt":
                return 0.5 / f, -0.25 / (f * x)
            case "sin":
                return np.cos(x), -f
            case "cos":
                return -np.sin(x), -f
            case "tanh":
                s = self._plain.primitive("sech2", [x], None)
                return s, -2 * f * s
            case "sech2":
                t = np.tanh(x)
                return -2 * t * f, f * (4 * t**2 - 2 * f)
            case "logistic":
                s = f * self._plain.primitive("logistic", [-x], None)
                return s, -s * np.tanh(x / 2)
            case "softplus":
                p = self._plain.primitive("logistic", [x], None)
                return p, p * self._plain.primitive("logistic", [-x], None)
            case "erf":
                g = self._plain.primitive("gauss", [x], None)
                return g, -2 * x * g
            case "gauss":
                return -2 * x * f, (4 * x**2 - 2) * f
        raise ValueError(f"no Taylor series of {op}")

    def _lse0(self, args: Sequence[Taylor]) -> Taylor:
        plain = [m.a for m in args]
        shares = [self._plain.primitive("softmax0", plain, Fraction(k + 1)) for k in range(len(args))]
        value = self._plain.primitive("lse0", plain, None)
        first = sum((p * m.b for p, m in zip(shares, args, strict=True)), _ZERO)
        spread = sum((p * m.b**2 for p, m in zip(shares, args, strict=True)), _ZERO) - first**2
        second = sum((p * m.c for p, m in zip(shares, args, strict=True)), _ZERO) + spread / 2
        return Taylor(value, first, second)

    def _softmax0(self, i: int, args: Sequence[Taylor]) -> Taylor:
        own = args[i - 1] if i else self.constant(Fraction(0))
        exponent = own + -self._lse0(args)
        share = self._plain.primitive("softmax0", [m.a for m in args], Fraction(i))
        return exponent.of(share, share, share)


_ZERO = np.zeros(())


def _power(x: FloatArray, n: int) -> FloatArray:
    """x^n; 1 where n = 0, also at zero."""
    return np.power(x, float(n)) if n else np.ones_like(x)


def hessian_series(spec: LandscapeSpec, theta: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Third and fourth derivatives along directions w at points theta.

    Parameters
    ----------
    theta, directions : (n, P)

    Returns
    -------
    third, fourth : (n, P, P)
        D^3E[w, ., .] and D^4E[w, w, ., .].
    """
    program = build_program(spec, ("hessian",))
    n, size = theta.shape
    zero = np.zeros(n)
    points = [
        Taylor(np.ascontiguousarray(theta[:, p]), np.ascontiguousarray(directions[:, p]), zero) for p in range(size)
    ]
    out = run(program, TaylorAlgebra(), points)
    third, fourth = np.empty((n, size, size)), np.empty((n, size, size))
    for i, row in enumerate(out.hessian):
        for j, entry in enumerate(row):
            third[:, i, j], fourth[:, i, j] = entry.b, 2 * entry.c
    return third, fourth
