"""Choices of nodes followed to the end: boxes of (z, P) are contracted, held by a point of the list, or halved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from symland.rigor.enumeration_check.balls import Doubles
from symland.rigor.enumeration_check.fields import Booleans, Fields
from symland.rigor.enumeration_check.joint import contract_outputs, regular, solve_jointly
from symland.rigor.enumeration_check.nodes import contract_nodes

__all__ = ["Lanes", "Listed", "follow"]

Integers = npt.NDArray[np.intp]

CHUNK = 4096
"""Lanes examined in one call."""
ROOM = 0.02
"""Room about a box, in shares of its widths, in which a point of the list may lie, ..."""
LEAST_ROOM = 1e-9
"""... and at least this (weights)."""
SHRUNK = 0.6
"""A lane whose box of P shrank to this share in some direction is examined again before it is halved."""
LEAST_WIDTH = 1e-7
"""A lane of which no width is larger is given up: what is in it must be found by Newton's method."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The points of the list with n nodes, some of them zero maybe, in every order: cubes that hold one each.

    Attributes
    ----------
    centres : (M, n (m + 1) + 1).
    radii : (M,).
    """

    centres: Doubles
    radii: Doubles

    def within(self, z: Doubles) -> Booleans:
        """Which boxes (2, k, size) have a whole cube in them."""
        found = np.zeros(z.shape[1], dtype=bool)
        for centre, radius in zip(self.centres, self.radii, strict=True):
            # Twice the radius is far more than the rounding of the two differences.
            found |= ((z[0] < centre - 2 * radius) & (centre + 2 * radius < z[1])).all(axis=1)
        return found


@dataclass(slots=True)
class Lanes:
    """Boxes z (2, k, size) and (P, g) (2, k, D + 1), and whose each is."""

    z: Doubles
    reach: Doubles
    owner: Integers

    def take(self, which: Booleans | Integers | slice) -> Lanes:
        return Lanes(self.z[:, which], self.reach[:, which], self.owner[which])

    @staticmethod
    def join(parts: Sequence[Lanes]) -> Lanes:
        return Lanes(
            np.concatenate([p.z for p in parts], axis=1),
            np.concatenate([p.reach for p in parts], axis=1),
            np.concatenate([p.owner for p in parts]),
        )


def _held(fields: Fields, listed: Listed, z: Doubles) -> Booleans:
    """Which boxes hold nothing but a point of the list."""
    room = (z[1] - z[0]) * ROOM + LEAST_ROOM
    wide = np.stack([z[0] - room, z[1] + room])
    found = listed.within(wide)
    near = np.flatnonzero(found)
    found[near] = regular(fields, wide[:, near])
    return found


def _examined(fields: Fields, listed: Listed, lanes: Lanes) -> tuple[Lanes, Doubles, Booleans]:
    """Lanes left, the weight of each coordinate of (z, P) for halving them, and which to examine again first."""
    m, n, d = fields.question.width, fields.nodes, fields.question.samples
    before = lanes.reach[1, :, :d] - lanes.reach[0, :, :d]
    loose, drive = np.zeros((len(lanes.owner), n)), np.zeros((len(lanes.owner), d))
    dead = np.zeros(len(lanes.owner), dtype=bool)
    z, reach = lanes.z.copy(), lanes.reach
    for j in range(n if n > 1 else 0):
        at = slice(j * (m + 1), (j + 1) * (m + 1))
        node = contract_nodes(fields, z[:, :, at], reach)
        z[:, :, at], reach = node.states, node.reach
        dead |= node.dead
        loose[:, j] = node.loose
        drive += node.drive
    lanes = Lanes(z, reach, lanes.owner)

    def keep(which: Booleans) -> None:
        nonlocal lanes, before, loose, drive
        lanes, before, loose, drive = lanes.take(which), before[which], loose[which], drive[which]

    keep(~dead)
    for _ in range(1 if n > 1 else 2):
        lanes.z, lanes.reach, dead = contract_outputs(fields, lanes.z, lanes.reach)
        keep(~dead)
    lanes.z, dead, smear = solve_jointly(fields, lanes.z)
    keep(~dead)
    smear = smear[~dead]
    held = _held(fields, listed, lanes.z)
    keep(~held)
    smear = smear[~held]
    if n == 1:
        return lanes, smear, np.zeros(len(smear), dtype=bool)
    again = (lanes.reach[1, :, :d] - lanes.reach[0, :, :d] < SHRUNK * before).any(axis=1)
    spread = (lanes.z[1] - lanes.z[0])[:, :-1].reshape(-1, n, m + 1)
    weight = np.zeros((len(spread), n * (m + 1) + 1 + d))
    k, worst = np.arange(len(spread)), loose.argmax(axis=1)
    axis = worst * (m + 1) + spread[k, worst, :m].argmax(axis=1)
    weight[k, axis] = loose[k, worst]
    weight[:, n * (m + 1) + 1 :] = drive
    return lanes, weight, np.asarray(again)


def _halves(lanes: Lanes, weight: Doubles) -> Lanes:
    """Each lane halved across its heaviest coordinate of (z, P)."""
    size, k = lanes.z.shape[2], np.arange(len(lanes.owner))
    both = np.concatenate([lanes.z, lanes.reach], axis=2)
    axis = weight.argmax(axis=1)
    middle = both[0, k, axis] * 0.5 + both[1, k, axis] * 0.5
    left, right = both.copy(), both
    left[1, k, axis] = middle
    right[0, k, axis] = middle
    return Lanes.join([Lanes(b[:, :, :size], b[:, :, size:], lanes.owner) for b in (left, right)])


@dataclass(slots=True)
class Followed:
    """Which owners were not finished, the work for each, and middles z of boxes that were given up."""

    failed: Booleans
    work: Integers
    left: list[Doubles]


def follow(fields: Fields, listed: Listed, lanes: Lanes, owners: int, limit: int) -> Followed:
    """Follow lanes until nothing is left of them, each owner for ``limit`` lanes at the most."""
    failed, work = np.zeros(owners, dtype=bool), np.zeros(owners, dtype=np.intp)
    stack, left = [lanes], []
    while stack:
        lanes = stack.pop()
        while stack and len(lanes.owner) < CHUNK:
            lanes = Lanes.join([lanes, stack.pop()])
        lanes = lanes.take(~failed[lanes.owner])
        if len(lanes.owner) > CHUNK:
            stack.append(lanes.take(slice(0, -CHUNK)))
            lanes = lanes.take(slice(-CHUNK, None))
        work += np.bincount(lanes.owner, minlength=owners)
        over = (work > limit) & ~failed
        if over.any():
            failed |= over
            left += list(lanes.z.mean(axis=0)[over[lanes.owner]][:20])
            lanes = lanes.take(~failed[lanes.owner])
        lanes, weight, again = _examined(fields, listed, lanes)
        width = np.maximum((lanes.z[1] - lanes.z[0]).max(axis=1), 0.0)
        # A width that is not a number is no width to halve.
        small = ~(width > LEAST_WIDTH)
        if small.any():
            failed[lanes.owner[small]] = True
            left += list(lanes.z.mean(axis=0)[small][:20])
        stack += [lanes.take(again), _halves(lanes.take(~again), weight[~again])]
        stack = [part for part in stack if len(part.owner)]
    return Followed(failed, work, left)
