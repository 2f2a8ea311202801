r"""Regions around a branch, in which the stationary points over a slab of penalties are counted.

With F(z, kappa) = A z - kappa g(z) (:mod:`symland.rigor.enumeration.curved`), let z0 be near the branch, n a unit
vector along the softest direction of J = dF/dz there, and z = z0 + n x + Q y. The region is |x| <= X,
|y_i - q_i(x)| <= Y with polynomials q near y, for all kappa of the slab. In it, for all x and kappa, exactly one
y(x, kappa) has Q^T F = 0: so the zeros are those of g(x, kappa) = n . F at (x, y(x, kappa)). What is known of y and g
comes from a chain of sheets (:mod:`symland.rigor.enumeration.sheets`): polynomials with proved rests, and so signs of
the derivatives of g.

*Tube*: g_x has one sign, and g has different signs at the two ends. Then there is exactly one zero for every kappa, and
it is not degenerate.

*Fold*: g_kappa has one sign everywhere; g_x has one sign left of a middle piece of [-X, X] and the other right of it;
in the middle g_xx has the sign of the right one; at both ends g has this sign, for every kappa. So g(., kappa) has one
extremum m(kappa), and m is strictly monotone. A zero of (F, J n, n . n - 1) lies in the region at kappa*: there m = 0.
So there are two zeros on one side of kappa*, both nondegenerate, one at kappa*, and none beyond.

The index of a zero is that of Q^T J Q, and one more where g_x < 0 (Haynsworth); J is the Hessian of the reduced loss
over lambda, and the rest of the whole Hessian is 2 lambda times the identity (T3). The extended system is that of Moore
and Spence (1980).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import permutations, product
from typing import ClassVar, Protocol, final

import numpy as np
import numpy.typing as npt
from flint import arb, arb_mat, ctx

from symland.rigor.decimals import nearest_text
from symland.rigor.enumeration.chains import BENDS, Chain, Part, chains
from symland.rigor.enumeration.curved import columns_of, derivatives, weights
from symland.rigor.enumeration.extended import EVENT_BITS, LONGEST_STEP, STEPS, zero_near
from symland.rigor.enumeration.known import EXISTENCE_RADIUS, NOBODY, PRECISION, kappa_ball, krawczyk
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.sheets import Frame
from symland.rigor.inertia import inertia
from symland.rigor.matrices import approximate_solution, identity, row_norm

__all__ = [
    "ORIGIN",
    "Fold",
    "Kind",
    "Region",
    "Regions",
    "disjoint",
    "find_fold",
    "fold_region",
    "framed",
    "hull",
    "images",
    "origin_number",
    "penalty_text",
    "polish",
    "rough_slopes",
    "symmetries",
    "tube_region",
]

LONG = 3
"""X beyond which a tube is not followed, in units of its thickness."""
SLENDER = 0.4
"""A tube counts as thick as its length times this, if it is thicker."""
FARTHEST = 0.35
"""X beyond which no region goes, in weights."""
SMALL = 0.1
"""Half width of a box, in units of Y of a region that it reaches into, from which it is halved again."""
ROUNDING = 1e-9
"""Granted to rounding where a box of doubles is turned into (x, y)."""
ORTHOGONAL = 1e-12
"""How far a frame may be from an orthogonal one, as the largest row sum of T^T T - 1."""
DEAD = 2.0**-40
"""Output weight of a node up to which it is put to 0."""

Box = tuple[Doubles, Doubles]
"""Lower and upper ends (n,) of a box of z."""


class Kind(Enum):
    """Of an event."""

    FOLD = "fold"
    PITCHFORK = "pitchfork"


class Located(Protocol):
    """What has a penalty."""

    @property
    def penalty(self) -> arb:
        """An enclosure of lambda*."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """A zero of (F, J n, n . n - 1).

    Attributes
    ----------
    z, null : doubles near the point and the unit null vector.
    ball : enclosures of z.
    penalty : enclosure of lambda*.
    """

    kind: ClassVar[Kind] = Kind.FOLD
    z: Doubles
    null: Doubles
    ball: tuple[arb, ...]
    penalty: arb


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A proved region over a slab.

    Attributes
    ----------
    centre : z0; frame : the columns n and Q; reach : (X, Y, ..., Y).
    bend : coefficients (n - 1, k) of the polynomials q: the region is |x| <= X, |y - q(x)| <= Y.
    box : the zero of a tube lies in this box of z at the middle of the slab; all zeros of a fold lie in it.
    index : the index of the zero of a tube, the lower index of those of a fold or a pitchfork.
    opens_down : None for a tube; whether the two points of a fold, or the pair of a pitchfork, exist below lambda*.
    copies : labelled copies of the point of a tube, or of the symmetric branch of a pitchfork; 0 for a fold.
    pair : the index of the pair of a pitchfork; None for another region.
    """

    centre: Doubles
    frame: Doubles
    reach: Doubles
    bend: Doubles
    box: Box
    index: int
    opens_down: bool | None = None
    copies: int = 0
    pair: int | None = None

    @cached_property
    def turned(self) -> Doubles:
        """An approximate inverse of the frame."""
        return _inverse(self.frame)

    def contains(self, box: Box) -> bool:
        """Whether a box of z lies in the region. The frame is orthogonal to 1e-12, so rounding is within ROUNDING."""
        middle, half = (box[0] + box[1]) / 2 - self.centre, (box[1] - box[0]) / 2
        place, reach = (self.turned @ middle)[None, :, None], (np.abs(self.turned) @ half)[None, :, None]
        size = np.abs(straightened(self.bend[None], place)) + reach + strayed(self.bend[None], place, reach)
        return bool((size[0, :, 0] * (1 + ROUNDING) + ROUNDING < self.reach).all())


