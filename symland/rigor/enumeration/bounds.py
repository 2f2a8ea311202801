"""Where all solutions lie: bounds of logits, residuals and states (bounds theorem of
:mod:`symland.rigor.enumeration.problem`)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from symland.errors import SpecError
from symland.rigor.enumeration.lanes import exponential
from symland.rigor.enumeration.problem import MARGIN_PEAK, TWIST_PEAK, Doubles, ReducedProblem

__all__ = ["first_box", "first_cell", "largest_logit"]

LARGEST_LOGIT = 30
"""Bound on |Delta_d| up to which 1 - q_d keeps its digits in a double."""


def largest_logit(problem: ReducedProblem) -> float:
    """Bound of |Delta_d| (bounds theorem).

    Raises
    ------
    SpecError
        If it is beyond what doubles can search.
    """
    logit = float(np.sqrt((problem.nodes + 1) * _largest_energy(problem))) * (1 + 1e-12)
    if logit > LARGEST_LOGIT:
        raise SpecError.at(
            "loss.penalty",
            f"{problem.penalty} allows logits of {logit:.0f}",
            f"complete enumeration in doubles takes logits up to {LARGEST_LOGIT}",
        )
    return logit


def _largest_energy(problem: ReducedProblem) -> float:
    """Bound of sum_j v_j^2 + gamma^2."""
    return float(Fraction(MARGIN_PEAK) / problem.penalty) * (1 + 1e-12)


def first_box(problem: ReducedProblem) -> tuple[Doubles, Doubles]:
    """Boxes (2, D) of P and (2, m + 1) of (U, v) which hold every solution with v >= 0 (bounds theorem)."""
    energy, logit = _largest_energy(problem), largest_logit(problem)
    least = float(1.0 / (1.0 + exponential(logit * (1 + 1e-9)))) * (1 - 1e-9)
    scale = float(problem.scale)
    pull = np.empty((2, problem.samples))
    for d, sign in enumerate(problem.labels):
        near = float(1 / (problem.highest * problem.samples)) * least * (1 - 1e-12)
        far = scale * (1 - least) * (1 + 1e-12)
        pull[:, d] = (near, far) if sign > 0 else (-far, -near)
    output = np.sqrt(energy) * (1 + 1e-12)
    weight = np.sqrt(0.5 * output / float(problem.penalty) * TWIST_PEAK) * (1 + 1e-12)
    state = np.empty((2, problem.inputs + 1))
    state[0, :-1], state[1, :-1] = -weight, weight
    state[:, -1] = 0.0, output
    return pull, state


def first_cell(problem: ReducedProblem) -> Doubles:
    """A box (2, D + 1) of (P, gamma) which holds every solution."""
    pull, state = first_box(problem)
    return np.concatenate([pull, [[-state[1, -1]], [state[1, -1]]]], axis=1)
