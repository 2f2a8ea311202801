r"""Regions around a branch, in which the stationary points over a slab of penalties are counted.

With F(z, kappa) = A z - kappa g(z) (:mod:`symland.rigor.enumeration.curved`), let z0 be near the branch, n a unit
vector along the softest direction of J = dF/dz there, and z = z0 + n x + Q y. The region is |x| <= X, |y_i| <= Y, for
all kappa of the slab. With R_y = (Q^T J Q)^-1 Q^T approximately and R_x = n^T, let G = R F.

1. |G_y(x, 0, kappa)| + Y |1 - dG_y/dy| 1 < Y for all x and kappa: exactly one y(x, kappa) with G_y = 0 lies in the
   region, so that its zeros are those of g(x, kappa) = G_x(x, y(x, kappa), kappa) (Krawczyk's operator).
2. With l = -(dG_x/dy)(dG_y/dy)^-1 and t = -(dG_y/dy)^-1 dG_y/dx: g_x = dG_x/dx + l dG_y/dx and
   g_kappa = -(1, l) R g(z).

*Tube*: g_x has one sign, and g has different signs at the two ends. Then there is exactly one zero for every kappa, and
it is not degenerate.

*Fold*: g_kappa has one sign everywhere; g_x has one sign left of a middle piece of [-X, X] and the other right of it;
in the middle g_xx = (1, l) R F''[T, T], T = n + Q t, has the sign of the right one; at both ends g has this sign, for
every kappa. So g(., kappa) has one extremum m(kappa), and m is strictly monotone. A zero of (F, J n, n . n - 1) lies in
the region at kappa*: there m = 0. So there are two zeros on one side of kappa*, both nondegenerate, one at kappa*, and
none beyond.

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
from symland.rigor.enumeration.curved import columns_of, derivatives, weights
from symland.rigor.enumeration.extended import EVENT_BITS, LONGEST_STEP, STEPS, zero_near
from symland.rigor.enumeration.known import EXISTENCE_RADIUS, NOBODY, PRECISION, kappa_ball, krawczyk
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.inertia import inertia
from symland.rigor.matrices import approximate_inverse, approximate_solution, identity, row_norm

__all__ = [
    "ORIGIN",
    "Fold",
    "Kind",
    "Region",
    "Regions",
    "Setup",
    "disjoint",
    "find_fold",
    "fold_region",
    "images",
    "origin_number",
    "penalty_text",
    "polish",
    "rough_slopes",
    "symmetries",
    "tube_region",
]

THICK = (0.08, 0.057, 0.04, 0.028, 0.02, 0.014, 0.01, 0.007, 0.005, 0.0042, 0.0035, 0.0025, 0.00125)
"""Y of the regions that are tried, in weights."""
LONG = (16, 8, 4, 2, 1)
"""X of tubes that are tried, in units of Y."""
SLENDER = 0.25
"""A tube counts as thick as its length times this, if it is thicker."""
FOLD_LONG = (32, 24, 16, 12, 8, 5, 3)
"""The same for folds: the two points move apart with the square root of the distance in lambda."""
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
    box : the zero of a tube lies in this box of z at the middle of the slab; all zeros of a fold lie in it.
    index : the index of the zero of a tube, the lower index of those of a fold or a pitchfork.
    opens_down : None for a tube; whether the two points of a fold, or the pair of a pitchfork, exist below lambda*.
    copies : labelled copies of the point of a tube, or of the symmetric branch of a pitchfork; 0 for a fold.
    pair : the index of the pair of a pitchfork; None for another region.
    """

    centre: Doubles
    frame: Doubles
    reach: Doubles
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
        size = np.abs(self.turned @ middle) + np.abs(self.turned) @ half
        return bool((size * (1 + ROUNDING) + ROUNDING < self.reach).all())


