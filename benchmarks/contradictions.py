"""A million random (landscape, point, box) triples: does a Newton iteration of 200 digits contradict a certificate?

Run `python -m benchmarks.contradictions [--triples 1000000] [--seed 0]`; exit status 1 on a contradiction.

Each landscape has random targets, inputs, widths (one to three hidden layers), activation, loss and penalty. Its
stationary points are refined by Newton's method in mpmath, with the gradient of the loss written out here. A triple is
a point at a random distance from one of them and the box that a certificate draws: that of the float64 test for every
triple, that of Arb for some, and for those also a box of random size that is claimed to hold one zero. A certificate is
contradicted if its inclusion cube does not hold a zero of 200 digits, if its uniqueness cube holds another, or if its
index is another.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import arb
from mpmath import mp, mpf
from numpy.typing import NDArray

from benchmarks.fast import FastCertificates, certify_fast
from symland.datasets import Dataset
from symland.program.balls import working_precision
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Verdict
from symland.rigor.certify import certify
from symland.rigor.krawczyk import contraction, contracts, cube, hessian_over, preconditioned_midpoint
from symland.spec import LandscapeSpec, Loss

DIGITS = 200
LANDSCAPE = 5_000
"""Triples of one landscape."""

STARTS = 60
STEPS = 80
"""Starts, and damped steps in float64, of the search for stationary points of one landscape."""

SLOW = 10
"""Triples of one landscape that Arb decides too."""

IntArray = NDArray[np.intp]
Rows = list[list[mpf]]

ROUNDING = mpf(10) ** (-DIGITS + 20)


def _logistic(z: Any) -> Any:
    return 1 / (1 + mp.exp(-z))


ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (mp.tanh, lambda z: 1 / mp.cosh(z) ** 2),
    "sigmoid": (_logistic, lambda z: _logistic(z) * _logistic(-z)),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), _logistic),
    "sin": (mp.sin, mp.cos),
    "z*sigmoid(z)": (lambda z: z * _logistic(z), lambda z: _logistic(z) * (1 + z * _logistic(-z))),
}
"""sigma and sigma' of mpmath numbers, real or complex."""


