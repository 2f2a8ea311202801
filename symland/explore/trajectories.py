"""Newton trajectories: curves on which the gradient keeps its direction, and which join stationary points.

For a vector r the curve is the set of points with grad E(theta) = s r for some number s (Branin, IBM J. Res. Dev. 16,
504 (1972); Quapp, Hirsch, Imig and Heidrich, J. Comput. Chem. 19, 1087 (1998); as a homotopy, Mehta, Chen, Hauenstein
and Wales, J. Chem. Phys. 141, 121104 (2014)). It passes through *every* stationary point, at s = 0, and for almost
every r it is smooth (Sard), though not connected. No basin of attraction matters: a point that hardly any descent ends
at is crossed like any other. Along one piece the indices of crossings that follow one another differ in parity.

The curve is followed by its arclength in (theta, s). A tangent (t, sigma) solves H t = sigma r; the predictor goes
along it, and Newton's method on

    ( H   -r    )   ( dx )      ( grad E - s r )
    ( t^T sigma )   ( ds )  = - (       0      )

brings the point back. The matrix is regular where the curve turns, so that folds in s are passed without notice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symland.explore.protocol import Kernel
from symland.explore.tolerances import TRAJECTORY_FARTHEST, TRAJECTORY_LENGTH, TRAJECTORY_STEPS
from symland.machine.linear import solutions
from symland.records import FloatArray

__all__ = ["Crossings", "follow_trajectories"]

FIRST_LENGTH = 0.05
"""Arclength of the first step."""

SHORTEST = 1e-7
"""Arclength of a step below which a trajectory is given up."""

ONCE = 0.02
"""First correction, in units of the step, up to which it is the only one: the next would be about its square."""

CONTRACTION = (0.3, 0.1)
"""First correction, in units of the step, above which a step is rejected, and below which the next may be longer."""

ACCURACY = 1e-2
"""The last correction of an accepted step, in units of the step."""

TURN = (0.8, 0.95)
"""Cosine of the angle between two tangents below which a step is rejected, and above which the next may be longer."""

LONGER, SHORTER = 1.6, 0.4
"""Factors on the step after one that went well, and after one that was rejected."""

CLOSED = 0.02
"""Distance from its start, in units of 1 + |start|_inf, at which a trajectory that crosses s = 0 has come round."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossings:
    """Where trajectories cross s = 0.

    Attributes
    ----------
    theta : (m, P)
        Between the two points of the curve where s changed its sign: near a stationary point, not at it.
    lane : (m,) int
        The trajectory of each.
    """

    theta: FloatArray
    lane: NDArray[np.intp]


def follow_trajectories(
    kernel: Kernel,
    start: FloatArray,
    direction: FloatArray,
    *,
    steps: int = TRAJECTORY_STEPS,
    length: float = TRAJECTORY_LENGTH,
) -> Crossings:
    """Follow n trajectories, in lock step, from stationary points.

    A trajectory ends where it comes round to its start, goes far out, or has no more steps.

    Parameters
    ----------
    start, direction : (n, P)
        Stationary points, and vectors r; the sense of r is the sense in which s grows at the beginning.
    steps : int
        Steps of each, rejected ones included.
    length : float
        Longest step, in arclength.
    """
    size = start.shape[1]
    tangent = _first_tangents(kernel, start, direction)
    lane = np.flatnonzero(np.isfinite(tangent).all(axis=1))
    start, direction, tangent = start[lane], direction[lane], tangent[lane]
    at = np.column_stack((start, np.zeros(len(lane))))
    bend = np.zeros_like(at)
    stride = np.full(len(lane), FIRST_LENGTH)
    unit = 1.0 + np.abs(start).max(axis=1, initial=0.0)
    found, lanes = [np.empty((0, size))], [np.empty(0, dtype=np.intp)]
    for _ in range(steps):
        if not lane.size:
            break
        far = stride[:, None]
        # Taylor's second term, with the last step's change of the tangent for the curvature.
        guess = at + far * tangent + 0.5 * far**2 * bend
        ahead, turned, good, easy = _step(kernel, guess, tangent, direction, stride)
        crossed = np.flatnonzero(good & (at[:, size] * ahead[:, size] < 0.0))
        going = np.ones(len(lane), dtype=bool)
        if crossed.size:
            before, after = at[crossed], ahead[crossed]
            share = before[:, size] / (before[:, size] - after[:, size])
            root = before[:, :size] + share[:, None] * (after[:, :size] - before[:, :size])
            closed = np.abs(root - start[crossed]).max(axis=1, initial=0.0) < CLOSED * unit[crossed]
            found.append(root[~closed])
            lanes.append(lane[crossed[~closed]])
            going[crossed[closed]] = False
        moved = good[:, None]
        bend = np.where(moved, (turned - tangent) / far, bend)
        at, tangent = np.where(moved, ahead, at), np.where(moved, turned, tangent)
        stride = np.where(easy, np.minimum(stride * LONGER, length), np.where(good, stride, stride * SHORTER))
        going &= (stride > SHORTEST) & (np.abs(at[:, :size]).max(axis=1, initial=0.0) < TRAJECTORY_FARTHEST * unit)
        if not going.all():
            lane, start, direction, unit = lane[going], start[going], direction[going], unit[going]
            at, tangent, bend, stride = at[going], tangent[going], bend[going], stride[going]
    return Crossings(theta=np.vstack(found), lane=np.concatenate(lanes))


def _first_tangents(kernel: Kernel, start: FloatArray, direction: FloatArray) -> FloatArray:
    """(n, P + 1): (H^{-1} r, 1), normalised; not finite where H is singular."""
    along = solutions(np.concatenate((kernel.hessian(start), direction[..., None]), axis=2))[..., 0]
    tangent = np.column_stack((along, np.ones(len(start))))
    return tangent / np.linalg.norm(tangent, axis=1, keepdims=True)


def _step(
    kernel: Kernel, guess: FloatArray, tangent: FloatArray, direction: FloatArray, stride: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Points (n, P + 1) near the guesses, tangents there, which steps are accepted, and which were easy."""
    ahead, turned = _corrected(kernel, guess, tangent, direction)
    first = np.linalg.norm(ahead - guess, axis=1) / stride
    good = first < CONTRACTION[0]
    again = np.flatnonzero(good & (first > ONCE))
    if again.size:
        nearer, turned[again] = _corrected(kernel, ahead[again], tangent[again], direction[again])
        good[again] = np.linalg.norm(nearer - ahead[again], axis=1) < ACCURACY * stride[again]
        ahead[again] = nearer
    cosine = (turned * tangent).sum(axis=1)
    good &= (cosine > TURN[0]) & np.isfinite(ahead).all(axis=1)
    return ahead, turned, good, good & (first < CONTRACTION[1]) & (cosine > TURN[1])


def _corrected(
    kernel: Kernel, point: FloatArray, tangent: FloatArray, direction: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The points (n, P + 1) after one Newton step back to the curve, and unit tangents; both by one matrix."""
    n, size = direction.shape
    rows = np.zeros((n, size + 1, size + 3))
    _, gradient, rows[:, :size, :size] = kernel.value_gradient_hessian(point[:, :size])
    rows[:, :size, size] = -direction
    rows[:, size, : size + 1] = tangent
    rows[:, :size, size + 1] = gradient - point[:, size:] * direction
    rows[:, size, size + 2] = 1.0
    solution = solutions(rows)
    turned = solution[:, :, 1]
    return point - solution[:, :, 0], turned / np.linalg.norm(turned, axis=1, keepdims=True)