def _inverse(frame: Doubles) -> Doubles:
    return np.asarray(np.linalg.inv(frame), dtype=np.float64)


def straightened(bends: Doubles, places: Doubles) -> Doubles:
    """(x, y - q(x)) of points (M, n, k), for the q of M regions."""
    found, x = places.copy(), places[:, 0]
    for row in range(bends.shape[1]):
        q = np.zeros_like(x)
        for power in reversed(range(bends.shape[2])):
            q = q * x + bends[:, row, power, None]
        found[:, row + 1] -= q
    return found


def strayed(bends: Doubles, places: Doubles, reach: Doubles) -> Doubles:
    """Bounds of |q(x) - q(middle)| for boxes about points (M, n, k), 0 for x itself.

    |x^p - m^p| <= (|m| + r)^p - |m|^p for |x - m| <= r.
    """
    middle, powers = np.abs(places[:, 0]), np.arange(bends.shape[2])[:, None, None]
    moved = (middle + reach[:, 0]) ** powers - middle**powers
    found = np.zeros_like(places)
    found[:, 1:] = np.einsum("mrp,pmk->mrk", np.abs(bends), moved)
    return found


@lru_cache(maxsize=16)
def symmetries(problem: ReducedProblem) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """All symmetries z'_i = sign_i z_{place_i}: of the data, permutations of nodes, and sign flips of nodes."""
    m1, found = problem.inputs + 1, []
    for element in problem.group:
        places, signs = (*element.places, m1 - 1), (*element.signs, element.sign)
        for order in permutations(range(problem.nodes)):
            for flips in product((1, -1), repeat=problem.nodes):
                place = [node * m1 + k for node in order for k in places]
                sign = [flip * s for flip in flips for s in signs]
                found.append(((*place, problem.nodes * m1), (*sign, element.sign)))
    return tuple(found)


def images(problem: ReducedProblem, box: Box) -> Iterator[Box]:
    """Images of a box of z under all symmetries."""
    for places, signs in symmetries(problem.at(Fraction(1))):
        which, turn = list(places), np.array(signs) < 0
        low, high = box[0][which], box[1][which]
        yield np.where(turn, -high, low), np.where(turn, -low, high)


def disjoint(a: Box, b: Box) -> bool:
    """Whether two boxes have no point in common."""
    return bool(((a[1] < b[0]) | (b[1] < a[0])).any())


