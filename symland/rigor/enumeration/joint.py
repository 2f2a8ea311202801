"""The joint search: every choice of N nodes of a residual box is followed by itself to the end.

A *pick* is a box of (P, gamma) with one box for each of its N nodes.  It is contracted by the node equations, by the
logits, and by the D linear interval equations in P which the affine forms of its nodes leave; it ends when it is empty
or lies in the uniqueness box of a known point, and is halved otherwise.  Halves cover their pick, so a residual box
whose picks all ended holds no unknown solution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.pulls import combination_node, margin_guess, margin_guesses, meeting_node
from symland.rigor.enumeration.search import Engines, Search

Integers = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]

PICK_LIMIT = 2_000
"""Picks of one residual box after which it is given back, to be split."""
ZERO_REACH = 0.3
"""Node boxes within this distance of 0 (weights) are tested for holding only the zero node."""
ENERGY_SLACK = 1e-9
"""Absolute slack of v^2 (below 10^4) and relative slack of v: a million times the rounding of a sum of N squares."""
SHRUNK = 0.6
"""A pick whose box of P shrank to this share in some direction is examined again before it is halved."""
NODE_WEIGHT = 1.0
"""Weight of the looseness of a node's logits against the reach of P in them, when a pick is halved."""
LEAST_REACH = 1e-9
"""Reach in the logits below which a pick is given back: it is beyond double precision's use."""

SLAB_REACH = 0.3
"""The same over a slab, in units of its relative width: the logits are not known better than that."""


@dataclass(slots=True)
class Picks:
    """Boxes of (P, gamma), (2, D + 1, k), the nodes' boxes of (U, v), (2, N, m + 1, k), and what each belongs to."""

    reach: Doubles
    states: Doubles
    owner: Integers

    def take(self, which: Booleans | Integers) -> Picks:
        return Picks(self.reach[:, :, which], self.states[:, :, :, which], self.owner[which])

    @staticmethod
    def join(parts: list[Picks]) -> Picks:
        return Picks(
            np.concatenate([p.reach for p in parts], axis=2),
            np.concatenate([p.states for p in parts], axis=3),
            np.concatenate([p.owner for p in parts]),
        )


@dataclass(slots=True)
class Bounds:
    """What the residuals alone say: boxes of (P, gamma) (2, D + 1, n), sum v^2 (2, n), logits (2, D, n), emptiness."""

    pull: Doubles
    energy: Doubles
    logits: Doubles
    dead: Booleans

    def take(self, which: Booleans | Integers) -> Bounds:
        return Bounds(self.pull[:, :, which], self.energy[:, which], self.logits[:, :, which], self.dead[which])

    @staticmethod
    def join(a: Bounds, b: Bounds) -> Bounds:
        return Bounds(
            np.concatenate([a.pull, b.pull], axis=2),
            np.concatenate([a.energy, b.energy], axis=1),
            np.concatenate([a.logits, b.logits], axis=2),
            np.concatenate([a.dead, b.dead]),
        )


def bound(problem: ReducedProblem, engine: Engines, pull: Doubles) -> Bounds:
    """Energy, symmetry and balance on boxes (2, D + 1, n)."""
    d = problem.samples
    low, high = pull
    out = engine.energy(
        pull_low=low[:d],
        pull_high=high[:d],
        bias_low=low[d],
        bias_high=high[d],
        guess_low=margin_guesses(problem, low[:d]),
        guess_high=margin_guesses(problem, high[:d]),
    )
    left = np.empty_like(pull)
    left[0, :d], left[1, :d], left[0, d], left[1, d] = out.pull_low, out.pull_high, out.bias_low, out.bias_high
    energy, logits = np.stack([out.least, out.most]), np.stack([out.logit_low, out.logit_high])
    return Bounds(left, energy, logits, out.empty > 0.0)


def only_zero(engine: Engines, low: Doubles, high: Doubles, samples: int, among: Booleans | bool = True) -> Booleans:
    """Which node boxes (P, gamma, U, v) near 0, of those asked for, provably hold no node but the zero node."""
    foot, top = low[samples + 1 :], high[samples + 1 :]
    size = np.maximum(np.abs(foot), np.abs(top)).max(axis=0)
    near = np.flatnonzero((size < ZERO_REACH) & among)
    found = np.zeros(size.size, dtype=bool)
    if near.size:
        out = engine.zero(
            pull_low=low[:samples, near],
            pull_high=high[:samples, near],
            state_low=foot[:, near],
            state_high=top[:, near],
        )
        found[near] = out.alone > 0.0
    return found