def _inverse(frame: Doubles) -> Doubles:
    return np.asarray(np.linalg.inv(frame), dtype=np.float64)


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


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """A frame about a point, over a slab, and the rows R."""

    problem: ReducedProblem
    kappa: arb
    origin: list[arb]
    frame: Doubles
    columns: arb_mat
    readout: arb_mat
    negative: int

    @staticmethod
    def of(problem: ReducedProblem, centre: Doubles, null: Doubles) -> Setup | None:
        size = len(centre)
        basis, _ = np.linalg.qr(np.column_stack([null, np.eye(size)]))
        frame = basis[:, :size].copy()
        frame[:, 0] = null
        return Setup.framed(problem, centre, frame)

    @staticmethod
    def framed(problem: ReducedProblem, centre: Doubles, frame: Doubles) -> Setup | None:
        """With a frame (n, Q) that is given; None where it is not orthogonal, or Q^T J Q has no index."""
        size = len(centre)
        columns = arb_mat(frame.tolist())
        if not row_norm(columns.transpose() * columns - identity(size)) < ORTHOGONAL:
            return None
        origin = [arb(float(x)) for x in centre]
        slopes = _slopes_at(problem, origin, kappa_ball(problem.at(problem.middle)))
        across = arb_mat([row[1:] for row in (columns.transpose() * slopes * columns).tolist()[1:]])
        found, block = inertia(across), approximate_inverse(across)
        if block is None or not found.decided:
            return None
        rows = columns.transpose().tolist()
        readout = arb_mat([rows[0], *(block * arb_mat(rows[1:])).tolist()])
        return Setup(
            problem=problem,
            kappa=kappa_ball(problem),
            origin=origin,
            frame=frame,
            columns=columns,
            readout=readout,
            negative=found.negative,
        )

    def place(self, u: Sequence[arb]) -> list[arb]:
        """z of (x, y)."""
        moved = (self.columns * arb_mat(len(u), 1, list(u))).entries()
        return [o + s for o, s in zip(self.origin, moved, strict=True)]

    def value(self, u: Sequence[arb]) -> list[arb]:
        """G at exact (x, y) for all kappa."""
        z = self.place(u)
        return (self.readout * arb_mat(len(u), 1, _field(self.problem, z, self.kappa))).entries()

    def jacobian(self, u: Sequence[arb]) -> list[list[arb]]:
        """dG/du over a box of (x, y), by its value at the middle and the second derivatives over the box."""
        middle, size = [x.mid() for x in u], len(u)
        columns = columns_of(self.columns)
        at = derivatives(self.problem, self.place(middle), columns).first
        bent = derivatives(self.problem, self.place(u), columns, curved=True).second
        moved = [x - c for x, c in zip(u, middle, strict=True)]
        base = self.readout * (_diagonal(self.problem) * self.columns - self.kappa * arb_mat(at).transpose())
        table = [
            (self.readout * arb_mat([bent[max(i, k)][min(i, k)] for k in range(size)]).transpose()).tolist()
            for i in range(size)
        ]
        rows = base.tolist()
        for i in range(size):
            for a in range(size):
                change = sum((c * s for c, s in zip(table[i][a], moved, strict=True)), arb(0))
                rows[a][i] = rows[a][i] - self.kappa * change
        return rows


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """What one piece of x says: the range of y, and the signs of g_x and, at a fold, of g_kappa and g_xx; 0 is open."""

    x: arb
    y: list[arb]
    slope: int
    tilt: int
    curve: int


def sign_of(x: arb) -> int:
    """1, -1, or 0 where the sign is open."""
    return 1 if x > 0 else -1 if x < 0 else 0


def settled(setup: Setup, x: arb, thick: float) -> tuple[list[list[arb]], list[arb], list[arb]] | None:
    """The Jacobian over the piece, G(x, 0) and the range of y; None where step 1 fails."""
    size = len(setup.origin)
    nothing, ball = [arb(0)] * (size - 1), [arb(0, thick)] * (size - 1)
    over = setup.jacobian([x, *ball])
    value = setup.value([x.mid(), *nothing])
    start = [f + row[0] * (x - x.mid()) for f, row in zip(value, over, strict=True)]
    rest = identity(size - 1) - across_block(over)
    moved = [r - s for r, s in zip((rest * arb_mat(size - 1, 1, ball)).entries(), start[1:], strict=True)]
    if not all(bool(abs(y) < thick) for y in moved):
        return None
    return over, start, moved


def across_block(rows: list[list[arb]]) -> arb_mat:
    """dG_y/dy."""
    return arb_mat([row[1:] for row in rows[1:]])