def orbit_size(problem: ReducedProblem, region: Region) -> int | None:
    """Labelled copies of the point of a tube; None where that is not decided.

    At the middle of the slab: the penalties at which a symmetry fixes the point of the tube are a closed set, and an
    open one, because the image of the point is a zero, and the point is the only one in the region. So they are all or
    none.
    """
    fixed = total = 0
    for moved in images(problem, region.box):
        total += 1
        if region.contains(moved):
            fixed += 1
        elif not disjoint(moved, region.box):
            return None
    return total // fixed


def _slopes_at(problem: ReducedProblem, z: Sequence[arb], kappa: arb) -> arb_mat:
    """J."""
    unit = columns_of(identity(len(z)))
    first = derivatives(problem, z, unit).first
    return _diagonal(problem) - kappa * arb_mat(first).transpose()


def _diagonal(problem: ReducedProblem) -> arb_mat:
    w = weights(problem)
    return arb_mat([[arb(a if i == j else 0) for j in range(len(w))] for i, a in enumerate(w)])


def _field(problem: ReducedProblem, z: Sequence[arb], kappa: arb) -> list[arb]:
    g = derivatives(problem, z, ()).value
    return [a * x - kappa * b for a, x, b in zip(weights(problem), z, g, strict=True)]


def polish(problem: ReducedProblem, z: Sequence[float]) -> Doubles | None:
    """Newton's method at the middle of a slab; None where it does not settle. Nodes at 0 are put there."""
    ctx.prec = PRECISION
    kappa, point = kappa_ball(problem.at(problem.middle)), [arb(float(x)) for x in z]
    for _ in range(STEPS):
        right = arb_mat(len(point), 1, _field(problem, point, kappa))
        solved = approximate_solution(_slopes_at(problem, point, kappa), right)
        if solved is None:
            return None
        moves = solved.entries()
        step = max(float(abs(s)) for s in moves)
        if not step < 1e6:
            return None
        share = arb(min(1.0, LONGEST_STEP / step)) if step else arb(1)
        point = [(a - share * s).mid() for a, s in zip(point, moves, strict=True)]
        if step < 2.0**-80:
            break
    else:
        return None
    found = np.array([float(a) for a in point])
    table = found[:-1].reshape(problem.nodes, -1)
    table = np.where(np.abs(table[:, -1:]) <= DEAD, 0.0, table)
    return np.append(np.where(table[:, -1:] < 0.0, -table, table).ravel(), found[-1])


def rough_slopes(problem: ReducedProblem, z: Sequence[float]) -> Doubles:
    """J at the middle of a slab, in doubles."""
    slopes = _slopes_at(problem, [arb(float(x)) for x in z], kappa_ball(problem.at(problem.middle)))
    return np.array([[float(x) for x in row] for row in slopes.tolist()])


def softest(problem: ReducedProblem, z: Sequence[float]) -> Doubles:
    """The eigenvector of J at the middle of a slab whose eigenvalue is nearest zero."""
    values, vectors = np.linalg.eigh(rough_slopes(problem, z))
    return vectors[:, int(np.argmin(np.abs(values)))]


def penalty_text(fold: Located, most: int) -> tuple[str, int]:
    """The penalty of an event as a decimal text of at most so many significant digits, and how many are proved."""
    ctx.prec = EVENT_BITS
    lead = math.floor(math.log10(float(fold.penalty))) + 1
    sure = min(most, math.floor(lead - math.log10(float(fold.penalty.rad()))) - 1)
    return nearest_text(fold.penalty, sure - lead), sure


