"""The algebra of dual numbers over any algebra: a derivation program with one more direction.

A number is a + b t modulo t^2. With theta + t w in place of theta the coefficient of t of the Hessian is D^3E[w]; with
a sample or the penalty in place of a constant, moved along a line, the coefficient of t of the gradient is its
derivative with respect to the parameter of that line. Dual numbers over dual numbers give second derivatives along two
directions. A primitive f takes f(a + b t) = f(a) + f'(a) b t, f' being written in the primitives themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any, Generic, TypeVar

from symland.program.algebra import Algebra

__all__ = ["Dual", "DualAlgebra"]

N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class Dual(Generic[N]):
    """a + b t; b is None where it vanishes."""

    a: N
    b: N | None = None

    def __add__(self, other: Dual[N]) -> Dual[N]:
        a: Any = self.a
        return Dual(a + other.a, _sum(self.b, other.b))

    def __mul__(self, other: Dual[N]) -> Dual[N]:
        a: Any = self.a
        return Dual(a * other.a, _sum(_product(self.b, other.a), _product(self.a, other.b)))

    def __neg__(self) -> Dual[N]:
        a: Any = self.a
        b: Any = self.b
        return Dual(-a, None if b is None else -b)


def _sum(x: Any, y: Any) -> Any:
    return y if x is None else x if y is None else x + y


def _product(x: Any, y: Any) -> Any:
    return None if x is None or y is None else x * y


class DualAlgebra(Algebra[Dual[N]], Generic[N]):
    """Numbers are `Dual` over the numbers of another algebra."""

    def __init__(self, base: Algebra[N]) -> None:
        self.base = base

    def constant(self, value: Fraction) -> Dual[N]:
        return Dual(self.base.constant(value))

    def primitive(self, op: str, args: Sequence[Dual[N]], value: Fraction | None) -> Dual[N]:
        plain = [x.a for x in args]
        f = self.base.primitive(op, plain, value)
        if all(x.b is None for x in args):
            return Dual(f)
        slopes = self._slopes(op, plain, f, value)
        terms = [_product(s, x.b) for s, x in zip(slopes, args, strict=True)]
        return Dual(f, reduce(_sum, terms))

    def _slopes(self, op: str, x: list[N], f: Any, value: Fraction | None) -> list[Any]:
        """The partial derivatives of a primitive at x, where its value is f."""
        base, at = self.base, x[0]

        def call(name: str, *numbers: Any, value: Fraction | None = None) -> Any:
            return base.primitive(name, numbers, value)

        def times(k: int, number: Any) -> Any:
            return base.constant(Fraction(k)) * number

        match op:
            case "div":
                one = call("div", base.constant(Fraction(1)), x[1])
                return [one, -(f * one)]
            case "power":
                assert value is not None
                n = int(value)
                return [times(n, call("power", at, value=Fraction(n - 1)))] if n else [None]
            case "sqrt":
                return [call("div", base.constant(Fraction(1)), times(2, f))]
            case "log":
                return [call("div", base.constant(Fraction(1)), at)]
            case "exp":
                return [f]
            case "sin":
                return [call("cos", at)]
            case "cos":
                return [-call("sin", at)]
            case "tanh":
                return [call("sech2", at)]
            case "sech2":
                return [times(-2, call("tanh", at) * f)]
            case "logistic":
                return [f * call("logistic", -_any(at))]
            case "softplus":
                return [call("logistic", at)]
            case "erf":
                return [call("gauss", at)]
            case "gauss":
                return [times(-2, _any(at) * f)]
            case "lse0":
                return [call("softmax0", *x, value=Fraction(k + 1)) for k in range(len(x))]
            case "softmax0":
                assert value is not None
                shares = [call("softmax0", *x, value=Fraction(k + 1)) for k in range(len(x))]
                # d p_i / d m_k = p_i (delta_ik - p_k).
                slopes = [-(f * p) for p in shares]
                own = int(value) - 1
                if own >= 0:
                    slopes[own] = add(slopes[own], f)
                return slopes
        raise ValueError(f"no derivative of {op}")


def _any(x: Any) -> Any:
    return x
