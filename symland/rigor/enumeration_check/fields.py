r"""What is needed over many boxes at once: residuals, logits and the smaller loss's second derivatives, as balls.

Boxes are pairs of doubles, arrays (2, k, ...) of lower and upper ends; a lane is one of the k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from flint import arb, ctx

from symland.rigor.enumeration_check.balls import Balls, Doubles, sech2, tanh, tanh_curve
from symland.rigor.enumeration_check.question import PRECISION, Question

__all__ = ["Fields", "Jet", "near_inverse", "upper"]

Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.intp]

SLACK = 1.0 + 2.0**-30
"""Relative slack of a bound that is made from few doubles: a million times their rounding."""


def upper(x: arb) -> float:
    """A double above an arb."""
    return float(np.nextafter(float(x.upper()), np.inf))


def near_inverse(matrices: Doubles) -> Doubles:
    """Some matrices near the inverses; what they are is no matter of proof."""
    try:
        return np.asarray(np.linalg.inv(matrices), dtype=np.float64)
    except np.linalg.LinAlgError:
        size = np.abs(matrices).max(axis=(1, 2), keepdims=True) + 1e-3
        return np.asarray(np.linalg.pinv(matrices + 1e-7 * size * np.eye(matrices.shape[1])), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Jet:
    """tanh, tanh' and tanh'' of U.x_d over boxes of U, balls (..., D)."""

    value: Balls
    slope: Balls
    curve: Balls


@dataclass(frozen=True)
class Fields:
    """Doubles of a question.

    Attributes
    ----------
    question : the question.
    nodes : nodes that are not zero in the points looked for.
    """

    question: Question
    nodes: int

    @cached_property
    def design(self) -> Doubles:
        """x, (D, m)."""
        return np.array([[float(c) for c in row] for row in self.question.design])

    @cached_property
    def signs(self) -> Doubles:
        return np.array(self.question.signs, dtype=np.float64)

    @cached_property
    def squares(self) -> Balls:
        """x x^T, (D, m m)."""
        x = self.design
        return (Balls.exact(x[:, :, None]) * Balls.exact(x[:, None, :])).reshaped(len(x), x.shape[1] ** 2)

    @cached_property
    def half_scale(self) -> Balls:
        """kappa / 2."""
        before, ctx.prec = ctx.prec, PRECISION
        try:
            exact = self.question.kappa / 2
            mid = float(exact.mid())
            return Balls(np.array(mid), np.array(upper(abs(exact - mid))))
        finally:
            ctx.prec = before

    @cached_property
    def scale(self) -> Doubles:
        """Doubles below and above kappa, which may be an interval."""
        before, ctx.prec = ctx.prec, PRECISION
        try:
            return np.array([max(0.0, -upper(-self.question.kappa)), upper(self.question.kappa)])
        finally:
            ctx.prec = before

    @cached_property
    def energy(self) -> float:
        """Upper bound of sum v^2 + g^2."""
        return upper(self.question.energy())

    @cached_property
    def largest_term(self) -> float:
        """Upper bound of P_d Delta_d."""
        return upper(self.question.energy() / self.question.samples)

    @cached_property
    def largest_logit(self) -> float:
        return upper(self.question.largest_logit())

    def weighed(self, part: Balls) -> Balls:
        """A part of the equations that comes from the penalty; a question about many penalties gives it a factor."""
        return part

    def first_state(self, energy: float) -> Doubles:
        """The box (2, m + 1) of (U, v) of every node, given a bound of sum v^2."""
        output = energy**0.5 * SLACK
        weight = (output / (4.0 * float(self.question.penalty))) ** 0.5 * SLACK
        m = self.question.width
        return np.array([[-weight] * m + [0.0], [weight] * m + [output]])

    def jet(self, weights: Balls) -> Jet:
        """Over boxes of U, balls (..., m)."""
        argument = weights @ Balls.exact(self.design.T)
        t = tanh(argument.low, argument.high)
        return Jet(Balls.between(*t), Balls.between(*sech2(*t)), Balls.between(*tanh_curve(*t)))

    def pulls(self, logits: Balls) -> tuple[Balls, Balls]:
        """P_d and w_d = -dP_d/dDelta_d at logits, balls (..., D)."""
        half = logits.scaled(0.5)
        t = tanh(half.low, half.high)
        pull = self.half_scale * (Balls.exact(self.signs) - Balls.between(*t))
        return pull, self.half_scale.scaled(0.5) * Balls.between(*sech2(*t))