def _extended(problem: ReducedProblem, w: Sequence[arb]) -> tuple[list[arb], list[list[arb]]]:
    """(F, J n, n . n - 1) and its Jacobian at w = (z, n, kappa)."""
    size = (len(w) - 1) // 2
    z, n, kappa = list(w[:size]), list(w[size:-1]), w[-1]
    a = weights(problem)
    found = derivatives(problem, z, [*columns_of(identity(size)), n], curved=True)
    along, bent = found.first[-1], found.second[-1]
    value = [c * x - kappa * g for c, x, g in zip(a, z, found.value, strict=True)]
    value += [c * x - kappa * g for c, x, g in zip(a, n, along, strict=True)]
    value.append(sum((x * x for x in n), arb(0)) - 1)
    slopes = [[arb(0)] * len(w) for _ in range(len(w))]
    for k in range(size):
        for i in range(size):
            slopes[i][k] = slopes[size + i][size + k] = (a[i] if i == k else 0) - kappa * found.first[k][i]
            slopes[size + i][k] = -kappa * bent[k][i]
        slopes[-1][size + k] = 2 * n[k]
    for i in range(size):
        slopes[i][-1], slopes[size + i][-1] = -found.value[i], -along[i]
    return value, slopes


def find_fold(problem: ReducedProblem, z: Sequence[float]) -> Fold | None:
    """Newton's method and Krawczyk's test for the extended system, from a point at the middle of a slab."""
    ctx.prec = EVENT_BITS
    size, at = len(z), problem.at(problem.middle)
    w = [arb(float(x)) for x in [*z, *softest(problem, z), float(at.scale)]]
    solved = zero_near(lambda w: _extended(problem, w), w)
    if solved is None:
        return None
    w, proved = solved
    found = np.array([float(x) for x in w[:-1]])
    null = found[size:] / np.linalg.norm(found[size:])
    return Fold(z=found[:size], null=null, ball=tuple(proved[:size]), penalty=1 / (proved[-1] * problem.samples))


def framed(problem: ReducedProblem, centre: Doubles, columns: Doubles) -> tuple[Frame, int] | None:
    """The frame of columns (n, Q), and the index of Q^T J Q; None where it is not orthogonal, or the index is open."""
    size = len(centre)
    turned = arb_mat(columns.tolist())
    if not row_norm(turned.transpose() * turned - identity(size)) < ORTHOGONAL:
        return None
    slopes = _slopes_at(problem, [arb(float(x)) for x in centre], kappa_ball(problem.at(problem.middle)))
    found = inertia(arb_mat([row[1:] for row in (turned.transpose() * slopes * turned).tolist()[1:]]))
    frame = Frame(problem=problem, centre=centre, columns=columns)
    return (frame, found.negative) if found.decided else None


def beside(problem: ReducedProblem, z: Doubles, null: Doubles) -> Doubles:
    """The columns n and Q about a point, Q near eigenvectors of J across n."""
    basis, _ = np.linalg.qr(np.column_stack([null, np.eye(len(z))]))
    inner = basis[:, 1 : len(z)]
    across = inner @ np.linalg.eigh(inner.T @ rough_slopes(problem, z.tolist()) @ inner)[1]
    return np.column_stack([null, across])


def tube_region(problem: ReducedProblem, centre: Doubles) -> Region | None:
    """The thickest tube about a point at the middle of a slab, as long as it can be; None where there is none."""
    ctx.prec = PRECISION
    started = framed(problem, centre, beside(problem, centre, softest(problem, centre.tolist())))
    if started is None:
        return None
    best, score = None, 0.0
    for chain in chains(started[0]):
        if chain.thick <= score:
            break
        found = _tube(chain, started[1])
        if found is not None and score < (now := min(found.reach[0] * SLENDER, found.reach[1])):
            best, score = found, now
    return best


def _tube(chain: Chain, negative: int) -> Region | None:
    slope = chain.sheets[0].sign(0.0, 0.0, 1)
    ends = []
    for side in (1, -1):
        end = 0.0
        for part in chain.outwards(side):
            if not slope or part.sign(1) != slope:
                break
            end = abs(part.end)
            if end > min(FARTHEST, LONG * chain.thick):
                break
        ends.append(end)
    frame = chain.frame
    shape = chain.around(min(ends), lambda x: (chain.sign_at(x), chain.sign_at(-x)) == (slope, -slope))
    if not slope or shape is None:
        return None
    wide, thick, bend = shape
    tiny = frame.centre - EXISTENCE_RADIUS, frame.centre + EXISTENCE_RADIUS
    region = Region(
        centre=frame.centre,
        frame=frame.columns,
        reach=reach_of(len(frame.centre), wide, thick),
        bend=bend,
        box=tiny,
        index=negative + (slope < 0),
    )
    copies = orbit_size(frame.problem, region)
    at = frame.problem.at(frame.problem.middle)
    if copies is None or not krawczyk(at, frame.centre.tolist(), EXISTENCE_RADIUS):
        return None
    return replace(region, copies=copies)


