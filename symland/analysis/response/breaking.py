"""Where a class is lost: data sets, near the given ones, along the way to which it folds or changes its index.

Along x_0 + t s, with s in the cube, the class is followed by Newton's method in float64, many lines at once. It is
lost at the first t at which its Hessian becomes singular: no continuous branch of nonsingular points then covers the
ball of radius t. So t bounds the true radius of persistence from above. It is an estimate, not a proof.

The least such t is searched among corners s of the cube. To first order H(t) = H + t sum_k s_k H_k; the corners at
which this is singular first are followed, and some others. At a fold with the null vector v the data for which the
class exists are bounded by a surface with the normal n = v^T F, so that the nearest corner lies along sign(n): it is
followed next, with the neighbours of the best corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.dual import Dual, DualAlgebra
from symland.program.floats import NumpyAlgebra
from symland.program.ir import Program
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["Breaking", "where_lost"]

MOST_CORNERS = 256
"""Corners of the cube that are compared; all of them for up to eight inputs, else as many at random."""

LANES = 16
"""Lines that the first order foretells to be the shortest, and as many others."""

ROUNDS = 5
"""How often corners are improved."""

LARGEST = 10.0
"""No line is followed beyond this t, in the units of the inputs."""

LARGEST_WORK = 10**6
"""Most samples times P^2 times moving inputs."""

FIRST_STEP = 0.2
"""First step, as a share of the t that the first order foretells."""

LEAST_STEP = 1e-4
"""Steps are halved down to this share of t."""

MOST_STEPS = 200
"""Steps along a line."""

NEWTONS = 4
"""Newton's steps at each t."""

CONVERGED = 1e-9
"""Largest last step of Newton's method, in units of 1 + |theta|."""

LEAP = 0.1
"""Largest change that Newton's method may make to a predicted point, in units of 1 + |theta|."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Breaking:
    """A data set along the way to which a class is lost.

    Attributes
    ----------
    radius : float
        The distance in the max norm at which it is lost, up to LEAST_STEP, relative.
    shift : FloatArray (D, n_inputs)
        Of the inputs, between -1 and 1: those of the data set are x + radius * shift.
    """

    radius: float
    shift: FloatArray


@lru_cache(maxsize=16)
def _program(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("gradient", "hessian", "mixed"))


class _Family:
    """Gradient, Hessian and mixed derivatives at many points and data sets at once."""

    def __init__(self, spec: LandscapeSpec, moving: tuple[tuple[int, int], ...]) -> None:
        self.spec, self.p = spec, spec.n_parameters
        self.cells = [d * spec.n_inputs + k for d, k in moving]
        self.inputs = np.array([float(x) for row in spec.data.inputs for x in row])

    def __call__(self, theta: FloatArray, shift: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(B, P), (B, P, P) and (B, P, n), at theta (B, P) and shifts of the moving inputs (B, n)."""
        zero = np.zeros(len(theta))
        x: list[FloatArray] = [zero + v for v in self.inputs]
        for column, cell in enumerate(self.cells):
            x[cell] = x[cell] + shift[:, column]
        out = run(_program(self.spec), NumpyAlgebra(), list(np.ascontiguousarray(theta.T)), {"x": x})
        gradient = np.stack([g + zero for g in out.gradient], axis=-1)
        hessian = np.stack([np.stack([h + zero for h in row], axis=-1) for row in out.hessian], axis=1)
        return gradient, hessian, self._mixed(out.by_data["mixed"], zero)

    def _mixed(self, mixed: list[FloatArray], zero: FloatArray) -> FloatArray:
        columns = [[mixed[cell * self.p + i] + zero for i in range(self.p)] for cell in self.cells]
        return np.array(columns).transpose(2, 1, 0)

    def bends(self, theta: FloatArray, slope: FloatArray) -> FloatArray:
        """(n, P, P) derivatives of the Hessian along each input, with theta moving by the columns of slope (P, n)."""
        n, zero = slope.shape[1], np.zeros(slope.shape[1])
        points = [Dual(zero + t, row) for t, row in zip(theta, slope, strict=True)]
        x = [Dual(zero + v) for v in self.inputs]
        for column, cell in enumerate(self.cells):
            x[cell] = Dual(x[cell].a, np.eye(n)[column])
        algebra: DualAlgebra[FloatArray] = DualAlgebra(NumpyAlgebra())
        out = run(build_program(self.spec, ("hessian",)), algebra, points, {"x": x})
        rows = [[zero if h.b is None else h.b + zero for h in row] for row in out.hessian]
        return np.array(rows).transpose(2, 0, 1)


