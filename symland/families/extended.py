"""Events certified: Krawczyk's test on an extended system in Arb, and the numbers that say that nothing else happens.

The isotropy group G of theta has the fixed space B (integer vectors, without the gauge), the subgroup K of G that keeps
the null vector v has the fixed space B + C, C orthogonal to B. With theta = B z, v = C w and an exact row l,

    F(z, w, lambda) = ( B^T grad E(theta, lambda),  C^T H(theta, lambda) v,  l . w - 1 ).

At a fold K = G and C = B (Moore and Spence 1980); at a branch point that breaks a symmetry C carries the broken part
(Werner and Spence 1984). F has a regular zero at a quadratic fold and at a nondegenerate pitchfork, and Krawczyk's test
proves that a box holds exactly one. Over that box, with v scaled to length 1,

- at a fold D^3E[v, v, v] and v . dgrad/dlambda exclude 0: one side has two points, the other none;
- at a pitchfork the slope of the critical eigenvalue, v^T (D^3E[theta'] + dH/dlambda) v with theta' the derivative of
  theta along the symmetric branch, and D^4E[v, v, v, v] - 3 q^T H_B^{-1} q with q = B^T D^3E[v] v exclude 0;
- H + sum over G of (g v)(g v)^T is nonsingular, so that the kernel is spanned by the images of v, and its negative
  eigenvalues are those of H.

All derivatives come from the one derivation program over dual numbers of balls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from symland.families.diagram import Event, Kind
from symland.families.spaces import exact_basis
from symland.program.algebra import Evaluation, run
from symland.program.balls import BallAlgebra, exact_ball, working_precision
from symland.program.derive import build_program
from symland.program.dual import Dual, DualAlgebra
from symland.program.ir import Program
from symland.records import FloatArray
from symland.rigor.decimals import nearest_text
from symland.rigor.inertia import inertia
from symland.rigor.krawczyk import contraction, contracts
from symland.rigor.matrices import approximate_inverse, largest
from symland.spec import LandscapeSpec
from symland.symmetry import SymmetryGroup

__all__ = ["PENALTY", "Certified", "Parameter", "Problem", "certify_event", "certify_tie", "text_of"]

GUARD_BITS = 60
"""Bits carried beyond the digits that are asked for."""

BITS_PER_DIGIT = 3.3219281
"""log2(10), rounded up."""

MOST_NEWTON = 30
"""Newton steps towards an event."""

RADII = (4.0, 64.0, 1e6)
"""Radii of Krawczyk's box that are tried, in units of the first bound of the error."""

_BALLS = BallAlgebra()
_DUALS: DualAlgebra[arb] = DualAlgebra(_BALLS)
_TWICE: DualAlgebra[Dual[arb]] = DualAlgebra(_DUALS)


@lru_cache(maxsize=16)
def _program(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("gradient", "hessian"))


@lru_cache(maxsize=16)
def _value_program(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("value",))


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One data array of the derivation program that is affine in the parameter: start + slope * parameter."""

    name: str
    cells: tuple[tuple[Fraction, Fraction], ...]

    def at(self, value: arb) -> list[arb]:
        """Its numbers."""
        return [
            exact_ball(start) + exact_ball(slope) * value if slope else exact_ball(start) for start, slope in self.cells
        ]

    def slopes(self) -> list[arb | None]:
        """Their derivatives; None where they are zero."""
        return [exact_ball(slope) if slope else None for _, slope in self.cells]


PENALTY = Parameter(name="penalty", cells=((Fraction(0), Fraction(1)),))
"""lambda itself."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A specification in which one parameter is free."""

    spec: LandscapeSpec
    parameter: Parameter = PENALTY

    @property
    def n_parameters(self) -> int:
        """P."""
        return self.spec.n_parameters


def _plain(problem: Problem, theta: list[arb], value: arb) -> Evaluation[arb]:
    return run(_program(problem.spec), _BALLS, theta, {problem.parameter.name: problem.parameter.at(value)})


def _loss(problem: Problem, theta: list[arb], value: arb) -> arb:
    data = {problem.parameter.name: problem.parameter.at(value)}
    found = run(_value_program(problem.spec), _BALLS, theta, data).value
    assert found is not None
    return found


def _loss_slope(problem: Problem, theta: list[arb], value: arb) -> arb:
    """dE / d parameter at fixed theta."""
    data = {problem.parameter.name: _moved_cells(problem, value)}
    found = run(_value_program(problem.spec), _DUALS, [Dual(t) for t in theta], data).value
    return _coefficient(None if found is None else found.b)


