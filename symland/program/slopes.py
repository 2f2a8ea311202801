"""The algebra of balls with slopes: a value and its first derivatives by n variables, all enclosed.

Run over it, a program gives each of its outputs with enclosures of its derivatives over a box: from the Hessian come
third derivatives. A primitive f takes (a, b) to (f(a), f'(a) b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, arb_mat

from symland.program.algebra import Algebra
from symland.program.balls import BallAlgebra

__all__ = ["SlopeAlgebra", "Sloped"]


@dataclass(frozen=True, slots=True)
class Sloped:
    """A ball, and a row (1, n) of derivatives; None where all are zero."""

    value: arb
    slope: arb_mat | None = None

    def __add__(self, other: Sloped) -> Sloped:
        if self.slope is None:
            return Sloped(self.value + other.value, other.slope)
        slope = self.slope if other.slope is None else self.slope + other.slope
        return Sloped(self.value + other.value, slope)

    def __mul__(self, other: Sloped) -> Sloped:
        value = self.value * other.value
        if self.slope is None:
            return Sloped(value, None if other.slope is None else other.slope * self.value)
        left = self.slope * other.value
        return Sloped(value, left if other.slope is None else left + other.slope * self.value)

    def __neg__(self) -> Sloped:
        return Sloped(-self.value, None if self.slope is None else -self.slope)

    def of(self, value: arb, derivative: arb) -> Sloped:
        """A function of this number from its value and derivative here."""
        return Sloped(value, None if self.slope is None else self.slope * derivative)


class SlopeAlgebra(Algebra[Sloped]):
    """Numbers are `Sloped`, at flint's working precision."""

    def __init__(self) -> None:
        self._plain = BallAlgebra()

    def constant(self, value: Fraction) -> Sloped:
        return Sloped(self._plain.constant(value))

    def primitive(self, op: str, args: Sequence[Sloped], value: Fraction | None) -> Sloped:
        x = args[0]
        match op:
            case "div":
                y = args[1].value
                return x * args[1].of(1 / y, -1 / (y * y))
            case "power":
                assert value is not None
                n = int(value)
                first = n * self._plain.primitive("power", [x.value], Fraction(n - 1)) if n else arb(0)
                return x.of(self._plain.primitive(op, [x.value], value), first)
            case "lse0":
                plain = [m.value for m in args]
                shares = [self._plain.primitive("softmax0", plain, Fraction(k + 1)) for k in range(len(args))]
                return self._joined(self._plain.primitive(op, plain, None), shares, args)
            case "softmax0":
                assert value is not None
                return self._softmax0(int(value), args)
        f = self._plain.primitive(op, [x.value], value)
        return x.of(f, self._derivative(op, x.value, f))

    def _derivative(self, op: str, x: arb, f: arb) -> arb:
        plain = self._plain
        match op:
            case "exp":
                return f
            case "log":
                return 1 / x
            case "sqrt":
                return 1 / (2 * f)
            case "sin":
                return x.cos()
            case "cos":
                return -x.sin()
            case "tanh":
                return plain.primitive("sech2", [x], None)
            case "sech2":
                return -2 * plain.primitive("tanh", [x], None) * f
            case "logistic":
                return f * plain.primitive("logistic", [-x], None)
            case "softplus":
                return plain.primitive("logistic", [x], None)
            case "erf":
                return plain.primitive("gauss", [x], None)
            case "gauss":
                return -2 * x * f
        raise ValueError(f"no derivative of {op}")

    def _joined(self, value: arb, derivatives: Sequence[arb], args: Sequence[Sloped]) -> Sloped:
        slope: arb_mat | None = None
        for d, m in zip(derivatives, args, strict=True):
            if m.slope is not None:
                part = m.slope * d
                slope = part if slope is None else slope + part
        return Sloped(value, slope)

    def _softmax0(self, i: int, args: Sequence[Sloped]) -> Sloped:
        """s_i, with d s_i / d m_j = s_i (1_(i = j) - s_j); 1 - s_i is the sum of the others."""
        plain = [m.value for m in args]
        shares = [self._plain.primitive("softmax0", plain, Fraction(k)) for k in range(len(args) + 1)]
        own = shares[i]
        rest = sum((s for k, s in enumerate(shares) if k != i), arb(0))
        derivatives = [own * rest if j == i else -own * shares[j] for j in range(1, len(shares))]
        return self._joined(own, derivatives, args)
