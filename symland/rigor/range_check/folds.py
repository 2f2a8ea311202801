r"""Folds: the equations of Moore and Spence in a tiny cube, and the curve of zeros around a fold.

Near a fold with the null vector n, or along a branch with the unit tangent n, write z = z_0 + x n + Q y. The equations
F(z, kappa) = 0 are solved for (y, kappa), with x given: their Jacobian (J Q, F_kappa) is nonsingular there. Where
Krawczyk's test holds for a box of (y, kappa) and all x of a piece, each x of it has one zero in the box, and these are
a smooth curve (y(x), kappa(x)):

    (J Q, F_kappa) (y', kappa') = -J n,     (J Q, F_kappa) (y'', kappa'') = -F_zz[u, u] - 2 kappa' F_z,kappa u,

u = n + Q y', as F is affine in kappa. So all zeros in the region whose kappa lies in the slab are those of the curve.

*Run*: kappa' has one sign, and kappa has left the slab at both ends, on different sides. Then there is one zero for
each kappa of the slab. J is singular only where kappa' = 0, so the index is the same all along.

*Bend*: kappa' has one sign before some pieces and the other after them, where kappa'' has one sign, and kappa has left
the slab at both ends on the same side. Then there are two zeros on one side of the extremum and none on the other. A
zero of the equations of Moore and Spence in the region is this extremum: J is singular there, so kappa' = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, ctx

from symland.rigor.enumeration_check.balls import Doubles
from symland.rigor.enumeration_check.fields import upper
from symland.rigor.enumeration_check.question import PRECISION, Point, Question, ball, gradient, hessian
from symland.rigor.range_check.jets import by_kappa, diagonal, second
from symland.rigor.range_check.middles import AtKappa

__all__ = ["Tract", "Turn", "find_bend", "find_run", "find_turn"]

BITS = 256
"""With which a fold is found."""
TINY = 2.0**-100
"""Half edge of the cube in which it is proved."""
STEPS = 30
SWEEPS = 4
"""Contractions of a piece; the first one proves."""
FINE = 4
"""Pieces of a bend on the length of its half width."""
BEYOND = 1.3
"""How much longer a region is than the curve is in the slab."""
THICK = (0.04, 0.028, 0.02, 0.014, 0.01, 0.007, 0.005, 0.0035, 0.0025, 0.0012, 0.0008, 0.0005, 0.0003, 0.0002, 0.0001)
"""Half widths of y that are tried, ..."""
LONG = (6, 3, 1)
"""... and of x along a branch in units of these, where it is not longer in the slab."""
ROOMY = 2.0
"""How much wider the interval of kappa is in which a branch is sought than the region needs at its speed."""
STILL = 1e-6
"""Change of z with kappa below which a branch is none: a cube holds the point."""


@dataclass(frozen=True)
class Turn:
    """A fold: balls of z, of the unit null vector and of kappa."""

    z: tuple[arb, ...]
    null: tuple[arb, ...]
    kappa: arb


def _moore_spence(question: Question, w: Sequence[arb]) -> tuple[list[arb], list[list[arb]]]:
    """(F, J n, n . n - 1) and its Jacobian at (z, n, kappa)."""
    size = (len(w) - 1) // 2
    z, n = list(w[:size]), list(w[size:-1])
    at, one = AtKappa.of(question, w[-1]), AtKappa.of(question, arb(1))
    slopes, plain = hessian(at, z), hessian(one, z)
    along = (slopes * arb_mat(size, 1, n)).entries()
    value = [*gradient(at, z).entries(), *along, sum((x * x for x in n), arb(0)) - 1]
    weights = diagonal(question, size)
    # J = A + kappa B: the derivative of J n by kappa is B n.
    slide = [x - a * c for x, a, c in zip((plain * arb_mat(size, 1, n)).entries(), weights, n, strict=True)]
    table = [[arb(0)] * len(w) for _ in w]
    for k in range(size):
        step = [arb(int(i == k)) for i in range(size)]
        up = second(at, z, [a + b for a, b in zip(n, step, strict=True)])
        down = second(at, z, [a - b for a, b in zip(n, step, strict=True)])
        for i in range(size):
            table[i][k] = table[size + i][size + k] = slopes[i, k]
            table[size + i][k] = (up[i] - down[i]) / 4
        table[-1][size + k] = 2 * n[k]
    for i, x in enumerate(by_kappa(question, z)):
        table[i][-1], table[size + i][-1] = x, slide[i]
    return value, table


def find_turn(question: Question, z: Point, penalty: Fraction) -> Turn | None:
    """A fold near a point and a penalty, proved to be the only zero of its equations in a tiny cube."""
    before, ctx.prec = ctx.prec, BITS
    try:
        kappa = ball(1 / (penalty * question.samples))
        rough = hessian(AtKappa.of(question, kappa), [arb(x) for x in z])
        values, vectors = np.linalg.eigh(np.array([[float(x.mid()) for x in row] for row in rough.tolist()]))
        null = vectors[:, int(np.argmin(np.abs(values)))]
        w = [arb(float(x)) for x in (*z, *null)] + [kappa.mid()]
        for _ in range(STEPS):
            value, table = _moore_spence(question, w)
            move = (arb_mat(table).mid().inv().mid() * arb_mat(len(w), 1, value)).entries()
            w = [(a - b).mid() for a, b in zip(w, move, strict=True)]
            size = max(float(abs(x)) for x in move)
            if not size < 10:
                return None
            if size < 2.0**-180:
                break
        value, table = _moore_spence(question, w)
        inverse = arb_mat(table).mid().inv().mid()
        rest = arb_mat(len(w), len(w), 1) - inverse * arb_mat(_moore_spence(question, [arb(x, TINY) for x in w])[1])
        move = (rest * arb_mat(len(w), 1, [arb(0, TINY)] * len(w)) - inverse * arb_mat(len(w), 1, value)).entries()
        if not all(bool(abs(x) < TINY) for x in move):
            return None
        found = [a + b for a, b in zip(w, move, strict=True)]
        half = (len(w) - 1) // 2
        return Turn(tuple(found[:half]), tuple(found[half:-1]), found[-1])
    except ZeroDivisionError:
        return None
    finally:
        ctx.prec = before


@dataclass(frozen=True, eq=False)
class Tract:
    """The region |x| <= reach_0, |y_i| <= reach_i about a piece of a curve of zeros.

    Attributes
    ----------
    centre, frame : z_0 and the columns n, Q.
    reach : half widths.
    core : for every kappa the one point of a run lies in this box (2, size); None for a bend.
    below : None for a run; whether the two points of a bend exist at larger kappa, so at smaller penalties.
    """

    centre: Doubles
    frame: Doubles
    reach: Doubles
    core: Doubles | None
    below: bool | None = None


@dataclass(frozen=True)
class _Curve:
    """A piece of the curve: z, kappa, kappa'', and the signs of both derivatives, 0 where open."""

    z: tuple[arb, ...]
    kappa: arb
    curvature: arb
    slope: int
    bend: int


def _sign(x: arb) -> int:
    return 1 if x > 0 else -1 if x < 0 else 0


def _piece(question: Question, centre_z: Sequence[arb], frame: arb_mat, x: arb, half: arb, room: arb) -> _Curve | None:
    """The curve over a piece of x, in |y| <= half and kappa in room; None where Krawczyk's test does not hold."""
    size = frame.nrows()
    origin = [c.mid() for c in centre_z]
    normal = arb_mat([[row[0]] for row in frame.tolist()])
    across = [row[1:] for row in frame.tolist()]

    def place(s: arb, y: Sequence[arb]) -> list[arb]:
        return [o + c for o, c in zip(origin, (frame * arb_mat(size, 1, [s, *y])).entries(), strict=True)]

    def jacobian(z: Sequence[arb], kappa: arb) -> tuple[arb_mat, arb_mat]:
        slopes = hessian(AtKappa.of(question, kappa), z)
        left = (slopes * arb_mat(across)).tolist()
        return arb_mat([[*row, k] for row, k in zip(left, by_kappa(question, z), strict=True)]), slopes

    nothing, centre = [arb(0)] * (size - 1), room.mid()
    inverse = jacobian(place(x.mid(), nothing), centre)[0].mid().inv().mid()
    y, kappa = [arb(0, half)] * (size - 1), room
    at = gradient(AtKappa.of(question, centre), place(x.mid(), nothing))
    over_x = hessian(AtKappa.of(question, centre), place(x, nothing)) * normal
    start = inverse * (at + over_x * (x - x.mid()))
    for turn in range(SWEEPS):
        table, _ = jacobian(place(x, y), kappa)
        step = arb_mat(size, 1, [*y, kappa - centre])
        image = ((arb_mat(size, size, 1) - inverse * table) * step - start).entries()
        if not turn:
            inside = all(bool(abs(a) < half) for a in image[:-1])
            if not (inside and image[-1] + centre < room.upper() and image[-1] + centre > room.lower()):
                return None
            y, kappa = image[:-1], image[-1] + centre
        else:
            y = [a.intersection(b) for a, b in zip(y, image[:-1], strict=True)]
            kappa = kappa.intersection(image[-1] + centre)
    z = place(x, y)
    table, slopes = jacobian(z, kappa)
    first = table.solve(-(slopes * normal)).entries()
    direction = arb_mat(size, 1, (frame * arb_mat(size, 1, [arb(1), *first[:-1]])).entries())
    moved = hessian(AtKappa.of(question, arb(1)), z) * direction
    weights = diagonal(question, size)
    plain = [m - a * u for m, a, u in zip(moved.entries(), weights, direction.entries(), strict=True)]
    curved = second(AtKappa.of(question, kappa), z, direction.entries())
    right = [-a - 2 * first[-1] * b for a, b in zip(curved, plain, strict=True)]
    bend = table.solve(arb_mat(size, 1, right)).entries()[-1]
    return _Curve(tuple(z), kappa, bend, _sign(first[-1]), _sign(bend))


