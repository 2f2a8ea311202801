"""Learning coefficients against integrals on grids and the sampler, and where a family consists of no minima."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest
from scipy.optimize import least_squares

from symland.analysis import learning
from symland.analysis.sampling.local import sampled_coefficient
from symland.datasets import make_data
from symland.errors import DatabaseError, SpecError
from symland.kernels import compile_kernel
from symland.landscape.evidence import Evidence, Families, Family, FlatDirection
from symland.landscape.landscape import Landscape
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss
from tests.analysis.temperature.landscapes import two_weights, xor_landscape


def split_spec() -> LandscapeSpec:
    """Two nodes where one is enough: x -> tanh(x) is fitted without error, at lambda = 0."""
    data = make_data("line", [["-1"], ["1/2"]], [["-3/4"], ["1/2"]], classify=False)
    return LandscapeSpec(name="line", hidden=(2,), data=data, bias=False, loss=Loss.SQUARED)


def family(theta: np.ndarray, null: np.ndarray, dimension: int, smooth: bool) -> Family:
    directions = tuple(FlatDirection(origin="unexplained", what="", direction=v) for v in null.T)
    return Family(
        loss=0.0,
        gradient_norm=0.0,
        theta=theta,
        dimension=dimension,
        index=0,
        gauge=0,
        directions=directions,
        pieces=(),
        singular=0 if smooth else 3,
        morse_bott=smooth,
        found=1,
    )


def fitted() -> tuple[LandscapeSpec, np.ndarray, np.ndarray]:
    """A network without error, and the null space of its Hessian, from its residuals alone."""
    spec = split_spec()
    kernel = compile_kernel(spec)

    def residuals(t: np.ndarray) -> np.ndarray:
        return np.tanh(np.outer([-1.0, 0.5], t[:2])) @ t[2:] - np.array([-0.75, 0.5])

    theta = least_squares(residuals, [1.3, 0.4, 0.7, 0.5], xtol=1e-15, ftol=1e-15, gtol=1e-15).x
    _, _, vectors = np.linalg.svd(kernel.hessian(theta[None])[0])
    return spec, theta, vectors[2:].T


def test_two_equations_in_four_weights_leave_a_surface_of_minima_with_coefficient_one():
    spec, theta, null = fitted()
    assert compile_kernel(spec).value(theta[None])[0] < 1e-25
    evidence = Evidence(families=Families(families=(family(theta, null, 2, smooth=True),)))
    found = Landscape(spec=spec, points=(), evidence=evidence)
    answer = learning.QUESTION.ask(found, options=learning.LearningOptions(samples=256))
    (point,) = answer.points
    assert (point.rank, point.dimension, point.coefficient) == (2, 2, Fraction(1))
    assert abs(point.sampled.value - 1) < 4 * point.sampled.error + 0.02 < 0.3
    assert learning.QUESTION.verdict(answer) is Verdict.CERTIFIED


def test_the_volume_near_a_nondegenerate_minimum_grows_like_eps_to_half_the_parameters():
    found = two_weights()
    (point,) = learning.QUESTION.ask(found, options=learning.LearningOptions()).points
    assert point.coefficient == 1
    # Count the cells below eps and below eps / 4 on a grid around the minimum.
    theta, kernel = found.points[found.minima[0]].theta, compile_kernel(found.spec)
    grid = np.linspace(-0.02, 0.02, 401)
    around = theta + np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    rise = kernel.value(around) - kernel.value(theta[None])[0]
    counts = [(rise < eps).sum() for eps in (4e-5, 1e-5)]
    assert rise.reshape(401, 401)[[0, -1]].min() > 4e-5
    assert log(counts[0] / counts[1]) / log(4) == pytest.approx(1.0, abs=0.02)


def test_a_family_that_is_no_smooth_manifold_has_bounds_and_no_value():
    spec, theta, null = fitted()
    evidence = Evidence(families=Families(families=(family(theta, null, 1, smooth=False),)))
    answer = learning.QUESTION.ask(
        Landscape(spec=spec, points=(), evidence=evidence), options=learning.LearningOptions()
    )
    (point,) = answer.points
    assert (point.lower, point.upper, point.coefficient) == (1, Fraction(3, 2), None)
    assert learning.QUESTION.verdict(answer) is Verdict.UNDECIDED


def test_a_sampler_that_falls_off_a_saddle_is_no_support():
    found = two_weights()
    saddle = found.points[found.transition_states[0]].theta
    value, _ = sampled_coefficient(
        compile_kernel(found.spec), saddle, temperature=1e-5, width=0.2, samples=64, runs=3, seed=0
    )
    assert value.value < 0


def test_a_list_without_minima_and_bad_options_are_refused():
    found = xor_landscape(1, "1e-2")
    saddles = Landscape(spec=found.spec, points=[p for p in found.points if p.index])
    with pytest.raises(DatabaseError, match="no minimum"):
        learning.QUESTION.ask(saddles, options=learning.LearningOptions())
    with pytest.raises(SpecError, match="--width"):
        learning.QUESTION.ask(found, options=learning.LearningOptions(samples=64, width=-1.0))