class Plain:
    """The loss of a layered network, its gradient by backpropagation, and its Hessian from complex steps.

    With a = sigma(s), s = W a' + b in every layer and the error e = dl/dz of the outputs: dl/dW = e a'^T, dl/db = e and
    e' = sigma'(s') * (W^T e). A step i h in one parameter gives a column of the Hessian, Im grad(theta + i h e_k) / h,
    with an error of h^2. The order of parameters is W_1, W_2, ..., b_1, b_2, ..., each row by row.
    """

    def __init__(
        self, widths: tuple[int, ...], activation: str, loss: Loss, inputs: Rows, targets: list[Any], penalty: mpf
    ) -> None:
        self.widths, self.loss, self.inputs, self.targets, self.penalty = widths, loss, inputs, targets, penalty
        self.sigma, self.slope = ACTIVATIONS[activation]
        shapes = list(pairwise(widths))
        self.weights = [sum(m * n for m, n in shapes[:k]) for k in range(len(shapes) + 1)]
        self.biases = [self.weights[-1] + sum(widths[1 : k + 1]) for k in range(len(shapes))]
        self.size = self.weights[-1] + sum(widths[1:])

    def gradient(self, theta: list[Any]) -> list[Any]:
        """dE/dtheta."""
        total = [2 * self.penalty * t for t in theta]
        layers = list(enumerate(pairwise(self.widths)))
        for x, target in zip(self.inputs, self.targets, strict=True):
            sums, values = list[list[Any]](), [list[Any](x)]
            for k, (n_in, n_out) in layers:
                start, bias, below = self.weights[k], self.biases[k], values[-1]
                sums.append(
                    [
                        theta[bias + i] + mp.fsum(theta[start + i * n_in + j] * below[j] for j in range(n_in))
                        for i in range(n_out)
                    ]
                )
                values.append([self.sigma(s) for s in sums[-1]])
            error = self._error(sums[-1], target)
            for k, (n_in, n_out) in reversed(layers):
                start, bias, below = self.weights[k], self.biases[k], values[k]
                for i in range(n_out):
                    total[bias + i] += error[i] / len(self.inputs)
                    for j in range(n_in):
                        total[start + i * n_in + j] += error[i] * below[j] / len(self.inputs)
                if k:
                    error = [
                        self.slope(sums[k - 1][j])
                        * mp.fsum(theta[start + i * n_in + j] * error[i] for i in range(n_out))
                        for j in range(n_in)
                    ]
        return total

    def _error(self, z: list[Any], target: Any) -> list[Any]:
        """dl/dz of one sample."""
        if self.loss is Loss.SQUARED:
            return [2 * (a - y) for a, y in zip(z, target, strict=True)]
        if self.loss is Loss.LOGISTIC:
            return [_logistic(z[0]) - target]
        top = max(mp.re(a) for a in z)
        parts = [mp.exp(a - top) for a in z]
        return [part / mp.fsum(parts) - (i == target) for i, part in enumerate(parts)]

    def derivatives(self, theta: list[mpf]) -> tuple[mp.matrix, mp.matrix]:
        """Gradient and Hessian."""
        hessian, h = mp.matrix(self.size, self.size), mpf(10) ** (-mp.dps)
        for k in range(self.size):
            moved = [t + mp.mpc(0, h) if m == k else t for m, t in enumerate(theta)]
            for m, g in enumerate(self.gradient(moved)):
                hessian[m, k] = mp.im(g) / h
        return mp.matrix(self.gradient(theta)), (hessian + hessian.T) / 2

    def newton(self, start: list[float] | list[mpf]) -> list[mpf] | None:
        """The zero that Newton's method goes to, to 200 digits; None if it goes astray."""
        theta, digits = [mpf(t) for t in start], 20
        for _ in range(40):
            with mp.workdps(digits + 15):
                gradient, hessian = self.derivatives(theta)
                try:
                    step = mp.lu_solve(hessian, gradient)
                except ZeroDivisionError:
                    return None
                length = max(abs(s) for s in step)
                if not mp.isfinite(length) or length > 100:
                    return None
                theta = [t - s for t, s in zip(theta, step, strict=True)]
            if length < mpf(10) ** (-digits // 2):
                if digits > DIGITS:
                    return theta
                digits = min(2 * digits, DIGITS + 5)
        return None

    def index(self, theta: list[mpf]) -> int:
        """Negative eigenvalues of the Hessian."""
        with mp.workdps(40):
            return sum(value < 0 for value in mp.eigsy(self.derivatives(theta)[1], eigvals_only=True))


def landscape(rng: np.random.Generator) -> tuple[LandscapeSpec, Plain]:
    """A random one, for the code under test and for the oracle."""
    activation, loss = str(rng.choice(list(ACTIVATIONS))), Loss(str(rng.choice([kind.value for kind in Loss])))
    hidden = ((1,), (2,), (3,), (2, 2), (1, 2), (2, 1, 2))[int(rng.integers(6))]
    outputs = 1 if loss is Loss.LOGISTIC else int(rng.integers(1, 3)) if loss is Loss.SQUARED else 2
    n_inputs, samples = int(rng.integers(1, 3)), int(rng.integers(2, 6))

    def rationals(rows: int, columns: int) -> list[list[Fraction]]:
        tops, bottoms = rng.integers(-6, 7, (rows, columns)), rng.integers(1, 5, (rows, columns))
        return [
            [Fraction(int(t), int(b)) for t, b in zip(*pair, strict=True)] for pair in zip(tops, bottoms, strict=True)
        ]

    inputs, labels = rationals(samples, n_inputs), [int(y) for y in rng.integers(0, 2, samples)]
    if rng.random() < 0.3:
        low = int(rng.choice((0, -1)))
        inputs, labels = [[Fraction(a), Fraction(b)] for a in (low, 1) for b in (low, 1)], [0, 1, 1, 0]
    values = rationals(len(inputs), outputs) if loss is Loss.SQUARED else []
    penalty = Fraction(int(rng.integers(1, 1000)), int(10 ** rng.integers(3, 6)))
    data = Dataset(
        name="random",
        inputs=tuple(map(tuple, inputs)),
        labels=() if values else tuple(labels),
        values=tuple(map(tuple, values)),
    )
    spec = LandscapeSpec(
        name="random", hidden=hidden, activation=activation, loss=loss, penalty=penalty, data=data, outputs=outputs
    )

    def exact(rows: list[list[Fraction]]) -> Rows:
        return [[mpf(x.numerator) / x.denominator for x in row] for row in rows]

    of_mp = mpf(penalty.numerator) / penalty.denominator
    return spec, Plain(spec.widths, activation, loss, exact(inputs), exact(values) or labels, of_mp)


Zero = tuple[list[mpf], int]
"""A stationary point and its index."""


def zeros_of(spec: LandscapeSpec, plain: Plain, rng: np.random.Generator) -> list[Zero]:
    """Stationary points: the one next to the origin, and those that damped Newton steps find from random starts."""
    program = build_program(spec)
    theta = np.vstack((np.zeros(plain.size), rng.normal(size=(STARTS, plain.size)) * rng.choice((0.5, 2.0, 6.0))))
    for _ in range(STEPS):
        _, gradient, hessian = evaluate(program, theta)
        step = np.linalg.solve(hessian + 1e-14 * np.eye(plain.size), gradient[..., None])[..., 0]
        theta = theta - step * np.minimum(1.0, 0.5 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-300))
    value, gradient, _ = evaluate(program, theta)
    good = np.abs(gradient).max(axis=1) < 1e-10
    _, first = np.unique(np.round(value[good], 9), return_index=True)
    zeros: list[Zero] = []
    for start in theta[good][first]:
        zero = plain.newton(start.tolist())
        if zero is not None:
            zeros.append((zero, plain.index(zero)))
    return zeros


