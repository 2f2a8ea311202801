"""All critical lines of a leading-order energy on the sphere, by the method that its order and its weights allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb, fmpq, fmpq_mat

from symland.analysis.condensation.balls import BITS, Line, certify_line, enclose_line, line_at
from symland.analysis.condensation.energy import Energy
from symland.analysis.condensation.forms import Form, derivative, null_space, plus, times
from symland.analysis.condensation.planes import eigenspaces, plane_lines
from symland.analysis.condensation.sampling import sample_lines
from symland.analysis.condensation.sphere import MOST_BOXES, Isolated, isolate_lines
from symland.program.balls import exact_ball, working_precision
from symland.records import Verdict

__all__ = ["Critical", "critical_lines"]

MOST_WEIGHTS = 5
"""Input weights, less those on which the energy does not depend, up to which the sphere is searched completely."""

MOST_EIGENVALUES = 200
"""Dimensions on which a quadratic form depends, up to which its eigenvalues are enclosed."""

SAMPLED = "not proved complete: found from many starts of SS-HOPM and Newton's method"


@dataclass(frozen=True, kw_only=True, eq=False)
class Critical:
    """Critical lines, families of them, and whether these are all.

    Attributes
    ----------
    lines : tuple of Line
    families : tuple of str
        Degenerate families, each in a sentence.
    attracting : tuple of str
        Those of them that attract.
    complete : Verdict
    how : str
        By what the list was found.
    """

    lines: tuple[Line, ...]
    families: tuple[str, ...] = ()
    attracting: tuple[str, ...] = ()
    complete: Verdict
    how: str


def critical_lines(energy: Energy, *, seed: int = 0, most_boxes: int | None = None) -> Critical:
    """The critical lines of the form that decides, w and -w being one line.

    Parameters
    ----------
    energy : Energy
    seed : int
        Of the random starts, where the sphere is not searched completely.
    most_boxes : int or None
        Boxes of the complete search before it is given up.
    """
    with working_precision(BITS):
        if energy.degree == 1:
            return _linear(energy)
        if energy.degree == 2:
            return _quadratic(energy, seed)
        return _higher(energy, seed, most_boxes)


def _linear(energy: Energy) -> Critical:
    vector = [exact_ball(energy.form.get(e, Fraction(0))) for e in _units(energy.size)]
    axis = max(range(energy.size), key=lambda j: abs(float(vector[j].mid())))
    line = line_at(energy, [v / vector[axis] for v in vector], axis)
    return Critical(lines=(line,), complete=Verdict.CERTIFIED, how="the mean of (x, 1) against the residual, exactly")


def _units(size: int) -> list[tuple[int, ...]]:
    return [tuple(int(i == j) for j in range(size)) for i in range(size)]


def _quadratic(energy: Energy, seed: int) -> Critical:
    """The eigenspaces of a quadratic form; directions on which it does not depend are that of 0."""
    n, kernel = energy.size, energy.kernel
    basis = null_space(kernel, n)
    if len(basis) > MOST_EIGENVALUES:
        return _sampled(energy, seed, (), ())
    try:
        spaces = eigenspaces(_matrix_of(energy.projected(basis) if kernel else energy), _products(basis))
    except ArithmeticError as error:
        return _sampled(energy, seed, (), (), str(error))
    below = sum(space.multiplicity for space in spaces if space.value < 0)
    lines, families, attracting = [], [], []
    for space in spaces:
        low = space.below + (len(kernel) if space.value > 0 else 0)
        if space.vector is not None:
            lines.append(_eigenline(energy, _through(basis, space.vector), space.value, low))
            continue
        text = _eigenfamily(space.value, space.multiplicity, low)
        families.append(text)
        if (not low and energy.single and space.value < 0) or (low + space.multiplicity == n and space.value > 0):
            attracting.append(text)
    if len(kernel) == 1:
        lines.append(_eigenline(energy, [exact_ball(v) for v in kernel[0]], arb(0), below))
    elif kernel:
        families.append(_eigenfamily(arb(0), len(kernel), below))
    return Critical(
        lines=tuple(lines),
        families=tuple(families),
        attracting=tuple(attracting),
        complete=Verdict.CERTIFIED,
        how="eigenvectors, by isolation of the eigenvalues",
    )


def _matrix_of(energy: Energy) -> list[list[Fraction]]:
    """The symmetric matrix of a quadratic form."""
    form, units = energy.form, _units(energy.size)
    return [
        [form.get(tuple(a + b for a, b in zip(u, v, strict=True)), Fraction(0)) / (1 if u is v else 2) for v in units]
        for u in units
    ]


def _eigenline(energy: Energy, w: Sequence[arb], value: arb, below: int) -> Line:
    """The line of a simple eigenvalue that has `below` others below it: that is its index."""
    axis = max(range(len(w)), key=lambda j: abs(float(w[j].mid())))
    return Line(
        vector=tuple(arb(1) if j == axis else v / w[axis] for j, v in enumerate(w)),
        axis=axis,
        value=value if energy.single or value.is_zero() else value.sqrt(),
        index=below,
        nullity=0,
        maximum=below == len(w) - 1,
        minimum=below == 0,
    )


def _eigenfamily(value: arb, dimensions: int, index: int) -> str:
    return (
        f"a {_sphere(dimensions)} of critical orientations, the eigenspace of {float(value.mid()):.6g} with "
        f"{dimensions} dimensions and index {index}"
    )


def _sphere(dimensions: int) -> str:
    return "circle" if dimensions == 2 else f"sphere of dimension {dimensions - 1}"


def _higher(energy: Energy, seed: int, most_boxes: int | None) -> Critical:
    kernel = energy.kernel
    families: list[str] = []
    basis = null_space(kernel, energy.size)
    if kernel:
        named = " and ".join("(" + ", ".join(map(str, v)) + ")" for v in kernel)
        what = "one line" if len(kernel) == 1 else f"a {_sphere(len(kernel))}"
        families.append(
            f"{what} of degenerate critical orientations with value 0, spanned by {named}: F is the same there"
        )
    reduced = energy.projected(basis) if kernel else energy
    metric = _products(basis)
    r = len(basis)
    if r == 1:
        found: _Found = _Found(lines=(_embedded(energy, [arb(1)], basis),), how="F is a power of one linear form")
    elif r == 2:
        found = _on_circle(energy, reduced.form, metric, basis)
    elif r <= MOST_WEIGHTS:
        found = _on_sphere(energy, reduced, metric, basis, most_boxes)
    else:
        found = _Found(open=1)
    if found.open:
        return _sampled(energy, seed, tuple(families), found.lines, found.why)
    if kernel and any(line.value.contains(0) for line in found.lines):
        families.append(
            "every circle through such an orientation and one of the lines with value 0 is critical as well"
        )
    return Critical(
        lines=found.lines,
        families=(*families, *found.families),
        attracting=found.attracting,
        complete=Verdict.CERTIFIED,
        how=found.how,
    )


def _products(basis: Sequence[Sequence[Fraction]]) -> list[list[Fraction]]:
    """B^T B for the vectors of a basis as the columns of B."""
    return [[sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0)) for v in basis] for u in basis]


def _through(basis: Sequence[Sequence[Fraction]], y: Sequence[arb]) -> list[arb]:
    """B y for the vectors of a basis as the columns of B."""
    size = len(basis[0])
    return [sum((exact_ball(u[i]) * v for u, v in zip(basis, y, strict=True)), arb(0)) for i in range(size)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    lines: tuple[Line, ...] = ()
    families: tuple[str, ...] = ()
    attracting: tuple[str, ...] = ()
    open: int = 0
    why: str = ""
    how: str = ""


def _embedded(energy: Energy, y: Sequence[arb], basis: Sequence[Sequence[Fraction]]) -> Line:
    """The line B y with all that is proved of it among the n weights."""
    w = _through(basis, y)
    axis = max(range(len(w)), key=lambda j: abs(float(w[j].mid())))
    scaled = [v / w[axis] for v in w]
    scaled[axis] = arb(1)
    return line_at(energy, scaled, axis)


def _on_circle(
    energy: Energy, form: Form, metric: Sequence[Sequence[Fraction]], basis: Sequence[Sequence[Fraction]]
) -> _Found:
    how = "one variable, by isolation of real roots"
    lines = plane_lines(form, energy.degree, metric)
    if lines is None:
        line = _embedded(energy, [arb(1), arb(0)], basis)
        text = f"a circle of critical orientations with value {float(line.value.mid()):.6g}: F is constant on it"
        return _Found(families=(text,), attracting=(text,), how=how)
    found = []
    for plane in lines:
        line = _embedded(energy, plane.vector, basis)
        if plane.multiplicity > 1:
            # Away from the circle the curvature is -q F, so that a strict extremum on it is one where the signs agree.
            across = len(basis) == energy.size
            maximum = plane.extremum < 0 and (across or line.value > 0)
            minimum = plane.extremum > 0 and (across or line.value < 0)
            line = replace(line, index=None, nullity=1, maximum=maximum, minimum=minimum)
        found.append(line)
    return _Found(lines=tuple(found), how=how)


def _on_sphere(
    energy: Energy,
    reduced: Energy,
    metric: Sequence[Sequence[Fraction]],
    basis: Sequence[Sequence[Fraction]],
    most_boxes: int | None,
) -> _Found:
    how = "branch and prune on the sphere with Krawczyk's test"
    turning = _rotations(reduced.form, metric)
    if turning:
        return _with_rotations(energy, reduced, metric, basis, turning)
    parts = () if energy.single else reduced.parts
    boxes, left = isolate_lines(reduced.form, energy.degree, metric, most_boxes or MOST_BOXES, parts)
    if left:
        return _Found(open=left, why=f"{left} boxes of the sphere stay open, as they do near degenerate families")
    kept: list[tuple[Isolated, list[arb], Line]] = []
    for box in boxes:
        metric_line = _polished(reduced, metric, box)
        if metric_line is None:
            return _Found(open=1, why="a line that a box holds could not be refined")
        same = [_same(metric_line, other, line) for other, line, _ in kept]
        if Verdict.CERTIFIED in same:
            continue
        if Verdict.UNDECIDED in same:
            return _Found(open=1, why="two lines could not be told apart")
        kept.append((box, metric_line, _embedded(energy, metric_line, basis)))
    lines = tuple(line for _, _, line in kept)
    if energy.single:
        return _Found(lines=lines, how=how)
    # Zeros of all parts may have been dropped with their boxes: none is listed.
    text = "orientations on which F vanishes for all outputs pull on nothing and are not listed"
    return _Found(lines=tuple(line for line in lines if line.value > 0), families=(text,), how=how)


def _polished(energy: Energy, metric: Sequence[Sequence[Fraction]], box: Isolated) -> list[arb] | None:
    """A small ball about the critical line that a box holds, by Newton's method and Krawczyk's test for the metric."""
    y = enclose_line(energy, box.point().tolist(), box.axis, metric)
    if y is None or _same(y, box, y) is not Verdict.CERTIFIED:
        return None
    return y


def _same(y: Sequence[arb], box: Isolated, other: Sequence[arb]) -> Verdict:
    """Whether the line y is the only one in `box`, which holds `other`."""
    if not y[box.axis] > 0 and not y[box.axis] < 0:
        return Verdict.REFUTED if abs(float(y[box.axis].mid())) < 0.1 else Verdict.UNDECIDED
    scaled = [v / y[box.axis] for v in y]
    free = [j for j in range(len(y)) if j != box.axis]
    inside = all(abs(scaled[j] - float(c)) < box.radius for j, c in zip(free, box.centre, strict=True))
    if inside:
        return Verdict.CERTIFIED
    apart = any(not scaled[j].overlaps(other[j]) for j in free)
    return Verdict.REFUTED if apart else Verdict.UNDECIDED


def _rotations(form: Form, metric: Sequence[Sequence[Fraction]]) -> list[tuple[Fraction, ...]]:
    """Rotations of the ellipsoid that leave the form as it is: skew S with grad f . M^-1 S y = 0, by its entries."""
    r = len(metric)
    inverse = fmpq_mat([[fmpq(v.numerator, v.denominator) for v in row] for row in metric]).inv()
    back = [[Fraction(int(inverse[i, j].p), int(inverse[i, j].q)) for j in range(r)] for i in range(r)]
    units, slopes = _units(r), [derivative(form, j) for j in range(r)]
    changes = []
    for a in range(r):
        for b in range(a + 1, r):
            # S = E_ab - E_ba: S y = y_b e_a - y_a e_b.
            terms = [
                times(
                    slopes[j],
                    plus({units[b]: back[j][a]} if back[j][a] else {}, {units[a]: -back[j][b]} if back[j][b] else {}),
                )
                for j in range(r)
            ]
            changes.append(plus(*terms))
    keys = sorted(set().union(*changes))
    return null_space([[change.get(e, Fraction(0)) for change in changes] for e in keys], len(changes))


def _with_rotations(
    energy: Energy,
    reduced: Energy,
    metric: Sequence[Sequence[Fraction]],
    basis: Sequence[Sequence[Fraction]],
    turning: Sequence[tuple[Fraction, ...]],
) -> _Found:
    """A form that rotations leave as it is: its critical orientations are the orbits of those on one great circle."""
    r = len(metric)
    if len(turning) == r * (r - 1) // 2:
        line = _embedded(energy, [arb(1)] + [arb(0)] * (r - 1), basis)
        text = f"a {_sphere(r)} of critical orientations with value {float(line.value.mid()):.6g}: F is constant on it"
        return _Found(families=(text,), attracting=(text,), how="F is the same in all directions")
    if r != 3 or len(turning) != 1:
        return _Found(open=1, why="F is invariant under rotations, so that its critical orientations form families")
    s_01, s_02, s_12 = turning[0]
    axis = (s_12, -s_02, s_01)
    covector = [sum((metric[i][j] * axis[j] for j in range(r)), Fraction(0)) for i in range(r)]
    across = null_space([covector], r)[0]
    pair = [axis, across]
    circle = reduced.projected(pair)
    small = [
        [sum((u[i] * metric[i][j] * v[j] for i in range(r) for j in range(r)), Fraction(0)) for v in pair] for u in pair
    ]
    lines, families, attracting = [], [], []
    for plane in plane_lines(circle.form, energy.degree, small) or ():
        y = [exact_ball(axis[i]) * plane.vector[0] + exact_ball(across[i]) * plane.vector[1] for i in range(r)]
        line = _embedded(energy, y, basis)
        if plane.vector[1].is_zero():
            if line.index is None:
                line = replace(line, maximum=plane.extremum < 0, minimum=plane.extremum > 0)
            lines.append(line)
            continue
        if plane.vector[0].is_zero() or plane.vector[1] > 0:
            value = float(line.value.mid())
            text = (
                f"a circle of critical orientations with value {value:.6g} about the axis ({', '.join(map(str, axis))})"
            )
            families.append(text)
            if (plane.extremum < 0 and line.value > 0) or (plane.extremum > 0 and line.value < 0 and energy.single):
                attracting.append(text)
    return _Found(
        lines=tuple(lines),
        families=tuple(families),
        attracting=tuple(attracting),
        how="the circles of a rotation that leaves F as it is, by isolation of real roots",
    )


def _sampled(energy: Energy, seed: int, families: tuple[str, ...], lines: tuple[Line, ...], why: str = "") -> Critical:
    """Lines from many starts, each certified by itself; their list is not proved complete."""
    found = [certify_line(energy, w.tolist()) for w in sample_lines(energy, np.random.default_rng(seed))]
    return Critical(
        lines=tuple(line for line in found if line is not None) or lines,
        families=families,
        complete=Verdict.UNDECIDED,
        how=f"{SAMPLED}{'; ' if why else ''}{why}",
    )