def _moved_cells(problem: Problem, value: arb) -> list[Dual[arb]]:
    parameter = problem.parameter
    return [Dual(x, s) for x, s in zip(parameter.at(value), parameter.slopes(), strict=True)]


def _moved(problem: Problem, theta: list[arb], value: arb, direction: list[arb] | None) -> Evaluation[Dual[arb]]:
    """Gradient and Hessian along a direction of theta, or along the parameter where none is given."""
    if direction is None:
        points, cells = [Dual(t) for t in theta], _moved_cells(problem, value)
    else:
        points = [Dual(*pair) for pair in zip(theta, direction, strict=True)]
        cells = [Dual(x) for x in problem.parameter.at(value)]
    return run(_program(problem.spec), _DUALS, points, {problem.parameter.name: cells})


def _second(problem: Problem, theta: list[arb], value: arb, v: list[arb]) -> arb_mat:
    """D^4E[v, v]."""
    points = [Dual(Dual(t, w), Dual(w)) for t, w in zip(theta, v, strict=True)]
    cells = [Dual(Dual(x)) for x in problem.parameter.at(value)]
    out = run(_program(problem.spec), _TWICE, points, {problem.parameter.name: cells})
    return arb_mat([[_coefficient(_part(x.b)) for x in row] for row in out.hessian])


def _part(x: Any) -> Any:
    return None if x is None else x.b


def _coefficient(x: arb | None) -> arb:
    return arb(0) if x is None else x


def _column(numbers: Sequence[arb]) -> arb_mat:
    return arb_mat(len(numbers), 1, list(numbers))


