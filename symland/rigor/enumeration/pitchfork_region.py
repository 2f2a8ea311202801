r"""Regions around a pitchfork: a symmetric branch that loses its stability against a direction that breaks a symmetry.

Let R be a symmetry of order two with R z = z along the branch and R n = -n for the null vector n. The frame (n, Q) is
taken of columns that R keeps or turns round, exactly, and the polynomials q have the parity of their columns, so that
R maps the region |x| <= X, |y - q(x)| <= Y onto itself: (x, y) goes to (-x, D y), D diagonal of signs. As in
:mod:`symland.rigor.enumeration.regions` exactly one y(x, kappa) lies in the region, and its zeros are those of
g(x, kappa) = n . F. Because it is the only one, y(-x) = D y(x), and g(-x) = -g(x): the even part of the polynomial that
is near g may be left out, and g_xx vanishes at x = 0, where y(0, kappa) is the symmetric branch.

Let h = g / x, h(0, kappa) = g_x(0, kappa). Signs of derivatives of g are those of sheets
(:mod:`symland.rigor.enumeration.sheets`).

1. The tilt d h(0, kappa) / d kappa has one sign, and h(0, kappa*) = 0 at a kappa* inside the slab: there (F on the
   points that R keeps, J n on the directions that it turns round, n . n - 1) has a zero, which Krawczyk's test proves.
2. For x > 0 part by part g_xxx or g_xx has the sign s, on the first part g_xxx: then g_xx has it for all x > 0, and so
   has h_x = (x g_x - g) / x^2, as x g_x - g is the integral of t g_xx.
3. g(X, kappa) has the sign s for all kappa.

So h(., kappa) has one zero x > 0 where h(0, kappa) has the sign -s, and none elsewhere: a pair x, -x on one side of
kappa*, and none on the other. There g_x = x h_x, of the sign s. The index is that of Q^T J Q, and one more where
g_x < 0: on the symmetric branch where h(0, kappa) < 0, on the pair where s < 0. The pair is one class, as R exchanges
its points.

The extended system is that of Werner and Spence (1984).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, final

import numpy as np
from flint import arb, arb_mat, ctx

from symland.rigor.enumeration.chains import Chain, Part, chains
from symland.rigor.enumeration.curved import derivatives, weights
from symland.rigor.enumeration.extended import EVENT_BITS, zero_near
from symland.rigor.enumeration.known import PRECISION
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.regions import (
    FARTHEST,
    ROUNDING,
    Box,
    Fold,
    Kind,
    Region,
    find_fold,
    fold_region,
    framed,
    hull,
    orbit_size,
    reach_of,
    rough_slopes,
    symmetries,
    within,
)

__all__ = [
    "Event",
    "Mirror",
    "Pitchfork",
    "agrees",
    "event_region",
    "find_event",
    "find_pitchforks",
    "pitchfork_region",
]

SOFT = 4
"""Eigenvectors of J with the eigenvalues nearest zero from which pitchforks are looked for."""
KEPT = 1e-6
"""Largest change of a coordinate by a symmetry that is taken to keep a point, or to turn a direction round."""
NOTHING = 2.0**-100
"""Size of a coordinate that is put to 0."""
TINY = 2.0**-40
"""Half edge of the box about a pitchfork whose images are compared."""


@final
@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A symmetry R of order two: (R z)_i = signs_i z_places_i."""

    places: tuple[int, ...]
    signs: tuple[int, ...]

    def __call__(self, z: Doubles) -> Doubles:
        """R z, exactly; of the rows of a matrix."""
        sign = np.array(self.signs, dtype=np.float64)
        return z[list(self.places)] * (sign if z.ndim == 1 else sign[:, None])

    def parted(self) -> tuple[list[list[int]], list[list[int]]]:
        """Orthogonal bases of what R keeps and of what it turns round, in rows of 0, 1 and -1."""
        even, odd = list[list[int]](), list[list[int]]()
        size = len(self.places)
        for i, (k, sign) in enumerate(zip(self.places, self.signs, strict=True)):
            if k < i:
                continue
            row = [int(j == i) for j in range(size)]
            if k == i:
                (even if sign > 0 else odd).append(row)
                continue
            even.append([sign if j == k else a for j, a in enumerate(row)])
            odd.append([-sign if j == k else a for j, a in enumerate(row)])
        return even, odd


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Pitchfork:
    """A zero of (F on what R keeps, J n on what R turns round, n . n - 1).

    Attributes
    ----------
    z, null : doubles near the point and the unit null vector, which R keeps and turns round exactly.
    ball : enclosures of z.
    penalty : enclosure of lambda*.
    mirror : R.
    """

    kind: ClassVar[Kind] = Kind.PITCHFORK
    z: Doubles
    null: Doubles
    ball: tuple[arb, ...]
    penalty: arb
    mirror: Mirror


Event = Fold | Pitchfork


def find_event(problem: ReducedProblem, z: Sequence[float], kind: Kind) -> Event | None:
    """An event of a kind, near a point and the middle of a slab; None where none is proved."""
    if kind is Kind.FOLD:
        return find_fold(problem, z)
    return next(find_pitchforks(problem, np.array(z)), None)


