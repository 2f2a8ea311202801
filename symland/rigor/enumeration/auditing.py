"""Re-prove sampled closed boxes in Arb, by a plain search that shares no bound with the compiled one.

For a sampled row of the log a random small box of (P, gamma) inside it is searched from scratch in the node weights U
alone.  With v(U) = sum_d P_d tanh(U.x_d) and Y(U) = sum_d P_d sech^2(U.x_d) x_d = dv/dU the node equations are

    F(U) = 2 U - v Y = 0,     dF/dU = 2 I - Y Y^T - v sum_d P_d tanh''(U.x_d) x_d x_d^T.

Krawczyk's operator, with P a ball, encloses the solutions in a box; a box about 0 which it maps into its interior holds
the zero node only, as F(0) = 0.  The multisets of the states are then held against the logits; while some are left, P
is halved.  What is left at the end must lie in the uniqueness box of a known point.

The audit also looks for a counterexample: Newton's iteration of the whole system from the best multisets of each
sampled box.  A solution which Krawczyk proves, whose residuals lie in the sampled row and which is no known point,
refutes the log.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from flint import arb, arb_mat, ctx

from symland.records import Verdict
from symland.rigor.enumeration.known import (
    EXISTENCE_RADIUS,
    KnownClass,
    KnownPoints,
    certify_known,
    prove_known,
    residuals,
)
from symland.rigor.enumeration.problem import Doubles, ReducedProblem, reduced_problem
from symland.rigor.enumeration.pulls import first_box
from symland.rigor.matrices import approximate_inverse, identity
from symland.spec import LandscapeSpec

PRECISION = 64
"""Bits of the Arb arithmetic of the search."""
SUB_WIDTH = 1e-4
"""Width of the sampled box: of P / kappa and of gamma (or the whole row, where that is narrower)."""
STATE_WIDTH = 6e-2
"""Width (weights) to which node states are bisected for the sampled box; it falls with the square root of its parts."""
STATE_LIMIT = 30_000
"""Node boxes for one sampled box and its parts before the answer is undecided."""
PIECE_LIMIT = 200
"""Parts of one sampled box before the answer is undecided."""
KRAWCZYK_WIDTH = 1.0
"""Width (weights) of a node box above which Krawczyk's operator is not worth its while."""
PROGRESS = 0.7
"""A contraction that leaves more than this share of the widest side has stalled."""
STARTS = 8
"""Multisets of a sampled box from which a counterexample is looked for."""
GUESSES = 600
"""Random weights from which node states are looked for in floating point; with 60 those of some minima are missed."""
GUESS_STEPS = 25
"""Newton steps from each."""
FARTHEST_START = 1.0
"""Distance (weights) that Newton's iteration may move from such a start."""
APART = 1e-8
"""Distance (weights) from every known point beyond which a proved solution is another one; the cubes that hold the two
are a thousand times smaller."""


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """Counts of sampled boxes; ``verdict`` is CERTIFIED when all were proved, REFUTED when a row of ``refuted`` holds
    a solution that Arb proves and the list does not have."""

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


def _jet(problem: ReducedProblem, pull: Sequence[arb], u: Sequence[arb]) -> tuple[arb, list[arb], list[list[arb]]]:
    """v, Y and F's slopes over a box of U."""
    m = problem.inputs
    v, y, bend = arb(0), [arb(0)] * m, [[arb(0)] * m for _ in range(m)]
    for row, p in zip(problem.design, pull, strict=True):
        a = sum((u[k] * c for k, c in enumerate(row) if c), arb(0))
        tanh, slope = _tanh(a), p * _sech2(a)
        v += p * tanh
        curve = -2 * tanh * slope
        for k, c in enumerate(row):
            if c:
                y[k] += slope * c
                for n, e in enumerate(row[: k + 1]):
                    if e:
                        bend[k][n] += curve * c * e
    slopes = [[arb(0)] * m for _ in range(m)]
    for k in range(m):
        for n in range(k + 1):
            slopes[k][n] = slopes[n][k] = (2 if k == n else 0) - y[k] * y[n] - v * bend[k][n]
    return v, y, slopes