def _piece(setup: Setup, x: arb, thick: float, folded: bool) -> _Piece | None:
    found = settled(setup, x, thick)
    if found is None:
        return None
    over, _, y = found
    size = len(setup.origin)
    u = [x, *y]
    g = setup.jacobian(u) if folded else over
    try:
        inner = across_block(g).inv()
    except ZeroDivisionError:
        return None
    toward = -(arb_mat([g[0][1:]]) * inner)
    slope = g[0][0] + sum((a * row[0] for a, row in zip(toward.entries(), g[1:], strict=True)), arb(0))
    tilt = curve = 0
    if folded:
        z, reading = setup.place(u), arb_mat([[arb(1), *toward.entries()]]) * setup.readout
        along = -(inner * arb_mat([[row[0]] for row in g[1:]]))
        direction = (setup.columns * arb_mat([[arb(1)], *along.tolist()])).entries()
        there = derivatives(setup.problem, z, [direction], curved=True)
        tilt = -sign_of((reading * arb_mat(size, 1, there.value)).entries()[0])
        curve = -sign_of((reading * arb_mat(size, 1, there.second[0][0])).entries()[0])
    return _Piece(x=x, y=y, slope=sign_of(slope), tilt=tilt, curve=curve)


def pieces_of(wide: float, thick: float) -> list[arb]:
    """Overlapping pieces of [-wide, wide], about as long as twice so much."""
    count = max(1, int(np.ceil(wide / thick)))
    return [arb((2 * k + 1 - count) * wide / count, wide / count * (1 + 2.0**-40)) for k in range(count)]


def end_sign(setup: Setup, x: float, thick: float) -> int:
    """The sign of g at an end; 0 where open."""
    found = settled(setup, arb(x), thick)
    if found is None:
        return 0
    over, start, y = found
    return sign_of(start[0] + sum((a * b for a, b in zip(over[0][1:], y, strict=True)), arb(0)))


def hull(setup: Setup, pieces: Iterable[Sequence[arb]]) -> Box:
    """A box of z about boxes of (x, y)."""
    boxes = [setup.place(u) for u in pieces]
    low = np.array([[float(c.lower()) for c in z] for z in boxes]).min(axis=0)
    high = np.array([[float(c.upper()) for c in z] for z in boxes]).max(axis=0)
    return np.nextafter(low, -np.inf), np.nextafter(high, np.inf)


def reach_of(size: int, wide: float, thick: float) -> Doubles:
    """(X, Y, ..., Y)."""
    return np.array([wide] + [thick] * (size - 1))


def tube_region(problem: ReducedProblem, centre: Doubles) -> Region | None:
    """The thickest tube about a point at the middle of a slab, as long as it can be; None where there is none."""
    ctx.prec = PRECISION
    setup = Setup.of(problem, centre, softest(problem, list(centre)))
    if setup is None:
        return None
    best, score = None, 0.0
    for thick in THICK:
        # What fails at the middle fails everywhere.
        if thick <= score or settled(setup, arb(0), thick) is None:
            continue
        for times in LONG:
            if min(times * SLENDER, 1.0) * thick > score:
                found = _tube(setup, centre, times * thick, thick)
                if found is not None:
                    best, score = found, min(times * SLENDER, 1.0) * thick
                    break
    return best


def _tube(setup: Setup, centre: Doubles, wide: float, thick: float) -> Region | None:
    ends = [end_sign(setup, -wide, thick)]
    ends += [end_sign(setup, wide, thick)] if ends[0] else []
    if 0 in ends or ends[0] == ends[1]:
        return None
    # What fails, fails far out first.
    for x in sorted(pieces_of(wide, thick), key=lambda x: -abs(float(x.mid()))):
        piece = _piece(setup, x, thick, False)
        if piece is None or piece.slope != ends[1]:
            return None
    tiny = centre - EXISTENCE_RADIUS, centre + EXISTENCE_RADIUS
    region = Region(
        centre=centre,
        frame=setup.frame,
        reach=reach_of(len(centre), wide, thick),
        box=tiny,
        index=setup.negative + (ends[1] < 0),
    )
    copies = orbit_size(setup.problem, region)
    if copies is None or not krawczyk(setup.problem.at(setup.problem.middle), centre.tolist(), EXISTENCE_RADIUS):
        return None
    return replace(region, copies=copies)


def within(problem: ReducedProblem, penalty: arb) -> bool:
    """Whether a penalty is proved to lie inside a slab."""
    low = arb(problem.penalty.numerator) / problem.penalty.denominator
    return bool(penalty > low) and bool(penalty < arb(problem.highest.numerator) / problem.highest.denominator)


