r"""The reduction to one equation over a piece of x and a range of penalties, by Taylor models.

As in :mod:`symland.rigor.enumeration.regions` z = z0 + n x + Q y, F(z, kappa) = A z - kappa g(z). A *sheet* is about
one x_c and one kappa_c. With x = x_c + rho e_1 and kappa = kappa_c + K e_2, polynomials p(e) near y(x, kappa), a
matrix A_c near (Q^T J Q)^-1 at the centre, and H(e, w) = A_c Q^T F at y = p(e) + w:

    sum_j |1 - dH/dw|_ij Y_j / Y_i <= Z for |w_i| <= Y_i,   |H(e, 0)|_i / Y_i <= eta,   eta + Z < 1

prove that w -> w - H is a contraction of |w_i| <= Y_i: for every e exactly one y(e) with Q^T F = 0 lies there, and
|y - p|_i <= Y_i eta / (1 - Z). Nothing wide is evaluated for it: H(e, 0) is a polynomial in e with a rest, where the
motion of p with e cancels, and dH/dw is one of degree DEGREE in e and w together.

Both bounds are sums of |coefficients| and rests that hold for all complex |e_i| <= 1, too. So y is analytic there, and
g = n . F = T_c . F, with T_c = n + Q t for any t, is a polynomial plus an analytic rest |r| <= epsilon. Cauchy's
estimate bounds the rest's derivatives for |e_i| <= a < 1: m! epsilon / (1 - a)^m for m of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import final

import numpy as np
from flint import arb

from symland.program.taylor_model import ROUNDING, UPWARD
from symland.rigor.enumeration.curved import weights
from symland.rigor.enumeration.models import Degrees, Models, degrees
from symland.rigor.enumeration.problem import Doubles, ReducedProblem

__all__ = ["INSIDE", "JOINT", "ORDER", "Frame", "Sheet", "Steepness", "sheet_at"]

ORDER = 9
"""Degree of the polynomials on a sheet."""
DEGREE = 2
"""Degree of dH/dw in e and w."""
IN_KAPPA = 6
"""Penalties at which a sheet is found before it is proved."""
NEWTON = 12
"""Newton steps of a point of a sheet."""
AIM = 0.6
"""Z that is aimed at to first order: what is of higher order adds some tenths, and a sheet that fails costs as much."""
STEP = 1e-4
"""Of differences, in weights and in kappa."""
INSIDE = 0.75
"""Part of a sheet's x that is used, to JOINT, ..."""
SLAB = 0.5
"""... and of its kappa: K is the half width of the slab over this."""
SPLITS = 3
"""How often a piece of x is halved where the sign of a derivative is open."""
JOINT = 2.0**-40
"""By which parts of sheets are widened, so that rounding leaves no gap between them."""
OUTSIDE = 1e-12
"""The same for boxes of z, in weights."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """The problem over a slab, and z = centre + columns (x, y), all exact; the columns are (n, Q)."""

    problem: ReducedProblem
    centre: Doubles
    columns: Doubles

    @property
    def normal(self) -> Doubles:
        """n."""
        return self.columns[:, 0]

    @property
    def across(self) -> Doubles:
        """Q."""
        return self.columns[:, 1:]

    @property
    def kappa(self) -> tuple[float, float]:
        """kappa_c, and a half width that holds the slab about it."""
        high, low = self.problem.scale, 1 / (self.problem.highest * self.problem.samples)
        middle = float((high + low) / 2)
        return middle, float(max(high - middle, middle - low)) * UPWARD


@final
class _Sums:
    """Of all samples d, and nodes j below them: v_j, h_jd = tanh(U_j . x_d), e_jd = 1 - h_jd^2, and P_d = s_d kappa q_d
    by kappa, which is (s_d - t_d) / 2 with t_d = tanh(Delta_d / 2); rows of pairs are numbered d N + j."""

    def __init__(self, problem: ReducedProblem, z: Models) -> None:
        m, m1, nodes = problem.inputs, problem.inputs + 1, problem.nodes
        count, size = problem.samples, len(z)
        lean, out = np.zeros((count, nodes, size)), np.zeros((count, nodes, size))
        for j in range(nodes):
            lean[:, j, j * m1 : j * m1 + m], out[:, j, j * m1 + m] = problem.design, 1.0
        self.of_sample = [d for d in range(count) for _ in range(nodes)]
        self.h = z.turned(lean.reshape(-1, size)).tanh()
        self.v = z.turned(out.reshape(-1, size))
        self.e = _bell(self.h)
        each = np.kron(np.eye(count), np.full(nodes, 0.5))
        bias = np.zeros((count, size))
        bias[:, -1] = 0.5
        self.t = ((self.v * self.h).turned(each) + z.turned(bias)).tanh()
        self.pull = (-self.t).turned(np.eye(count) / 2).plus(np.array(problem.labels) / 2)


def _bell(h: Models) -> Models:
    return (-(h * h)).plus(np.ones(len(h)))


def _field(problem: ReducedProblem, z: Models, kappa: Models) -> Models:
    """F."""
    m, m1, nodes, count = problem.inputs, problem.inputs + 1, problem.nodes, problem.samples
    sums = _Sums(problem, z)
    pull = sums.pull[sums.of_sample]
    outward = pull * sums.h
    inward = sums.v * pull * sums.e
    whole = np.zeros((len(z), 2 * count * nodes + count))
    for d, row in enumerate(problem.design):
        for j in range(nodes):
            whole[j * m1 : j * m1 + m, d * nodes + j] = row
            whole[j * m1 + m, count * nodes + d * nodes + j] = 1.0
    whole[-1, 2 * count * nodes :] = 1.0
    g = Models.joined([inward, outward, sums.pull]).turned(whole)
    held = z.turned(np.diag(np.array(weights(problem), dtype=np.float64)))
    return held + -(kappa[[0] * len(z)] * g)


def _slopes(problem: ReducedProblem, z: Models, kappa: Models) -> Models:
    """dF/dz, row by row.

    Delta moves by alpha_j x . dU_j + h_j dv_j + dgamma with alpha_j = v_j e_j, and P by -(1 - t^2) / 4 times that.
    """
    nodes, count = problem.nodes, problem.samples
    size, sums = len(z), _Sums(problem, z)
    pull = sums.pull[sums.of_sample]
    turn = _bell(sums.t).turned(np.eye(count) / -4)
    alpha = sums.v * sums.e
    # Of each sample the factors of dDelta, and the directions that they stand for; the last factor is 1.
    factors, wide = Models.joined([alpha, sums.h]), 2 * nodes
    order = [d * nodes + j + k * count * nodes for d in range(count) for j in range(nodes) for k in (0, 1)]
    lead = factors[order]
    first = lead * turn[[d for d in range(count) for _ in range(wide)]]
    places = [(i, j) for i in range(wide) for j in range(i, wide)]
    left = [d * wide + i for d in range(count) for i, _ in places]
    right = [d * wide + j for d in range(count) for _, j in places]
    parts = [first[left] * lead[right], first, turn, pull * alpha * sums.h, pull * sums.e]
    g = Models.joined(parts).turned(_tables(problem.at(Fraction(1))))
    moved = -(kappa[[0] * (size * size)] * g)
    return moved.plus(np.diag(np.array(weights(problem), dtype=np.float64)).ravel())


@lru_cache(maxsize=16)
def _tables(problem: ReducedProblem) -> Doubles:
    """What each part of dg/dz stands for, in columns: products of directions of dDelta, and of a node's."""
    m, m1, nodes, count = problem.inputs, problem.inputs + 1, problem.nodes, problem.samples
    size, wide = nodes * m1 + 1, 2 * nodes
    directions = np.zeros((count, wide + 1, size))
    for j in range(nodes):
        directions[:, 2 * j, j * m1 : j * m1 + m], directions[:, 2 * j + 1, j * m1 + m] = problem.design, 1.0
    directions[:, wide, -1] = 1.0
    places = [(i, j) for i in range(wide) for j in range(i, wide)]
    tables = [_both(directions[d, i], directions[d, j], i != j) for d in range(count) for i, j in places]
    tables += [_both(directions[d, i], directions[d, wide], True) for d in range(count) for i in range(wide)]
    tables += [_both(directions[d, wide], directions[d, wide], False) for d in range(count)]
    # Where P stands still d(v P e) = -2 v P h e da, and d(P e) appears twice.
    both = [(d, j) for d in range(count) for j in range(nodes)]
    tables += [-2 * _both(directions[d, 2 * j], directions[d, 2 * j], False) for d, j in both]
    tables += [_both(directions[d, 2 * j], directions[d, 2 * j + 1], True) for d, j in both]
    found: Doubles = np.array(tables).reshape(len(tables), -1).T.copy()
    found.flags.writeable = False
    return found


