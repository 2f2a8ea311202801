"""How many solutions of a binary perceptron lie around given weights, where they are too many to be listed.

With a field h towards weights w, belief propagation gives the Bethe form of F(h) = ln sum_s exp(h w . s) over the
solutions s, and their mean overlap q = dF/dh / N; the entropy of the solutions at that overlap is F - h N q. On a tree
of patterns, such as a single one, it is exact; else it is an estimate.

    F = sum_mu ln Z_mu + sum_i ln Z_i - sum_{i mu} ln Z_{i mu}

with Z_mu the chance that pattern mu is right, Z_i = 2 cosh H_i / prod_mu 2 cosh u_{mu i}, and
Z_{i mu} = 2 cosh H_i / (4 cosh u_{mu i} cosh(H_i - u_{mu i})), H the total and u the factors' fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from scipy.special import log_ndtr

from symland.errors import SpecError
from symland.perceptron.counting import Signs
from symland.perceptron.messages import CLOSEST, LARGEST_EXACT, Floats, factor_fields, focusing, iterate

__all__ = ["BetheEntropy", "LargeInstance", "LargeStudy", "bethe_entropy", "large_study"]

FIELDS = (2.0, 1.5, 1.0, 0.5)
"""Fields towards the solution, each with its mean overlap."""

STEPS = 60
"""Rounds of messages at each field of a large perceptron."""

SETTLED = 1e-3
"""Largest movement of a field in one more round at which the messages count as settled."""

LARGEST_SIZE = 10_001
"""Weights of the largest perceptron that belief propagation is tried on."""


class BetheEntropy(msgspec.Struct, frozen=True, kw_only=True):
    """The entropy of the solutions at an overlap with given weights: an estimate.

    Attributes
    ----------
    field : float
    overlap : float
        Mean of w . s / N over the solutions s, each with weight exp(h w . s).
    distance : float
        Mean Hamming distance, N (1 - overlap) / 2.
    entropy : float or None
        ln of the number of solutions there, divided by N; None where the messages did not settle.
    """

    field: float
    overlap: float
    distance: float
    entropy: float | None


class LargeInstance(msgspec.Struct, frozen=True, kw_only=True):
    """One random set of patterns: whether focusing solved it, and the entropy around its solution."""

    seed: int
    solutions: None
    solved: bool
    local_entropy: tuple[BetheEntropy, ...]


class LargeStudy(msgspec.Struct, frozen=True, kw_only=True):
    """Perceptrons too large to be counted; `solved` is the share that focusing solved, so that P(solvable) is open."""

    size: int
    patterns: int
    instances: tuple[LargeInstance, ...]
    p_solvable: None
    solved: float


def bethe_entropy(
    patterns: Signs, weights: Signs, field: float, *, steps: int = 500, exact: bool | None = None, seed: int = 0
) -> BetheEntropy:
    """The entropy of the solutions under a field towards some weights."""
    xi, w = patterns.astype(np.float64), weights.astype(np.float64)
    count, size = xi.shape
    plain = exact if exact is not None else size <= LARGEST_EXACT
    outside = field * w
    sent, _ = iterate(
        patterns, steps, lambda step, own: outside, np.random.default_rng(seed), False, SETTLED * 1e-6, plain
    )
    total = sent.sum(axis=0) + outside
    cavity_field = total - sent
    cavity = np.tanh(np.clip(cavity_field, -18, 18))
    moved = float(np.abs(factor_fields(xi, cavity, plain) - sent).max(initial=0.0))
    free = (
        _log_chances(xi, cavity, plain).sum()
        + _log_cosh2(total).sum()
        - (count * _log_cosh2(total)).sum()
        + _log_cosh2(cavity_field).sum()
    )
    overlap = float(w @ np.tanh(total)) / size
    return BetheEntropy(
        field=field,
        overlap=overlap,
        distance=size * (1 - overlap) / 2,
        entropy=float(free) / size - field * overlap if moved < SETTLED else None,
    )


def _log_cosh2(x: Floats) -> Floats:
    """ln(2 cosh x)."""
    found: Floats = np.logaddexp(x, -x)
    return found


def _log_chances(xi: Floats, cavity: Floats, exact: bool) -> Floats:
    """ln of the chance (P,) that each pattern's sum is positive."""
    biased = xi * cavity
    if not exact:
        width = np.sqrt(np.maximum((1 - cavity**2).sum(axis=1), CLOSEST))
        found: Floats = log_ndtr(biased.sum(axis=1) / width)
        return found
    count, size = xi.shape
    ups = np.zeros((count, size + 1))
    ups[:, 0] = 1.0
    for j in range(size):
        p = (1 + biased[:, j : j + 1]) / 2
        ups[:, 1:] = ups[:, 1:] * (1 - p) + ups[:, :-1] * p
        ups[:, :1] *= 1 - p
    chances: Floats = np.log(np.maximum(ups[:, size // 2 + 1 :].sum(axis=1), CLOSEST))
    return chances


def large_study(
    size: int,
    patterns: int,
    instances: int,
    *,
    seed: int = 0,
    fields: Sequence[float] = FIELDS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LargeStudy:
    """Focusing belief propagation on random instances, and the entropy around what it finds.

    Raises
    ------
    SpecError
        If a number is out of range.
    """
    if size % 2 == 0 or not 3 <= size <= LARGEST_SIZE:
        raise SpecError.at("--size", f"{size} weights", f"write an odd number from 3 to {LARGEST_SIZE}")
    if not 1 <= patterns <= size:
        raise SpecError.at("--patterns", f"{patterns}", f"write 1 to {size}: beyond, there is no solution to look for")
    if instances < 1:
        raise SpecError.at("--instances", f"{instances}", "write 1 or more")
    found = []
    for number in range(instances):
        rng = np.random.default_rng([seed, number])
        xi: Signs = rng.choice(np.array([-1, 1], dtype=np.int8), size=(patterns, size))
        weights = focusing(xi, rng)
        around = () if weights is None else tuple(bethe_entropy(xi, weights, h, steps=STEPS) for h in fields)
        found.append(LargeInstance(seed=number, solutions=None, solved=weights is not None, local_entropy=around))
        progress(number + 1, instances)
    share = sum(i.solved for i in found) / instances
    return LargeStudy(size=size, patterns=patterns, instances=tuple(found), p_solvable=None, solved=share)