def _krawczyk(
    problem: ReducedProblem, pull: Sequence[arb], u: Sequence[arb], slopes: list[list[arb]], centre: list[arb]
) -> tuple[list[arb], bool] | None:
    """Krawczyk's image about ``centre`` and whether it lies in the interior; None without a preconditioner."""
    over = arb_mat(slopes)
    inverse = approximate_inverse(over)
    if inverse is None:
        return None
    v, y, _ = _jet(problem, pull, centre)
    value = arb_mat([[2 * x - v * z] for x, z in zip(centre, y, strict=True)])
    rest = identity(problem.inputs) - inverse * over
    move = rest * arb_mat([[x - z] for x, z in zip(u, centre, strict=True)]) - inverse * value
    image = [z + move[i, 0] for i, z in enumerate(centre)]
    inside = all(bool(z.lower() > x.lower()) and bool(z.upper() < x.upper()) for x, z in zip(u, image, strict=True))
    return image, inside


def _widest(u: Sequence[arb]) -> float:
    return 2 * max(float(x.rad()) for x in u)


def _share(problem: ReducedProblem, u: Sequence[arb], v: arb) -> list[arb]:
    """g_d = v tanh(U.x_d)."""
    return [v * _tanh(sum((u[k] * c for k, c in enumerate(row) if c), arb(0))) for row in problem.design]


@dataclass(frozen=True, kw_only=True)
class _Demand:
    """What the logits ask of one node under a residual box.

    Multiplying sum_j g_jd = Delta_d - gamma by P_d and summing over d gives sum_j v_j^2 = sum_d P_d (Delta_d - gamma),
    a bound of every v_j, and with one node the very value of v and g.
    """

    output: arb
    share: tuple[arb, ...] | None

    @staticmethod
    def of(problem: ReducedProblem, pull: Sequence[arb], logits: list[arb], bias: arb) -> _Demand | None:
        """None where the sum of squares would be negative."""
        share = tuple(t - bias for t in logits)
        square = sum((p * t for p, t in zip(pull, share, strict=True)), arb(0))
        if bool(square < 0):
            return None
        top = square.upper().sqrt()
        if problem.nodes > 1:
            return _Demand(output=arb(0).union(top), share=None)
        return _Demand(output=square.sqrt() if bool(square > 0) else arb(0).union(top), share=share)


def _contract(problem: ReducedProblem, pull: Sequence[arb], u: list[arb], demand: _Demand) -> list[arb] | None:
    """A box with the same non-zero node states of v >= 0, or None if there are none."""
    while True:
        before = _widest(u)
        v, y, slopes = _jet(problem, pull, u)
        output = _meet(v, demand.output)
        if output is None:
            return None
        if demand.share is not None and not all(
            g.overlaps(t) for g, t in zip(_share(problem, u, output), demand.share, strict=True)
        ):
            return None
        met = [_meet(x, output * z / 2) for x, z in zip(u, y, strict=True)]
        u = [x for x in met if x is not None]
        if len(u) < len(met):
            return None
        if before < KRAWCZYK_WIDTH:
            if all(x.contains(0) for x in u):
                around = [arb(0, abs(x).upper() * 1.001 + before * 1e-3) for x in u]
                held = _krawczyk(problem, pull, around, _jet(problem, pull, around)[2], [arb(0)] * len(u))
                if held is not None and held[1]:
                    return None
            step = _krawczyk(problem, pull, u, slopes, [arb(x.mid()) for x in u])
            if step is not None:
                met = [_meet(x, z) for x, z in zip(u, step[0], strict=True)]
                u = [x for x in met if x is not None]
                if len(u) < len(met):
                    return None
        if _widest(u) > PROGRESS * before:
            return u


def node_states(
    problem: ReducedProblem,
    pull: Sequence[arb],
    start: list[list[arb]],
    demand: _Demand,
    width: float,
    limit: int,
) -> tuple[list[list[arb]], int]:
    """Balls U that hold every non-zero node state (v >= 0) of ``start`` for residuals in ``pull``, and the work done.

    The list means nothing when the work exceeds ``limit``.
    """
    stack, found, handled = list(start), [], 0
    while stack and handled <= limit:
        handled += 1
        u = _contract(problem, pull, stack.pop(), demand)
        if u is None:
            continue
        wide = max(range(len(u)), key=lambda k: float(u[k].rad()))
        if 2 * float(u[wide].rad()) <= width:
            found.append(u)
            continue
        middle = arb(u[wide].mid())
        for half in (_join(u[wide].lower(), middle), _join(middle, u[wide].upper())):
            stack.append([*u[:wide], half, *u[wide + 1 :]])
    return found, handled


