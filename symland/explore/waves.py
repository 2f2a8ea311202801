"""The searches of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from symland.explore.batches import Batch
from symland.explore.protocol import Kernel
from symland.explore.shares import KINDS, counts
from symland.explore.starts import (
    Method,
    StartKind,
    Wave,
    along,
    along_symmetric,
    between,
    displaced,
    given,
    joined,
    random,
    symmetric,
)
from symland.records import Outcome
from symland.symmetry import SymmetryGroup

__all__ = ["waves"]

SUBSPACES = 2
"""Subspaces of a batch for searches from random points."""

SYMMETRIC_SPACES = 4
"""Symmetric points of a batch from which trajectories are followed in a subspace."""


def waves(kernel: Kernel, group: SymmetryGroup, batch: Batch, rng: np.random.Generator) -> list[Wave]:
    """The searches of a batch, those of one subspace and one method together."""
    plan, address = batch.plan, batch.address
    out = list[Wave]()
    if address.round == 0:
        points = np.zeros((int(address.number == 0), kernel.n_parameters))
        if plan.given is not None:
            points = np.vstack((points, plan.given[address.number :: plan.batches]))
        if len(points):
            out.append(given(kernel, group, points))
        if plan.given is not None and len(plan.given):
            # Searches find more once the given points are known.
            return out
    highest = max((p.index for p in batch.known), default=min(1, kernel.n_parameters))
    top = highest + 1 if plan.max_index is None else plan.max_index
    top = min(top, kernel.n_parameters)
    number = counts(batch.shares, plan.searches, [_possible(batch, *kind) for kind in KINDS])
    out += symmetric(kernel, group, rng, number[StartKind.SYMMETRIC, Method.EIGENVECTORS], top, spaces=SUBSPACES)
    # Searches of the whole space run together, whatever they began from: the last ones of two waves share their steps.
    makers: list[tuple[StartKind, Callable[..., Wave]]] = [
        (StartKind.RANDOM, random),
        (StartKind.DISPLACED, partial(displaced, known=batch.known, tallies=batch.tallies)),
        (StartKind.BETWEEN, partial(between, known=batch.known, tallies=batch.tallies)),
    ]
    for method in (Method.EIGENVECTORS, Method.SQUARED_GRADIENT):
        parts = [make(kernel, group, rng, number[kind, method], top) for kind, make in makers if number[kind, method]]
        if parts:
            out.append(replace(joined(parts), method=method))
    curves, within = (number[kind, Method.TRAJECTORY] for kind in (StartKind.ALONG, StartKind.ALONG_WITHIN))
    trajectories = [along(kernel, group, rng, curves, batch.known, batch.tallies)] if curves else []
    if within:
        trajectories += along_symmetric(kernel, group, rng, within, batch.known, batch.tallies, spaces=SYMMETRIC_SPACES)
    if trajectories:
        out.append(joined(trajectories))
    return out


def _possible(batch: Batch, kind: StartKind, method: Method) -> bool:
    """Whether a batch may search so: from points where some are known, and to any index where none is the highest."""
    if kind in (StartKind.RANDOM, StartKind.SYMMETRIC):
        fit = True
    elif kind in (StartKind.DISPLACED, StartKind.BETWEEN):
        fit = bool(batch.known)
    else:
        fit = any(point.outcome is not Outcome.DEGENERATE for point in batch.known)
    return fit and (method is Method.EIGENVECTORS or batch.plan.max_index is None)