def _both(left: Doubles, right: Doubles, twice: bool) -> Doubles:
    """left right^T, with its transpose where they are two."""
    outer = np.outer(left, right)
    return outer + outer.T if twice else outer


def _floats(problem: ReducedProblem, z: Doubles, kappa: Doubles) -> tuple[Doubles, Doubles]:
    """F (M, n) and dF/dz (M, n, n) at points (M, n), in doubles."""
    m, m1, size = problem.inputs, problem.inputs + 1, z.shape[1]
    x, s = np.array(problem.design), np.array(problem.labels, dtype=np.float64)
    diagonal = np.array(weights(problem), dtype=np.float64)
    nodes = z[:, :-1].reshape(len(z), -1, m1)
    h = np.tanh(nodes[:, :, :m] @ x.T)
    e, v = 1 - h * h, nodes[:, :, m:]
    t = np.tanh(((v * h).sum(axis=1) + z[:, -1:]) / 2)
    pull, turn = (s - t) / 2, -(1 - t * t) / 4
    lead = np.zeros((len(z), len(x), size))
    g, bent = np.zeros_like(z), np.zeros((len(z), size, size))
    lead[:, :, -1] = 1.0
    for j in range(nodes.shape[1]):
        b, alpha = j * m1, v[:, j] * e[:, j]
        lead[:, :, b : b + m], lead[:, :, b + m] = alpha[:, :, None] * x, h[:, j]
        g[:, b : b + m], g[:, b + m] = (pull * alpha) @ x, (pull * h[:, j]).sum(axis=1)
        bent[:, b : b + m, b : b + m] = np.einsum("md,di,dj->mij", -2 * pull * alpha * h[:, j], x, x)
        bent[:, b : b + m, b + m] = bent[:, b + m, b : b + m] = (pull * e[:, j]) @ x
    g[:, -1] = pull.sum(axis=1)
    bent += np.einsum("md,mdi,mdj->mij", turn, lead, lead)
    return z * diagonal - kappa[:, None] * g, np.diag(diagonal) - kappa[:, None, None] * bent


