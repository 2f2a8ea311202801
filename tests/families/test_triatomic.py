"""The example of a triatomic cluster: its energy, its minima, where steepest descent leads, and the files it writes."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

from symland.spec import load_spec

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "triatomic.py"))


def pair(r: float) -> float:
    return float(4 * (r**-12 - r**-6))


def triangle(r: float) -> float:
    return 3 * pair(r) + 2 * (1 + 3 / 8) / r**9


def chain(r: float) -> float:
    return 2 * pair(r) + pair(2 * r) - 4 / (2 * r**3) ** 3


def written_out(x: np.ndarray) -> float:
    """V from vectors and angles."""
    a, b, c = x.reshape(3, 2)
    sides = [np.linalg.norm(v) for v in (a - b, a - c, b - c)]
    cosines = 1.0
    for here, one, two in ((a, b, c), (b, a, c), (c, a, b)):
        cosines *= (one - here) @ (two - here) / np.linalg.norm(one - here) / np.linalg.norm(two - here)
    return float(sum(map(pair, sides)) + 2 * (1 + 3 * cosines) / np.prod(sides) ** 3)


def starts(count: int) -> np.ndarray:
    x = np.random.default_rng(5).uniform(0, 2, size=(20 * count, 6))
    return x[SCRIPT["distances"](x).min(axis=1) >= 0.8][:count]


def test_the_energy_is_that_of_vectors_and_angles_and_the_gradient_its_slope():
    x, step = starts(20), 1e-5
    value, gradient = SCRIPT["energies"](x)
    assert value == pytest.approx([written_out(row) for row in x], rel=1e-12)
    for row, slope in zip(x, gradient, strict=True):
        found = [(written_out(row + step * e) - written_out(row - step * e)) / (2 * step) for e in np.eye(6)]
        assert slope == pytest.approx(found, abs=1e-6 * (1 + np.abs(slope).max()))


@pytest.mark.parametrize(
    ("start", "label", "one_distance"),
    [
        ([0, 0, 1.1, 0, 0.55, 0.95], 0, triangle),
        ([1.1, 0.01, 0, 0, 2.2, 0], 1, chain),
        ([0, 0, 1.1, 0.01, 2.2, 0], 2, chain),
        ([0, 0, 2.2, 0, 1.1, 0.01], 3, chain),
    ],
)
def test_a_cluster_relaxes_to_the_minimum_that_its_label_says(start, label, one_distance):
    found = SCRIPT["relaxed"](np.array([start], dtype=float))
    assert SCRIPT["labels"](found).tolist() == [label]
    least = minimize_scalar(one_distance, bounds=(1, 1.3), method="bounded").fun
    assert written_out(found[0]) == pytest.approx(least, abs=1e-6)


def test_labels_are_where_an_integrator_of_stiff_equations_follows_steepest_descent_to():
    x = starts(12)
    ends = []
    for row in x:
        path = solve_ivp(lambda t, y: -SCRIPT["energies"](y[None])[1][0], (0, 40), row, method="LSODA", rtol=1e-7)
        ends.append(path.y[:, -1])
    assert len(set(SCRIPT["labels"](np.array(ends)).tolist())) > 2
    assert SCRIPT["labels"](SCRIPT["relaxed"](x)).tolist() == SCRIPT["labels"](np.array(ends)).tolist()


def test_the_files_are_a_question_with_74_parameters_and_depend_on_the_seed_alone(tmp_path):
    for folder in "ab":
        SCRIPT["main"](tmp_path / folder, 12, 1)
    texts = [[(tmp_path / f / name).read_text() for name in ("triatomic.csv", "test.csv")] for f in "ab"]
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[0][1]
    assert texts[0][0] != SCRIPT["table"](np.random.default_rng(2), 12)
    spec = load_spec(tmp_path / "a" / "triatomic.toml")
    assert (spec.n_parameters, spec.n_samples, spec.n_outputs) == (74, 12, 4)
