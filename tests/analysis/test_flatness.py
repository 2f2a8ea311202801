"""Widths of minima against quadrature, sampling's own claims against many seeds, and refusals."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import norm

import symland
from symland.analysis import flatness
from symland.analysis.flatness import FlatnessOptions, numbers
from symland.analysis.widths import basin_volume, laplace_entropy, measure, sampled_entropy
from symland.datasets import make_data
from symland.errors import SpecError
from symland.kernels import compile_kernel
from symland.landscape.landscape import Landscape
from symland.records import Outcome, StationaryPoint
from symland.rigor.certify import certify
from symland.spec import LandscapeSpec, Loss, builtin

PLANE = LandscapeSpec(
    name="plane",
    hidden=(1,),
    bias=False,
    loss=Loss.LOGISTIC,
    penalty=Fraction(1, 20),
    data=make_data("line", [["1"], ["-2"], ["1/2"]], [1, 0, 0], classify=True),
)
"""Two parameters."""


def minimum(spec: LandscapeSpec, start: np.ndarray) -> StationaryPoint:
    kernel, theta = compile_kernel(spec), start.astype(float)
    for _ in range(4000):
        theta = theta - 0.3 * kernel.gradient(theta[None])[0]
    for _ in range(6):
        value, gradient, hessian = (part[0] for part in kernel.value_gradient_hessian(theta[None]))
        theta = theta - np.linalg.solve(hessian, gradient)
    spectrum = np.linalg.eigvalsh(hessian)
    return StationaryPoint(
        theta=theta,
        loss=float(value),
        gradient_norm=float(np.abs(gradient).max()),
        spectrum=spectrum,
        index=int((spectrum < 0).sum()),
        nullity=0,
        orbit_size=2,
        outcome=Outcome.CONVERGED,
    )


POINT = minimum(PLANE, np.array([1.0, 1.5]))


def exact(sigma: float, temperature: float) -> float:
    """ln of the mean over the plane by quadrature, with the loss written out."""
    x, y = np.array([1.0, -2.0, 0.5]), np.array([1, -1, -1])

    def loss(a: float, b: float) -> float:
        z = b * np.tanh(a * x)
        return float(np.mean(np.log1p(np.exp(-y * z))) + (a * a + b * b) / 20)

    a, b = POINT.theta
    least = loss(a, b)

    def weight(v: float, u: float) -> float:
        own = np.exp(-(u * u + v * v) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
        return float(own * np.exp(-(loss(a + u, b + v) - least) / temperature))

    reach = 7 * sigma
    return float(np.log(dblquad(weight, -reach, reach, -reach, reach, epsabs=1e-9, epsrel=1e-7)[0]))


@pytest.mark.parametrize(("sigma", "temperature"), [(0.1, 0.1), (0.4, 0.05), (1.0, 0.2)])
def test_local_entropy_is_that_of_quadrature(sigma: float, temperature: float) -> None:
    kernel = compile_kernel(PLANE)
    hessian = kernel.hessian(POINT.theta[None])[0]
    wanted = exact(sigma, temperature)
    found = sampled_entropy(kernel, POINT.theta, hessian, sigma, temperature, 100_000, np.random.default_rng(1))
    assert found.sampled is not None
    assert found.error is not None
    assert found.ess > 0.1
    assert abs(found.sampled - wanted) < 4 * found.error
    if sigma == 0.1:
        assert found.laplace == pytest.approx(wanted, abs=0.01)


def test_intervals_cover_as_often_as_they_claim() -> None:
    kernel = compile_kernel(PLANE)
    hessian, wanted = kernel.hessian(POINT.theta[None])[0], exact(0.4, 0.05)
    held = 0
    for seed in range(200):
        found = sampled_entropy(kernel, POINT.theta, hessian, 0.4, 0.05, 1000, np.random.default_rng(seed))
        assert found.sampled is not None
        assert found.error is not None
        held += abs(found.sampled - wanted) < 1.96 * found.error
    assert 180 <= held <= 197


def test_laplace_is_exact_for_a_quadratic_loss_and_silent_where_it_diverges() -> None:
    h = np.array([0.5, 2.0, -0.3])
    draws = np.random.default_rng(0).normal(size=(400_000, 3)) * 0.5
    sampled = np.log(np.exp(-(draws**2 @ h) / 2 / 0.8).mean())
    assert laplace_entropy(h, 0.5, 0.8) == pytest.approx(sampled, abs=0.005)
    assert laplace_entropy(h, 2.0, 0.8) is None


@pytest.mark.parametrize("spectrum", [[1.0, 1.0], [0.5, 2.0, 3.0], [4.0, 1.0, 0.2, 0.7]])
def test_the_basin_is_the_volume_of_its_ellipsoid(spectrum: list[float]) -> None:
    h, height = np.array(spectrum), 0.3
    edges = np.sqrt(2 * height / h)
    draws = np.random.default_rng(0).uniform(-1, 1, size=(400_000, len(h))) * edges
    share = (((draws**2) @ h) / 2 < height).mean()
    assert basin_volume(h, height) == pytest.approx(np.log(share * np.prod(2 * edges)), abs=0.01)


@pytest.mark.parametrize(("sigma", "temperature"), [(0.5, 0.2), (2.0, 0.5)])
def test_local_entropy_of_the_errors_is_that_of_the_signs(sigma: float, temperature: float) -> None:
    """One tanh node without biases labels by the sign of a b x: one error of three where a b > 0, two where a b < 0."""
    kernel = compile_kernel(PLANE)
    a, b = POINT.theta / sigma
    assert a * b > 0
    other = norm.cdf(-a) * norm.cdf(b) + norm.cdf(a) * norm.cdf(-b)
    wanted = np.log(1 - other + other * np.exp(-1 / (3 * temperature)))
    hessian = kernel.hessian(POINT.theta[None])[0]
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = sampled_entropy(kernel, POINT.theta, hessian, sigma, temperature, 20_000, rng, labelled=True)
        assert found.errors is not None
        assert found.errors_error is not None
        assert found.errors_ess is not None
        assert 0 < found.errors_error < 0.05
        assert 0.1 < found.errors_ess <= 1
        held += abs(found.errors - wanted) < 1.96 * found.errors_error
    assert held >= 33


def landscape(spec: LandscapeSpec, *points: StationaryPoint) -> Landscape:
    certificates = {n: certify(spec, point.theta) for n, point in enumerate(points)}
    return Landscape(spec=spec, points=points, certificates=certificates)


def test_the_question_is_answered_with_enclosures_margins_and_energies() -> None:
    spec = builtin("xor").with_(hidden=(2,), penalty="1e-3")
    start = np.array([3.0, -3.0, -3.0, 3.0, -3.0, -3.0, 3.0, 3.0, -1.0, -1.0, -1.0, 1.0])
    point = minimum(spec, start)
    assert point.index == 0
    answer = flatness.QUESTION.ask(
        landscape(spec, point), options=FlatnessOptions(samples=2000, sigma="0.1,3", temperature="0.01")
    )
    (found,) = answer.classes
    spectrum = point.spectrum
    assert found.trace == pytest.approx(spectrum.sum())
    for enclosure, value in (
        (found.trace_enclosure, spectrum.sum()),
        (found.max_enclosure, spectrum.max()),
        (found.log_det_enclosure, np.log(spectrum).sum()),
        (found.effective_enclosure, (spectrum / (spectrum + 2e-3)).sum()),
    ):
        assert enclosure is not None
        assert float(enclosure.lower) - 1e-9 <= value <= float(enclosure.upper) + 1e-9
        assert float(enclosure.upper) - float(enclosure.lower) < 1e-8
    assert found.effective_dimension == pytest.approx((spectrum / (spectrum + 2e-3)).sum())
    unit = point.theta @ point.theta / (spec.n_parameters * point.loss)
    assert found.scaled_max == pytest.approx(unit * spectrum.max())
    assert found.scaled_log_det == pytest.approx(np.log(unit * spectrum).sum())
    narrow, wide = found.local_entropy
    assert narrow.sampled is not None
    # Far out the weights hang on few samples: no number is given.
    assert wide.sampled is None
    assert wide.ess < 0.1
    assert found.training_errors == 0
    assert [e.r for e in found.local_energy] == [0.1, 0.3, 1.0]
    shares = [e.share for e in found.local_energy]
    assert shares == sorted(shares)
    assert found.minimum_margin is not None
    assert found.mean_stability is not None
    assert 0 < found.minimum_margin <= found.mean_stability
    assert "widest" in flatness.QUESTION.sentence(answer)
    assert set(flatness.QUESTION.figures(answer, landscape(spec, point))) == {"flatness", "flatness-spectra"}


def test_a_test_set_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "test.csv"
    file.write_text("x1,label\n1,1\n-2,1\n3,1\n-1,0\n")
    given = {"sigmas": (0.1,), "temperatures": (0.1,), "samples": 200, "height": 1e-3, "seed": 0}
    quiet = {"progress": lambda done, total: None}
    (found,) = measure(landscape(PLANE, POINT), test=str(file), **given, **quiet).classes
    assert found.test_error == 0.25
    file.write_text("x1,x2,label\n1,1,0\n")
    with pytest.raises(SpecError, match="2 columns of inputs"):
        measure(landscape(PLANE, POINT), test=str(file), **given, **quiet)
    file.write_text("x1,label\n1,5\n")
    with pytest.raises(SpecError, match="label 5"):
        measure(landscape(PLANE, POINT), test=str(file), **given, **quiet)


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1,,2", "nan", "inf"])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match="write positive numbers"):
        numbers("--sigma", text)


def test_pictures_show_every_spectrum_and_every_tested_minimum(tmp_path: Path) -> None:
    landscape = Landscape(spec=PLANE, points=(POINT,))
    (tmp_path / "test.csv").write_text("x1,label\n0.5,1\n-1,0\n-0.25,1\n")
    asked = symland.ask(
        landscape, "flatness", sigma="0.1", temperature="0.1", samples=500, test=str(tmp_path / "test.csv")
    )
    pictures = asked.figures()
    assert set(pictures) == {"flatness", "flatness-spectra", "flatness-test"}
    (line,) = pictures["flatness-spectra"].axes[0].lines
    assert sorted(line.get_ydata()) == pytest.approx(sorted(POINT.spectrum))
    assert line.get_xdata()[0] == pytest.approx(-np.log(POINT.spectrum).sum() / 2)
    (dots,) = pictures["flatness-test"].axes[0].lines
    assert dots.get_ydata().tolist() == [asked.answer.classes[0].test_error]
    assert dots.get_xdata().tolist() == [asked.answer.classes[0].local_entropy[0].sampled]