@lru_cache(maxsize=8)
def event_region(problem: ReducedProblem, event: Event) -> Region | None:
    """The thickest region about an event that can be proved over the slab; it is asked for where slabs are cut and
    where one is searched."""
    return fold_region(problem, event) if isinstance(event, Fold) else pitchfork_region(problem, event)


def mirrors(problem: ReducedProblem, z: Doubles) -> Iterator[Mirror]:
    """Symmetries of order two that keep a point, to rounding, and the identity."""
    for places, signs in symmetries(problem.at(problem.middle)):
        twice = all(places[places[i]] == i and signs[i] * signs[places[i]] == 1 for i in range(len(places)))
        mirror = Mirror(places=places, signs=signs)
        if twice and float(np.abs(mirror(z) - z).max()) < KEPT:
            yield mirror


def find_pitchforks(problem: ReducedProblem, z: Doubles) -> Iterator[Pitchfork]:
    """Pitchforks near a point at the middle of a slab, from the softest directions that a symmetry turns round.

    Of each direction one symmetry is tried; all that turn it round meet the same pitchfork.
    """
    ctx.prec = EVENT_BITS
    kept = list(mirrors(problem, z))
    if not kept:
        return
    values, vectors = np.linalg.eigh(rough_slopes(problem, z.tolist()))
    for k in np.argsort(np.abs(values))[:SOFT]:
        null = vectors[:, int(k)]
        mirror = next((r for r in kept if float(np.abs(r(null) + null).max()) < KEPT), None)
        found = None if mirror is None else _find(problem, z, null, mirror)
        if found is not None:
            yield found


class _Extended:
    """(B^T F, C^T J n, n . n - 1) at z = B a, n = C b, and its Jacobian in (a, b, kappa)."""

    def __init__(self, problem: ReducedProblem, mirror: Mirror) -> None:
        self.problem = problem
        even, odd = mirror.parted()
        self.b, self.c = (arb_mat(rows) if rows else arb_mat(0, len(mirror.places)) for rows in (even, odd))
        self.even, self.odd = len(even), len(odd)

    def points(self, w: Sequence[arb]) -> tuple[list[arb], list[arb]]:
        """z and n."""
        a, b = arb_mat(1, self.even, list(w[: self.even])), arb_mat(1, self.odd, list(w[self.even : -1]))
        return (a * self.b).entries(), (b * self.c).entries()

    def at(self, w: Sequence[arb]) -> tuple[list[arb], list[list[arb]]]:
        """Value and Jacobian."""
        (z, n), kappa, diagonal = self.points(w), w[-1], weights(self.problem)
        columns = [*self.b.tolist(), *self.c.tolist()]
        found = derivatives(self.problem, z, [*columns, n], curved=True)
        field = [d * x - kappa * g for d, x, g in zip(diagonal, z, found.value, strict=True)]
        turned = [d * x - kappa * g for d, x, g in zip(diagonal, n, found.first[-1], strict=True)]
        value = [*self._even(field), *self._odd(turned), sum((x * x for x in n), arb(0)) - 1]
        rows = [[arb(0)] * len(w) for _ in w]
        for k, column in enumerate(columns):
            moved = [d * x - kappa * g for d, x, g in zip(diagonal, column, found.first[k], strict=True)]
            if k < self.even:
                for i, x in enumerate(self._even(moved)):
                    rows[i][k] = x
                bent = self._odd([-kappa * x for x in found.second[-1][k]])
                for i, x in enumerate(bent):
                    rows[self.even + i][k] = x
            else:
                for i, x in enumerate(self._odd(moved)):
                    rows[self.even + i][k] = x
                rows[-1][k] = 2 * sum((x * y for x, y in zip(n, column, strict=True)), arb(0))
        for i, x in enumerate(self._even(found.value)):
            rows[i][-1] = -x
        for i, x in enumerate(self._odd(found.first[-1])):
            rows[self.even + i][-1] = -x
        return value, rows

    def _even(self, vector: list[arb]) -> list[arb]:
        return (self.b * arb_mat(len(vector), 1, vector)).entries()

    def _odd(self, vector: list[arb]) -> list[arb]:
        return (self.c * arb_mat(len(vector), 1, vector)).entries()


def _find(problem: ReducedProblem, z: Doubles, null: Doubles, mirror: Mirror) -> Pitchfork | None:
    """Newton's method and Krawczyk's test for the extended system."""
    system = _Extended(problem, mirror)
    even, odd = (np.array(rows, dtype=np.float64).reshape(-1, len(z)) for rows in mirror.parted())
    start = [*(even @ z / (even**2).sum(axis=1)), *(odd @ null / (odd**2).sum(axis=1))]
    w = [arb(float(x)) for x in [*start, float(problem.at(problem.middle).scale)]]
    solved = zero_near(system.at, w)
    if solved is None:
        return None
    w, proved = solved
    ball, _ = system.points(proved)
    # Sums of one term: R keeps z and turns the null vector round without rounding.
    here, turned = (np.array([float(x) for x in part]) for part in (w[: system.even], w[system.even : -1]))
    centre = np.where(np.abs(here) < NOTHING, 0.0, here) @ even
    along_it = np.where(np.abs(turned) < NOTHING, 0.0, turned) @ odd
    return Pitchfork(
        z=centre,
        null=along_it / np.linalg.norm(along_it),
        ball=tuple(ball),
        penalty=1 / (proved[-1] * problem.samples),
        mirror=mirror,
    )


