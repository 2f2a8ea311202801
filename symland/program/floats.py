"""The algebra of NumPy arrays: the readable oracle, and the engine of last resort."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import numpy as np

from symland.program.algebra import Algebra, run
from symland.program.ir import Program
from symland.records import FloatArray

__all__ = ["NumpyAlgebra", "evaluate"]


class NumpyAlgebra(Algebra[FloatArray]):
    """Numbers are float64 arrays of one shape, or broadcast to it: one entry per point."""

    def constant(self, value: Fraction) -> FloatArray:
        return np.float64(value)  # type: ignore[return-value]

    def primitive(self, op: str, args: Sequence[FloatArray], value: Fraction | None) -> FloatArray:
        x = args[0]
        match op:
            case "div":
                return x / args[1]
            case "power":
                assert value is not None
                return np.power(x, float(value))
            case "sech2":
                # sech^2 = 4 e / (1 + e)^2 with e = exp(-2|x|) <= 1.
                e = np.exp(-2 * np.abs(x))
                return 4 * e / (1 + e) ** 2
            case "logistic":
                e = np.exp(-np.abs(x))
                return np.where(x < 0, e, 1.0) / (1 + e)
            case "softplus":
                return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
            case "erf":
                from scipy.special import erf

                return np.asarray(erf(x))
            case "gauss":
                return 2 / np.sqrt(np.pi) * np.exp(-x * x)
            case "lse0":
                top = np.maximum(reduce_max(args), 0)
                return top + np.log1p(np.expm1(-top) + sum(np.exp(m - top) for m in args))
            case "softmax0":
                assert value is not None
                top = np.maximum(reduce_max(args), 0)
                parts = [np.exp(-top), *(np.exp(m - top) for m in args)]
                return parts[int(value)] / sum(parts)
        return getattr(np, op)(x)


def reduce_max(args: Sequence[FloatArray]) -> FloatArray:
    """The largest of the arrays, entry by entry."""
    top = args[0]
    for m in args[1:]:
        top = np.maximum(top, m)
    return top


@cache
def _algebra() -> NumpyAlgebra:
    return NumpyAlgebra()


def evaluate(program: Program, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Value (n,), gradient (n, P) and Hessian (n, P, P) at points theta (n, P); what is not wanted has size 0."""
    points = np.ascontiguousarray(np.asarray(theta, dtype=np.float64).T)
    n, zeros = points.shape[1], np.zeros(points.shape[1])
    with np.errstate(all="ignore"):
        out = run(program, _algebra(), list(points))
    value = out.value + zeros if out.value is not None else np.empty(0)
    gradient = np.stack([g + zeros for g in out.gradient], axis=-1) if out.gradient else np.empty((n, 0))
    rows = [np.stack([h + zeros for h in row], axis=-1) for row in out.hessian]
    return value, gradient, np.stack(rows, axis=1) if rows else np.empty((n, 0, 0))
