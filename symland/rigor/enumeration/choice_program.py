"""One examination of a choice of nodes, as one lane program: propagate, relax, exclude or narrow; where to halve.

A choice is halved across the variable that makes most of the bound which did not exclude it.  Two rules come before: a
node that is not zero, and whose box holds 0 and is too large for the variables near 0, is halved towards them; and what
is too wide for a relaxation to say anything is halved where it is widest.
"""

from __future__ import annotations

from types import SimpleNamespace

from symland.rigor.enumeration.lanes import Interval, Lane, choose, larger
from symland.rigor.enumeration.node import flag, intervals
from symland.rigor.enumeration.problem import ReducedProblem
from symland.rigor.enumeration.propagation import NEAR_WEIGHT, Choice, Propagated, propagate
from symland.rigor.enumeration.relaxation import relax
from symland.rigor.enumeration.slots import ONE, LaneProgram, Slots

__all__ = ["choice_program", "choice_rows"]

RELAXED = 12.0
"""Widths of a margin or of an argument of tanh from which a choice is halved there."""
LEAST_SHARE = 0.05
"""Share of the largest width that a variable has which is halved."""
MULTIPLIERS = 3
"""Multipliers that are tried on a choice."""


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


def _axis(problem: ReducedProblem, found: Propagated, box: list[Interval], scores: list[Lane]) -> Lane:
    """The variable to halve."""
    d, m1 = problem.samples, problem.inputs + 1
    choice = found.choice
    widest = [_width(t) for t in choice.margin]
    toward: list[Lane] = [0.0] * d
    apart = [_width(x) for x in box[:d]]
    for j in range(problem.nodes):
        near, state = choice.near[j] > 0.5, box[d + j * m1 : d + (j + 1) * m1]
        holds = ~near & (state[-1].lo <= 0.0) & (state[-1].hi > 0.0)
        for u in state[:-1]:
            holds = holds & (u.lo <= 0.0) & (u.hi >= 0.0)
        sizes = [u.size() * (1.0 / NEAR_WEIGHT) for u in state[:-1]] + [state[-1].hi * (0.5 / NEAR_WEIGHT)]
        toward += [choose(holds, size, 0.0) for size in sizes]
        widest += [choose(near, 0.0, _width(x)) for x in state]
        half = state[-1].hi * 0.5
        sizes = [choose(near, half * _width(u), _width(u)) for u in state[:-1]] + [_width(state[-1])]
        apart += sizes
    spread = _largest([_width(x) for x in [*choice.margin, *(a for node in found.argument for a in node)]])
    wide, forced = spread > RELAXED, _largest(toward) > 0.0
    least = _largest(apart) * LEAST_SHARE
    axis: Lane = 0.0
    best: Lane = -1.0
    chosen: Lane = 0.0
    for i, x in enumerate(box):
        rank = choose(forced, toward[i], choose(wide, widest[i], scores[i]))
        rank = choose(_width(x) > 0.0, rank, -0.5)
        axis, chosen, best = (
            choose(rank > best, float(i), axis),
            choose(rank > best, apart[i], chosen),
            larger(rank, best),
        )
    thin = chosen < least
    widest_at: Lane = 0.0
    best = -1.0
    for i in range(len(box)):
        widest_at, best = choose(apart[i] > best, float(i), widest_at), larger(apart[i], best)
    return choose(thin, widest_at, axis)


def choice_program(problem: ReducedProblem) -> LaneProgram:
    """A table of choices to what is left of them.

    ``gone`` is 1 where that is nothing; ``axis`` is the variable to halve; ``state_low`` and ``state_high`` bound U_j,
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
        result = {
            "low": [x.lo for x in box],
            "high": [x.hi for x in box],
            "near": found.choice.near,
            "axis": [_axis(problem, found, box, relaxation.scores(judged))],
            "gone": [1.0],
            "state_low": [u.lo for u in states],
            "state_high": [u.hi for u in states],
            "bias_low": [found.bias.lo],
            "bias_high": [found.bias.hi],
        }
        # What an empty interval leads to is no number.
        return [
            choose(gone > 0.5, 1.0 if name == "gone" else 0.0, 0.0 if name == "gone" else lane)
            for name, part in result.items()
            for lane in part
        ]

    return LaneProgram(inputs=inputs, outputs=outputs, text=program)