def find_bend(question: Question, turn: Turn, low: arb, high: arb) -> Tract | None:
    """A region about a fold for kappa between two numbers."""
    before, ctx.prec = ctx.prec, PRECISION
    try:
        size = len(turn.z)
        null = np.array([float(x) for x in turn.null])
        basis, _ = np.linalg.qr(np.column_stack([null, np.eye(size)]))
        frame = basis[:, :size].copy()
        columns = arb_mat(frame.tolist())
        probe = _piece(question, turn.z, columns, arb(0), arb(2.0**-20), turn.kappa + arb(0, 2.0**-20))
        if probe is None or not probe.bend:
            return None
        width = (high - turn.kappa if probe.bend > 0 else turn.kappa - low).upper()
        # kappa is about kappa* + kappa'' x^2 / 2.
        rate = abs(float(probe.curvature.mid())) / 2
        long = BEYOND * float((width / rate).sqrt())
        farthest = float(width) * BEYOND**2 * 1.5
        room = (turn.kappa - farthest).union(turn.kappa + farthest).union(low).union(high)
        for flat in THICK:
            reach = np.array([long] + [flat] * (size - 1))
            if _bends(question, turn, columns, reach, room, (low, high), probe.bend):
                centre = np.array([float(c.mid()) for c in turn.z])
                return Tract(centre, frame, reach * (1 - 2.0**-30), None, probe.bend > 0)
        return None
    except ZeroDivisionError:
        return None
    finally:
        ctx.prec = before