def where_lost(spec: LandscapeSpec, theta: FloatArray, moving: tuple[tuple[int, int], ...]) -> Breaking | None:
    """The nearest data set found at which a class is lost.

    None where none is found up to LARGEST, and where the problem is larger than LARGEST_WORK.
    """
    if spec.n_samples * spec.n_parameters**2 * len(moving) > LARGEST_WORK:
        return None
    family, n = _Family(spec, moving), len(moving)
    gradient, hessian, mixed = family(theta[None], np.zeros((1, n)))
    theta = theta - np.linalg.solve(hessian[0], gradient[0])
    gradient, hessian, mixed = family(theta[None], np.zeros((1, n)))
    slope = -np.linalg.solve(hessian[0], mixed[0])
    bends = family.bends(theta, slope)
    corners = _corners(n)
    foretold = _first_singular(hessian[0], np.tensordot(corners, bends, axes=1))
    # Those that the first order foretells, and others spread evenly over the rest: it may foretell badly.
    ranked = np.argsort(foretold)
    order = np.concatenate([ranked[:LANES], ranked[LANES :: max(len(ranked) // LANES, 1)]])
    index = int((np.linalg.eigvalsh(hessian[0]) < 0).sum())
    best, tried = None, set[bytes]()
    lanes, steps = corners[order], foretold[order]
    for _ in range(ROUNDS):
        fresh = [k for k, s in enumerate(lanes) if s.tobytes() not in tried]
        if not fresh:
            break
        tried.update(lanes[k].tobytes() for k in fresh)
        lanes, steps = lanes[fresh], steps[fresh]
        most = LARGEST if best is None else best.radius
        lost, ends = _follow(family, theta, index, lanes, np.minimum(steps, most), most)
        if not np.isfinite(lost).any():
            break
        first = int(np.argmin(lost))
        if best is None or lost[first] < best.radius:
            best = Breaking(radius=float(lost[first]), shift=_rows(lanes[first], moving, spec))
        held = np.isfinite(lost)
        # The corners along the normals, and the neighbours of the best one.
        turned = _normals(family, ends[held], lanes[held], lost[held])
        signs = best.shift.reshape(-1)[family.cells]
        beside = signs * (1 - 2 * np.eye(n)[:MOST_CORNERS])
        lanes = np.concatenate([turned, beside])
        steps = np.concatenate([lost[held], np.full(len(beside), best.radius)])
    return best


def _corners(n: int) -> FloatArray:
    if 2**n <= MOST_CORNERS:
        return np.array(list(product((-1.0, 1.0), repeat=n)))
    draw = np.random.default_rng(0)
    return draw.choice([-1.0, 1.0], size=(MOST_CORNERS, n))


def _first_singular(hessian: FloatArray, change: FloatArray) -> FloatArray:
    """(B,) the least t > 0 at which H + t B is singular, to first order; infinity where there is none."""
    values = np.linalg.eigvals(-np.linalg.solve(hessian, change))
    real = np.where(np.abs(values.imag) < 1e-9 * (1 + np.abs(values)), values.real, 0.0).max(axis=1)
    with np.errstate(divide="ignore"):
        return np.where(real > 0, 1 / np.maximum(real, 1e-300), LARGEST)


def _follow(
    family: _Family, theta: FloatArray, index: int, lanes: FloatArray, foretold: FloatArray, most: float
) -> tuple[FloatArray, FloatArray]:
    """For each line the t at which the class is lost (infinity where it is not up to `most`), and the last point."""
    count = len(lanes)
    points, t, step = np.repeat(theta[None], count, axis=0), np.zeros(count), FIRST_STEP * foretold
    lost, going = np.full(count, np.inf), np.ones(count, dtype=bool)
    _, hessian, mixed = family(points, t[:, None] * lanes)
    slopes = _slopes(hessian, mixed, lanes)
    for _ in range(MOST_STEPS):
        (at,) = np.nonzero(going)
        if not len(at):
            break
        here = lanes[at]
        trial = t[at] + step[at]
        start = points[at] + step[at, None] * slopes[at]
        found, good, slope = _solved(family, start, trial[:, None] * here, index, here)
        t[at[good]], points[at[good]], slopes[at[good]] = trial[good], found[good], slope[good]
        step[at] = np.where(good, 1.5 * step[at], step[at] / 2)
        small = ~good & (step[at] < LEAST_STEP * trial)
        lost[at[small]] = trial[small]
        going[at[small]] = False
        going[at[good & (trial > most)]] = False
        reached = lost.min()
        going &= t <= reached
    return lost, points


def _solved(
    family: _Family, start: FloatArray, shift: FloatArray, index: int, lanes: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
    """Points by Newton's method, whether they are near their start with the same index, and d theta / dt there."""
    points, move = start.copy(), np.zeros_like(start)
    with np.errstate(all="ignore"):
        for _ in range(NEWTONS):
            gradient, hessian, mixed = family(points, shift)
            total = np.abs(hessian).sum(axis=(1, 2)) + np.abs(gradient).sum(axis=1)
            safe = np.isfinite(total)
            hessian = np.where(safe[:, None, None], hessian, np.eye(hessian.shape[1]))
            gradient = np.where(safe[:, None], gradient, np.inf)
            try:
                move = np.asarray(np.linalg.solve(hessian, gradient[..., None])[..., 0], dtype=np.float64)
            except np.linalg.LinAlgError:
                move = np.full_like(points, np.inf)
            points = points - move
    size = 1 + np.abs(start).max(axis=1)
    leap = np.abs(points - start).max(axis=1)
    # A comparison with what is not finite does not hold.
    near = (np.abs(move).max(axis=1) < CONVERGED * size) & (leap < LEAP * size)
    points = np.where(near[:, None], points, start)
    # The Hessian of the last step is that of a point nearer than CONVERGED.
    same = np.asarray((np.linalg.eigvalsh(hessian) < 0).sum(axis=1) == index)
    return points, near & same, _slopes(hessian, mixed, lanes)


def _slopes(hessian: FloatArray, mixed: FloatArray, lanes: FloatArray) -> FloatArray:
    """d theta / dt along each line."""
    right = -np.einsum("bpn,bn->bp", mixed, lanes)
    try:
        return np.asarray(np.linalg.solve(hessian, right[..., None])[..., 0])
    except np.linalg.LinAlgError:
        return np.zeros_like(right)


def _normals(family: _Family, ends: FloatArray, lanes: FloatArray, lost: FloatArray) -> FloatArray:
    """The corners that the normals at the folds point to."""
    _, hessian, mixed = family(ends, lost[:, None] * lanes)
    values, vectors = np.linalg.eigh(hessian)
    nearest = np.abs(values).argmin(axis=1)
    null = vectors[np.arange(len(ends)), :, nearest]
    normal = np.einsum("bp,bpn->bn", null, mixed)
    outward = np.sign(np.einsum("bn,bn->b", normal, lanes))
    found = np.sign(normal) * np.where(outward == 0, 1.0, outward)[:, None]
    return np.where(found == 0, lanes, found)


def _rows(lane: FloatArray, moving: tuple[tuple[int, int], ...], spec: LandscapeSpec) -> FloatArray:
    rows = np.zeros((spec.n_samples, spec.n_inputs))
    for (d, k), s in zip(moving, lane.tolist(), strict=True):
        rows[d, k] = s
    return rows
