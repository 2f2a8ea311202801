"""The examination of residual boxes, one step after the other; see the package docstring for the argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from symland.rigor.enumeration.joint import (
    ENERGY_SLACK,
    PICK_LIMIT,
    Bounds,
    Picks,
    bound,
    follow,
    only_zero,
    sift,
)
from symland.rigor.enumeration.matching import match
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.search import Closed, Reason, Result, Search, Survivors, Task
from symland.rigor.enumeration.witnesses import Witness, keep

Integers = npt.NDArray[np.intp]
Listed = tuple[int, Doubles, Integers]
"""A place in the batch, the node boxes of its task (the zero node last), and choices (k, N) of them."""

SWEEPS = 2
"""Contractions of a node box each time that its residual box is examined, for N > 1 (one for N = 1)."""
COMBINATION_LIMIT = 1_000_000_000
"""Pairs tried in one step of a residual box (a bit of memory each) beyond which it is split unseen, ..."""
PART_LIMIT = 1_000_000
"""... and choices of fewer than N nodes (half a kilobyte each)."""
JOINT_LIMIT = 200
"""Choices of nodes of one residual box up to which each is followed by itself."""
SIFT_LIMIT = 1000
"""For N = 1, choices of nodes up to which each is examined once; what is left narrows the nodes."""
CLUSTER_LIMIT = 8
"""Clusters of node boxes up to which the choices of their hulls are followed, ..."""
CLUSTER_WIDTH = 0.5
"""... if none is wider than this ..."""
CLUSTER_PULL = 0.03
"""... and the residual box (P / kappa) is narrower than this, ..."""
CLUSTER_PICKS = 300
"""... for as many picks."""
ROUNDING_SLACK = 1e-9
"""Granted to rounding in sums of a few doubles below 10^4."""


def contract_nodes(search: Search, nodes: Doubles, owner: Integers) -> tuple[Doubles, Integers, Doubles]:
    """Contract node boxes and drop those without a non-zero solution.

    Returns nodes, owner and share (2, D (D + 1) / 2, n), the ranges of g and of its differences.
    """
    problem, engine = search.problem, search.engine
    for _ in range(1 if problem.nodes == 1 else SWEEPS):
        search.counters.node_boxes += owner.size
        out = engine.contract(low=nodes[0], high=nodes[1])
        alive = out.empty == 0.0
        owner, nodes = owner[alive], np.stack([out.low[:, alive], out.high[:, alive]])
    share = np.stack([out.share_low[:, alive], out.share_high[:, alive]])
    keep = ~only_zero(engine, nodes[0], nodes[1], problem.samples)
    if not keep.all():
        owner, nodes, share = owner[keep], nodes[:, :, keep], share[:, :, keep]
    return nodes, owner, share


@dataclass(slots=True)
class Members:
    """The nodes of one residual box, the zero node last, and what each allows.

    nodes : (2, rows, n) boxes; part : ranges of what a choice adds up, (2, Q, n); room : the range (2, Q, n) in which
    the sum must meet for every P that the node admits.  Q counts the shares g_d of the logits, their differences (which
    know nothing of gamma, whose range is the widest) and v^2.
    """

    nodes: Doubles
    part: Doubles
    room: Doubles

    def take(self, which: slice) -> Members:
        return Members(self.nodes[:, :, which], self.part[:, :, which], self.room[:, :, which])


def make_members(problem: ReducedProblem, nodes: Doubles, share: Doubles, found: Bounds) -> Members:
    """Sum_j g_jd = Delta_d - gamma and sum_j v_j^2 = energy, over the residuals of each node by itself.

    Parameters
    ----------
    nodes : (2, rows, n); share : ranges of g and its differences, (2, D (D + 1) / 2, n); found : bounds over the
    residuals of each node.
    """
    samples = problem.samples
    first, second = np.triu_indices(samples, 1)
    low, high = share
    foot, top = found.logits
    bias = found.pull[:, samples]
    part = [np.concatenate([low, nodes[0, -1:] ** 2]), np.concatenate([high, nodes[1, -1:] ** 2])]
    room = [
        np.concatenate([foot - bias[1], foot[first] - top[second], found.energy[:1]]) - ROUNDING_SLACK,
        np.concatenate([top - bias[0], top[first] - foot[second], found.energy[1:]]) + ROUNDING_SLACK,
    ]
    return Members(nodes, np.stack(part), np.stack(room))


def _nobody(rows: int, count: int) -> Doubles:
    """Empty boxes (2, rows, count)."""
    return np.stack([np.full((rows, count), np.inf), np.full((rows, count), -np.inf)])


def _hulls(label: Integers, boxes: Doubles, count: int) -> Doubles:
    """Hulls (2, rows, count) of the boxes (2, rows, n) of each label; empty where it has none."""
    hull = _nobody(count, boxes.shape[1])
    np.minimum.at(hull[0], label, boxes[0].T)
    np.maximum.at(hull[1], label, boxes[1].T)
    return hull.transpose(0, 2, 1)


def _join(a: Doubles, b: Doubles) -> Doubles:
    return np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])])


@dataclass(slots=True)
class Choices:
    """Multisets of nodes that fit: ``size`` of them, the hull of the residuals of each node in them, and their list."""

    size: int
    hull: Doubles
    listed: Callable[[], Integers]


def choose_nodes(members: Members, rows: int, count: int) -> Choices | None:
    """Multisets of ``count`` nodes which share residuals, and whose sums meet the room of each; None if too many."""
    low, high = members.part
    floor, ceiling = members.room
    begin, end = members.nodes[:, :rows]
    n = begin.shape[1]
    if count == 1:
        fits = ((floor <= high) & (low <= ceiling)).all(axis=0)
        hull = np.stack([np.where(fits, begin, np.inf), np.where(fits, end, -np.inf)])
        return Choices(int(fits.sum()), hull, lambda: np.flatnonzero(fits)[:, None])
    chosen = np.arange(n)[:, None]
    # Low, high, floor, ceiling, begin, end of the part of a choice that stands.
    part = [low, high, floor, ceiling, begin, end]
    for step in range(1, count):
        if len(chosen) * n > COMBINATION_LIMIT:
            return None
        # The rest of the nodes can add at most their range's hull, the zero node included.
        rest = count - 1 - step
        spare, need = rest * low.min(axis=1)[:, None], rest * high.max(axis=1)[:, None]
        # Sum <= ceiling for the ceilings of the part and of the newcomer, and sum >= floor likewise.
        found = match(
            (np.concatenate([low, low - ceiling]), np.concatenate([high, high - floor])),
            (
                np.concatenate([part[3] - part[0] - spare, -part[0] - spare]),
                np.concatenate([part[2] - part[1] - need, -part[1] - need]),
            ),
            (begin, end),
            (part[4], part[5]),
            chosen[:, -1],
        )
        if step == count - 1:
            break
        if found.size > PART_LIMIT:
            return None
        i, j = found.pairs()
        chosen = np.concatenate([chosen[i], j[:, None]], axis=1)
        part = [
            part[0][:, i] + low[:, j],
            part[1][:, i] + high[:, j],
            np.maximum(part[2][:, i], floor[:, j]),
            np.minimum(part[3][:, i], ceiling[:, j]),
            np.maximum(part[4][:, i], begin[:, j]),
            np.minimum(part[5][:, i], end[:, j]),
        ]
    hull = found.second
    for column in chosen.T:
        hull = _join(hull, _hulls(column, found.first, n))

    def listed() -> Integers:
        i, j = found.pairs()
        return np.concatenate([chosen[i], j[:, None]], axis=1)

    return Choices(found.size, hull, listed)


def examine_batch(search: Search, tasks: list[Task]) -> list[Result]:
    """Propagate, contract and combine a batch of tasks; one result a task.

    Raises
    ------
    WitnessLost
        If a step drops a known solution that the task holds.
    """
    problem, counters = search.problem, search.counters
    counters.pull_boxes += len(tasks)
    count, rows = problem.nodes, problem.samples + 1
    carried = [search.witnesses.carried(t.pull, t.nodes) for t in tasks]
    found = bound(problem, search.engine, np.stack([t.pull for t in tasks], axis=2))
    for i, witnesses in enumerate(carried):
        keep("bound", witnesses, *([] if found.dead[i] else [(found.pull[:, :, i], None)]))
    results: list[Result] = [Closed(reason=Reason.RESIDUALS)] * len(tasks)
    live = np.flatnonzero(~found.dead)
    if live.size:
        members, starts = _members(search, tasks, found, live)
        few: list[Listed] = []
        many: list[Listed] = []
        crowds: list[int] = []
        for place, i in enumerate(live.tolist()):
            mine = members.take(slice(starts[place], starts[place + 1]))
            keep("contract", carried[i], (found.pull[:, :, i], mine.nodes))
            choices = choose_nodes(mine, rows, count)
            if choices is None:
                results[i] = replace(tasks[i], pull=found.pull[:, :, i], nodes=mine.nodes[:, :, :-1])
                continue
            counters.combinations += choices.size
            if not choices.size:
                results[i] = Closed(reason=Reason.LOGITS)
                _keep_result("match", carried[i], results[i])
                continue
            results[i] = _in_use(mine.nodes, choices, rows)
            _keep_result("match", carried[i], results[i])
            if choices.size <= JOINT_LIMIT:
                few.append((i, mine.nodes, choices.listed()))
            elif count == 1 and choices.size <= SIFT_LIMIT:
                many.append((i, mine.nodes, choices.listed()))
            elif float((found.pull[1, :-1, i] - found.pull[0, :-1, i]).max()) < CLUSTER_PULL * float(problem.scale):
                crowds.append(i)
        _follow(search, few, results)
        if many:
            _sift(search, many, results)
        _follow_clusters(search, crowds, results)
    for i, result in enumerate(results):
        _keep_result("follow", carried[i], result)
        if isinstance(result, Closed):
            counters.close(result.reason.value)
    return results


def _keep_result(step: str, carried: list[Witness], result: Result) -> None:
    """What is left of a task must meet its witnesses, but for those in whose own uniqueness boxes the rest lay."""
    copies = result.met if isinstance(result, Task) else result.copies
    left = [] if isinstance(result, Closed) else [(result.pull, result.nodes)]
    keep(step, [w for w in carried if not w.copies & copies], *left)


def _members(search: Search, tasks: list[Task], found: Bounds, live: Integers) -> tuple[Members, Integers]:
    """Contracted nodes of the live tasks, one task after the other, each with the zero node last; where each begins."""
    problem, engine = search.problem, search.engine
    rows = problem.samples + 1
    nodes = np.concatenate([tasks[i].nodes for i in live], axis=2)
    owner = np.repeat(live, [tasks[i].nodes.shape[2] for i in live])
    nodes[0, :rows] = np.maximum(nodes[0, :rows], found.pull[0][:, owner])
    nodes[1, :rows] = np.minimum(nodes[1, :rows], found.pull[1][:, owner])
    nodes[1, -1] = np.minimum(nodes[1, -1], (np.sqrt(found.energy[1]) * (1 + ENERGY_SLACK) + ENERGY_SLACK)[owner])
    inside = (nodes[0] <= nodes[1]).all(axis=0)
    nodes, owner, share = contract_nodes(search, nodes[:, :, inside], owner[inside])
    # A node box far narrower in P than its task knows more of the logits and the energy.
    own = bound(problem, engine, nodes[:, :rows])
    nodes[:, :rows] = own.pull
    nodes, owner, share, own = nodes[:, :, ~own.dead], owner[~own.dead], share[:, :, ~own.dead], own.take(~own.dead)
    zero = np.zeros((2, nodes.shape[1], live.size))
    zero[:, :rows] = found.pull[:, :, live]
    owner = np.concatenate([owner, live])
    order = np.argsort(owner, kind="stable")
    nodes = np.concatenate([nodes, zero], axis=2)[:, :, order]
    share = np.concatenate([share, np.zeros((2, share.shape[1], live.size))], axis=2)[:, :, order]
    members = make_members(problem, nodes, share, Bounds.join(own, found.take(live)).take(order))
    return members, np.append(np.searchsorted(owner[order], live), owner.size)


def _in_use(nodes: Doubles, choices: Choices, rows: int) -> Survivors:
    """Give every node the hull of the residuals of the choices in which it takes part; drop those in none."""
    used = choices.hull[0, 0] <= choices.hull[1, 0]
    hull = choices.hull[:, :, used]
    pull = np.stack([hull[0].min(axis=1), hull[1].max(axis=1)])
    used[-1] = False  # the zero node is always allowed, and never kept
    nodes = nodes[:, :, used].copy()
    nodes[:, :rows] = choices.hull[:, :, used]
    return Survivors(pull, nodes, choices.size)


def _picks(rows: int, nodes: Doubles, choices: Integers, owner: Integers) -> Picks:
    """Choices of nodes as picks: the residuals that their nodes share, and the boxes of the nodes."""
    picked = nodes[:, :, choices]
    reach = np.stack([picked[0, :rows].max(axis=2), picked[1, :rows].min(axis=2)])
    return Picks(reach, picked[:, rows:].transpose(0, 3, 1, 2), owner)


def _sift(search: Search, many: list[Listed], results: list[Result]) -> None:
    """Examine the choices of some results once, and keep what is left of their residuals and nodes (in place)."""
    ends = np.cumsum([len(choices) for _, _, choices in many])
    rows = search.problem.samples + 1
    picks = Picks.join([_picks(rows, nodes, choices, np.arange(len(choices))) for _, nodes, choices in many])
    picks.owner = np.arange(ends[-1])
    found = sift(search, picks)
    place = np.searchsorted(ends, found.picks.owner, side="right")
    held = np.searchsorted(ends, found.swallowed, side="right")
    for number, (i, _, choices) in enumerate(many):
        kept = found.picks.take(place == number)
        if not kept.owner.size:
            results[i] = _joint(found.holders[held == number])
        else:
            left = choices[kept.owner - (ends[number] - len(choices))]
            results[i] = _hull_of_picks(kept, left, frozenset(found.holders[held == number].tolist()))


def _joint(holders: Integers) -> Closed:
    """A box whose choices were all followed to the end, those that are left into the copies ``holders``."""
    copies = frozenset(holders.tolist())
    return Closed(reason=Reason.KNOWN if copies else Reason.JOINT, copies=copies)


def _clusters(nodes: Doubles, rows: int) -> Doubles:
    """The hulls of the node boxes that hang together."""
    n = nodes.shape[2]
    state, nothing = nodes[:, rows:], np.empty((0, n))
    touch = match((nothing, nothing), (nothing, nothing), (state[0], state[1]), (state[0], state[1]), np.arange(n))
    i, j = touch.pairs()
    count, label = connected_components(coo_array((np.ones(i.size, dtype=bool), (i, j)), shape=(n, n)), directed=False)
    return _hulls(label, nodes, count)


def _follow_clusters(search: Search, crowds: list[int], results: list[Result]) -> None:
    """Near a solution each node has many boxes that hang together: follow the choices of their hulls (in place)."""
    problem = search.problem
    rows = problem.samples + 1
    tried: list[Listed] = []
    for i in crowds:
        left = results[i]
        assert isinstance(left, Survivors)
        hull = _clusters(left.nodes, rows)
        if hull.shape[2] > CLUSTER_LIMIT or (hull[1] - hull[0])[rows:].max() > CLUSTER_WIDTH:
            continue
        zero = np.zeros((2, hull.shape[1], 1))
        zero[:, :rows, 0] = left.pull
        hull = np.concatenate([hull, zero], axis=2)
        choices = np.array(list(combinations_with_replacement(range(hull.shape[2]), problem.nodes)))
        tried.append((i, hull, choices))
    _follow(search, tried, results, CLUSTER_PICKS)


def _hull_of_picks(picks: Picks, choices: Integers, held: frozenset[int]) -> Survivors:
    """Every node in the hull of the picks in which it stands."""
    used, node = np.unique(choices, return_inverse=True)
    boxes = _nobody(picks.reach.shape[1] + picks.states.shape[2], used.size)
    for j, column in enumerate(node.reshape(choices.shape).T):
        boxes = _join(boxes, _hulls(column, np.concatenate([picks.reach, picks.states[:, j]], axis=1), used.size))
    pull = np.stack([picks.reach[0].min(axis=1), picks.reach[1].max(axis=1)])
    zero = (boxes[:, picks.reach.shape[1] :] == 0.0).all(axis=(0, 1))
    return Survivors(pull, boxes[:, :, ~zero], len(choices), held)


def _follow(search: Search, few: list[Listed], results: list[Result], limit: int = PICK_LIMIT) -> None:
    """Follow the choices of some results to the end, and close the results of which none is left (in place)."""
    if not few:
        return
    rows = search.problem.samples + 1
    picks = Picks.join(
        [_picks(rows, nodes, choices, np.full(len(choices), place)) for place, (_, nodes, choices) in enumerate(few)]
    )
    picks = picks.take((picks.reach[0] <= picks.reach[1]).all(axis=0))
    failed, swallowed, holders = follow(search, picks, len(few), limit)
    for place, (i, _, _) in enumerate(few):
        if not failed[place]:
            results[i] = _joint(holders[swallowed == place])