def find_run(question: Question, z: Sequence[float], low: Fraction, high: Fraction) -> Tract | None:
    """A region about a branch for kappa between two numbers, from a point near the zero in their middle."""
    before, ctx.prec = ctx.prec, PRECISION
    try:
        middle, size = (low + high) / 2, len(z)
        here = AtKappa.of(question, ball(middle))
        point = [arb(x) for x in z]
        tangent = -(hessian(here, point).mid().inv().mid() * arb_mat(size, 1, by_kappa(question, point)))
        along = np.array([float(x.mid()) for x in tangent.entries()])
        speed = float(np.linalg.norm(along))
        if speed < STILL:
            return None
        basis, _ = np.linalg.qr(np.column_stack([along / speed, np.eye(size)]))
        frame = basis[:, :size].copy()
        columns = arb_mat(frame.tolist())
        if frame[:, 0] @ along < 0:
            columns, frame = -columns, -frame
        half = speed * float(high - low) / 2
        for flat in THICK:
            for times in LONG:
                reach = np.array([max(BEYOND * half, times * flat)] + [flat] * (size - 1))
                core = _runs(question, point, columns, reach, (low, high), speed)
                if core is not None:
                    return Tract(np.array(z), frame, reach * (1 - 2.0**-30), core)
        return None
    except ZeroDivisionError:
        return None
    finally:
        ctx.prec = before


def _runs(
    question: Question,
    point: Sequence[arb],
    frame: arb_mat,
    reach: Doubles,
    ends: tuple[Fraction, Fraction],
    speed: float,
) -> Doubles | None:
    """A box of the curve if it goes from below the slab to above it."""
    long, half = float(reach[0]), arb(float(reach[1]))
    spread = max(long / speed, float(ends[1] - ends[0]) / 2) * ROOMY
    room = ball((ends[0] + ends[1]) / 2) + arb(0, spread)
    first, last = (_piece(question, point, frame, arb(x), half, room) for x in (-long, long))
    if first is None or last is None or not (first.kappa < ball(ends[0]) and last.kappa > ball(ends[1])):
        return None
    count = max(1, round(long / float(reach[1])))
    step = long / count
    hull = list(first.z)
    # What fails, fails far out first.
    for k in sorted(range(-count, count), key=lambda k: -abs(k + 0.5)):
        piece = _piece(question, point, frame, arb((k + 0.5) * step, step * (0.5 + 2.0**-30)), half, room)
        if piece is None or piece.slope <= 0:
            return None
        hull = [a.union(b) for a, b in zip(hull, piece.z, strict=True)]
    return np.array([[-upper(-x) for x in hull], [upper(x) for x in hull]])


def _bends(
    question: Question, turn: Turn, frame: arb_mat, reach: Doubles, room: arb, ends: tuple[arb, arb], sign: int
) -> bool:
    """Whether the curve comes from beyond the slab, turns once, and leaves it on the same side."""
    long, half = float(reach[0]), arb(float(reach[1]))
    count = max(1, round(FINE * long / float(reach[1])))
    step = long / count
    for side in (-long, long):
        end = _piece(question, turn.z, frame, arb(side), half, room)
        if end is None or not (end.kappa > ends[1] if sign > 0 else end.kappa < ends[0]):
            return False
    curve: list[_Curve] = []
    for k in range(-count, count):
        piece = _piece(question, turn.z, frame, arb((k + 0.5) * step, step * (0.5 + 2.0**-30)), half, room)
        if piece is None:
            return False
        curve.append(piece)
    slopes = [piece.slope for piece in curve]
    open_ = [k for k, s in enumerate(slopes) if not s]
    if not open_ or any(curve[k].bend != sign for k in range(open_[0], open_[-1] + 1)):
        return False
    return all(s == -sign for s in slopes[: open_[0]]) and all(s == sign for s in slopes[open_[-1] + 1 :])