def fold_region(problem: ReducedProblem, fold: Fold) -> Region | None:
    """The thickest region about a fold that can be proved over the slab."""
    ctx.prec = PRECISION
    if not within(problem, fold.penalty):
        return None
    setup = Setup.of(problem, fold.z, fold.null)
    if setup is None:
        return None
    for thick in THICK:
        if settled(setup, arb(0), thick) is None:
            continue
        for times in FOLD_LONG:
            found = _fold(setup, fold, times * thick, thick)
            if found is not None:
                return found
    return None


def _fold(setup: Setup, fold: Fold, wide: float, thick: float) -> Region | None:
    ends = {end_sign(setup, x, thick) for x in (-wide, wide)}
    if len(ends) != 1 or 0 in ends:
        return None
    (opening,) = ends
    pieces = []
    for x in pieces_of(wide, thick / 2):
        piece = _piece(setup, x, thick, True)
        if piece is None or not piece.tilt or (not piece.slope and piece.curve != opening):
            return None
        pieces.append(piece)
    middle = [k for k, p in enumerate(pieces) if not p.slope]
    tilts = {p.tilt for p in pieces}
    if not middle or len(tilts) != 1:
        return None
    first, last = middle[0], middle[-1]
    if any(p.slope != -opening for p in pieces[:first]) or any(p.slope != opening for p in pieces[last + 1 :]):
        return None
    # A piece of the middle whose slope has a sign must bend like the others.
    if any(p.curve != opening for p in pieces[first : last + 1]):
        return None
    # The fold's own enclosure is far smaller than the region.
    drift = max(float(abs(b - float(o)).upper()) for b, o in zip(fold.ball, fold.z, strict=True))
    if not drift * len(fold.z) < ROUNDING * thick:
        return None
    return Region(
        centre=fold.z,
        frame=setup.frame,
        reach=reach_of(len(fold.z), wide, thick),
        box=hull(setup, ([p.x, *p.y] for p in pieces)),
        index=setup.negative,
        opens_down=tilts == {-opening},
    )


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
    centres (M, n), turned (M, n, n), reach (M, n), numbers (M,) : of the images.
    origin : the region that holds the origin, ORIGIN where none does, NOBODY where the origin is not stationary.
    """

    all: tuple[Region, ...]
    centres: Doubles
    turned: Doubles
    reach: Doubles
    numbers: npt.NDArray[np.intp]
    origin: int = NOBODY

    @staticmethod
    def of(problem: ReducedProblem, regions: Sequence[Region]) -> Regions:
        """The images under all symmetries; those that are the same count once."""
        size = problem.nodes * (problem.inputs + 1) + 1
        rows: dict[bytes, tuple[Doubles, Doubles, Doubles, int]] = {}
        for number, region in enumerate(regions):
            for places, signs in symmetries(problem.at(Fraction(1))):
                which, sign = list(places), np.array(signs, dtype=np.float64)
                centre, frame = region.centre[which] * sign, region.frame[which] * sign[:, None]
                key = np.concatenate([centre, frame.ravel(), [number]]) + 0.0
                rows.setdefault(key.tobytes(), (centre, _inverse(frame), region.reach, number))
        found = list(rows.values())
        return Regions(
            all=tuple(regions),
            centres=np.array([r[0] for r in found]).reshape(-1, size),
            turned=np.array([r[1] for r in found]).reshape(-1, size, size),
            reach=np.array([r[2] for r in found]).reshape(-1, size),
            numbers=np.array([r[3] for r in found], dtype=np.intp),
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
        size = np.abs(self._turned(middle[:, small])) + np.abs(self.turned) @ half[:, small]
        fits = (size * (1 + ROUNDING) + ROUNDING < self.reach[:, :, None]).all(axis=1)
        held = fits.any(axis=0)
        found[small[held]] = self.numbers[fits.argmax(axis=0)[held]]
        return found

    def undecided(self, low: Doubles, high: Doubles, bias_low: Doubles, bias_high: Doubles) -> npt.NDArray[np.bool_]:
        """Which boxes may reach into a region and are not small beside it, so that parts of them may be held."""
        middle, half = _as_points(low, high, bias_low, bias_high)
        reaches = (np.abs(self._turned(middle)) < self.reach[:, :, None] + np.abs(self.turned) @ half).all(axis=1)
        wide = half.max(axis=0) > self.reach.min(axis=1)[:, None] * SMALL
        return np.asarray((reaches & wide).any(axis=0))

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
