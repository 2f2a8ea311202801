"""Certificates of thousands of points in one call, in float64 with proved error bounds.

Krawczyk's test and the congruence test of `certify`, over enclosed float64 arrays. A product of matrices A B computed
in any order, fused or not, has an error of at most g |A| |B| with g = n u / (1 - n u) for inner dimension n (Higham
2002, section 3.5); g here is taken for n + 8, which leaves room for the rounding of bounds. What is decided here is
decided: Arb agrees. What is not decided says nothing, and goes to `certify`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.enclosed import TINY, UNIT, Enclosed, EnclosedAlgebra
from symland.errors import CertificateError
from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.records import FloatArray, read_only
from symland.spec import LandscapeSpec

__all__ = ["FastCertificates", "certify_fast"]

CHUNK = 512
"""Points evaluated together: their arrays stay in the cache."""

INCLUSION_SLACK = 1.25
"""The inclusion radius, in units of the least that Krawczyk's test could accept."""

WIDE_RADIUS = 1e-5
"""Radius of the one larger cube that is tried, in units of 1 + max |theta|."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FastCertificates:
    """What float64 proves about n points.

    Attributes
    ----------
    theta : (n, P) float64
        Centres of the cubes, exact: the points after one Newton step.
    decided : (n,) bool
        Whether existence and uniqueness in the inclusion cube and the index are all proved.
    inclusion_radius : (n,) float64
        A cube that holds exactly one stationary point; NaN where undecided.
    uniqueness_radius : (n,) float64
        A cube that holds no other; NaN where undecided.
    index : (n,) int
        Negative eigenvalues of the Hessian all over the uniqueness cube; -1 where undecided.
    """

    theta: FloatArray
    decided: NDArray[np.bool_]
    inclusion_radius: FloatArray
    uniqueness_radius: FloatArray
    index: NDArray[np.int64]

    def __post_init__(self) -> None:
        for field in fields(self):
            array = np.array(getattr(self, field.name))
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)


@lru_cache(maxsize=64)
def _program(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("gradient", "hessian"))


def certify_fast(spec: LandscapeSpec, theta: ArrayLike) -> FastCertificates:
    """Certify n points (n, P) at once.

    Raises
    ------
    CertificateError
        If theta has the wrong shape or the activation has a function without a float64 enclosure (sin, cos, erf).
    ValueError
        If an entry is not finite.
    """
    points = read_only(theta, 2)
    if points.shape[1] != spec.n_parameters:
        raise CertificateError(f"points of {points.shape[1]} numbers for {spec.n_parameters} parameters")
    parts = [_certified(spec, part) for part in np.array_split(points, range(CHUNK, len(points), CHUNK))]
    return FastCertificates(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(FastCertificates)
        }
    )


def _certified(spec: LandscapeSpec, points: FloatArray) -> FastCertificates:
    with np.errstate(all="ignore"):
        zero = np.zeros(len(points))
        gradient, _, hessian, _ = _evaluate(spec, points, zero)
        centres = points - np.einsum("nij,nj->ni", _inverse(hessian), gradient)
        centres = np.where(np.isfinite(centres), centres, points)
        gradient, error, hessian, _ = _evaluate(spec, centres, zero)
        inverse = _inverse(hessian)
        # |Y f| <= |fl(Y f)| + g |Y| |f| + |Y| rad(f), row by row; its largest entry bounds them all.
        p = centres.shape[1]
        doubt = _product_error(p) * np.abs(gradient) + error
        shift = _above((np.abs(_apply(inverse, gradient)) + _apply(np.abs(inverse), doubt)).max(axis=1), p)
        inner = shift * INCLUSION_SLACK
        _, _, middle, spread = _evaluate(spec, centres, inner)
        slope = _slope(inverse, middle, spread)
        index = _index(middle, spread)
        decided = (_above(shift + slope * inner, p) < inner) & (index >= 0) & np.isfinite(inner)
        outer = np.maximum(inner, WIDE_RADIUS * (1 + np.abs(centres).max(axis=1)))
        _, _, middle, spread = _evaluate(spec, centres, outer)
        wide = _above(shift + _slope(inverse, middle, spread) * outer, p) < outer
    return FastCertificates(
        theta=centres,
        decided=decided,
        inclusion_radius=np.where(decided, inner, np.nan),
        uniqueness_radius=np.where(decided, np.where(wide, outer, inner), np.nan),
        index=np.where(decided, index, -1),
    )


_ALGEBRA = EnclosedAlgebra()


def _evaluate(
    spec: LandscapeSpec, centres: FloatArray, radius: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Gradient (n, P) and its radius, Hessian (n, P, P) and its radius, over the cubes centres +- radius."""
    columns = np.ascontiguousarray(centres.T)
    ran = run(_program(spec), _ALGEBRA, [Enclosed(column, radius) for column in columns])
    n, p = centres.shape
    gradient, error = np.empty((n, p)), np.empty((n, p))
    hessian, spread = np.empty((n, p, p)), np.empty((n, p, p))
    for i in range(p):
        gradient[:, i], error[:, i] = ran.gradient[i].mid, ran.gradient[i].rad
        for j in range(i, p):
            entry = ran.hessian[i][j]
            hessian[:, i, j] = hessian[:, j, i] = entry.mid
            spread[:, i, j] = spread[:, j, i] = entry.rad
    return gradient, error, hessian, spread


