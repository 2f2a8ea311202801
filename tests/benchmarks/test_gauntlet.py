"""Random questions against the whole of enumeration; `make gauntlet` is the long form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from benchmarks.gauntlet import draw_case, gradient, loss, run_case

SEEDS = (2, 36)
"""Small ones: two samples, of two classes and of one; the second is asked again in other words."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_random_question_is_ever_given_a_false_proof(seed: int) -> None:
    outcome = run_case(draw_case(seed), starts=200)
    assert outcome.false == ()


def test_the_oracle_differentiates_its_loss() -> None:
    for seed in range(5):
        spec = draw_case(seed).spec
        theta = np.random.default_rng(seed).normal(size=spec.n_parameters)
        numeric = approx_fprime(theta, lambda t, spec=spec: float(loss(spec, t)), 1e-7)
        assert np.abs(numeric - gradient(spec, theta)).max() < 1e-5