def reach_of(size: int, wide: float, thick: float) -> Doubles:
    """(X, Y, ..., Y)."""
    return np.array([wide] + [thick] * (size - 1))


def within(problem: ReducedProblem, penalty: arb) -> bool:
    """Whether a penalty is proved to lie inside a slab."""
    low = arb(problem.penalty.numerator) / problem.penalty.denominator
    return bool(penalty > low) and bool(penalty < arb(problem.highest.numerator) / problem.highest.denominator)


def fold_region(problem: ReducedProblem, fold: Fold) -> Region | None:
    """The thickest region about a fold that can be proved over the slab."""
    ctx.prec = PRECISION
    if not within(problem, fold.penalty):
        return None
    started = framed(problem, fold.z, beside(problem, fold.z, fold.null))
    if started is None:
        return None
    return next((r for chain in chains(started[0]) if (r := _fold(chain, started[1], fold)) is not None), None)


def _fold(chain: Chain, negative: int, fold: Fold) -> Region | None:
    first, frame = chain.sheets[0], chain.frame
    opening, tilt = first.sign(0.0, 0.0, 2), first.sign(0.0, 0.0, 0, 1)
    if not opening or not tilt:
        return None
    ends, parts = list[float](), list[Part]()
    for side in (1, -1):
        end, middle = 0.0, True
        for part in chain.outwards(side):
            middle = middle and part.sign(2) == opening
            if part.sign(0, 1) != tilt or not (middle or part.sign(1) == side * opening):
                break
            end = abs(part.end)
            parts.append(part)
            if end > FARTHEST:
                break
        ends.append(end)
    shape = chain.around(min(ends), lambda x: chain.sign_at(x) == chain.sign_at(-x) == opening)
    if shape is None:
        return None
    wide, thick, bend = shape
    region = Region(
        centre=fold.z,
        frame=frame.columns,
        reach=reach_of(len(fold.z), wide, thick),
        bend=bend,
        box=hull(frame, parts),
        index=negative,
        opens_down=tilt == -opening,
    )
    drift = max(float(abs(b - float(o)).upper()) for b, o in zip(fold.ball, fold.z, strict=True))
    near = fold.z - EXISTENCE_RADIUS, fold.z + EXISTENCE_RADIUS
    return region if drift < EXISTENCE_RADIUS and region.contains(near) else None


def hull(frame: Frame, parts: Iterable[Part]) -> Box:
    """A box of z about the sheets of some parts."""
    low, high = zip(*(part.sheet.box(frame, part.low, part.high) for part in parts), strict=True)
    return np.min(low, axis=0), np.max(high, axis=0)


ORIGIN = -2
"""In place of a region's number: the origin, where no region is known that holds it."""