def _far(a: list[mpf], b: list[mpf]) -> mpf:
    return max(abs(s - t) for s, t in zip(a, b, strict=True))


def _holds(centre: list[mpf], inner: mpf, outer: mpf, index: int, zeros: list[Zero]) -> str:
    """What contradicts a certificate, given some zeros; empty if one of them lies in the small cube, and no other in
    the large one. `missing` if none lies in the small one."""
    inside = [(zero, k) for zero, k in zeros if _far(zero, centre) <= outer - ROUNDING]
    if len(inside) > 1:
        return "two zeros in the cube of uniqueness"
    small = [k for zero, k in zeros if _far(zero, centre) <= inner + ROUNDING]
    if inside and not small:
        return "the zero in the cube of uniqueness lies outside the inclusion cube"
    if not small:
        return "missing"
    return "" if small[0] == index else f"index {small[0]}, not {index}"


def judge(plain: Plain, centre: list[mpf], inner: mpf, outer: mpf, index: int, zeros: list[Zero]) -> str:
    """As `_holds`; where no known zero is near, Newton's method looks for one from the centre, which joins the list."""
    verdict = _holds(centre, inner, outer, index, zeros)
    if verdict != "missing":
        return verdict
    zero = plain.newton(centre)
    if zero is None:
        return "no zero is found from the centre"
    if all(_far(zero, other) > mpf(10) ** -30 for other, _ in zeros):
        zeros.append((zero, plain.index(zero)))
    return _holds(centre, inner, outer, index, zeros)


def unclear(fast: FastCertificates, decided: IntArray, zeros: list[Zero]) -> IntArray:
    """Those of the certificates `decided` for which float64 does not show that exactly one zero lies in both cubes,
    and that its index is right. A zero is taken as the sum of two floats, so that distances keep their digits."""
    high = np.array([[float(t) for t in zero] for zero, _ in zeros])
    low = np.array([[float(t - float(t)) for t in zero] for zero, _ in zeros])
    index = np.array([k for _, k in zeros])
    away = np.stack([np.abs((fast.theta[decided] - h) - l).max(axis=1) for h, l in zip(high, low, strict=True)], 1)
    slack = 1e-14 * away + 1e-28
    within = away + slack <= fast.inclusion_radius[decided, None]
    near = away - slack <= fast.uniqueness_radius[decided, None]
    clear = (within.sum(axis=1) == 1) & (near.sum(axis=1) == 1)
    return decided[~(clear & (index[away.argmin(axis=1)] == fast.index[decided]))]


