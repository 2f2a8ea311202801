"""The checker beside the maker of certificates, and eigenvectors in lanes beside LAPACK's.

Run `python -m benchmarks.checking [--hidden 8 16 32] [--digits 0 50] [--orders 7 12 17 22 27] [--rounds 3]`: two
Markdown tables. Points are certified as float64 has them (digits 0), and refined. The contestants take turns; each
number is the median of the rounds, in CPU time of one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from itertools import product
from statistics import median

import numpy as np

from symland.explore.following import follow
from symland.explore.newton import newton
from symland.explore.starts import free_space
from symland.kernels import compile_kernel
from symland.machine.eigensteps import following_steps
from symland.records import FloatArray, Verdict
from symland.rigor.certify import certify
from symland.rigor.check import check_certificate
from symland.rigor.refine import refine
from symland.spec import LandscapeSpec, load_spec
from symland.symbolic.symmetry import find_symmetry

MATRICES = 208
"""Matrices of one call: 26 strips."""


def far_point(hidden: int) -> tuple[LandscapeSpec, list[float]]:
    """XOR at lambda = 1e-2, and of what twelve searches find the stationary point with the largest parameter."""
    spec = load_spec("xor", hidden=(hidden,), penalty="1e-2")
    space = free_space(compile_kernel(spec), find_symmetry(spec))
    starts = np.random.default_rng(0).normal(size=(12, space.n_parameters))
    ends, arrived = follow(space, starts, np.arange(12) % 3)
    ends, converged = newton(space, ends[arrived])
    points = space.lift(ends[converged])
    return spec, [float(t) for t in points[np.abs(points).max(axis=1).argmax()]]


def seconds(rounds: int, contestants: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU seconds of each contestant, in turns, after one turn that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            if turn:
                taken[name].append(time.process_time() - start)
    return {name: median(times) for name, times in taken.items()}


def by_lapack(gradients: FloatArray, hessians: FloatArray, climbed: FloatArray) -> FloatArray:
    """The steps of eigenvector following with LAPACK's eigenvectors."""
    values, vectors = np.linalg.eigh(hessians)
    along = np.einsum("nij,ni->nj", vectors, gradients)
    move = -2.0 * along / (np.abs(values) + np.sqrt(values**2 + 4.0 * along**2))
    move = np.where(np.arange(len(values[0])) < climbed[:, None], -move, move)
    move *= np.minimum(1.0, 1.0 / np.linalg.norm(move, axis=1, keepdims=True))
    return np.einsum("nij,nj->ni", vectors, move)


def main() -> int:
    """Print the tables; exit status 1 if a certificate is not accepted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", nargs="*", type=int, default=(8, 16, 32))
    parser.add_argument("--digits", nargs="*", type=int, default=(0, 50))
    parser.add_argument("--orders", nargs="*", type=int, default=(7, 12, 17, 22, 27))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    good = True
    print("| N_h | digits of the point | certify, ms | check, ms | check / certify |\n|---|---|---|---|---|")
    for hidden, digits in product(options.hidden, options.digits):
        spec, theta = far_point(hidden)
        point = refine(spec, theta, digits) if digits else theta
        text = certify(spec, point).to_json()
        good &= check_certificate(text).verdict is Verdict.CERTIFIED
        took = seconds(
            options.rounds,
            {"certify": lambda s=spec, t=point: certify(s, t), "check": lambda t=text: check_certificate(t)},
        )
        ratio = took["check"] / took["certify"]
        times = f"{1e3 * took['certify']:.0f} | {1e3 * took['check']:.0f} | {ratio:.2f}"
        print(f"| {hidden} | {digits or 'float64'} | {times} |", flush=True)
    print("\n| dimensions | LAPACK, us a step | lanes, us a step | LAPACK / lanes |\n|---|---|---|---|")
    rng = np.random.default_rng(0)
    for order in options.orders:
        hessians = rng.normal(size=(MATRICES, order, order))
        hessians = hessians + hessians.swapaxes(1, 2)
        gradients, climbed = rng.normal(size=(MATRICES, order)), rng.integers(order, size=MATRICES)
        took = seconds(
            5 * options.rounds,
            {
                "LAPACK": lambda g=gradients, h=hessians, k=climbed: by_lapack(g, h, k),
                "lanes": lambda g=gradients, h=hessians, k=climbed: following_steps(g, h, k, 1.0),
            },
        )
        lapack, lanes = (1e6 * took[name] / MATRICES for name in ("LAPACK", "lanes"))
        print(f"| {order} | {lapack:.1f} | {lanes:.1f} | {lapack / lanes:.1f} |", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
