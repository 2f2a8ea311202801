"""Critical lines from many starts: SS-HOPM for maxima and minima, Newton's method for saddles. No list is proved.

SS-HOPM (Kolda and Mayo, SIAM J. Matrix Anal. Appl. 32, 1095, 2011): w <- grad F(w) / q + alpha w, normalised. With
alpha > (q - 1) |T|_F it converges for every symmetric tensor T of order q to a critical vector, mostly a maximum.
"""

from __future__ import annotations

import numpy as np

from symland.analysis.condensation.energy import Energy
from symland.records import FloatArray

__all__ = ["Evaluator", "climb", "sample_lines"]

STARTS = 1000
"""Random starts of each method."""

MOST_NUMBERS = 2_000_000
"""Bounds the starts where Hessians are large: starts times n^2."""

CLIMBS = 400
"""Steps of SS-HOPM before Newton's method ends the search."""

NEWTON_STEPS = 40

STATIONARY = 1e-9
"""Largest Riemannian gradient of a critical vector, in units of the tensor's Frobenius norm."""

SAME = 1e-6
"""Two unit vectors nearer than this are one line."""


class Evaluator:
    """The form that decides, in floats, at many vectors at once."""

    def __init__(self, energy: Energy) -> None:
        self.order, self.degree = energy.order, energy.degree
        self.vectors = np.array([[float(v) for v in x] for x in energy.vectors])
        self.moments = np.array([[float(v) for v in m] for m in energy.moments])
        self.gram = np.array([[float(v) for v in row] for row in energy.gram])
        self.single = energy.single
        inner = (self.vectors @ self.vectors.T) ** self.order
        squares = np.einsum("qd,de,qe->q", self.moments, inner, self.moments)
        norms = np.sqrt(np.maximum(squares, 0))
        self.norm = float(norms[0] if self.single else norms @ np.abs(self.gram) @ norms)

    def parts(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """F_q and their gradients at w (N, n): (N, q) and (N, q, n)."""
        s = w @ self.vectors.T
        values = s**self.order @ self.moments.T
        slopes = np.einsum(
            "Nd,qd,dj->Nqj", self.order * s ** (self.order - 1), self.moments, self.vectors, optimize=True
        )
        return values, slopes

    def value_gradient(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The form and its gradient: (N,) and (N, n)."""
        values, slopes = self.parts(w)
        if self.single:
            return values[:, 0], slopes[:, 0]
        weighted = values @ self.gram
        return (weighted * values).sum(axis=1), 2 * np.einsum("Nq,Nqj->Nj", weighted, slopes)

    def hessian(self, w: FloatArray) -> FloatArray:
        """The Hessian (N, n, n)."""
        s = w @ self.vectors.T
        k = self.order
        values, slopes = self.parts(w)
        weights = self.moments if self.single else 2 * values @ self.gram @ self.moments
        bends = k * (k - 1) * s ** max(k - 2, 0) * weights
        found = np.einsum("Nd,di,dj->Nij", bends, self.vectors, self.vectors, optimize=True)
        if not self.single:
            found = found + 2 * np.einsum("Nqi,qr,Nrj->Nij", slopes, self.gram, slopes, optimize=True)
        return found


def _unit(w: FloatArray) -> FloatArray:
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def climb(form: Evaluator, w: FloatArray, sign: int, steps: int = CLIMBS) -> FloatArray:
    """SS-HOPM from unit vectors (N, n), to maxima (sign 1) or minima (sign -1)."""
    shift = (form.degree - 1) * form.norm
    for _ in range(steps):
        _, gradient = form.value_gradient(w)
        w = _unit(sign * gradient / form.degree + shift * w)
    return w


def _newton(form: Evaluator, w: FloatArray) -> FloatArray:
    """Newton's method on the sphere; vectors that do not converge are left out."""
    n, q = w.shape[1], form.degree
    for _ in range(NEWTON_STEPS):
        value, gradient = form.value_gradient(w)
        bordered = np.zeros((len(w), n + 1, n + 1))
        bordered[:, :n, :n] = form.hessian(w) - q * value[:, None, None] * np.eye(n)
        bordered[:, :n, n] = bordered[:, n, :n] = w * form.norm
        right = np.zeros((len(w), n + 1))
        right[:, :n] = -(gradient - q * value[:, None] * w)
        good = np.linalg.cond(bordered) < 1e13
        w, bordered, right = w[good], bordered[good], right[good]
        if not len(w):
            return w
        step = np.linalg.solve(bordered, right[:, :, None])[:, :n, 0]
        size = np.linalg.norm(step, axis=1, keepdims=True)
        w = _unit(w + step * np.minimum(1.0, 0.5 / np.maximum(size, 1e-300)))
    value, gradient = form.value_gradient(w)
    residual = np.abs(gradient - q * value[:, None] * w).max(axis=1)
    return w[residual < STATIONARY * form.norm]


def sample_lines(energy: Energy, draw: np.random.Generator, starts: int = STARTS) -> list[FloatArray]:
    """Distinct critical unit vectors, each the first of its line that was met."""
    form = Evaluator(energy)
    starts = max(20, min(starts, MOST_NUMBERS // energy.size**2))
    w = _unit(draw.normal(size=(starts, energy.size)))
    ends = [_newton(form, climb(form, w, 1)), _newton(form, w)]
    if energy.degree % 2 == 0 and energy.single:
        ends.append(_newton(form, climb(form, w, -1)))
    found: list[FloatArray] = []
    for vector in np.concatenate(ends):
        if all(min(np.abs(vector - v).max(), np.abs(vector + v).max()) > SAME for v in found):
            found.append(vector)
    return found
