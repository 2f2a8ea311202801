"""Data for `symland study --flip`: to which minimum does a triatomic cluster relax?

    python examples/triatomic.py FOLDER [SAMPLES] [SEED]

writes triatomic.toml, triatomic.csv and test.csv into FOLDER. Three atoms have the energy

    V = sum_{i<j} 4 (r_ij^-12 - r_ij^-6) + Z (1 + 3 cos a cos b cos c) / (r_12 r_13 r_23)^3

(Lennard-Jones and Axilrod-Teller, epsilon = sigma = 1, angles a, b, c of the triangle). For Z = 2 it has four minima:
the equilateral triangle, label 0, and three linear chains, label k where atom k is in the middle. Each sample is a
random geometry, relaxed by BFGS; the network sees r_12 and r_13 of the start and not r_23. Then

    symland study FOLDER/triatomic.toml --flip 0,0.1,0.5,1 --test FOLDER/test.csv -o FOLDER/study
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

STRENGTH = 2.0
"""Z of the three-body term."""

NEAREST, WIDTH = 0.8, 2.0
"""Least distance of two atoms at the start, and the side of the square in which they are drawn."""

SHAPE = 0.01
"""Relative error up to which a relaxed cluster is an equilateral triangle or a straight chain."""

SPEC = """\
name = "triatomic"

[network]
hidden = [10]
outputs = 4

[data]
csv = "triatomic.csv"

[loss]
kind = "softmax"
penalty = "1e-4"
"""


def distances(x: Array) -> Array:
    """r_12, r_13, r_23 of three points of the plane (6,)."""
    a, b, c = x.reshape(3, 2)
    return np.array([np.linalg.norm(a - b), np.linalg.norm(a - c), np.linalg.norm(b - c)])


def energy(x: Array) -> float:
    """V of three points of the plane (6,)."""
    r = distances(x)
    # The law of cosines gives each angle's cosine from the three sides.
    p, q, s = r**2
    cosines = (p + q - s) * (p + s - q) * (q + s - p) / (8 * p * q * s)
    pairs = 4 * np.sum(r**-12.0 - r**-6.0)
    return float(pairs + STRENGTH * (1 + 3 * cosines) / np.prod(r) ** 3)


def label(x: Array) -> int | None:
    """0 for the triangle, k for the chain with atom k in the middle, None for neither."""
    r = distances(x)
    longest = int(np.argmax(r))
    if r.max() <= (1 + SHAPE) * r.min():
        return 0
    if r.max() >= (1 - SHAPE) * (r.sum() - r.max()) and r.max() < 2 * WIDTH:
        return 3 - longest
    return None


def sample(draw: np.random.Generator) -> tuple[float, float, int]:
    """r_12 and r_13 of a random start, and where it relaxes to."""
    while True:
        start = draw.uniform(0, WIDTH, size=6)
        r = distances(start)
        if r.min() < NEAREST:
            continue
        found = label(minimize(energy, start, method="BFGS", options={"gtol": 1e-6}).x)
        if found is not None:
            return float(r[0]), float(r[1]), found


def table(draw: np.random.Generator, samples: int) -> str:
    """CSV text of so many samples; the distances have four decimal places, exactly."""
    rows = (sample(draw) for _ in range(samples))
    return "r12,r13,label\n" + "".join(f"{a:.4f},{b:.4f},{k}\n" for a, b, k in rows)


def main(folder: Path, samples: int = 1000, seed: int = 0) -> None:
    """Write the training data, as many test data, and the specification."""
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("triatomic.csv", "test.csv"):
        (folder / name).write_text(table(draw, samples), encoding="utf-8")
    (folder / "triatomic.toml").write_text(SPEC, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
