"""The example of a triatomic cluster: its minima, by minimising over one distance, and the files that it writes."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from symland.spec import load_spec

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "triatomic.py"))


def pair(r: float) -> float:
    return float(4 * (r**-12 - r**-6))


def triangle(r: float) -> float:
    return 3 * pair(r) + 2 * (1 + 3 / 8) / r**9


def chain(r: float) -> float:
    return 2 * pair(r) + pair(2 * r) - 4 / (2 * r**3) ** 3


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
    found = minimize(SCRIPT["energy"], np.array(start, dtype=float))
    assert SCRIPT["label"](found.x) == label
    assert found.fun == pytest.approx(minimize_scalar(one_distance, bounds=(1, 1.3), method="bounded").fun, abs=1e-8)


def test_the_files_are_a_question_with_74_parameters_and_depend_on_the_seed_alone(tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        SCRIPT["main"](tmp_path / folder, 12, seed)
    texts = [(tmp_path / folder / "triatomic.csv").read_text() for folder in "abc"]
    assert texts[0] == texts[1] != texts[2]
    spec = load_spec(tmp_path / "a" / "triatomic.toml")
    assert (spec.n_parameters, spec.n_samples, spec.n_outputs) == (74, 12, 4)
