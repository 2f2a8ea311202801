"""The losses, one object each: all that the package knows of a loss but the name by which a user asks for it.

Every loss here is a fixed function of margins that are affine in the outputs z of a sample:

    u = B z,   m = S_d u - t_d,   ell(z, y_d) = head(m),

B the contrast, S_d the orientation of the sample's target and t_d its shift. So the residuals of a well-classified
sample are computed without cancellation, and two classes cost one margin.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from typing import ClassVar, final

import sympy
from sympy import Add, Expr

from symland.spec import Loss
from symland.symbolic.functions import Lse0, Softplus

__all__ = ["LOSSES", "Matrix", "OutputAction", "SampleLoss"]

Matrix = tuple[tuple[Fraction, ...], ...]


class OutputAction(Enum):
    """What a symmetry of the data may do to the outputs without changing the loss."""

    PERMUTE_CLASSES = "permute classes"
    EXCHANGE_LABELS = "exchange labels"
    """One output whose sign is undone by exchanging the labels 0 and 1."""
    MOVE_TARGETS = "move targets"
    """A signed permutation of the components of outputs and targets."""


class SampleLoss(ABC):
    """The loss ell(z, y) of one sample.

    Attributes
    ----------
    title : str
        In words.
    tex : (ell, its residual dell/dz, its curvature d2ell/dz2)
        LaTeX, in the outputs z.
    shift_invariant : bool
        Whether ell(z + t 1, y) = ell(z, y).
    action : OutputAction
    logarithm : bool
        Whether ell is the logarithm of an expression in exponentials, so that a proof compares those.
    """

    title: ClassVar[str]
    tex: ClassVar[tuple[str, str, str]]
    shift_invariant: ClassVar[bool] = False
    action: ClassVar[OutputAction]
    logarithm: ClassVar[bool] = True

    @abstractmethod
    def definition(self, z: Sequence[Expr], target: int | Sequence[Expr]) -> Expr:
        """ell(z, y) as the field writes it: what head and margins are proved against."""

    @abstractmethod
    def head(self, margins: Sequence[Expr]) -> Expr:
        """head(m) in the primitive functions."""

    @abstractmethod
    def residual_at_zero(self, target: int | Sequence[Fraction], n_outputs: int) -> tuple[Fraction, ...]:
        """dell/dz at z = 0."""

    def contrast(self, n_outputs: int) -> Matrix | None:
        """B of shape (q, K), or None where it is the identity."""
        return None

    def orientation(self, label: int, n_outputs: int) -> Matrix | None:
        """S of shape (q, q) for a sample of a class, or None where it is always the identity."""
        return None

    def classes(self, n_outputs: int) -> int:
        """How many classes the outputs tell apart; 0 where targets are numbers."""
        return n_outputs


@final
class _Softmax(SampleLoss):
    """-ln softmax(z)_c = ln(1 + sum_{i != c} e^{z_i - z_c}).

    u_i = z_i - z_0 (i = 1..K-1). For the class c the margins are z_i - z_c for the other classes i, class 0 taking the
    place of c: S = I for c = 0 and I - 1 e_c^T - e_c e_c^T otherwise.
    """

    title = "softmax cross-entropy"
    tex = (
        r"\ell(z, y) = \ln \sum_{i=1}^{K} e^{z_i} - z_y",
        r"r = \pi - e_y, \qquad \pi_i = \frac{e^{z_i}}{\sum_{k} e^{z_k}}",
        r"C = \operatorname{diag}(\pi) - \pi \pi^{T}",
    )
    shift_invariant = True
    action = OutputAction.PERMUTE_CLASSES

    def definition(self, z: Sequence[Expr], target: int | Sequence[Expr]) -> Expr:
        assert isinstance(target, int)
        return sympy.log(Add(*(sympy.exp(zi) for zi in z))) - z[target]

    def head(self, margins: Sequence[Expr]) -> Expr:
        return Softplus(margins[0]) if len(margins) == 1 else Lse0(*margins)

    def residual_at_zero(self, target: int | Sequence[Fraction], n_outputs: int) -> tuple[Fraction, ...]:
        return tuple(Fraction(1, n_outputs) - (k == target) for k in range(n_outputs))

    def contrast(self, n_outputs: int) -> Matrix | None:
        return tuple(tuple(Fraction((i == row) - (i == 0)) for i in range(n_outputs)) for row in range(1, n_outputs))

    def orientation(self, label: int, n_outputs: int) -> Matrix | None:
        q, c = range(n_outputs - 1), label - 1
        return tuple(tuple(Fraction((i == j) - (label > 0 and j == c) * (1 + (i == c))) for j in q) for i in q)


@final
class _Logistic(SampleLoss):
    """ln(1 + e^{-(2 y - 1) z}): one margin m = (1 - 2 y) z."""

    title = "logistic loss"
    tex = (
        r"\ell(z, y) = \ln\bigl(1 + e^{-(2y - 1) z}\bigr)",
        r"r = \pi - y, \qquad \pi = \frac{1}{1 + e^{-z}}",
        r"C = \pi (1 - \pi)",
    )
    action = OutputAction.EXCHANGE_LABELS

    def definition(self, z: Sequence[Expr], target: int | Sequence[Expr]) -> Expr:
        assert isinstance(target, int)
        return sympy.log(1 + sympy.exp(-(2 * target - 1) * z[0]))

    def head(self, margins: Sequence[Expr]) -> Expr:
        return Softplus(margins[0])

    def residual_at_zero(self, target: int | Sequence[Fraction], n_outputs: int) -> tuple[Fraction, ...]:
        assert isinstance(target, int)
        return (Fraction(1, 2) - target,)

    def orientation(self, label: int, n_outputs: int) -> Matrix | None:
        return ((Fraction(1 - 2 * label),),)

    def classes(self, n_outputs: int) -> int:
        return 2


@final
class _Squared(SampleLoss):
    """|z - y|^2: margins m = z - y, shifted by the target."""

    title = "squared error"
    tex = (r"\ell(z, y) = \sum_{i=1}^{K} (z_i - y_i)^2", r"r = 2 (z - y)", r"C = 2 I")
    action = OutputAction.MOVE_TARGETS
    logarithm = False

    def definition(self, z: Sequence[Expr], target: int | Sequence[Expr]) -> Expr:
        assert not isinstance(target, int)
        return Add(*((zi - yi) ** 2 for zi, yi in zip(z, target, strict=True)))

    def head(self, margins: Sequence[Expr]) -> Expr:
        return Add(*(m**2 for m in margins))

    def residual_at_zero(self, target: int | Sequence[Fraction], n_outputs: int) -> tuple[Fraction, ...]:
        assert not isinstance(target, int)
        return tuple(-2 * y for y in target)

    def classes(self, n_outputs: int) -> int:
        return 0


LOSSES: dict[Loss, SampleLoss] = {Loss.SOFTMAX: _Softmax(), Loss.LOGISTIC: _Logistic(), Loss.SQUARED: _Squared()}
"""Every loss by the name that a specification gives it."""