def origin_number(problem: ReducedProblem, regions: Sequence[Region]) -> int:
    """The region that holds the origin, ORIGIN where there is none, NOBODY where the two classes are not as frequent.

    With as many samples of each class the origin solves all equations for every penalty: it is one of the points that
    the region counts.
    """
    if sum(problem.labels):
        return NOBODY
    nothing = np.zeros(problem.nodes * (problem.inputs + 1) + 1)
    return next((n for n, r in enumerate(regions) if r.contains((nothing, nothing))), ORIGIN)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Regions:
    """All images of proved regions, as holders of boxes.

    Attributes
    ----------
    all : the regions.
    centres (M, n), turned (M, n, n), reach (M, n), bends (M, n - 1, k), numbers (M,) : of the images.
    origin : the region that holds the origin, ORIGIN where none does, NOBODY where the origin is not stationary.
    """

    all: tuple[Region, ...]
    centres: Doubles
    turned: Doubles
    reach: Doubles
    bends: Doubles
    numbers: npt.NDArray[np.intp]
    origin: int = NOBODY

    @staticmethod
    def of(problem: ReducedProblem, regions: Sequence[Region]) -> Regions:
        """The images under all symmetries; those that are the same count once."""
        size = problem.nodes * (problem.inputs + 1) + 1
        rows: dict[bytes, tuple[Doubles, Doubles, Doubles, Doubles, int]] = {}
        for number, region in enumerate(regions):
            for places, signs in symmetries(problem.at(Fraction(1))):
                which, sign = list(places), np.array(signs, dtype=np.float64)
                centre, frame = region.centre[which] * sign, region.frame[which] * sign[:, None]
                key = np.concatenate([centre, frame.ravel(), [number]]) + 0.0
                rows.setdefault(key.tobytes(), (centre, _inverse(frame), region.reach, region.bend, number))
        found = list(rows.values())
        return Regions(
            all=tuple(regions),
            centres=np.array([r[0] for r in found]).reshape(-1, size),
            turned=np.array([r[1] for r in found]).reshape(-1, size, size),
            reach=np.array([r[2] for r in found]).reshape(-1, size),
            bends=np.array([r[3] for r in found]).reshape(-1, size - 1, BENDS),
            numbers=np.array([r[4] for r in found], dtype=np.intp),
            origin=origin_number(problem, regions),
        )

    def holders(self, low: Doubles, high: Doubles, bias_low: Doubles, bias_high: Doubles) -> npt.NDArray[np.intp]:
        """The region that holds each state box (N, m + 1, k) with its output bias, else NOBODY.

        Where all nodes are 0 the origin is the only solution, whatever the box of the output bias: gamma =
        kappa sum_d s_d / (1 + e^{s_d gamma}), whose right side falls.
        """
        still = ((low == 0.0) & (high == 0.0)).all(axis=(0, 1))
        found = np.where(still, self.origin, NOBODY)
        if not self.all:
            return found
        middle, half = _as_points(low, high, bias_low, bias_high)
        small = np.flatnonzero((half.max(axis=0) < self.reach.max()) & ~still)
        size = self._sizes(middle[:, small], half[:, small])
        fits = (size * (1 + ROUNDING) + ROUNDING < self.reach[:, :, None]).all(axis=1)
        held = fits.any(axis=0)
        found[small[held]] = self.numbers[fits.argmax(axis=0)[held]]
        return found

    def undecided(self, low: Doubles, high: Doubles, bias_low: Doubles, bias_high: Doubles) -> npt.NDArray[np.bool_]:
        """Which boxes may reach into a region and are not small beside it, so that parts of them may be held."""
        middle, half = _as_points(low, high, bias_low, bias_high)
        place, reach = self._turned(middle), np.abs(self.turned) @ half
        away = np.abs(straightened(self.bends, place)) - strayed(self.bends, place, reach)
        reaches = (away < self.reach[:, :, None] + reach).all(axis=1)
        wide = half.max(axis=0) > self.reach.min(axis=1)[:, None] * SMALL
        return np.asarray((reaches & wide).any(axis=0))

    def _sizes(self, middle: Doubles, half: Doubles) -> Doubles:
        """Bounds (M, n, k) of |x| and |y - q(x)| over boxes."""
        place, reach = self._turned(middle), np.abs(self.turned) @ half
        return np.abs(straightened(self.bends, place)) + reach + strayed(self.bends, place, reach)

    def _turned(self, points: Doubles) -> Doubles:
        """Points (n, k) in the coordinates (M, n, k) of the regions."""
        turned: Doubles = self.turned @ (points - self.centres[:, :, None])
        return turned


def _as_points(low: Doubles, high: Doubles, bias_low: Doubles, bias_high: Doubles) -> tuple[Doubles, Doubles]:
    """Middles and half widths (n, k) of boxes (N, m + 1, k) and their output biases."""
    rows, count = low.shape[0] * low.shape[1], low.shape[2]
    foot = np.concatenate([low.reshape(rows, count), bias_low[None]])
    top = np.concatenate([high.reshape(rows, count), bias_high[None]])
    return (foot + top) / 2, (top - foot) / 2