def _contract(problem: ReducedProblem, engine: Engines, picks: Picks) -> tuple[Picks, Doubles]:
    """Bounds of P, then each node's own contraction, then the logits; the picks left and their ranges of P before."""
    d, count = problem.samples, problem.nodes
    before = picks.reach[1] - picks.reach[0]
    found = bound(problem, engine, picks.reach)
    # sum_j v_j^2 is known within ``energy``: each v_j^2 is what the others leave.
    states, dead = picks.states.copy(), found.dead
    least, most = states[0, :, -1] ** 2, states[1, :, -1] ** 2
    for j in range(count):
        spare = found.energy[1] - (least.sum(axis=0) - least[j])
        need = found.energy[0] - (most.sum(axis=0) - most[j])
        cap = np.sqrt(np.maximum(spare, 0.0) + ENERGY_SLACK) * (1 + ENERGY_SLACK)
        foot = np.sqrt(np.maximum(need - ENERGY_SLACK, 0.0)) * (1 - ENERGY_SLACK)
        states[1, j, -1] = np.minimum(states[1, j, -1], cap)
        states[0, j, -1] = np.maximum(states[0, j, -1], foot)
        dead = dead | (states[0, j, -1] > states[1, j, -1])
    picks = Picks(found.pull, states, picks.owner).take(~dead)
    before = before[:, ~dead]
    shares: list[Doubles] = []
    for j in range(count):
        zero = (picks.states[:, j] == 0.0).all(axis=(0, 1))
        packed = np.concatenate([picks.reach, picks.states[:, j]], axis=1)
        out = engine.contract(low=packed[0], high=packed[1])
        alive = zero | (out.empty == 0.0)
        low, high = out.low, out.high
        low[:, zero], high[:, zero] = packed[0][:, zero], packed[1][:, zero]
        share = np.stack([out.share_low[:d], out.share_high[:d]])
        share[:, :, zero] = 0.0
        alive &= ~only_zero(engine, low, high, d, alive & ~zero)
        picks.reach = np.stack([low[: d + 1], high[: d + 1]])
        picks.states[0, j], picks.states[1, j] = low[d + 1 :], high[d + 1 :]
        if not alive.all():
            picks, before = picks.take(alive), before[:, alive]
            shares = [s[:, :, alive] for s in shares]
            share = share[:, :, alive]
        shares.append(share)
    low, high = picks.reach
    box, node = {"pull_low": low[:d], "pull_high": high[:d], "bias_low": low[d], "bias_high": high[d]}, meeting_node(d)
    met = engine.meet(nodes=np.concatenate([node.pack(**box, share_low=s[0], share_high=s[1]) for s in shares]))
    picks.reach = np.stack([np.vstack([met.pull_low, met.bias_low]), np.vstack([met.pull_high, met.bias_high])])
    alive = met.empty == 0.0
    return picks.take(alive), before[:, alive]


def _linear(problem: ReducedProblem, engine: Engines, picks: Picks) -> tuple[Booleans, Doubles, Doubles]:
    """Affine forms and the linear equations in P, in place.

    Returns which picks are left, the looseness of each node's logits (N, k) and the reach of each P in them (D, k).
    """
    d = problem.samples
    low, high = picks.reach[0, :d], picks.reach[1, :d]
    parts, loose, node = [], [], combination_node(d)
    dead = np.zeros(picks.owner.size, dtype=bool)
    for j in range(problem.nodes):
        box = picks.states[:, j]
        out = engine.affine(pull_low=low, pull_high=high, state_low=box[0], state_high=box[1])
        # The zero node has a share of 0 whatever the residuals are.
        zero = (box == 0.0).all(axis=(0, 1))
        for name in ("state_low", "state_high", "constant_low", "constant_high", "slopes"):
            getattr(out, name)[:, zero] = 0.0
        dead |= (out.empty > 0.0) & ~zero
        picks.states[0, j], picks.states[1, j] = out.state_low, out.state_high
        loose.append((out.constant_high - out.constant_low).max(axis=0) * 0.5)
        parts.append(node.pack(constant_low=out.constant_low, constant_high=out.constant_high, slopes=out.slopes))
    middle = (low + high) * 0.5
    found = engine.combine(
        nodes=np.concatenate(parts), pull_low=low, pull_high=high, guess=margin_guess(problem, middle)
    )
    dead |= found.empty > 0.0
    picks.reach[0, :d], picks.reach[1, :d] = found.pull_low, found.pull_high
    return ~dead, np.array(loose), found.influence


