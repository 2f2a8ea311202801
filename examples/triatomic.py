"""Data for `symland study --flip`: to which minimum does a triatomic cluster relax?

    python examples/triatomic.py FOLDER [SAMPLES] [SEED]

writes triatomic.toml, triatomic.csv and test.csv into FOLDER. Three atoms have the energy

    V = sum_{i<j} 4 (r_ij^-12 - r_ij^-6) + Z (1 + 3 cos a cos b cos c) / (r_12 r_13 r_23)^3

(Lennard-Jones and Axilrod-Teller, epsilon = sigma = 1, angles a, b, c of the triangle). For Z = 2 it has four minima:
the equilateral triangle, label 0, and three linear chains, label k where atom k is in the middle. Each sample is a
random geometry that goes down by steepest descent, dx/dt = -grad V, all samples at once: its label depends on no
optimiser. The network sees r_12 and r_13 of the start and not r_23. Then, in FOLDER,

    symland study triatomic.toml --flip 0,0.1,0.5,1 --max-index 1 --test test.csv --budget 1h --workers 2 -o study

explores minima and transition states for four shares of wrong labels, an hour in all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

STRENGTH = 2.0
"""Z of the three-body term."""

NEAREST, WIDTH = 0.8, 2.0
"""Least distance of two atoms at the start, and the side of the square in which they are drawn."""

ERROR = 1e-6
"""Largest error of one step, in units of the distances."""

FIRST_STEP = 1e-6
"""First step in t."""

MOST_STEPS = 5_000
"""Steps of a relaxation; one that needs more is not used."""

FORCE = 1e-3
"""Largest component of the gradient at the end of a relaxation."""

SHAPE = 0.01
"""Relative error up to which a relaxed cluster is an equilateral triangle or a straight chain."""

NEITHER = -1
"""The label of what is no minimum."""

PAIRS = ((0, 1), (0, 2), (1, 2))
"""Atoms of r_12, r_13 and r_23."""

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
    """r_12, r_13, r_23 (n, 3) of three points of the plane each (n, 6)."""
    atoms = x.reshape(-1, 3, 2)
    return np.stack([np.hypot(*(atoms[:, i] - atoms[:, j]).T) for i, j in PAIRS], axis=1)


def energies(x: Array) -> tuple[Array, Array]:
    """V (n,) and its gradient (n, 6) at three points of the plane each (n, 6)."""
    atoms = x.reshape(-1, 3, 2)
    r = distances(x)
    # With s = r^2 the law of cosines gives cos a cos b cos c = A B C / (8 s_1 s_2 s_3), A = s_2 + s_3 - s_1 and so on.
    s = r * r
    sides = s.sum(axis=1, keepdims=True) - 2 * s
    inverse = 1 / s
    three = STRENGTH * np.prod(inverse, axis=1) ** 1.5
    cosines = np.prod(sides, axis=1) * np.prod(inverse, axis=1) / 8
    power = inverse**3
    value = 4 * np.sum(power * power - power, axis=1) + three * (1 + 3 * cosines)
    # d(A B C)/ds_k = -B C + A C + A B for k = 1: the sum of the products of two less twice the one without A.
    a, b, c = sides.T
    products = np.stack([b * c, a * c, a * b], axis=1)
    of_sides = products.sum(axis=1, keepdims=True) - 2 * products
    slope = 4 * (-6 * power * power + 3 * power) * inverse
    slope += three[:, None] * (
        3 * of_sides * np.prod(inverse, axis=1)[:, None] / 8 - (1.5 + 7.5 * cosines[:, None]) * inverse
    )
    gradient = np.zeros_like(atoms)
    for k, (i, j) in enumerate(PAIRS):
        force = 2 * slope[:, k, None] * (atoms[:, i] - atoms[:, j])
        gradient[:, i] += force
        gradient[:, j] -= force
    return value, gradient.reshape(-1, 6)


def relaxed(start: Array) -> Array:
    """Where steepest descent leads from each start (n, 6); nan where it does not end.

    dx/dt = -grad V by Runge and Kutta's method of order 3 with an estimate of order 2 (Bogacki and Shampine 1989), each
    sample with a step of its own.
    """
    found, going, x = np.full_like(start, np.nan), np.arange(len(start)), start.copy()
    first, step = -energies(x)[1], np.full(len(start), FIRST_STEP)
    for _ in range(MOST_STEPS):
        ended = np.abs(first).max(axis=1) < FORCE
        found[going[ended]] = x[ended]
        going, x, first, step = (part[~ended] for part in (going, x, first, step))
        if not len(going):
            break
        h = step[:, None]
        second = -energies(x + h / 2 * first)[1]
        third = -energies(x + 3 * h / 4 * second)[1]
        trial = x + h * (2 * first + 3 * second + 4 * third) / 9
        last = -energies(trial)[1]
        error = np.abs(h * (-5 * first / 72 + second / 12 + third / 9 - last / 8)).max(axis=1)
        good = error <= ERROR
        x[good], first[good] = trial[good], last[good]
        step *= np.clip(0.9 * (ERROR / np.maximum(error, 1e-300)) ** (1 / 3), 0.2, 5.0)
    return found


def labels(x: Array) -> Labels:
    """0 for the triangle, k for the chain with atom k in the middle, `NEITHER` for neither."""
    r = distances(x)
    longest = r.max(axis=1)
    triangle = longest <= (1 + SHAPE) * r.min(axis=1)
    chain = (longest >= (1 - SHAPE) * (r.sum(axis=1) - longest)) & (longest < 2 * WIDTH)
    return np.where(triangle, 0, np.where(chain, 3 - np.argmax(np.nan_to_num(r), axis=1), NEITHER))


def samples(draw: np.random.Generator, count: int) -> tuple[Array, Labels]:
    """r_12 and r_13 (count, 2) of random starts, and where they relax to."""
    found: list[tuple[Array, Labels]] = []
    have = 0
    while have < count:
        start = draw.uniform(0, WIDTH, size=(2 * count, 6))
        start = start[distances(start).min(axis=1) >= NEAREST]
        ends = labels(relaxed(start))
        used = ends != NEITHER
        found.append((distances(start)[used, :2], ends[used]))
        have += int(used.sum())
    near, ends = (np.concatenate(part)[:count] for part in zip(*found, strict=True))
    return near, ends


def table(draw: np.random.Generator, count: int) -> str:
    """CSV text of so many samples; the distances have four decimal places, exactly."""
    rows = zip(*samples(draw, count), strict=True)
    return "r12,r13,label\n" + "".join(f"{a:.4f},{b:.4f},{k}\n" for (a, b), k in rows)


def main(folder: Path, count: int = 1000, seed: int = 0) -> None:
    """Write the training data, as many test data, and the specification."""
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("triatomic.csv", "test.csv"):
        (folder / name).write_text(table(draw, count), encoding="utf-8")
    (folder / "triatomic.toml").write_text(SPEC, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