def _logits(problem: ReducedProblem, pull: Sequence[arb]) -> list[arb] | None:
    """Delta_d = -s_d ln(q/(1 - q)) at q = s_d P_d / kappa, a decreasing function of q times s_d."""
    kappa = arb(problem.scale.numerator) / problem.scale.denominator
    logits = []
    for p, sign in zip(pull, problem.labels, strict=True):
        q = sign * p / kappa
        if not (bool(q > 0) and bool(q < 1)):
            return None
        logits.append(-sign * _join((q.lower() / (1 - q.lower())).log(), (q.upper() / (1 - q.upper())).log()))
    return logits


def _choices(
    problem: ReducedProblem, pull: Sequence[arb], bias: arb, logits: list[arb], states: list[list[arb]]
) -> list[tuple[list[arb], ...]]:
    """Multisets of nodes (U, v), the zero node included, whose logits overlap those of the residuals."""
    nodes = [[*u, _jet(problem, pull, u)[0]] for u in states]
    nodes.append([arb(0)] * (problem.inputs + 1))
    shares = [_share(problem, node[:-1], node[-1]) for node in nodes]
    return [
        tuple(nodes[j] for j in choice)
        for choice in combinations_with_replacement(range(len(nodes)), problem.nodes)
        if all(sum((shares[j][d] for j in choice), bias).overlaps(logit) for d, logit in enumerate(logits))
    ]


def _held(known: KnownPoints, choices: list[tuple[list[arb], ...]], bias: arb) -> bool:
    table = np.array([[[_ends(x) for x in node] for node in choice] for choice in choices])
    low, high = table[..., 0].transpose(1, 2, 0), table[..., 1].transpose(1, 2, 0)
    edge = _ends(bias)
    held = known.holders(low, high, np.full(len(choices), edge[0]), np.full(len(choices), edge[1]))
    return bool((held >= 0).all())


def prove_box(problem: ReducedProblem, known: KnownPoints, lower: Doubles, upper: Doubles) -> Verdict:
    """Whether every solution with (P, gamma) in the box lies in a known uniqueness box (never REFUTED)."""
    ctx.prec = PRECISION
    d, m = problem.samples, problem.inputs
    whole = [_join(arb(float(a)), arb(float(b))) for a, b in zip(lower[:d], upper[:d], strict=True)]
    slab = _join(arb(float(lower[d])), arb(float(upper[d])))
    _, first = first_box(problem)
    start = [_join(arb(float(a)), arb(float(b))) for a, b in zip(first[0, :m], first[1, :m], strict=True)]
    stack = [(whole, [start], STATE_WIDTH)]
    work, pieces = 0, 0
    while stack:
        pull, states, width = stack.pop()
        pieces += 1
        bias = _meet(slab, sum(pull, arb(0)))
        if bias is None:
            continue
        logits = _logits(problem, pull)
        if logits is None or pieces > PIECE_LIMIT:
            return Verdict.UNDECIDED
        demand = _Demand.of(problem, pull, logits, bias)
        if demand is None:
            continue
        states, handled = node_states(problem, pull, states, demand, width, STATE_LIMIT - work)
        work += handled
        if work > STATE_LIMIT:
            return Verdict.UNDECIDED
        left = _choices(problem, pull, bias, logits, states)
        if not left or _held(known, left, bias):
            continue
        wide = max(range(d), key=lambda e: float(pull[e].rad()))
        middle = arb(pull[wide].mid())
        for half in (_join(pull[wide].lower(), middle), _join(middle, pull[wide].upper())):
            stack.append(([*pull[:wide], half, *pull[wide + 1 :]], states, width * 2**-0.25))
    return Verdict.CERTIFIED


def _ends(x: arb) -> tuple[float, float]:
    """Doubles around a ball; a ball at 0 keeps v >= 0 out of the question, as copies are upright only up to
    rounding."""
    if x.is_zero():
        return 0.0, 0.0
    return math.nextafter(float(x.lower()), -math.inf), math.nextafter(float(x.upper()), math.inf)


