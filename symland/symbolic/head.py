"""The head of the loss: value, residual and curvature as functions of margins, derived by SymPy.

Every loss here is a fixed function of margins that are affine in the outputs z of a sample:

    u = B z,   m = S_d u - t_d,   ell(z, y_d) = head(m).

softmax, K classes : u_i = z_i - z_0 (i = 1..K-1). For the class c of the sample the margins are z_i - z_c for the
    other classes i (class 0 takes the place of c), so S_d = I for c = 0 and I - 1 e_c^T - e_c e_c^T otherwise;
    -ln softmax(z)_c = ln(1 + sum_i e^{m_i}).
logistic : u = z, S_d = 1 - 2 y, and the same head with q = 1.
squared : u = z, S_d = I, t_d = y_d and head(m) = sum_i m_i^2.

So the residuals of a well-classified sample are computed without cancellation, and two classes cost one margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy
from sympy import Expr, Symbol

from symland.spec import LandscapeSpec, Loss
from symland.symbolic.functions import Lse0, Softplus

__all__ = ["Head", "contrast", "derive_head", "orientation", "shift"]

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Head:
    """head(m), its gradient and Hessian, in the primitive functions of the margins.

    Attributes
    ----------
    margins : q symbols
    value : Expr
    residual : q expressions, d head / d m_i
    curvature : q rows of q expressions, d^2 head / d m_i d m_j
    """

    margins: tuple[Symbol, ...]
    value: Expr
    residual: tuple[Expr, ...]
    curvature: tuple[tuple[Expr, ...], ...]


def derive_head(loss: Loss, n_margins: int) -> Head:
    """Differentiate the head of a loss in q margins."""
    m = sympy.symbols(f"m1:{n_margins + 1}", real=True)
    if loss is Loss.SQUARED:
        value = sympy.Add(*(mi**2 for mi in m))
    elif n_margins == 1:
        value = Softplus(m[0])
    else:
        value = Lse0(*m)
    residual = tuple(sympy.diff(value, mi) for mi in m)
    curvature = tuple(tuple(sympy.diff(r, mj) for mj in m) for r in residual)
    return Head(margins=tuple(m), value=value, residual=residual, curvature=curvature)


def contrast(spec: LandscapeSpec) -> Matrix | None:
    """B of shape (q, K), or None where it is the identity."""
    if spec.loss is not Loss.SOFTMAX:
        return None
    k = spec.n_outputs
    return tuple(tuple(Fraction((i == row) - (i == 0)) for i in range(k)) for row in range(1, k))


def orientation(spec: LandscapeSpec) -> tuple[Matrix, ...] | None:
    """S_d of shape (q, q) for each sample, or None where all are the identity."""
    if spec.loss is Loss.SQUARED:
        return None
    if spec.loss is Loss.LOGISTIC:
        return tuple(((Fraction(1 - 2 * label),),) for label in spec.data.labels)
    q = spec.n_outputs - 1
    return tuple(
        tuple(
            tuple(Fraction((i == j) - (c > 0 and j == c - 1) * (1 + (i == c - 1))) for j in range(q)) for i in range(q)
        )
        for c in spec.data.labels
    )


def shift(spec: LandscapeSpec) -> Matrix | None:
    """t_d of shape (q,) for each sample, or None where all are zero."""
    return spec.data.values if spec.loss is Loss.SQUARED else None
