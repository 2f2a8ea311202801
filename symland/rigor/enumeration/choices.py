"""The search at one penalty, or over a slab: one tree over the margins and the states of all nodes together.

A *choice* is a box of (t_1, ..., t_D, U_1, v_1, ..., U_N, v_N), examined by
:mod:`symland.rigor.enumeration.choice_program`.  Halves cover their choice, so where all choices ended there is no
solution but those of the list.  Choices lie in tables, one in a column, which are followed depth first; a table that
does not end soon is given back, in two parts where it is long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, permutations

import numpy as np
import numpy.typing as npt
from flint import arb, ctx

from symland.rigor.enumeration.bounds import first_box, largest_logit
from symland.rigor.enumeration.choice_program import choice_program, choice_rows
from symland.rigor.enumeration.known import NOBODY, PRECISION, kappa_ball
from symland.rigor.enumeration.problem import Doubles, ReducedProblem, outward
from symland.rigor.enumeration.propagation import NEAR_WEIGHT
from symland.rigor.enumeration.search import Search, ready
from symland.rigor.enumeration.slots import NamedEngine
from symland.rigor.enumeration.witnesses import Ends, Witness, inside, lost, meets

__all__ = ["Followed", "first_choices", "follow", "middles", "open_box", "over"]

Integers = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]

ANY_SLAB = (Fraction(1), Fraction(2))
"""The slab in whose name the program of all slabs is compiled."""
CHUNK = 2048
"""Choices examined in one call."""
LIMIT = 32 * CHUNK
"""Choices examined before what is left of a table is given back, ..."""
LONG = 4 * CHUNK
"""... and how many of them are left in one table."""
MARKED = 256
"""Of so many choices one leaves a mark."""
LEAST_WIDTH = 1e-8
"""Width (margins and weights) below which a choice is left undecided: it is beyond double precision's use."""
ROUNDED = 1e-9
"""Relative slack (absolute below 1) of r = 2 U / v of a known point, and what is added to it where v is small."""


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What came of a table.

    Attributes
    ----------
    left : the choices that are left to be halved, as tables
    waiting : a table of those that are not: too small, or as narrow as their slab of penalties allows
    copies : of known points, whose uniqueness boxes held others
    marks : (n, D) residuals in the middle of one of MARKED choices that were examined
    examined : how many choices that were
    """

    left: tuple[Doubles, ...]
    waiting: Doubles
    copies: frozenset[int]
    marks: Doubles
    examined: int


def first_choices(problem: ReducedProblem) -> Doubles:
    """Everything: a choice for each number of nodes that are not zero."""
    d, m1, n = problem.samples, problem.inputs + 1, problem.nodes
    _, state = first_box(problem)
    logit = largest_logit(problem)
    rows = choice_rows(problem)
    box = np.zeros((2, rows.rows["low"], n + 1))
    box[0, :d], box[1, :d] = -logit, logit
    for k in range(n + 1):
        for j in range(k):
            box[:, d + j * m1 : d + (j + 1) * m1, k] = state
    unset = np.zeros(n + 1)
    table = rows.pack(low=box[0], high=box[1], near=np.zeros((n, n + 1)), scale_low=unset, scale_high=unset)
    return over(problem, table)


def over(problem: ReducedProblem, table: Doubles) -> Doubles:
    """The same choices for the penalties of a problem."""
    table = table.copy()
    named = choice_rows(problem).read(table)
    named.scale_low[:] = outward(1 / (problem.highest * problem.samples))[0]
    named.scale_high[:] = outward(problem.scale)[1]
    return table


@lru_cache(maxsize=8)
def _engine(problem: ReducedProblem, compiled: bool) -> NamedEngine:
    return ready("choices", choice_program(problem), compiled)


@dataclass(slots=True, eq=False)
class _Left:
    """Choices after one examination, narrowed; the variable to halve in each; which are not to be halved; the copies
    that held others."""

    table: Doubles
    axis: Integers
    waits: Booleans
    held: frozenset[int]


def _examined(search: Search, table: Doubles) -> _Left:
    """Examine choices once: what holds no solution or is held by a known point goes."""
    problem = search.problem
    # The program knows kappa as a number of each lane: one serves every penalty.
    engine = _engine(problem.at(Fraction(1)) if problem.upper is None else problem.slab(*ANY_SLAB), search.compiled)
    rows = engine.program.inputs
    out = engine(table)
    left = np.flatnonzero(out.gone == 0.0)
    kept = table[:, left]
    named = rows.read(kept)
    named.low[:], named.high[:], named.near[:] = out.low[:, left], out.high[:, left], out.near[:, left]
    axis = out.axis[left].astype(np.intp)
    d, m1, n = problem.samples, problem.inputs + 1, problem.nodes
    low, high = (x[d:].reshape(n, m1, left.size).copy() for x in (named.low, named.high))
    low[:, :-1] = out.state_low[:, left].reshape(n, m1 - 1, left.size)
    high[:, :-1] = out.state_high[:, left].reshape(n, m1 - 1, left.size)
    box = low, high, out.bias_low[left], out.bias_high[left]
    holder = search.holder.holders(*box)
    free = holder == NOBODY
    waits = (out.waits[left] > 0.0) & free
    at = np.flatnonzero(waits)
    if search.regions is not None:
        waits[at] = ~search.regions.undecided(*(x[..., at] for x in box))
    # Narrowed at a stroke, a choice may lie in a uniqueness box that its ranges of gamma and U do not see yet.
    waits |= _widths(problem, table[:, left]) < LEAST_WIDTH
    return _Left(kept[:, free], axis[free], waits[free], frozenset(np.unique(holder[~free]).tolist()))


def _halves(problem: ReducedProblem, table: Doubles, axis: Integers) -> Doubles:
    """Each choice halved across its variable."""
    size, k = choice_rows(problem).rows["low"], np.arange(axis.size)
    middle = (table[axis, k] + table[size + axis, k]) * 0.5
    both = np.concatenate([table, table], axis=1)
    both[size + axis, k] = middle
    both[axis, k + axis.size] = middle
    return both


def _widths(problem: ReducedProblem, table: Doubles) -> Doubles:
    """The largest width of each choice."""
    named = choice_rows(problem).read(table)
    widest: Doubles = (named.high - named.low).max(axis=0)
    return widest


def _middles(problem: ReducedProblem, table: Doubles) -> Doubles:
    """The residuals (n, D) in the middle of each choice."""
    ends = choice_rows(problem).read(table)
    t = (ends.low[: problem.samples] + ends.high[: problem.samples]) * 0.5
    middles: Doubles = np.array(problem.labels) * float(problem.scale) / (1.0 + np.exp(t.T))
    return middles


def follow(search: Search, table: Doubles) -> Followed:
    """Follow choices until none is left or the limit is reached.

    Raises
    ------
    WitnessLost
        If a known solution that the table holds is dropped.
    """
    problem = search.problem
    held = _carried(search, table)
    stack, waiting, marks = [table], [table[:, :0]], list[Doubles]()
    examined, copies = 0, frozenset[int]()
    while stack and examined < LIMIT:
        batch = stack.pop()
        while batch.shape[1] < CHUNK and stack:
            batch = np.concatenate([stack.pop(), batch], axis=1)
        if batch.shape[1] > CHUNK:
            stack.append(batch[:, :-CHUNK])
            batch = batch[:, -CHUNK:]
        examined += batch.shape[1]
        marks.append(_middles(problem, batch[:, ::MARKED]))
        left = _examined(search, batch)
        copies |= left.held
        waiting.append(left.table[:, left.waits])
        if not left.waits.all():
            stack.append(_halves(problem, left.table[:, ~left.waits], left.axis[~left.waits]))
    rest, small = np.concatenate([table[:, :0], *stack], axis=1), np.concatenate(waiting, axis=1)
    for witness in held:
        if not witness.copies & copies and not any(_fits(problem, witness, part, meets) for part in (rest, small)):
            lost("follow", witness)
    parts = (rest,) if rest.shape[1] <= LONG else (rest[:, ::2], rest[:, 1::2])
    return Followed(parts if rest.shape[1] else (), small, copies, np.concatenate(marks), examined)


def middles(problem: ReducedProblem, table: Doubles) -> Doubles:
    """The middles (n, N (m + 1) + 1) of choices, as (U_1, v_1, ..., U_N, v_N, gamma)."""
    named = choice_rows(problem).read(table)
    d, m1 = problem.samples, problem.inputs + 1
    states = ((named.low[d:] + named.high[d:]) * 0.5).T.reshape(-1, problem.nodes, m1)
    near = named.near.T[:, :, None] > 0.5
    states[:, :, :-1] = np.where(near, states[:, :, :-1] * states[:, :, -1:] * 0.5, states[:, :, :-1])
    return np.column_stack([states.reshape(len(states), problem.nodes * m1), _middles(problem, table).sum(axis=1)])


def open_box(problem: ReducedProblem, table: Doubles) -> tuple[Doubles, Doubles]:
    """A box (2, D + 1) of (P, gamma) about the choices of a table, and their node boxes (2, m + 1, n) of (U, v)."""
    named = choice_rows(problem).read(table)
    d, m1, k = problem.samples, problem.inputs + 1, table.shape[1]
    pull = np.empty((2, d + 1))
    for e, sign in enumerate(problem.labels):
        sizes = [_pull(problem, sign, t) for t in (float(named.low[e].min()), float(named.high[e].max()))]
        ends = sizes[0].union(sizes[1])
        pull[:, e] = np.nextafter(float(ends.lower()), -np.inf), np.nextafter(float(ends.upper()), np.inf)
    pull[:, d] = pull[:, :d].sum(axis=1) + np.array([-1.0, 1.0]) * np.abs(pull[:, :d]).sum() * ROUNDED
    box = np.stack([named.low[d:], named.high[d:]]).reshape(2, problem.nodes, m1, k)
    reach = np.abs(box[:, :, :-1]).max(axis=0) * box[1, :, -1:] * (0.5 * (1.0 + ROUNDED))
    box[:, :, :-1] = np.where(named.near[:, None] > 0.5, np.stack([-reach, reach]), box[:, :, :-1])
    states = box.transpose(0, 2, 1, 3).reshape(2, m1, -1)
    return pull, states[:, :, states[1, -1] > 0.0]


def _pull(problem: ReducedProblem, sign: int, t: float) -> arb:
    """P = s kappa / (1 + e^t)."""
    ctx.prec = PRECISION
    return sign * kappa_ball(problem) / (1 + arb(t).exp())


def _margin(problem: ReducedProblem, sign: int, pull: arb) -> arb:
    """t with P = s kappa / (1 + e^t)."""
    ctx.prec = PRECISION
    return (kappa_ball(problem) / (sign * pull) - 1).log()


@lru_cache(maxsize=4096)
def _as_choices(problem: ReducedProblem, witness: Witness) -> list[tuple[Doubles, Doubles]]:
    """A witness as boxes (2, D + N (m + 1)) of the variables far from 0, and near 0, for each order with falling v."""
    d, m1 = problem.samples, problem.inputs + 1
    margin = np.empty((2, d))
    for e, sign in enumerate(problem.labels):
        low, high = witness.box[:, e].tolist()
        t = _margin(problem, sign, arb(low).union(arb(high)))
        margin[:, e] = np.nextafter(float(t.lower()), -np.inf), np.nextafter(float(t.upper()), np.inf)
    nodes = witness.nodes[:, d + 1 :]
    near = nodes.copy()
    output = nodes[:, -1].mean(axis=0)
    near[:, :-1] = 2.0 * nodes[:, :-1] / output
    slack = ROUNDED * (1.0 + 0.01 / output) * (1.0 + np.abs(near[:, :-1]).max(axis=0))
    near[0, :-1], near[1, :-1] = near[0, :-1] - slack, near[1, :-1] + slack
    # A node with larger weights is in no box near 0: nothing fits what is not a number.
    near[:, :, np.abs(nodes[:, :-1]).max(axis=(0, 1)) > NEAR_WEIGHT] = np.nan
    zero = np.zeros((2, m1, problem.nodes - nodes.shape[2]))
    found = []
    for order in permutations(range(nodes.shape[2])):
        if any(nodes[1, -1, j] < nodes[0, -1, k] for j, k in pairwise(order)):
            continue
        both = [np.concatenate([x[:, :, order], zero], axis=2).transpose(0, 2, 1).reshape(2, -1) for x in (nodes, near)]
        found.append((np.concatenate([margin, both[0]], axis=1), np.concatenate([margin, both[1]], axis=1)))
    return found


def _fits(problem: ReducedProblem, witness: Witness, table: Doubles, fits: Callable[[Ends, Ends], Booleans]) -> bool:
    """Whether a witness fits a choice with as many nodes that are not zero: lies `inside` it, or `meets` it."""
    named, d, m1 = choice_rows(problem).read(table), problem.samples, problem.inputs + 1
    boxes = _as_choices(problem.at(problem.middle), witness)
    margin = boxes[0][0][:, :d, None]
    # Margins first: few choices have those of a point.
    at = np.flatnonzero(fits(margin, (named.low[:d], named.high[:d])))
    at = at[(named.high[d + m1 - 1 :: m1, at] > 0.0).sum(axis=0) == witness.nodes.shape[2]]
    near = np.repeat(named.near[:, at], m1, axis=0) > 0.5
    states = named.low[d:, at], named.high[d:, at]
    return any(
        bool(fits(np.where(near, near_box[:, d:, None], far_box[:, d:, None]), states).any())
        for far_box, near_box in boxes
    )


def _carried(search: Search, table: Doubles) -> list[Witness]:
    """The witnesses that lie whole in a choice of a table."""
    return [w for w in search.witnesses.all if _fits(search.problem, w, table, inside)]