def _float_states(problem: ReducedProblem, pull: Doubles, rng: np.random.Generator) -> Doubles:
    """Node states (n, m + 1) by Newton's iteration of F from random U, the zero node first (no claim)."""
    x, m = np.array(problem.design), problem.inputs
    u = rng.normal(size=(GUESSES, m)) * rng.choice([0.3, 1.0, 3.0], size=(GUESSES, 1))
    with np.errstate(all="ignore"):
        for _ in range(GUESS_STEPS):
            t = np.tanh(np.clip(u @ x.T, -30, 30))
            v, y = t @ pull, ((1 - t * t) * pull) @ x
            bend = np.einsum("nd,dk,dl->nkl", -2 * t * (1 - t * t) * pull, x, x)
            slopes = 2 * np.eye(m) - y[:, :, None] * y[:, None, :] - v[:, None, None] * bend
            value = 2 * u - v[:, None] * y
            u = u - np.einsum("nkl,nl->nk", np.linalg.pinv(slopes), value)
            u = np.where(np.isfinite(u) & (np.abs(u) < 50), u, 0.0)
        settled = np.abs(value).max(axis=1) < 1e-6
    v = np.tanh(u @ x.T) @ pull
    kept = settled & (np.abs(v) > 1e-6)
    states = np.column_stack([u, v])[kept] * np.sign(v[kept])[:, None]
    _, first = np.unique(np.round(states, 4), axis=0, return_index=True)
    return np.concatenate([np.zeros((1, m + 1)), states[first]])


def _starts(problem: ReducedProblem, lower: Doubles, upper: Doubles, rng: np.random.Generator) -> list[Doubles]:
    """Multisets of node states whose logits come nearest to those of the middle of a box (no claim)."""
    middle = (lower + upper)[: problem.samples] / 2
    table = _float_states(problem, middle, rng)
    shares = table[:, -1:] * np.tanh(table[:, :-1] @ np.array(problem.design).T)
    sign = np.array(problem.labels)
    q = np.clip(sign * middle / float(problem.scale), 1e-12, 1 - 1e-12)
    wanted = -sign * np.log(q / (1 - q)) - middle.sum()
    choices = np.array(list(combinations_with_replacement(range(len(table)), problem.nodes)))
    order = np.argsort(np.abs(shares[choices].sum(axis=1) - wanted).max(axis=1), kind="stable")[:STARTS]
    return list(table[choices[order]])


def counterexample(
    problem: ReducedProblem, known: KnownPoints, starts: list[Doubles], bias: float, row: Doubles
) -> KnownClass | None:
    """A proved solution with (P, gamma) in a row of the log that is no known point, or None if Newton finds none."""
    rows = problem.samples + 1
    for states in starts:
        point = certify_known(problem, states, bias, -1, FARTHEST_START)
        if point is None or known.distance(point) <= APART:
            continue
        radius = arb(0, min(point.radius, EXISTENCE_RADIUS))
        z = [arb(float(x)) + radius for x in [*point.centre.ravel(), point.bias]]
        found = [*residuals(problem, z), z[-1]]
        if all(bool(low < x) and bool(x < high) for x, low, high in zip(found, row[:rows], row[rows:], strict=False)):
            return point
    return None


def audit(
    spec: LandscapeSpec,
    known_points: Sequence[npt.ArrayLike],
    log: Doubles,
    fraction: float,
    rng: np.random.Generator,
    sub_width: float = SUB_WIDTH,
) -> AuditReport:
    """Re-prove a random fraction of the rows of a finished log in Arb, or refute it.

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
    proved, undecided, refuted = 0, [], []
    for pick in picks:
        low, high = log[pick, :rows], log[pick, rows : 2 * rows]
        space = (high - low)[:-1]
        width = np.minimum(space, sub_width * float(problem.scale))
        lower = low[:-1] + rng.random(problem.samples) * (space - width)
        # gamma = sum P on solutions: take the slice of gamma that belongs to the sampled P.
        centre = float(np.clip((lower + width / 2).sum(), low[-1], high[-1]))
        foot, top = max(low[-1], centre - width.sum()), min(high[-1], centre + width.sum())
        verdict = prove_box(problem, known, np.append(lower, foot), np.append(lower + width, top))
        starts = _starts(problem, low, high, rng)
        if counterexample(problem, known, starts, centre, log[pick]) is not None:
            refuted.append(int(pick))
        elif verdict is Verdict.CERTIFIED:
            proved += 1
        else:
            undecided.append(int(pick))
    verdict = Verdict.REFUTED if refuted else Verdict.CERTIFIED if proved == count else Verdict.UNDECIDED
    return AuditReport(
        sampled=count, proved=proved, undecided=tuple(undecided), refuted=tuple(refuted), verdict=verdict
    )
