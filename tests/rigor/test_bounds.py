"""Where all solutions lie: the bounds of the theorem, and what is refused."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from symland.errors import SpecError
from symland.rigor.enumeration.bounds import first_box
from symland.rigor.enumeration.problem import MARGIN_PEAK, TWIST_PEAK, ReducedProblem, reduced_problem
from symland.spec import builtin


def _problem(name: str, nodes: int, penalty: str = "1e-2") -> ReducedProblem:
    return reduced_problem(builtin(name).with_(hidden=(nodes,), penalty=penalty))


def test_the_constants_of_the_bounds() -> None:
    lambert = float(mpmath.lambertw(mpmath.exp(-1)).real)
    assert lambert < MARGIN_PEAK < lambert + 1e-9
    a = np.linspace(0, 5, 100_001)
    assert 0 <= TWIST_PEAK - (a / np.cosh(a) ** 2).max() < 1e-5


@pytest.mark.parametrize(("name", "nodes", "penalty"), [("xor", 1, "1e-2"), ("xor-pm", 2, "0.3"), ("xor", 3, "1e-1")])
def test_the_first_box_is_that_of_the_theorem(name: str, nodes: int, penalty: str) -> None:
    problem = _problem(name, nodes, penalty)
    energy = MARGIN_PEAK / float(penalty)
    logit, kappa = np.sqrt((nodes + 1) * energy), 0.25 / float(penalty)
    least = 1 / (1 + np.exp(logit))
    weight = np.sqrt(0.5 * np.sqrt(energy) / float(penalty) * TWIST_PEAK)
    pull, state = first_box(problem)
    for d, sign in enumerate(problem.labels):
        ends = sorted((sign * kappa * least, sign * kappa * (1 - least)))
        assert pull[:, d] == pytest.approx(ends, rel=1e-7)
        assert pull[0, d] < ends[0] < ends[1] < pull[1, d]
    assert state == pytest.approx(np.array([[-weight] * 3 + [0.0], [weight] * 3 + [np.sqrt(energy)]]), rel=1e-9)
    assert state[0, 3] == 0
    assert (state[1] > [weight, weight, weight, np.sqrt(energy)]).all()


def test_logits_beyond_the_reach_of_doubles_are_refused() -> None:
    # sqrt(2 * 0.27846 / lambda) = 30 at lambda = 6.188e-4.
    first_box(_problem("xor", 1, "6.19e-4"))
    with pytest.raises(SpecError, match="logits of 30"):
        first_box(_problem("xor", 1, "6.18e-4"))