def _frame(problem: ReducedProblem, event: Pitchfork) -> Doubles | None:
    """The columns n and Q, each of which R keeps or turns round, exactly; n first, Q near eigenvectors of J."""
    table = rough_slopes(problem, event.z.tolist())
    parts = [event.null[:, None]]
    for sign, rows in zip((1.0, -1.0), event.mirror.parted(), strict=True):
        basis = np.array(rows, dtype=np.float64).reshape(-1, len(event.z)).T
        basis = basis / np.sqrt((basis**2).sum(axis=0))
        if sign < 0:
            rest, _ = np.linalg.qr(np.column_stack([basis.T @ event.null, np.eye(basis.shape[1])]))
            inner = rest[:, 1 : basis.shape[1]]
        else:
            inner = np.eye(basis.shape[1])
        # One entry of each row of the basis is not zero, at most: its products with a column are mirrored exactly.
        parts.append(basis @ (inner @ np.linalg.eigh(inner.T @ basis.T @ table @ basis @ inner)[1]))
    frame = np.column_stack(parts)
    turned = np.ones(frame.shape[1])
    turned[[0, *range(1 + parts[1].shape[1], frame.shape[1])]] = -1.0
    exact = (event.mirror(frame) == frame * turned).all() and (event.mirror(event.z) == event.z).all()
    return frame if exact else None


def pitchfork_region(problem: ReducedProblem, event: Pitchfork) -> Region | None:
    """The thickest region about a pitchfork that can be proved over the slab."""
    ctx.prec = PRECISION
    columns = _frame(problem, event)
    started = None if columns is None or not within(problem, event.penalty) else framed(problem, event.z, columns)
    if started is None:
        return None
    return next((r for chain in chains(started[0]) if (r := _forked(chain, started[1], event)) is not None), None)


def _forked(chain: Chain, negative: int, event: Pitchfork) -> Region | None:
    frame, first = chain.frame, chain.sheets[0].odd()
    side, tilt = first.sign(0.0, 0.0, 3), first.sign(0.0, 0.0, 1, 1)
    wide, parts = 0.0, list[Part]()
    for part in chain.outwards(1):
        if part.sheet is chain.sheets[0]:
            part = replace(part, sheet=first)
        if not side or not tilt or side not in (part.sign(3), part.sign(2)):
            break
        wide = part.end
        parts.append(part)
        if wide > FARTHEST:
            break
    turned = (event.mirror(frame.columns) == frame.columns).all(axis=0)
    shape = chain.around(wide, lambda x: chain.sign_at(x) == side, [1 if kept else -1 for kept in turned[1:]])
    if not side or not tilt or shape is None:
        return None
    wide, thick, bend = shape
    # The pitchfork's own enclosure is far smaller than the region.
    drift = max(float(abs(b - float(o)).upper()) for b, o in zip(event.ball, event.z, strict=True))
    if not drift * len(event.z) < min(ROUNDING * thick, TINY):
        return None
    region = Region(
        centre=event.z,
        frame=frame.columns,
        reach=reach_of(len(event.z), wide, thick),
        bend=bend,
        box=(event.z - TINY, event.z + TINY),
        index=negative,
        opens_down=tilt == -side,
        pair=negative + (side < 0),
    )
    # At kappa* the region holds the pitchfork alone: an image of it in the region is the pitchfork itself.
    copies = orbit_size(frame.problem, region)
    if copies is None:
        return None
    low, high = hull(frame, parts)
    ends = event.mirror(low), event.mirror(high)
    box: Box = np.minimum.reduce([low, *ends]), np.maximum.reduce([high, *ends])
    return replace(region, box=box, copies=copies)


Counts = tuple[Sequence[int], Sequence[int]]
"""Classes and labelled copies by index."""


def agrees(regions: Sequence[Region], above: Counts, below: Counts) -> bool:
    """Whether the counts on the two sides of an event differ by its points.

    At a fold by one class of each of two indices. At a pitchfork the symmetric branch goes from one index to the other,
    and the pair, twice as many copies, has the one that the branch had where it is alone.
    """
    region = next(r for r in regions if r.opens_down is not None)
    size = max(len(above[0]), len(below[0]), region.index + 2)
    more, fewer = (below, above) if region.opens_down else (above, below)
    both = {region.index, region.index + 1}
    gained = both if region.pair is None else both - {region.pair}
    classes, copies = (
        [a - b for a, b in zip(_padded(x, size), _padded(y, size), strict=True)]
        for x, y in zip(more, fewer, strict=True)
    )
    if classes != [int(k in gained) for k in range(size)]:
        return False
    return region.pair is None or copies == [region.copies if k in both else 0 for k in range(size)]


def _padded(row: Sequence[int], size: int) -> list[int]:
    return [*row, *[0] * (size - len(row))]