def one_landscape(rng: np.random.Generator, count: Counter[str]) -> list[str]:
    """Contradictions among the triples of one random landscape."""
    spec, plain = landscape(rng)
    zeros = zeros_of(spec, plain, rng)
    if not zeros:
        return []
    near = np.array([[float(t) for t in zero] for zero, _ in zeros])
    which = rng.integers(len(zeros), size=LANDSCAPE)
    points = near[which] + 10.0 ** rng.uniform(-16, 0.5, LANDSCAPE)[:, None] * rng.normal(size=near[which].shape)
    count["triples"] += LANDSCAPE
    count["landscapes"] += 1
    wrong = []
    fast, left = None, np.array([], dtype=np.intp)
    if spec.activation != "sin":  # float64 has no enclosure of it
        fast = certify_fast(spec, points)
        left = np.flatnonzero(fast.decided)
    count["accepted in float64"] += len(left)
    # Each certificate about a zero that is not listed yet adds it to the list, which may make others clear.
    while fast is not None and len(left := unclear(fast, left, zeros)):
        i, left = left[0], left[1:]
        radii = mpf(float(fast.inclusion_radius[i])), mpf(float(fast.uniqueness_radius[i]))
        count["of these compared in 200 digits"] += 1
        if said := judge(plain, [mpf(float(t)) for t in fast.theta[i]], *radii, int(fast.index[i]), zeros):
            wrong.append(f"float64: {said}: {spec.canonical()} {points[i].tolist()}")
    for i in rng.integers(LANDSCAPE, size=SLOW):
        made = certify(spec, points[i].tolist(), max_bits=256)
        if made.verdict is Verdict.CERTIFIED:
            assert made.index is not None
            assert made.inclusion_radius is not None
            assert made.uniqueness_radius is not None
            count["accepted by Arb"] += 1
            radii = mpf(made.inclusion_radius), mpf(made.uniqueness_radius)
            if said := judge(plain, [mpf(t) for t in made.midpoint], *radii, made.index, zeros):
                wrong.append(f"Arb: {said}: {spec.canonical()} {points[i].tolist()}")
        wrong += random_box(spec, plain, points[i], float(10.0 ** rng.uniform(-12, 0)), zeros, count)
    count["zeros"] += len(zeros)
    return wrong


def random_box(
    spec: LandscapeSpec,
    plain: Plain,
    point: np.ndarray,
    radius: float,
    zeros: list[Zero],
    count: Counter[str],
) -> list[str]:
    """Krawczyk's test on a box of any size around any point."""
    with working_precision(128):
        balls = [arb(float(t)) for t in point]
        middle = preconditioned_midpoint(spec, balls, 128)
        if middle is None:
            return []
        slope = contraction(middle.inverse, hessian_over(spec, cube(balls, arb(radius))))
        count["random boxes"] += 1
        if not contracts(middle.shift, slope, arb(radius)):
            return []
    count["random boxes accepted"] += 1
    centre, size = [mpf(float(t)) for t in point], mpf(radius)
    inside = sum(_far(zero, centre) <= size - ROUNDING for zero, _ in zeros)
    if inside > 1:
        return [f"box: {inside} zeros: {spec.canonical()} {point.tolist()} {radius}"]
    if not inside:
        zero = plain.newton(centre)
        if zero is None or _far(zero, centre) > size:
            return [f"box: no zero: {spec.canonical()} {point.tolist()} {radius}"]
    return []


def main() -> int:
    """Count contradictions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triples", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, count, wrong = np.random.default_rng(options.seed), Counter[str](), list[str]()
    mp.dps = DIGITS + 30
    start = time.process_time()
    while count["triples"] < options.triples:
        found = one_landscape(rng, count)
        wrong += found
        for line in found:
            print("CONTRADICTION", line, flush=True)
        if count["triples"] % 100_000 < LANDSCAPE:
            print(dict(count), f"{len(wrong)} contradictions, {time.process_time() - start:.0f} s", flush=True)
    print(dict(count), f"{len(wrong)} contradictions, {time.process_time() - start:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