def _dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    return sum((x * y for x, y in zip(a, b, strict=True)), arb(0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Certified:
    """A proved event.

    Attributes
    ----------
    value : arb
        The penalty.
    loss : arb
    degree : arb
        D^3E[v, v, v] at a fold, the reduced fourth derivative at a pitchfork; excludes 0.
    transversal : arb
        v . dgrad/dlambda, or the slope of the critical eigenvalue; excludes 0.
    index : int
        Negative eigenvalues; those in the kernel are zero.
    theta, direction : P balls
    inside, across : rows of integers
        B and C.
    row : tuple of float
        l, exactly.
    centre : tuple of arb
        The middle of the box in (z, w, lambda).
    radius : arb
        Of the box, in which the event is the only one.
    bits : int
        The working precision.
    """

    value: arb
    loss: arb
    degree: arb
    transversal: arb
    index: int
    theta: list[arb]
    direction: list[arb]
    inside: list[list[int]]
    across: list[list[int]]
    row: tuple[float, ...]
    centre: tuple[arb, ...]
    radius: arb
    bits: int


class _Contact:
    """The extended system of one event."""

    def __init__(self, problem: Problem, inside: list[list[int]], across: list[list[int]], row: list[arb]) -> None:
        self.problem = problem
        self.b = arb_mat(inside) if inside else arb_mat(0, problem.n_parameters)
        self.c = arb_mat(across)
        self.row = row
        self.inside, self.across = inside, across
        self.d, self.k = len(inside), len(across)

    def parts(self, u: list[arb]) -> tuple[list[arb], list[arb], list[arb], arb]:
        """theta, v, w and lambda."""
        z, w = u[: self.d], u[self.d : -1]
        theta = (self.b.transpose() * _column(z)).entries() if z else [arb(0)] * self.problem.n_parameters
        return theta, (self.c.transpose() * _column(w)).entries(), w, u[-1]

    def residual(self, u: list[arb]) -> list[arb]:
        theta, v, w, penalty = self.parts(u)
        at = _plain(self.problem, theta, penalty)
        first = (self.b * _column(at.gradient)).entries() if self.d else []
        second = (self.c * (arb_mat(at.hessian) * _column(v))).entries()
        return [*first, *second, _dot(self.row, w) - 1]

    def jacobian(self, u: list[arb]) -> arb_mat:
        theta, v, _, penalty = self.parts(u)
        bent = _moved(self.problem, theta, penalty, v)
        hessian = arb_mat([[x.a for x in row] for row in bent.hessian])
        third = arb_mat([[_coefficient(x.b) for x in row] for row in bent.hessian])
        shifted = _moved(self.problem, theta, penalty, None)
        slope = _column([_coefficient(x.b) for x in shifted.gradient])
        tilt = arb_mat([[_coefficient(x.b) for x in row] for row in shifted.hessian]) * _column(v)
        b, c = self.b, self.c
        rows = []
        if self.d:
            hb, sb = (b * hessian * b.transpose()).tolist(), (b * slope).entries()
            rows += [[*hb[i], *[arb(0)] * self.k, sb[i]] for i in range(self.d)]
        tb = (c * third * b.transpose()).tolist() if self.d else [[] for _ in range(self.k)]
        hc, tc = (c * hessian * c.transpose()).tolist(), (c * tilt).entries()
        rows += [[*tb[i], *hc[i], tc[i]] for i in range(self.k)]
        rows.append([*[arb(0)] * self.d, *self.row, arb(0)])
        return arb_mat(rows)


class _Tie:
    """Two stationary points and a penalty at which their losses are equal."""

    def __init__(self, problem: Problem, first: list[list[int]], second: list[list[int]]) -> None:
        self.problem = problem
        self.bases = [arb_mat(x) if x else arb_mat(0, problem.n_parameters) for x in (first, second)]
        self.sizes = [len(first), len(second)]

    def thetas(self, u: list[arb]) -> list[list[arb]]:
        cut = self.sizes[0]
        parts = (u[:cut], u[cut:-1])
        return [
            (b.transpose() * _column(z)).entries() if z else [arb(0)] * self.problem.n_parameters
            for b, z in zip(self.bases, parts, strict=True)
        ]

    def residual(self, u: list[arb]) -> list[arb]:
        found: list[arb] = []
        thetas = self.thetas(u)
        for b, theta, n in zip(self.bases, thetas, self.sizes, strict=True):
            if n:
                found += (b * _column(_plain(self.problem, theta, u[-1]).gradient)).entries()
        return [*found, _loss(self.problem, thetas[0], u[-1]) - _loss(self.problem, thetas[1], u[-1])]

    def jacobian(self, u: list[arb]) -> arb_mat:
        size = sum(self.sizes) + 1
        table = [[arb(0)] * size for _ in range(size)]
        start = 0
        for sign, b, theta, n in zip((1, -1), self.bases, self.thetas(u), self.sizes, strict=True):
            if n:
                moved = _moved(self.problem, theta, u[-1], None)
                hessian = b * arb_mat([[x.a for x in row] for row in moved.hessian]) * b.transpose()
                slope = b * _column([_coefficient(x.b) for x in moved.gradient])
                gradient = b * _column([x.a for x in moved.gradient])
                for i in range(n):
                    for j in range(n):
                        table[start + i][start + j] = hessian[i, j]
                    table[start + i][-1] = slope[i, 0]
                    table[-1][start + i] = sign * gradient[i, 0]
            table[-1][-1] = table[-1][-1] + sign * _loss_slope(self.problem, theta, u[-1])
            start += n
        return arb_mat(table)


def _solve(system: _Contact | _Tie, start: Sequence[float], digits: int) -> tuple[list[arb], arb] | None:
    """Midpoint and radius of a box that holds exactly one zero, or None."""
    bits = ceil(digits * BITS_PER_DIGIT) + GUARD_BITS
    u = [arb(float(x)) for x in start]
    with working_precision(bits + 20):
        previous: arb | None = None
        for _ in range(MOST_NEWTON):
            inverse = approximate_inverse(system.jacobian(u))
            if inverse is None:
                return None
            step = (inverse * _column(system.residual(u))).mid()
            length = largest([x.abs_upper() for x in step.entries()])
            if not length.is_finite() or (previous is not None and previous < 1e-6 and not length < previous):
                break
            u = (_column(u) - step).mid().entries()
            if length < arb(2) ** -(bits - 10):
                break
            previous = length
        matrix = system.jacobian(u)
        inverse = approximate_inverse(matrix)
        if inverse is None:
            return None
        shift = largest([x.abs_upper() for x in (inverse * _column(system.residual(u))).entries()])
        best: tuple[list[arb], arb] | None = None
        least = shift.max(arb(2) ** -(bits - 5))
        for factor in RADII:
            radius = (least * factor).upper()
            box = [x + arb(0, radius) for x in u]
            slope = contraction(inverse, system.jacobian(box))
            if contracts(shift, slope, radius):
                best = best or ([x + arb(0, radius) for x in u], radius)
        return best


def certify_event(problem: Problem, group: SymmetryGroup, event: Event, value: float, digits: int) -> Certified | None:
    """Prove an event near a value of the parameter, or None where the test fails."""
    if event.kind is Kind.UNKNOWN:
        return None
    inside = exact_basis(group, event.elements)
    fold = event.kind is Kind.FOLD
    across = inside if fold else exact_basis(group, event.kept, within=event.elements)
    if not across:
        return None
    z = _coordinates(inside, event.theta)
    w = _coordinates(across, event.direction)
    row = [arb(float(x)) for x in w / float(w @ w)]
    system = _Contact(problem, inside, across, row)
    found = _solve(system, [*z, *w, value], digits)
    if found is None:
        return None
    box, radius = found
    with working_precision(ceil(digits * BITS_PER_DIGIT) + GUARD_BITS):
        return _nondegenerate(system, group, event, box, radius)


def _nondegenerate(
    system: _Contact, group: SymmetryGroup, event: Event, box: list[arb], radius: arb
) -> Certified | None:
    problem = system.problem
    theta, v, _, penalty = system.parts(box)
    length = _dot(v, v).sqrt()
    v = [x / length for x in v]
    bent = _moved(problem, theta, penalty, v)
    hessian = arb_mat([[x.a for x in line] for line in bent.hessian])
    third = arb_mat([[_coefficient(x.b) for x in line] for line in bent.hessian])
    shifted = _moved(problem, theta, penalty, None)
    slope = [_coefficient(x.b) for x in shifted.gradient]
    q = (third * _column(v)).entries()
    if event.kind is Kind.FOLD:
        degree, transversal = _dot(q, v), _dot(slope, v)
    else:
        tilt = arb_mat([[_coefficient(x.b) for x in line] for line in shifted.hessian])
        transversal = _dot((tilt * _column(v)).entries(), v)
        degree = _dot((_second(problem, theta, penalty, v) * _column(v)).entries(), v)
        if event.kind is Kind.TRANSCRITICAL:
            degree = _dot(q, v)
        if system.d:
            b = system.b
            inner = b * hessian * b.transpose()
            try:
                drift = inner.solve(b * _column(slope))
                sag = inner.solve(b * _column(q))
            except ZeroDivisionError:
                return None
            transversal = transversal - _dot(drift.entries(), (b * _column(q)).entries())
            if event.kind is Kind.PITCHFORK:
                degree = degree - 3 * _dot(sag.entries(), (b * _column(q)).entries())
    if degree.contains(0) or transversal.contains(0) or not (degree.is_finite() and transversal.is_finite()):
        return None
    filled = hessian
    images: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    for element in event.elements:
        index, sign = group.signed_permutation(element)
        key = (tuple(index.tolist()), tuple(int(s) for s in sign))
        if key in images:
            continue
        images.add(key)
        image = [arb(0)] * len(v)
        for p, (place, s) in enumerate(zip(*key, strict=True)):
            image[place] = s * v[p]
        filled = filled + _column(image) * _column(image).transpose()
    signs = inertia(filled)
    if not signs.decided:
        return None
    return Certified(
        value=penalty,
        loss=_loss(problem, theta, penalty),
        degree=degree,
        transversal=transversal,
        index=signs.negative,
        theta=theta,
        direction=v,
        inside=system.inside,
        across=system.across,
        row=tuple(float(x) for x in system.row),
        centre=tuple(x.mid() for x in box),
        radius=radius,
        bits=ctx.prec,
    )


def _coordinates(basis: list[list[int]], vector: FloatArray) -> FloatArray:
    if not basis:
        return np.zeros(0)
    found: FloatArray = np.linalg.lstsq(np.array(basis, dtype=float).T, vector, rcond=None)[0]
    return found


def certify_tie(
    problem: Problem,
    group: SymmetryGroup,
    points: tuple[FloatArray, FloatArray],
    elements: tuple[Any, Any],
    value: float,
    digits: int,
) -> tuple[arb, arb] | None:
    """Enclosures of the penalty at which two stationary points have the same loss, and of that loss; or None."""
    bases = [exact_basis(group, e) for e in elements]
    start = [*_coordinates(bases[0], points[0]), *_coordinates(bases[1], points[1]), value]
    system = _Tie(problem, bases[0], bases[1])
    found = _solve(system, start, digits)
    if found is None:
        return None
    with working_precision(ceil(digits * BITS_PER_DIGIT) + GUARD_BITS):
        return found[0][-1], _loss(problem, system.thetas(found[0])[0], found[0][-1])


def text_of(x: arb, digits: int) -> tuple[str, int]:
    """A ball as a decimal text of at most so many significant digits, each within one unit, and how many they are."""
    if not x.is_finite() or x.contains(0):
        return nearest_text(x, digits), 0
    lead = int(np.floor(np.log10(abs(float(x.mid()))))) + 1
    error = float(x.rad())
    sure = digits if error == 0 else min(digits, int(np.floor(lead - np.log10(error))) - 1)
    return nearest_text(x, max(sure, 1) - lead), max(sure, 0)
