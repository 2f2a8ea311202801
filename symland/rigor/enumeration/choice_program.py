"""One examination of a choice of nodes, as one lane program: propagate, relax, exclude or narrow; where to halve.

A choice is halved across the variable that makes most of the bound which did not exclude it.  Two rules come before: a
node that is not zero, and whose box holds 0 and is too large for the variables near 0, is halved towards them; and what
is too wide for a relaxation to say anything is halved where it is widest.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace

from symland.rigor.enumeration.lanes import Interval, Lane, choose, flag, intervals, larger
from symland.rigor.enumeration.problem import ReducedProblem
from symland.rigor.enumeration.propagation import NEAR_WEIGHT, Choice, Propagated, propagate
from symland.rigor.enumeration.relaxation import Judged, Relaxation, relax
from symland.rigor.enumeration.slots import ONE, LaneProgram, Slots

__all__ = ["choice_program", "choice_rows"]

RELAXED = 12.0
"""Widths of a margin or of an argument of tanh from which a choice is halved there."""
WAITING = 0.1
"""Share of kappa in the bound, in units of the largest of another variable, from which a choice waits for a narrower
slab of penalties."""
COVERED = 0.3
"""... where it makes this share of |y.F|, too."""
LEAST_SHARE = 0.05
"""Share of the largest width that a variable has which is halved."""
MULTIPLIERS = 3
"""Multipliers that are tried on a choice."""


@lru_cache(maxsize=8)
def choice_rows(problem: ReducedProblem) -> Slots:
    """A table of choices: the ends of t_1, ..., t_D, U_1, v_1, ..., U_N, v_N, which nodes have (r, v), and kappa."""
    size = problem.samples + problem.nodes * (problem.inputs + 1)
    return Slots(low=size, high=size, near=problem.nodes, scale_low=ONE, scale_high=ONE)


def _choice(problem: ReducedProblem, given: SimpleNamespace) -> Choice:
    every, d, m1 = intervals(given.low, given.high), problem.samples, problem.inputs + 1
    states = [every[d + j * m1 : d + (j + 1) * m1] for j in range(problem.nodes)]
    return Choice(every[:d], [s[:-1] for s in states], [s[-1] for s in states], list(given.near))


def _width(x: Interval) -> Lane:
    return x.hi - x.lo


def _largest(values: list[Lane]) -> Lane:
    found = values[0]
    for value in values[1:]:
        found = larger(found, value)
    return found


def _first_largest(ranks: list[Lane], values: list[Lane]) -> tuple[Lane, Lane]:
    """The place of the first largest rank, above -1, and the value there."""
    place: Lane = 0.0
    found: Lane = 0.0
    best: Lane = -1.0
    for i, (rank, value) in enumerate(zip(ranks, values, strict=True)):
        better = rank > best
        place, found, best = choose(better, float(i), place), choose(better, value, found), larger(rank, best)
    return place, found


def _axis(
    problem: ReducedProblem, found: Propagated, box: list[Interval], relaxation: Relaxation, judged: Judged
) -> tuple[Lane, Lane]:
    """The variable to halve, and 1 where the range of kappa makes much of the bound."""
    scores, kappa = relaxation.scores(judged)
    d, m1 = problem.samples, problem.inputs + 1
    choice = found.choice
    # How far each variable is from the widths to be relaxed, from the variables near 0, and from being thin.
    widest = [_width(t) for t in choice.margin]
    toward: list[Lane] = [0.0] * d
    apart = [_width(x) for x in box[:d]]
    for j in range(problem.nodes):
        near, state = choice.near[j] > 0.5, box[d + j * m1 : d + (j + 1) * m1]
        holds = ~near & (state[-1].lo <= 0.0) & (state[-1].hi > 0.0)
        for u in state[:-1]:
            holds = holds & (u.lo <= 0.0) & (u.hi >= 0.0)
        reaches = [u.size() * (1.0 / NEAR_WEIGHT) for u in state[:-1]] + [state[-1].hi * (0.5 / NEAR_WEIGHT)]
        toward += [choose(holds, reach, 0.0) for reach in reaches]
        widest += [choose(near, 0.0, _width(x)) for x in state]
        half = state[-1].hi * 0.5
        apart += [*(choose(near, half * _width(u), _width(u)) for u in state[:-1]), _width(state[-1])]
    spread = _largest([_width(x) for x in [*choice.margin, *(a for node in found.argument for a in node)]])
    wide, forced = spread > RELAXED, _largest(toward) > 0.0
    ranks = [
        choose(_width(x) > 0.0, choose(forced, toward[i], choose(wide, widest[i], scores[i])), -0.5)
        for i, x in enumerate(box)
    ]
    axis, chosen = _first_largest(ranks, apart)
    fattest, width = _first_largest(apart, apart)
    axis = choose(chosen < width * LEAST_SHARE, fattest, axis)
    if problem.upper is None:
        return axis, 0.0
    waits = (kappa > _largest(scores) * WAITING) & (kappa > judged.value * COVERED)
    return axis, flag([waits & ~forced & ~wide])


def choice_program(problem: ReducedProblem) -> LaneProgram:
    """A table of choices to what is left of them.

    ``gone`` is 1 where that is nothing; ``axis`` is the variable to halve, ``waits`` 1 where a narrower slab of
    penalties would say more (never at one penalty); ``state_low`` and ``state_high`` bound U_j,
    and ``bias_low`` and ``bias_high`` gamma.
    """
    inputs = choice_rows(problem)
    size, n = inputs.rows["low"], problem.nodes
    weights = n * problem.inputs
    outputs = Slots(
        low=size,
        high=size,
        near=n,
        axis=ONE,
        waits=ONE,
        gone=ONE,
        state_low=weights,
        state_high=weights,
        bias_low=ONE,
        bias_high=ONE,
    )

    def program(given: SimpleNamespace) -> list[Lane]:
        scale = Interval(given.scale_low, given.scale_high)
        found = propagate(problem, _choice(problem, given), scale)
        relaxation = relax(problem, found, scale)
        judged = relaxation.judge()
        excluded = judged.excluded
        for _ in range(MULTIPLIERS - 1):
            judged = relaxation.judge(judged)
            excluded = excluded | judged.excluded
        box = [x.meet(y) for x, y in zip(found.choice.variables(), relaxation.sharpened(), strict=True)]
        states = [u for node in found.state for u in node]
        gone = flag([excluded, *found.empty, *(x.is_empty() for x in box)])

        def kept(lanes: list[Lane]) -> list[Lane]:
            # What an empty interval leads to is no number.
            return [choose(gone > 0.5, 0.0, lane) for lane in lanes]

        axis, waits = _axis(problem, found, box, relaxation, judged)
        return outputs.write(
            low=kept([x.lo for x in box]),
            high=kept([x.hi for x in box]),
            near=kept(found.choice.near),
            axis=choose(gone > 0.5, 0.0, axis),
            waits=choose(gone > 0.5, 0.0, waits),
            gone=gone,
            state_low=kept([u.lo for u in states]),
            state_high=kept([u.hi for u in states]),
            bias_low=choose(gone > 0.5, 0.0, found.bias.lo),
            bias_high=choose(gone > 0.5, 0.0, found.bias.hi),
        )

    return LaneProgram(inputs=inputs, outputs=outputs, text=program)