def _halve(picks: Picks, axis: Integers) -> Picks:
    """Halve each pick: across P_axis for axis <= D, else across a coordinate of a node, counted through."""
    k, rows = np.arange(axis.size), picks.reach.shape[1]
    count, m1 = picks.states.shape[1:3]
    flat = np.concatenate([picks.reach, picks.states.reshape(2, count * m1, axis.size)], axis=1)
    both = np.concatenate([flat, flat], axis=2)
    middle = (flat[0, axis, k] + flat[1, axis, k]) * 0.5
    both[1, axis, k] = middle
    both[0, axis, k + axis.size] = middle
    states = both[:, rows:].reshape(2, count, m1, 2 * axis.size)
    return Picks(both[:, :rows], states, np.concatenate([picks.owner, picks.owner]))


@dataclass(slots=True)
class Sifted:
    """Picks after one examination, their widths of P before, looseness (N, k), reach (D, k); the owners of picks that
    known points hold, and the copies that hold them."""

    picks: Picks
    before: Doubles
    loose: Doubles
    drive: Doubles
    swallowed: Integers
    holders: Integers


def sift(search: Search, picks: Picks) -> Sifted:
    """Examine picks once: what is empty or held by a known point goes."""
    problem, engine, counters = search.problem, search.engine, search.counters
    d = problem.samples
    counters.picks += picks.owner.size
    counters.node_boxes += 2 * problem.nodes * picks.owner.size
    picks, before = _contract(problem, engine, picks)
    if not picks.owner.size:
        return Sifted(picks, before, np.empty((problem.nodes, 0)), np.empty((d, 0)), picks.owner, picks.owner)
    alive, loose, drive = _linear(problem, engine, picks)
    holder = search.holder.holders(picks.states[0], picks.states[1], picks.reach[0, d], picks.reach[1, d])
    held = alive & (holder >= 0)
    swallowed, holders = picks.owner[held], holder[held]
    alive &= ~held
    return Sifted(picks.take(alive), before[:, alive], loose[:, alive], drive[:, alive], swallowed, holders)


def follow(search: Search, picks: Picks, owners: int, limit: int) -> tuple[Booleans, Integers, Integers]:
    """Follow picks to the end.

    Returns which owners (numbers below ``owners``) were given back, and for each pick that a known point holds its
    owner and the copy.
    """
    problem = search.problem
    d, m1 = problem.samples, problem.inputs + 1
    rows = d + 1
    work = np.zeros(owners, dtype=np.intp)
    failed = np.zeros(owners, dtype=bool)
    swallowed, holders = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    while picks.owner.size:
        work += np.bincount(picks.owner, minlength=owners)
        failed |= work > limit
        picks = picks.take(~failed[picks.owner])
        found = sift(search, picks)
        picks, before, loose, drive = found.picks, found.before, found.loose, found.drive
        swallowed.append(found.swallowed)
        holders.append(found.holders)
        if not picks.owner.size:
            break
        width = picks.reach[1] - picks.reach[0]
        again = (width[:d] < SHRUNK * before[:d]).any(axis=0)
        size = drive.max(axis=0)
        worst = loose.argmax(axis=0)
        axis = drive.argmax(axis=0)
        k = np.arange(axis.size)
        node = loose[worst, k] * NODE_WEIGHT > size
        spread = (picks.states[1] - picks.states[0])[worst, :, k]
        axis = np.where(node, rows + worst * m1 + spread[:, : m1 - 1].argmax(axis=1), axis)
        tiny = np.maximum(size, loose[worst, k]) < max(LEAST_REACH, SLAB_REACH * problem.slack)
        failed[picks.owner[tiny]] = True
        split = ~again
        picks = Picks.join([picks.take(again), _halve(picks.take(split), axis[split])])
    return failed, np.concatenate(swallowed), np.concatenate(holders)