def _found(frame: Frame, x: Doubles, kappa: Doubles, y: Doubles) -> Doubles | None:
    """y (M, n - 1) with Q^T F = 0, by Newton's method in doubles."""
    for _ in range(NEWTON):
        z = frame.centre + x[:, None] * frame.normal + y @ frame.across.T
        value, slopes = _floats(frame.problem, z, kappa)
        try:
            step = np.linalg.solve(frame.across.T @ slopes @ frame.across, (value @ frame.across)[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            return None
        y = y - step
        if not np.abs(y).max() < 1.0:
            return None
        if np.abs(step).max() < 1e-13:
            return y
    return None


def _fitted(frame: Frame, x: float, rho: float, wide: float, start: Doubles) -> Doubles | None:
    """Coefficients (n - 1, ORDER + 1, IN_KAPPA) of p in powers of e_1 and e_2; not proved."""
    at = np.polynomial.chebyshev.chebpts1(ORDER + 1), np.polynomial.chebyshev.chebpts1(IN_KAPPA)
    e1, e2 = (a.ravel() for a in np.meshgrid(*at, indexing="ij"))
    y = _found(frame, x + rho * e1, frame.kappa[0] + wide * e2, np.tile(start, (len(e1), 1)))
    if y is None:
        return None
    powers = [np.linalg.inv(np.vander(a, increasing=True)) for a in at]
    return np.einsum("ai,bj,ijn->nab", *powers, y.reshape(ORDER + 1, IN_KAPPA, -1))


def _polynomials(among: Degrees, table: Doubles, places: tuple[int, int] = (0, 1)) -> Models:
    """The polynomials of a table (n, a, b) of coefficients as Taylor models; what is of too high a degree is rest."""
    count = len(table)
    value, terms, rest = table[:, 0, 0].copy(), np.zeros((count, among.size)), np.zeros(count)
    for i in range(table.shape[1]):
        for j in range(table.shape[2]):
            if not i + j:
                continue
            place = among.place.get((places[0],) * i + (places[1],) * j)
            if place is None:
                rest += np.abs(table[:, i, j]) * UPWARD
            else:
                terms[:, place] = table[:, i, j]
    return Models(among, value, terms, rest)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Steepness:
    """How fast dH/dw moves about a point: Z is about max_i thick across_i + rho along_i + drift_i. No proof."""

    across: Doubles
    along: Doubles
    drift: Doubles

    @staticmethod
    def at(frame: Frame, x: float, y: Doubles) -> Steepness | None:
        """By differences."""
        kappa, half = frame.kappa
        start = frame.centre + x * frame.normal + frame.across @ y
        value, slopes = _floats(frame.problem, start[None], np.array([kappa]))
        try:
            inverse = np.linalg.inv(frame.across.T @ slopes[0] @ frame.across) @ frame.across.T
        except np.linalg.LinAlgError:
            return None
        # F is A z - kappa g, so that y moves with kappa by the inverse times Q^T g.
        g = (np.array(weights(frame.problem)) * start - value[0]) / kappa
        tangent = frame.normal - frame.across @ (inverse @ (slopes[0] @ frame.normal))
        moves = np.vstack([tangent, frame.across @ (inverse @ g), frame.across.T]) * STEP
        at = np.vstack([start + moves, start - moves])
        by_kappa = np.zeros(len(moves))
        by_kappa[1] = STEP
        _, found = _floats(frame.problem, at, kappa + np.concatenate([by_kappa, -by_kappa]))
        change = (found[: len(moves)] - found[len(moves) :]) / (2 * STEP)
        rows = np.abs(inverse @ change @ frame.across).sum(axis=2)
        return Steepness(across=rows[2:].sum(axis=0), along=rows[0], drift=rows[1] * half / SLAB)

    def length(self, thick: float) -> float:
        """rho at which Z is likely to be below 1."""
        return float(((AIM - self.drift - thick * self.across) / np.maximum(self.along, STEP)).min())


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """y and g over a piece.

    Attributes
    ----------
    x, rho : x = x + rho e_1; used for |e_1| <= INSIDE.
    wide : kappa = kappa_c + wide e_2; used for |e_2| <= SLAB.
    table : coefficients (n - 1, ORDER + 1, IN_KAPPA) of p.
    off : bound of |y - p|.
    g : coefficients (ORDER + 1, ORDER + 1) of g's polynomial; rest : epsilon.
    """

    x: float
    rho: float
    wide: float
    table: Doubles
    off: float
    g: Doubles
    rest: float

    def range(self, low: float, high: float, order: int, by_kappa: int = 0) -> arb:
        """Encloses d^order d^by_kappa g over low <= e_1 <= high and the slab; |e_1| <= INSIDE."""
        e1, e2 = arb((low + high) / 2, (high - low) / 2 + JOINT), arb(0, SLAB)
        # The motion of all powers of x with kappa is added up first.
        total = arb(0)
        for j in range(ORDER, by_kappa - 1, -1):
            row = arb(0)
            for i in range(ORDER, order - 1, -1):
                row = row * e1 + arb(float(self.g[i, j])) * math.perm(i, order)
            total = total * e2 + row * math.perm(j, by_kappa)
        far = arb(self.rest) * math.factorial(order) * math.factorial(by_kappa)
        far = far / arb(1 - INSIDE - 2 * JOINT) ** order / arb(1 - SLAB) ** by_kappa
        return (total + arb(0, far.upper())) / (arb(self.rho) ** order * arb(self.wide) ** by_kappa)

    def sign(self, low: float, high: float, order: int, by_kappa: int = 0, splits: int = SPLITS) -> int:
        """The sign of the same; 0 where it is open. A piece is halved where it is, so many times."""
        found = self.range(low, high, order, by_kappa)
        if found > 0 or found < 0:
            return 1 if found > 0 else -1
        middle = (low + high) / 2
        if not splits or not low < middle < high:
            return 0
        left = self.sign(low, middle, order, by_kappa, splits - 1)
        return left if left and left == self.sign(middle, high, order, by_kappa, splits - 1) else 0

    def along(self, e1: Doubles) -> Doubles:
        """p at kappa_c, in doubles."""
        return np.asarray(np.vander(e1, ORDER + 1, increasing=True) @ self.table[:, :, 0].T)

    def at(self, e1: float) -> Doubles:
        """The same at one place."""
        return np.asarray(self.along(np.array([e1]))[0])

    def distance(self, bend: Doubles) -> float:
        """A bound of |y - q|, q polynomials in x with coefficients (n - 1, k), for |e_1| <= INSIDE and the slab."""
        table = self.table.copy()
        size = np.abs(table)
        for k in range(bend.shape[1]):
            for i in range(k + 1):
                part = bend[:, k] * math.comb(k, i) * self.x ** (k - i) * self.rho**i
                table[:, i, 0] -= part
                size[:, i, 0] += np.abs(part)
        weight = np.multiply.outer((INSIDE + 2 * JOINT) ** np.arange(ORDER + 1), SLAB ** np.arange(IN_KAPPA))
        bound = ((np.abs(table) + ROUNDING * size) * weight).sum(axis=(1, 2))
        return float(bound.max() * UPWARD + self.off)

    def box(self, frame: Frame, low: float, high: float) -> tuple[Doubles, Doubles]:
        """A box of z about the sheet over low <= e_1 <= high and the slab."""
        middle, half = (low + high) / 2, (high - low) / 2 + JOINT
        powers = np.arange(ORDER + 1)
        moves = np.multiply.outer((abs(middle) + half) ** powers, SLAB ** np.arange(IN_KAPPA))
        moves[:, 0] -= np.abs(middle) ** powers
        reach = (np.abs(self.table) * moves).sum(axis=(1, 2)) + self.off
        z = frame.centre + (self.x + middle * self.rho) * frame.normal + frame.across @ self.at(middle)
        reach = np.abs(frame.normal) * half * self.rho + np.abs(frame.across) @ reach + OUTSIDE
        return z - reach, z + reach

    def odd(self) -> Sheet:
        """The same where g is known to be odd in e_1: the even part is that of the rest."""
        g = self.g.copy()
        g[::2] = 0.0
        return replace(self, g=g)


def sheet_at(frame: Frame, x: float, rho: float, thick: Doubles, start: Doubles) -> Sheet | None:
    """The sheet about x with |w_i| <= thick_i, from a y near it; None where it is not proved."""
    # Where something overflows, what should be small is not.
    with np.errstate(all="ignore"):
        return _sheet(frame, x, rho, thick, start)


def _sheet(frame: Frame, x: float, rho: float, thick: Doubles, start: Doubles) -> Sheet | None:
    problem, (kappa, half) = frame.problem, frame.kappa
    size, wide = len(frame.centre), half / SLAB * UPWARD
    table = _fitted(frame, x, rho, wide, start)
    if table is None:
        return None
    middle = frame.centre + x * frame.normal + frame.across @ table[:, 0, 0]
    _, slopes = _floats(problem, middle[None], np.array([kappa]))
    try:
        inverse = np.linalg.inv(frame.across.T @ slopes[0] @ frame.across)
    except np.linalg.LinAlgError:
        return None
    # g = n . F + t . Q^T F, with the t by which it moves least with y.
    reading = np.eye(size)
    reading[0, 1:] = -(inverse @ (frame.across.T @ slopes[0] @ frame.normal))
    reading[1:, 1:] = inverse
    norms = _norms(frame, x, rho, thick, table, wide, reading)
    # What dH/dw misses from 1, against |w|.
    z = float(((norms[1:] @ thick) / thick).max()) * UPWARD
    if not z < 1:
        return None
    among = degrees(2, ORDER)
    at = _placed(frame, _polynomials(among, _with_x(table, x, rho)))
    value = _field(problem, at, _kappa(among, kappa, wide)).turned(frame.columns.T).turned(reading)
    eta = float((value.sizes()[1:] / thick).max()) * UPWARD
    if not eta + z < 1:
        return None
    off = float(eta / (1 - z)) * UPWARD
    rest = float(value.rest[0] + norms[0] @ thick * off) * UPWARD
    g = np.zeros((ORDER + 1, ORDER + 1))
    g[0, 0] = value.value[0]
    for key, c in zip(among.keys, value.terms[0], strict=True):
        g[key.count(0), key.count(1)] = c
    return Sheet(x=x, rho=rho, wide=wide, table=table, off=float(off * thick.max()), g=g, rest=rest)


def _kappa(among: Degrees, kappa: float, wide: float) -> Models:
    terms = np.zeros((1, among.size))
    terms[0, among.place[(1,)]] = wide
    return Models(among, np.array([kappa]), terms, np.zeros(1))


def _with_x(table: Doubles, x: float, rho: float) -> Doubles:
    """The table of (x, p)."""
    first = np.zeros((1, *table.shape[1:]))
    first[0, 0, 0], first[0, 1, 0] = x, rho
    return np.concatenate([first, table])


def _placed(frame: Frame, u: Models) -> Models:
    """z of (x, y)."""
    return u.turned(frame.columns).plus(frame.centre)


def _norms(
    frame: Frame, x: float, rho: float, thick: Doubles, table: Doubles, wide: float, reading: Doubles
) -> Doubles:
    """Bounds of |dg/dw| in the first row, and of |1 - dH/dw| in the others."""
    size = len(frame.centre)
    among = degrees(size + 1, DEGREE)
    u = _polynomials(among, _with_x(table, x, rho))
    for i, t in enumerate(thick):
        u.terms[1 + i, among.place[(2 + i,)]] = t
    slopes = _slopes(frame.problem, _placed(frame, u), _kappa(among, frame.kappa[0], wide))
    # reading (n, Q)^T J Q, entry by entry.
    one = np.eye(size - 1)
    found = slopes
    for left, right in ((np.eye(size), frame.across.T), (frame.columns.T, one), (reading, one)):
        found = found.turned(np.asarray(np.kron(left, right), dtype=np.float64))
    value = found.value.reshape(size, size - 1) - np.vstack([np.zeros(size - 1), one])
    terms = np.abs(found.terms).sum(axis=1).reshape(size, size - 1)
    bound: Doubles = (np.abs(value) * (1 + ROUNDING) + terms + found.rest.reshape(size, size - 1)) * UPWARD
    return bound
