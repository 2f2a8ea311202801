"""The algebra of everything that rounding can do: balls that grow by a unit in the last place with every operation.

Running a program over it encloses what any evaluation in float64 may return that carries out the program's operations
one by one, each with a relative error of at most eps = 2^-52, and each primitive function within its bound. The radius
is the yardstick for components that cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from symland.kernels.elementary import BOUNDS
from symland.program.algebra import Algebra
from symland.program.balls import BallAlgebra

__all__ = ["Rounded", "RoundingAlgebra"]

EPS = arb(2) ** -52


def _grown(ball: arb, units: float = 1.0) -> arb:
    return ball + arb(0, 1) * (abs(ball).upper() * (EPS * units))


class Rounded:
    """A ball, whose sums and products are rounded."""

    __slots__ = ("ball",)

    def __init__(self, ball: arb) -> None:
        self.ball = ball

    def __add__(self, other: Rounded) -> Rounded:
        return Rounded(_grown(self.ball + other.ball))

    def __mul__(self, other: Rounded) -> Rounded:
        return Rounded(_grown(self.ball * other.ball))

    def __neg__(self) -> Rounded:
        return Rounded(-self.ball)


class RoundingAlgebra(Algebra[Rounded]):
    """Numbers are balls that hold every rounded result."""

    def __init__(self) -> None:
        self.exact = BallAlgebra()

    def constant(self, value: Fraction) -> Rounded:
        ball = self.exact.constant(value)
        return Rounded(ball if float(value) == value else _grown(ball))

    def primitive(self, op: str, args: Sequence[Rounded], value: Fraction | None) -> Rounded:
        balls = [a.ball for a in args]
        units = BOUNDS.get(op, 1.0)
        if op in ("lse0", "softmax0"):
            units *= 1 + max(float(abs(b).upper()) for b in balls)
        if op == "power" and value is not None:
            units = float(value)
        return Rounded(_grown(self.exact.primitive(op, balls, value), units))
