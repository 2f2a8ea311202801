"""Re-prove sampled closed boxes in Arb, by a plain search that shares no bound with the compiled one.

For a sampled row of the log a random small box of (P, gamma) inside it is searched from scratch: all node states
by bisection
and forward-backward propagation over Arb balls from the a-priori bounds, then all multisets of them against the
logits.  What is
left must lie in the uniqueness box of a known point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from flint import arb, ctx

from symland.records import Verdict
from symland.rigor.enumeration.known import PRECISION, KnownPoints, prove_known
from symland.rigor.enumeration.problem import Doubles, ReducedProblem, reduced_problem
from symland.rigor.enumeration.pulls import first_box
from symland.spec import LandscapeSpec

SUB_WIDTH = 1e-4
"""Width of the sampled box: of P / kappa and of gamma (or the whole row, where that is narrower)."""
STATE_WIDTHS = (3e-2, 3e-3, 3e-4)
"""Widths (weights) to which node states are bisected, tried in turn."""
STATE_LIMIT = 60_000
"""Node boxes for one sampled box and width before the answer is undecided."""


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """Counts of sampled boxes; ``verdict`` is CERTIFIED when all were proved, REFUTED when one holds an unknown
    solution."""

    sampled: int
    proved: int
    undecided: tuple[int, ...]
    refuted: tuple[int, ...]
    verdict: Verdict


def _join(a: arb, b: arb) -> arb:
    return a.union(b)


def _meet(a: arb, b: arb) -> arb | None:
    try:
        return a.intersection(b)
    except ValueError:
        return None


def _tanh(a: arb) -> arb:
    return _join(a.lower().tanh(), a.upper().tanh())


def _sech2(a: arb) -> arb:
    size = abs(a)
    low, high = size.lower(), size.upper()
    near = arb(1) if a.contains(0) else low.sech() ** 2
    return _join(near, high.sech() ** 2)


def node_states(problem: ReducedProblem, pull: Sequence[arb], width: float) -> list[list[arb]] | None:
    """Balls (U, v), v >= 0, that hold every node state for residuals in ``pull``; None when there are too many."""
    _, start = first_box(problem)
    m = problem.inputs
    x = [[arb(c) for c in row] for row in problem.design]
    stack = [[_join(arb(float(a)), arb(float(b))) for a, b in zip(start[0], start[1], strict=True)]]
    found: list[list[arb]] = []
    handled = 0
    while stack:
        handled += 1
        if handled > STATE_LIMIT:
            return None
        state: list[arb] | None = stack.pop()
        for _ in range(2):
            assert state is not None
            state = _propagate(problem, pull, x, state)
            if state is None:
                break
        if state is None:
            continue
        wide = max(range(m + 1), key=lambda k: float(state[k].rad()))
        if float(state[wide].rad()) * 2 <= width:
            found.append(state)
            continue
        middle = arb(state[wide].mid())
        stack.append([*state[:wide], _join(state[wide].lower(), middle), *state[wide + 1 :]])
        stack.append([*state[:wide], _join(middle, state[wide].upper()), *state[wide + 1 :]])
    return found


def _propagate(problem: ReducedProblem, pull: Sequence[arb], x: list[list[arb]], state: list[arb]) -> list[arb] | None:
    m, samples = problem.inputs, range(problem.samples)
    a = [sum((x[d][k] * state[k] for k in range(m) if problem.design[d][k]), arb(0)) for d in samples]
    v = _meet(state[m], sum((pull[d] * _tanh(a[d]) for d in samples), arb(0)))
    if v is None or bool(v < 0):
        return None
    drive = [pull[d] * _sech2(a[d]) for d in samples]
    result = []
    for k in range(m):
        u = _meet(state[k], v * sum((x[d][k] * drive[d] for d in samples if problem.design[d][k]), arb(0)) / 2)
        if u is None:
            return None
        result.append(u)
    return [*result, v]


def prove_box(problem: ReducedProblem, known: KnownPoints, lower: Doubles, upper: Doubles) -> Verdict:
    """Whether every solution with (P, gamma) in the box lies in a known uniqueness box; never REFUTED."""
    ctx.prec = PRECISION
    d, m = problem.samples, problem.inputs
    pull = [_join(arb(float(a)), arb(float(b))) for a, b in zip(lower[:d], upper[:d], strict=True)]
    bias = _meet(_join(arb(float(lower[d])), arb(float(upper[d]))), sum(pull, arb(0)))
    if bias is None:
        return Verdict.CERTIFIED
    kappa = arb(problem.scale.numerator) / problem.scale.denominator
    logits = []
    for p, sign in zip(pull, problem.labels, strict=True):
        q = sign * p / kappa
        if not (bool(q > 0) and bool(q < 1)):
            return Verdict.UNDECIDED
        logits.append(-sign * _join((q.lower() / (1 - q.lower())).log(), (q.upper() / (1 - q.upper())).log()))
    for width in STATE_WIDTHS:
        states = node_states(problem, pull, width)
        if states is None:
            return Verdict.UNDECIDED
        states.append([arb(0)] * (m + 1))
        shares = []
        for s in states:
            a = [sum((arb(c) * s[k] for k, c in enumerate(row)), arb(0)) for row in problem.design]
            shares.append([s[m] * _tanh(value) for value in a])
        left = [
            choice
            for choice in combinations_with_replacement(range(len(states)), problem.nodes)
            if all(sum((shares[j][e] for j in choice), bias).overlaps(logits[e]) for e in range(d))
        ]
        if not left:
            return Verdict.CERTIFIED
        table = np.array([[[[float(b) for b in _ends(x)] for x in states[j]] for j in choice] for choice in left])
        low, high = table[..., 0].transpose(1, 2, 0), table[..., 1].transpose(1, 2, 0)
        edge = _ends(bias)
        held = known.holders(low, high, np.full(len(left), edge[0]), np.full(len(left), edge[1]))
        if (held >= 0).all():
            return Verdict.CERTIFIED
    return Verdict.UNDECIDED


def _ends(x: arb) -> tuple[float, float]:
    """Doubles around a ball; a ball at 0 keeps v >= 0 out of the question, as copies are upright only up to
    rounding."""
    if x.is_zero():
        return 0.0, 0.0
    middle, radius = float(x.mid()), float(x.rad())
    return float(np.nextafter(middle - radius, -np.inf)) - 1e-30, float(np.nextafter(middle + radius, np.inf)) + 1e-30


def audit(
    spec: LandscapeSpec,
    known_points: Sequence[npt.ArrayLike],
    log: Doubles,
    fraction: float,
    rng: np.random.Generator,
    sub_width: float = SUB_WIDTH,
) -> AuditReport:
    """Re-prove a random fraction of the rows of a log in Arb.

    Parameters
    ----------
    log : rows P lo, gamma lo, P hi, gamma hi, depth, as in ``EnumerationResult``.
    fraction : of the rows, at least one row.
    sub_width : width of the box that is taken in each row, see SUB_WIDTH.
    """
    problem = reduced_problem(spec)
    known, _ = prove_known(problem, known_points)
    rows = problem.samples + 1
    count = min(len(log), max(1, round(fraction * len(log))))
    picks = rng.choice(len(log), size=count, replace=False) if count else np.empty(0, dtype=int)
    proved, undecided = 0, []
    scale = np.array([float(problem.scale)] * problem.samples + [1.0])
    for pick in picks:
        low, high = log[pick, :rows], log[pick, rows : 2 * rows]
        width = np.minimum(high - low, sub_width * scale)
        lower = low + rng.random(rows) * (high - low - width)
        # gamma = sum P on solutions: take the slice of gamma that belongs to the sampled P.
        centre = float(np.clip((lower + width * 0.5)[:-1].sum(), low[-1], high[-1]))
        reach = width[:-1].sum()
        lower[-1], upper_bias = max(low[-1], centre - reach), min(high[-1], centre + reach)
        upper = lower + width
        upper[-1] = upper_bias
        if prove_box(problem, known, lower, upper) is Verdict.CERTIFIED:
            proved += 1
        else:
            undecided.append(int(pick))
    verdict = Verdict.CERTIFIED if proved == count else Verdict.UNDECIDED
    return AuditReport(sampled=count, proved=proved, undecided=tuple(undecided), refuted=(), verdict=verdict)
