r"""Pitchforks: the pair that breaks a symmetry as a curve of zeros, in equations divided by its amplitude.

Let R be a symmetry of order two of the equations F(z, kappa) = 0, J = F_z. Near a point that R keeps write

    z = e + x w,   e = z_0 + Q_e a,   w = n + Q_o b,

where R keeps e and turns w round: Q_e and (n, Q_o) span the two parts. Project F on them: F_e and F_o. F_o vanishes at
x = 0, so that F_o / x is smooth, and the zeros with x > 0 are those of H = (F_e, F_o / x) in (a, b, kappa), x given.
With s from 0 to 1, and all means over s,

    F_o / x = mean P_o J(e + s x w) w                            (P_o J(e) w at x = 0),
    H_a = (P_e J Q_e, mean P_o F''[w, Q_e]),  H_b = (x P_e J Q_o, P_o J Q_o),
    H_kappa = (P_e F_kappa, mean P_o F_z,kappa w),
    H_x = x (mean P_e F''[w, w], mean of s^2 P_o F'''[w, w, w]):

P_e J Q_o, P_o J Q_e, P_e F'' and P_o F'' of two odd directions, as far as R forbids them, vanish at e. A zero of H at
x = 0 is a point at which J has the null vector w: the pitchfork. Krawczyk's test proves one in a tiny cube. Where the
test holds for a box of (a, b, kappa) and all x of a piece, the zeros with x > 0 are a curve there, and

    (a', b', kappa') = -x (H_a, H_b, H_kappa)^-1 (mean P_e F''[w, w], mean of s^2 P_o F'''[w, w, w]).

Where the last entry of what x multiplies has one sign for all x from 0 to X, kappa is strictly monotone along the
curve; at X it has left the slab. So the pair is there on one side of kappa*, once, and not on the other. In the region
|x| <= X, |Q_o part| <= Y, |Q_e part| <= Y every zero is of this form: with M = P_o' J Q_o and m = P_o' J n, P_o' the
rows of Q_o, b = -M^-1 m in the mean, which is bounded; and with x = 0 nothing odd is left. On what R keeps, Krawczyk's
test for every kappa of the slab gives the branch itself. J is singular only at the pitchfork.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from flint import arb, arb_mat, ctx

from symland.rigor.enumeration_check.balls import Doubles
from symland.rigor.enumeration_check.question import PRECISION, Point, Question, ball, gradient, hessian
from symland.rigor.range_check.folds import Tract
from symland.rigor.range_check.jets import by_kappa, diagonal, directional, second
from symland.rigor.range_check.middles import AtKappa, labelled

__all__ = ["Fork", "find_fork", "find_forked"]

Places = npt.NDArray[np.intp]

BITS = 256
"""With which a pitchfork is found."""
TINY = 2.0**-100
"""Half edge of the cube in which it is proved."""
STEPS = 30
NEAR = 1e-5
"""How far a symmetry may move the point that is claimed, or the null vector from its opposite."""
BEYOND = 1.5
"""How much longer a region is than the pair is in the slab."""
THICK = (0.04, 0.028, 0.02, 0.014, 0.01, 0.007, 0.005, 0.0035, 0.0025, 0.0012, 0.0008, 0.0005, 0.0003)
"""Half widths Y that are tried."""
LEAN = 1.1
"""How much larger the box of b is than its bound, ..."""
LEAST_LEAN = 0.02
"""... and its least half width."""
PIECES = 12
"""Of [0, X]."""
ORTHOGONAL = 1e-12
"""How far a frame may be from an orthogonal one."""


@dataclass(frozen=True, eq=False)
class Fork:
    """A pitchfork: its point, which R keeps exactly, the columns n, Q_o, Q_e, how many are odd, and a ball of kappa."""

    z: Doubles
    frame: Doubles
    odd: int
    kappa: arb


def _mirrors(question: Question, size: int) -> Iterator[tuple[Places, Doubles]]:
    """Symmetries of order two, as places and signs."""
    for image in labelled(question, tuple(float(k + 1) for k in range(size))):
        places, signs = np.abs(image).astype(np.intp) - 1, np.sign(image)
        if (places[places] == np.arange(size)).all() and (signs * signs[places] == 1).all():
            yield places, np.asarray(signs, dtype=np.float64)


def _parts(places: Places, signs: Doubles) -> tuple[Doubles, Doubles]:
    """Orthonormal columns of what a symmetry keeps and of what it turns round, one pair of entries each."""
    size = len(places)
    columns: tuple[list[Doubles], list[Doubles]] = ([], [])
    for i, k in enumerate(places):
        for sign, found in zip((1.0, -1.0), columns, strict=True):
            one = np.zeros(size)
            one[i] += 1.0
            one[k] += sign * signs[i]
            if k >= i and one.any():
                found.append(one / np.linalg.norm(one))
    even, odd = (np.array(c).reshape(-1, size).T for c in columns)
    return even, odd


def _exact(places: Places, signs: Doubles, frame: Doubles, odd: int, z: Doubles) -> bool:
    turned = np.where(np.arange(frame.shape[1]) < odd, -1.0, 1.0)
    moved = frame[places] * signs[:, None]
    return bool((moved == frame * turned).all() and (z[places] * signs == z).all())


class _Divided:
    """H about a point, with its derivatives; x and (a, b, kappa) may be balls."""

    def __init__(self, question: Question, z: Doubles, frame: Doubles, odd: int) -> None:
        self.question, self.odd, self.size = question, odd, len(z)
        self.origin = [arb(float(x)) for x in z]
        columns = arb_mat(frame.tolist())
        self.rows = columns.transpose()
        self.columns = [list(c) for c in self.rows.tolist()]
        self.diagonal = diagonal(question, self.size)

    def even_and_odd(self, vector: Sequence[arb]) -> tuple[list[arb], list[arb]]:
        """P_e and P_o of a vector."""
        found = (self.rows * arb_mat(self.size, 1, list(vector))).entries()
        return found[self.odd :], found[: self.odd]

    def split(self, u: Sequence[arb]) -> tuple[list[arb], list[arb], arb]:
        """e, w and kappa of (a, b, kappa)."""
        count = self.size - self.odd
        e, w = list(self.origin), list(self.columns[0])
        for a, column in zip(u[:count], self.columns[self.odd :], strict=True):
            e = [p + a * q for p, q in zip(e, column, strict=True)]
        for b, column in zip(u[count:-1], self.columns[1 : self.odd], strict=True):
            w = [p + b * q for p, q in zip(w, column, strict=True)]
        return e, w, u[-1]

    @staticmethod
    def along(e: Sequence[arb], w: Sequence[arb], x: arb) -> list[arb]:
        """e + x w."""
        return [p + x * q for p, q in zip(e, w, strict=True)]

    def value(self, x: arb, u: Sequence[arb]) -> list[arb]:
        """H at an exact x."""
        e, w, kappa = self.split(u)
        at = AtKappa.of(self.question, kappa)
        even, odd = self.even_and_odd(gradient(at, self.along(e, w, x)).entries())
        if x == 0:
            odd = self.even_and_odd((hessian(at, e) * arb_mat(self.size, 1, w)).entries())[1]
        else:
            odd = [f / x for f in odd]
        return [*even, *odd]

    def slopes(self, x: arb, u: Sequence[arb]) -> arb_mat:
        """(H_a, H_b, H_kappa) for all x of a ball."""
        e, w, kappa = self.split(u)
        at, one = AtKappa.of(self.question, kappa), AtKappa.of(self.question, arb(1))
        z, between = self.along(e, w, x), self.along(e, w, x.union(arb(0)))
        steep = hessian(at, z)
        columns = []
        for column in self.columns[self.odd :]:
            even, _ = self.even_and_odd((steep * arb_mat(self.size, 1, column)).entries())
            up = second(at, between, [p + q for p, q in zip(w, column, strict=True)])
            down = second(at, between, [p - q for p, q in zip(w, column, strict=True)])
            _, odd = self.even_and_odd([(p - q) / 4 for p, q in zip(up, down, strict=True)])
            columns.append([*even, *odd])
        for column in self.columns[1 : self.odd]:
            even, odd = self.even_and_odd((steep * arb_mat(self.size, 1, column)).entries())
            columns.append([*(x * p for p in even), *odd])
        even, _ = self.even_and_odd(by_kappa(self.question, z))
        plain = (hessian(one, between) * arb_mat(self.size, 1, w)).entries()
        _, odd = self.even_and_odd([p - d * q for p, d, q in zip(plain, self.diagonal, w, strict=True)])
        columns.append([*even, *odd])
        return arb_mat(columns).transpose()

    def drift(self, x: arb, u: Sequence[arb]) -> list[arb]:
        """H_x / x for all x of a ball."""
        e, w, kappa = self.split(u)
        at, between = AtKappa.of(self.question, kappa), self.along(e, w, x.union(arb(0)))
        even, _ = self.even_and_odd(directional(at, between, w, 2))
        _, odd = self.even_and_odd(directional(at, between, w, 3))
        return [*even, *(f / 3 for f in odd)]


def _krawczyk(system: _Divided, x: arb, u: Sequence[arb]) -> list[arb] | None:
    """A box inside of u that holds, for each x of a ball, the only zero of H in u; None where that is not proved."""
    size, middle = len(u), [c.mid() for c in u]
    slopes = system.slopes(x, u)
    inverse = slopes.mid().inv().mid()
    start = arb_mat(size, 1, system.value(x.mid(), middle))
    if x.rad() > 0:
        start = start + arb_mat(size, 1, system.drift(x, middle)) * (x * (x - x.mid()))
    step = arb_mat(size, 1, [c - m for c, m in zip(u, middle, strict=True)])
    image = ((arb_mat(size, size, 1) - inverse * slopes) * step - inverse * start).entries()
    moved = [m + s for m, s in zip(middle, image, strict=True)]
    return moved if all(c.contains_interior(m) for c, m in zip(u, moved, strict=True)) else None


def find_fork(question: Question, z: Point, penalty: Fraction) -> Fork | None:
    """A pitchfork near a point and a penalty, proved to be the only zero of H at x = 0 in a tiny cube."""
    before, ctx.prec = ctx.prec, BITS
    try:
        kappa, size = ball(1 / (penalty * question.samples)), len(z)
        rough = hessian(AtKappa.of(question, kappa), [arb(x) for x in z])
        values, vectors = np.linalg.eigh(np.array([[float(x.mid()) for x in row] for row in rough.tolist()]))
        null, point = vectors[:, int(np.argmin(np.abs(values)))], np.array(z)
        for places, signs in _mirrors(question, size):
            kept = float(np.abs(point[places] * signs - point).max())
            if max(kept, float(np.abs(null[places] * signs + null).max())) < NEAR:
                return _at_mirror(question, point, null, kappa, places, signs)
        return None
    except ZeroDivisionError:
        return None
    finally:
        ctx.prec = before


def _at_mirror(
    question: Question, point: Doubles, null: Doubles, kappa: arb, places: Places, signs: Doubles
) -> Fork | None:
    even, odd = _parts(places, signs)
    inner, _ = np.linalg.qr(np.column_stack([odd.T @ null, np.eye(odd.shape[1])]))
    centre, u = even @ (even.T @ point), [arb(0)] * (len(point) - 1) + [kappa.mid()]
    for _ in range(2):
        # About a first solution the frame is set up once more, so that a and b are tiny.
        frame = np.column_stack([odd @ inner[:, : odd.shape[1]], even])
        columns = arb_mat(frame.tolist())
        defect = columns.transpose() * columns - arb_mat(len(point), len(point), 1)
        near = all(bool(abs(x) < ORTHOGONAL) for x in defect.entries())
        if not (near and _exact(places, signs, frame, odd.shape[1], centre)):
            return None
        system = _Divided(question, centre, frame, odd.shape[1])
        u = [arb(0)] * (len(point) - 1) + [u[-1]]
        for _ in range(STEPS):
            inverse = system.slopes(arb(0), u).mid().inv().mid()
            move = (inverse * arb_mat(len(u), 1, system.value(arb(0), u))).entries()
            u = [(a - b).mid() for a, b in zip(u, move, strict=True)]
            size = max(float(abs(x)) for x in move)
            if not size < 10:
                return None
            if size < 2.0**-180:
                break
        count = even.shape[1]
        centre = even @ (even.T @ (centre + even @ np.array([float(a) for a in u[:count]])))
        lean = np.array([1.0, *(float(b) for b in u[count:-1])])
        inner, _ = np.linalg.qr(np.column_stack([inner[:, : odd.shape[1]] @ lean, np.eye(odd.shape[1])]))
        if _krawczyk(system, arb(0), [arb(a, TINY) for a in u]) is None:
            return None
        found = Fork(np.array([float(x) for x in system.origin]), frame, odd.shape[1], arb(u[-1], TINY))
    return found


def find_forked(question: Question, fork: Fork, low: arb, high: arb) -> Tract | None:
    """A region about a pitchfork for kappa between two numbers."""
    before, ctx.prec = ctx.prec, PRECISION
    try:
        system = _Divided(question, fork.z, fork.frame, fork.odd)
        here = [*[arb(0)] * (len(fork.z) - 1), fork.kappa.mid()]
        rate = -system.slopes(arb(0), here).mid().solve(arb_mat(len(here), 1, system.drift(arb(0), here)))
        speed = float(rate.entries()[-1].mid())
        if not speed:
            return None
        # kappa is about kappa* + speed x^2 / 2.
        width = float((high - fork.kappa if speed > 0 else fork.kappa - low).upper())
        long = BEYOND * (2 * width / abs(speed)) ** 0.5
        far = width * BEYOND**2 * 1.5
        room = (fork.kappa - far).union(fork.kappa + far).union(low).union(high)
        for flat in THICK:
            if _forked(system, long, flat, room, (low, high), 1 if speed > 0 else -1):
                reach = np.array([long] + [flat] * (len(fork.z) - 1))
                return Tract(fork.z, fork.frame, reach * (1 - 2.0**-30), None, speed > 0)
        return None
    except ZeroDivisionError:
        return None
    finally:
        ctx.prec = before


def _forked(system: _Divided, long: float, flat: float, room: arb, ends: tuple[arb, arb], sign: int) -> bool:
    """Whether the region holds the branch for every kappa of the slab, and the pair on one side of the pitchfork."""
    even, odd = system.size - system.odd, system.odd - 1
    slab = ends[0].union(ends[1])
    beside = [arb(0, flat)] * even
    if not _branch(system, beside, slab):
        return False
    lean = _lean(system, long, flat, slab)
    if lean is None:
        return False
    around = [*beside, *[arb(0, lean)] * odd, room]
    step = long / PIECES
    for k in reversed(range(PIECES)):
        x = arb((k + 0.5) * step, step * (0.5 + 2.0**-30))
        u = _krawczyk(system, x, around)
        if u is None:
            return False
        u = _krawczyk(system, x, u) or u
        speed = -system.slopes(x, u).solve(arb_mat(len(u), 1, system.drift(x, u))).entries()[-1]
        if not (speed > 0 if sign > 0 else speed < 0):
            return False
    last = _krawczyk(system, arb(long), around)
    return last is not None and bool(last[-1] > ends[1] if sign > 0 else last[-1] < ends[0])


def _branch(system: _Divided, beside: list[arb], slab: arb) -> bool:
    """Whether exactly one point that R keeps lies in the region for every kappa of the slab."""
    if not beside:
        return True
    count = len(beside)
    nothing = [arb(0)] * (system.odd - 1)

    def field(a: Sequence[arb]) -> arb_mat:
        e, _, _ = system.split([*a, *nothing, slab])
        return arb_mat(count, 1, system.even_and_odd(gradient(AtKappa.of(system.question, slab), e).entries())[0])

    slopes = arb_mat([row[:count] for row in system.slopes(arb(0), [*beside, *nothing, slab]).tolist()[:count]])
    inverse = slopes.mid().inv().mid()
    rest = (arb_mat(count, count, 1) - inverse * slopes) * arb_mat(count, 1, beside)
    image = (rest - inverse * field([arb(0)] * count)).entries()
    return all(c.contains_interior(x) for c, x in zip(beside, image, strict=True))


def _lean(system: _Divided, long: float, flat: float, slab: arb) -> float | None:
    """A bound of b at every zero of the region; None where M may be singular."""
    count = system.odd - 1
    if not count:
        return LEAST_LEAN
    z = list(system.origin)
    for k, column in enumerate(system.columns):
        z = [p + arb(0, long if k == 0 else flat) * q for p, q in zip(z, column, strict=True)]
    steep = hessian(AtKappa.of(system.question, slab), z)
    columns = [(steep * arb_mat(system.size, 1, c)).entries() for c in system.columns[: system.odd]]
    rows = [system.even_and_odd(c)[1][1:] for c in columns]
    matrix = arb_mat(rows[1:]).transpose()
    found = (matrix.mid().inv().mid() * matrix).solve(matrix.mid().inv().mid() * arb_mat(count, 1, rows[0])).entries()
    if not all(x.is_finite() for x in found):
        return None
    return max(LEAST_LEAN, *(LEAN * float(abs(x).upper()) for x in found))