def _inverse(hessian: FloatArray) -> FloatArray:
    """Approximate inverses; zero, with which no test succeeds, where there is none."""
    finite = _finite(hessian)
    matrices = np.where(finite[:, None, None], hessian, np.eye(hessian.shape[1]))
    try:
        inverse = np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        inverse = np.zeros_like(matrices)
        for k, matrix in enumerate(matrices):
            if np.linalg.matrix_rank(matrix) == len(matrix):
                inverse[k] = np.linalg.inv(matrix)
    return np.where((finite & _finite(inverse))[:, None, None], inverse, 0.0)


def _finite(matrices: FloatArray) -> NDArray[np.bool_]:
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(matrices), axis=(1, 2))
    return finite


def _product_error(size: int) -> float:
    """At least g = n u / (1 - n u), n = size + 8; an inner product of `size` terms errs by less than g sum |a| |b|.

    As n (n + 1) u < 1, one unit more is enough.
    """
    return (size + 9) * UNIT


def _above(computed: FloatArray, size: int) -> FloatArray:
    """An upper bound of sums and products of non-negative numbers, computed with at most 2 `size` + 12 roundings each.

    1 + 2 g exceeds (1 + u)^(2 size + 16), which leaves two roundings to the bound itself and two to spare; what
    underflows is far below TINY.
    """
    bound: FloatArray = computed * (1 + 2 * _product_error(size)) + TINY
    return bound


def _apply(matrices: FloatArray, vectors: FloatArray) -> FloatArray:
    product: FloatArray = (matrices @ vectors[..., None])[..., 0]
    return product


def _slope(inverse: FloatArray, middle: FloatArray, spread: FloatArray) -> FloatArray:
    """Upper bounds of max_i sum_j |I - Y H|_ij: |I - fl(Y M)| + g |Y| |M| + |Y| R, for H = M +- R."""
    _, p, _ = middle.shape
    doubt = _product_error(p) * np.abs(middle) + spread
    # At most 2 p + 4 roundings; the one of I - Y M is relative.
    slope = _above((np.abs(np.eye(p) - inverse @ middle) + np.abs(inverse) @ doubt).sum(axis=2).max(axis=1), p)
    return np.where(np.isnan(slope), np.inf, slope)


def _index(middle: FloatArray, spread: FloatArray) -> NDArray[np.int64]:
    """The index by congruence with approximate eigenvectors, or -1.

    T = Q^T A Q is known up to |Q^T| ((2 g + g^2) |M| + R) |Q|. Where it is strictly diagonally dominant all the same,
    the signs of the diagonal give the index.
    """
    _, p, _ = middle.shape
    g = _product_error(p)
    finite = _finite(middle)
    middle = np.where(finite[:, None, None], middle, np.eye(p))
    _, vectors = np.linalg.eigh(middle)
    half, size = vectors.transpose(0, 2, 1), np.abs(vectors)
    turned = half @ (middle @ vectors)
    error = _above(np.abs(half) @ ((2.1 * g * np.abs(middle) + spread) @ size), p)
    diagonal = np.diagonal(turned, axis1=1, axis2=2)
    # |T_ii| - E_ii > sum_j!=i (|T_ij| + E_ij), with |T_ii| on both sides.
    rows = _above((np.abs(turned) + error).sum(axis=2), p)
    dominant = (2 * np.abs(diagonal) > rows).all(axis=1) & finite
    return np.where(dominant, (diagonal < 0).sum(axis=1), -1)
