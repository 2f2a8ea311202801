"""Known stationary points: Arb proves each and a box in which it is the only one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
from flint import arb, arb_mat, ctx

from symland.errors import CertificateError
from symland.records import FloatArray, read_only
from symland.rigor.enumeration.problem import Automorphism, Doubles, ReducedProblem
from symland.rigor.matrices import approximate_inverse, approximate_solution, identity

PRECISION = 128
"""Bits of the Arb arithmetic here."""
NOBODY = -1
"""In place of a known point: none holds it."""
LARGEST_RADIUS = 2.0**-3
"""First radius (weights) that the uniqueness test tries; it halves until the test passes."""
SMALLEST_RADIUS = 2.0**-40
"""Radius (weights) below which a point is given up as not proved."""
EXISTENCE_RADIUS = 2.0**-40
"""Radius (weights) of the box that tells two points apart."""
FARTHEST_POLISH = 1e-2
"""Distance (weights) that polishing may move a point; beyond it the point given was another one, or none."""
NEWTON_STEPS = 12
"""Newton steps from the given double to the centre of the box."""


@dataclass(frozen=True, kw_only=True)
class KnownClass:
    """A proved stationary point, in reduced variables.

    Attributes
    ----------
    centre : (N, m + 1) rows (U, v) with v >= 0, exact doubles.
    bias : gamma at the centre.
    radius : the point is the only solution within this distance in every coordinate.
    number : its place in the list that was given.
    """

    centre: FloatArray
    bias: float
    radius: float
    number: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", read_only(self.centre, 2))
        if not 0.0 < self.radius <= LARGEST_RADIUS:
            raise CertificateError(
                f"uniqueness radius {self.radius} is outside (0, {LARGEST_RADIUS}]; certify the point again"
            )


def reduce_theta(problem: ReducedProblem, theta: npt.ArrayLike) -> tuple[Doubles, float]:
    """Reduced variables (N, m + 1), gamma of parameters in the order W1, W2, b, c."""
    n, k = problem.nodes, problem.inputs - 1
    vector = np.asarray(theta, dtype=np.float64)
    if vector.shape != (n * k + 2 * n + n + 2,):
        raise CertificateError(
            f"theta has shape {vector.shape}, this network has {n * k + 3 * n + 2} parameters; give those"
        )
    first, second = vector[: n * k].reshape(n, k), vector[n * k : n * k + 2 * n].reshape(2, n)
    third, last = vector[n * k + 2 * n : n * k + 3 * n], vector[-2:]
    return _upright(np.column_stack([first, third, second[1] - second[0]])), float(last[1] - last[0])


def _upright(states: Doubles) -> Doubles:
    """Flip nodes so that v >= 0."""
    flipped: Doubles = np.where(states[:, -1:] < 0.0, -states, states)
    return flipped


def image(element: Automorphism, states: Doubles, bias: float) -> tuple[Doubles, float]:
    """The image of a solution under a data automorphism: U'_k = sign_k U_{place_k}, v' = sign v, gamma' = sign
    gamma."""
    moved = states.copy()
    for k, (place, sign) in enumerate(zip(element.places, element.signs, strict=True)):
        moved[:, k] = sign * states[:, place]
    moved[:, -1] = element.sign * states[:, -1]
    return _upright(moved), element.sign * bias


def kappa_ball(problem: ReducedProblem) -> arb:
    """kappa = 1 / (lambda D); over a slab a ball that holds all of them."""
    largest = arb(problem.scale.numerator) / problem.scale.denominator
    if problem.upper is None:
        return largest
    least = 1 / (problem.upper * problem.samples)
    return largest.union(arb(least.numerator) / least.denominator)


def system(problem: ReducedProblem, z: Sequence[arb]) -> tuple[list[arb], list[list[arb]]]:
    """F and its Jacobian at (U_1, v_1, ..., U_N, v_N, gamma), over Arb balls.

    F = (2 U_j - v_j sum_d P_d sech^2(a_jd) x_d, v_j - sum_d P_d tanh a_jd, gamma - sum_d P_d), with
    P_d = s_d kappa / (1 + e^{s_d Delta_d}) and dP_d/dDelta_d = -kappa q_d (1 - q_d).
    """
    m, n, size = problem.inputs, problem.nodes, problem.nodes * (problem.inputs + 1) + 1
    kappa = kappa_ball(problem)
    x = [[arb(cell) for cell in row] for row in problem.design]
    h, e = [], []
    for j in range(n):
        a = [sum((x[d][k] * z[j * (m + 1) + k] for k in range(m)), arb(0)) for d in range(problem.samples)]
        h.append([value.tanh() for value in a])
        e.append([value.sech() ** 2 for value in a])
    value = [arb(2) * z[j * (m + 1) + k] if k < m else z[j * (m + 1) + m] for j in range(n) for k in range(m + 1)]
    value.append(z[-1])
    diagonal = [*([2] * m + [1]) * n, 1]
    slopes = [[arb(diagonal[i] if i == k else 0) for k in range(size)] for i in range(size)]
    for d, sign in enumerate(problem.labels):
        logit = sum((z[j * (m + 1) + m] * h[j][d] for j in range(n)), z[-1])
        q = 1 / (1 + (sign * logit).exp())
        pull, bend = sign * kappa * q, -kappa * q * (1 - q)
        toward = []
        for j in range(n):
            v = z[j * (m + 1) + m]
            toward += [v * e[j][d] * x[d][k] for k in range(m)] + [h[j][d]]
        toward.append(arb(1))
        for j in range(n):
            v, base = z[j * (m + 1) + m], j * (m + 1)
            curve = -2 * h[j][d] * e[j][d]
            for k in range(m):
                factor = e[j][d] * x[d][k]
                value[base + k] -= v * pull * factor
                for i in range(size):
                    slopes[base + k][i] -= v * bend * toward[i] * factor
                for k2 in range(m):
                    slopes[base + k][base + k2] -= v * pull * curve * x[d][k] * x[d][k2]
                slopes[base + k][base + m] -= pull * factor
            value[base + m] -= pull * h[j][d]
            for i in range(size):
                slopes[base + m][i] -= bend * toward[i] * h[j][d]
            for k in range(m):
                slopes[base + m][base + k] -= pull * e[j][d] * x[d][k]
        value[-1] -= pull
        for i in range(size):
            slopes[-1][i] -= bend * toward[i]
    return value, slopes


def residuals(problem: ReducedProblem, z: Sequence[arb]) -> list[arb]:
    """P_d = s_d kappa / (1 + e^{s_d Delta_d}) at (U_1, v_1, ..., U_N, v_N, gamma)."""
    m = problem.inputs
    kappa = kappa_ball(problem)
    found = []
    for row, sign in zip(problem.design, problem.labels, strict=True):
        logit = z[-1]
        for j in range(0, len(z) - 1, m + 1):
            logit = logit + z[j + m] * sum((arb(c) * z[j + k] for k, c in enumerate(row)), arb(0)).tanh()
        found.append(sign * kappa / (1 + (sign * logit).exp()))
    return found


def krawczyk(problem: ReducedProblem, centre: Sequence[float], radius: float) -> bool:
    """Whether Krawczyk's operator maps the cube about ``centre`` into its interior: exactly one solution lies
    there."""
    exact = [arb(c) for c in centre]
    cube = [arb(c, radius) for c in centre]
    value, at = system(problem, exact)
    size = len(centre)
    inverse = approximate_inverse(arb_mat(at))
    if inverse is None:
        return False
    _, slopes = system(problem, cube)
    rest = identity(size) - inverse * arb_mat(slopes)
    move = rest * arb_mat(size, 1, [arb(0, radius)] * size) - inverse * arb_mat(size, 1, value)
    return all(bool(abs(x) < radius) for x in move.entries())


def certify_known(
    problem: ReducedProblem, states: Doubles, bias: float, number: int, farthest: float = FARTHEST_POLISH
) -> KnownClass | None:
    """Polish a point and prove it, with the largest power-of-two radius that passes; None if nothing passes."""
    ctx.prec = PRECISION
    z = [arb(float(x)) for x in [*states.ravel(), bias]]
    for _ in range(NEWTON_STEPS):
        value, slopes = system(problem, z)
        step = approximate_solution(arb_mat(slopes), arb_mat(len(z), 1, value))
        if step is None:
            return None
        z = [(a - s).mid() for a, s in zip(z, step.entries(), strict=True)]
        if not all(abs(float(a)) < 1e6 for a in z):
            return None
    centre = [float(a) for a in z]
    if np.abs(np.array(centre) - np.append(states.ravel(), bias)).max() > farthest:
        return None
    radius = LARGEST_RADIUS
    while radius >= SMALLEST_RADIUS:
        if krawczyk(problem, centre, radius) and krawczyk(problem, centre, min(radius, EXISTENCE_RADIUS)):
            table = np.array(centre[:-1]).reshape(problem.nodes, -1)
            gauge = np.where(np.abs(table[:, -1:]) <= EXISTENCE_RADIUS, 0.0, table)
            if not np.array_equal(gauge, table):
                # A node at 0 to rounding: put it there exactly and prove the cube about the new centre afresh.
                moved = [*gauge.ravel(), centre[-1]]
                radius *= 0.5
                if not (krawczyk(problem, moved, radius) and krawczyk(problem, moved, min(radius, EXISTENCE_RADIUS))):
                    return None
                table = gauge
            return KnownClass(centre=_upright(table), bias=centre[-1], radius=radius, number=number)
        radius *= 0.5
    return None


@dataclass(frozen=True, kw_only=True)
class KnownPoints:
    """Proved points with all their symmetric copies.

    centres : (M, N, m + 1); biases : (M,); radii : (M,); numbers : (M,) class of each copy.
    """

    classes: tuple[KnownClass, ...]
    centres: Doubles
    biases: Doubles
    radii: Doubles
    numbers: npt.NDArray[np.intp]

    def holders(self, low: Doubles, high: Doubles, bias_low: Doubles, bias_high: Doubles) -> npt.NDArray[np.intp]:
        """The copy whose uniqueness box holds each state box (N, m + 1, k) up to the order of nodes, else NOBODY."""
        found = np.full(low.shape[2], NOBODY, dtype=np.intp)
        if not len(self.centres):
            return found
        small = np.flatnonzero((high - low).max(axis=(0, 1)) <= 2 * self.radii.max())
        # The ends c -+ r are taken one double inward, so an accepted box lies inside the real one.
        bottom = np.nextafter(self.centres - self.radii[:, None, None], np.inf)
        top = np.nextafter(self.centres + self.radii[:, None, None], -np.inf)
        floor, ceiling = np.nextafter(self.biases - self.radii, np.inf), np.nextafter(self.biases + self.radii, -np.inf)
        for k in small:
            fits = (floor <= bias_low[k]) & (bias_high[k] <= ceiling)
            if not fits.any():
                continue
            within = (
                (bottom[fits][:, :, None, :] <= low[None, None, :, :, k])
                & (high[None, None, :, :, k] <= top[fits][:, :, None, :])
            ).all(axis=3)
            for order in permutations(range(low.shape[0])):
                hit = within[:, range(low.shape[0]), order].all(axis=1)
                if hit.any():
                    found[k] = np.flatnonzero(fits)[np.argmax(hit)]
                    break
        return found

    def same_as(self, copy: int) -> set[int]:
        """Copies of the same class that are one solution with ``copy``: its point lies in their uniqueness boxes."""
        slack = EXISTENCE_RADIUS
        low, high = self.centres[copy, :, :, None] - slack, self.centres[copy, :, :, None] + slack
        edge, found = self.biases[copy : copy + 1], {copy}
        for other in range(len(self.centres)):
            if self.numbers[other] == self.numbers[copy]:
                alone = replace(
                    self,
                    centres=self.centres[other : other + 1],
                    biases=self.biases[other : other + 1],
                    radii=self.radii[other : other + 1],
                )
                if alone.holders(low, high, edge - slack, edge + slack)[0] >= 0:
                    found.add(other)
        return found

    def distance(self, point: KnownClass) -> float:
        """Largest coordinate by which a point differs from the nearest copy, whatever the order of its nodes."""
        return self.near(point.centre, point.bias)

    def near(self, states: Doubles, bias: float) -> float:
        """The same for node states (N, m + 1) with v >= 0 and an output bias."""
        nearest = math.inf
        for centre, other in zip(self.centres, self.biases, strict=True):
            apart = np.abs(centre[:, None, :] - states[None]).max(axis=2)
            for order in permutations(range(len(centre))):
                nearest = min(nearest, max(float(apart[order, range(len(centre))].max()), abs(other - bias)))
        return nearest


def _same(problem: ReducedProblem, a: KnownClass, b: KnownClass) -> bool:
    """Whether the tiny box of b's point lies in a copy of a's uniqueness box: then both are one class."""
    pool = known_copies(problem, (a,))
    slack = EXISTENCE_RADIUS
    low, high = b.centre[:, :, None] - slack, b.centre[:, :, None] + slack
    edge = np.array([b.bias])
    return bool(pool.holders(low, high, edge - slack, edge + slack)[0] >= 0)


def known_copies(problem: ReducedProblem, classes: tuple[KnownClass, ...]) -> KnownPoints:
    centres, biases, radii, numbers = [], [], [], []
    for c in classes:
        for element in problem.group:
            states, bias = image(element, c.centre, c.bias)
            centres.append(states)
            biases.append(bias)
            radii.append(c.radius)
            numbers.append(c.number)
    shape = (0, problem.nodes, problem.inputs + 1)
    return KnownPoints(
        classes=classes,
        centres=np.array(centres) if centres else np.empty(shape),
        biases=np.array(biases),
        radii=np.array(radii),
        numbers=np.array(numbers, dtype=np.intp),
    )


def prove_known(problem: ReducedProblem, thetas: Sequence[npt.ArrayLike]) -> tuple[KnownPoints, tuple[int, ...]]:
    """Prove each point; keep one of each class; list the numbers of those that were not proved."""
    classes: list[KnownClass] = []
    failed = []
    for number, theta in enumerate(thetas):
        states, bias = reduce_theta(problem, theta)
        proved = certify_known(problem, states, bias, number)
        if proved is None or not math.isfinite(proved.bias):
            failed.append(number)
        elif not any(_same(problem, c, proved) for c in classes):
            classes.append(proved)
    return known_copies(problem, tuple(classes)), tuple(failed)
