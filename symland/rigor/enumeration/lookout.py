"""A look for stationary points that a list lacks, before anybody tries to prove it complete.

Newton's iteration of the whole gradient from random parameters, in float64 over the derivation program; what it finds
is proved in Arb, like the points of the list, or is not mentioned.
"""

from __future__ import annotations

import numpy as np

from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.rigor.enumeration.known import (
    KnownClass,
    KnownPoints,
    certify_known,
    reduce_theta,
)
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.spec import LandscapeSpec

__all__ = ["find_unlisted", "newton_searches"]

STEPS = 80
"""Newton steps from each start."""
LONGEST_STEP = 0.5
"""Largest change of a parameter in a step."""
SETTLED = 1e-10
"""Largest component of the gradient at which a search has arrived."""
FLAT = 1e-6
"""Size of an eigenvalue below which a step does not divide by it."""
APART = 1e-8
"""Distance (weights) from every copy of a known point beyond which a proved point is another one; the cubes that hold
the two are a thousand times smaller."""


def newton_searches(spec: LandscapeSpec, starts: int, seed: int = 0) -> Doubles:
    """Where so many Newton searches arrive, from random parameters of several scales; not proved, and not distinct."""
    rng, program = np.random.default_rng(seed), build_program(spec)
    scale = rng.choice([0.3, 1.0, 2.0, 4.0], size=(starts, 1))
    theta = scale * rng.normal(size=(starts, spec.n_parameters))
    under_way = np.arange(starts)
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            at = theta[under_way]
            _, gradient, hessian = evaluate(program, at)
            values, vectors = np.linalg.eigh(np.nan_to_num(hessian))
            curvature = np.where(np.abs(values) < FLAT, np.copysign(FLAT, values), values)
            move = np.einsum("nij,nj->ni", vectors, np.einsum("nij,ni->nj", vectors, gradient) / curvature)
            size = np.abs(move).max(axis=1, keepdims=True)
            at = np.nan_to_num(at - move * np.minimum(1.0, LONGEST_STEP / np.maximum(size, LONGEST_STEP)))
            theta[under_way] = at
            # A search that had arrived before this step has the digits of one step more, and goes no further.
            under_way = under_way[~(np.abs(gradient).max(axis=1) < SETTLED)]
            if not under_way.size:
                break
        _, gradient, _ = evaluate(program, theta)
    arrived: Doubles = theta[np.abs(gradient).max(axis=1) < SETTLED]
    return arrived


def find_unlisted(
    spec: LandscapeSpec, problem: ReducedProblem, known: KnownPoints, starts: int
) -> tuple[KnownClass, ...]:
    """A proved stationary point that the list lacks, if so many Newton searches find one."""
    if not starts:
        return ()
    arrived = newton_searches(spec, starts)
    for candidate in arrived:
        states, bias = reduce_theta(problem, candidate)
        if known.near(states, bias) <= APART:
            continue
        point = certify_known(problem, states, bias, -1)
        if point is not None and known.distance(point) > APART:
            return (point,)
    return ()
