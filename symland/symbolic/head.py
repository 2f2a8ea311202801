"""The head of the loss: value, residual and curvature as functions of margins, derived by SymPy.

What head, contrast B, orientations S_d and shifts t_d are is said by each loss in `symland.symbolic.losses`.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol

from symland.spec import LandscapeSpec, Loss
from symland.symbolic.losses import LOSSES, Matrix

__all__ = ["Head", "contrast", "derive_head", "orientation", "shift"]


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
    value = LOSSES[loss].head(m)
    residual = tuple(sympy.diff(value, mi) for mi in m)
    curvature = tuple(tuple(sympy.diff(r, mj) for mj in m) for r in residual)
    return Head(margins=tuple(m), value=value, residual=residual, curvature=curvature)


def contrast(spec: LandscapeSpec) -> Matrix | None:
    """B of shape (q, K), or None where it is the identity."""
    return LOSSES[spec.loss].contrast(spec.n_outputs)


def orientation(spec: LandscapeSpec) -> tuple[Matrix, ...] | None:
    """S_d of shape (q, q) for each sample, or None where all are the identity."""
    found = tuple(LOSSES[spec.loss].orientation(label, spec.n_outputs) for label in spec.data.labels)
    return tuple(turn for turn in found if turn is not None) or None


def shift(spec: LandscapeSpec) -> Matrix | None:
    """t_d of shape (q,) for each sample, or None where all are zero."""
    return spec.data.values or None
