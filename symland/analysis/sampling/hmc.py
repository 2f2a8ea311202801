"""Hamiltonian moves of many replicas at once, each level with couplings, a step and a metric of its own.

In coordinates x with theta = W x, the metric (W W^T)^{-1} is 1. One move draws velocities, follows

    v <- v - (eps / 2) grad_x u,   x <- x + eps v,   v <- v - (eps / 2) grad_x u

for some steps (Duane et al., Phys. Lett. B 195, 216 (1987)), and accepts with min(1, exp(-change of u + |v|^2 / 2)).
The number of steps and the length of each are drawn anew for every move, so that no period of the well can lock in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from symland.analysis.sampling.target import Target
from symland.records import FloatArray

__all__ = ["Ensemble", "Levels", "metric_root", "move"]

JITTER = 0.4
"""Half the relative range of the steps' lengths."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """K levels of a path.

    Attributes
    ----------
    b, a : (K,)
        Couplings.
    step : (K,)
        Length of a step, in units in which the metric is 1.
    root : (K, P, P)
        W.
    """

    b: FloatArray
    a: FloatArray
    step: FloatArray
    root: FloatArray

    def __len__(self) -> int:
        return len(self.b)

    def only(self, k: int) -> Levels:
        """One level."""
        part = slice(k, k + 1)
        return Levels(b=self.b[part], a=self.a[part], step=self.step[part], root=self.root[part])


@dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    """n replicas at each of K levels: theta (K, n, P), L and R (K, n), and their gradients (K, n, P)."""

    theta: FloatArray
    loss: FloatArray
    penalty: FloatArray
    slope: FloatArray
    pull: FloatArray

    @classmethod
    def at(cls, target: Target, theta: FloatArray) -> Ensemble:
        """The ensemble at theta (K, n, P)."""
        levels, count, size = theta.shape
        loss, penalty, slope, pull = target.evaluate(theta.reshape(-1, size))
        return cls(
            theta=theta,
            loss=loss.reshape(levels, count),
            penalty=penalty.reshape(levels, count),
            slope=slope.reshape(theta.shape),
            pull=pull.reshape(theta.shape),
        )

    def take(self, places: np.ndarray) -> Ensemble:
        """The replicas at `places` (n,) of the only level."""
        return Ensemble(
            theta=self.theta[:, places],
            loss=self.loss[:, places],
            penalty=self.penalty[:, places],
            slope=self.slope[:, places],
            pull=self.pull[:, places],
        )

    def folded(self, target: Target) -> Ensemble:
        """The images in the fundamental domain."""
        flat = self.theta.reshape(-1, self.theta.shape[2])
        return Ensemble.at(target, target.fold(flat).reshape(self.theta.shape))

    def where(self, accept: np.ndarray, other: Ensemble) -> Ensemble:
        """The other ensemble's replicas where `accept` (K, n), else these."""
        wide = accept[..., None]
        return replace(
            self,
            theta=np.where(wide, other.theta, self.theta),
            loss=np.where(accept, other.loss, self.loss),
            penalty=np.where(accept, other.penalty, self.penalty),
            slope=np.where(wide, other.slope, self.slope),
            pull=np.where(wide, other.pull, self.pull),
        )


def metric_root(metric: FloatArray) -> FloatArray:
    """W with W W^T the inverse of a positive definite metric (P, P)."""
    return np.asarray(np.linalg.inv(np.linalg.cholesky(metric)).T)


def move(
    target: Target, levels: Levels, state: Ensemble, steps: int, rng: np.random.Generator
) -> tuple[Ensemble, FloatArray]:
    """One move of every replica; the new ensemble and the mean acceptance of each level, (K,).

    Parameters
    ----------
    steps : int
        Mean number of steps; the number is drawn from 1 to twice as many less one.
    """
    count = int(rng.integers(1, 2 * steps))
    b, a = levels.b[:, None, None], levels.a[:, None, None]
    eps = (levels.step * rng.uniform(1 - JITTER, 1 + JITTER))[:, None, None]
    transpose = np.swapaxes(levels.root, 1, 2)
    velocity = rng.normal(size=state.theta.shape)
    before = 0.5 * (velocity**2).sum(axis=2) + _potential(levels, state)
    current = state
    with np.errstate(all="ignore"):
        velocity = velocity - eps / 2 * ((b * current.slope + a * current.pull) @ levels.root)
        for step in range(count):
            current = Ensemble.at(target, current.theta + eps * velocity @ transpose)
            part = eps if step < count - 1 else eps / 2
            velocity = velocity - part * ((b * current.slope + a * current.pull) @ levels.root)
        after = 0.5 * (velocity**2).sum(axis=2) + _potential(levels, current)
        change = np.where(np.isfinite(after), before - after, -np.inf)
    accept = np.log(rng.random(change.shape)) < change
    chance = np.exp(np.minimum(change, 0.0))
    return state.where(accept, current), chance.mean(axis=1)


def _potential(levels: Levels, state: Ensemble) -> FloatArray:
    return levels.b[:, None] * state.loss + levels.a[:, None] * state.penalty
