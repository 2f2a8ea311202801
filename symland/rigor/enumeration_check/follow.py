"""Boxes followed to the end: each is narrowed, excluded, held by a point of the list, or halved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from symland.rigor.enumeration_check.balls import Doubles
from symland.rigor.enumeration_check.fields import Booleans, Fields, Integers
from symland.rigor.enumeration_check.joint import regular
from symland.rigor.enumeration_check.linear import excluded, linear, solved
from symland.rigor.enumeration_check.narrowing import Narrowed, first_boxes, narrow

__all__ = ["Followed", "Known", "Listed", "follow"]

CHUNK = 1024
"""Boxes examined in one call."""
ROOM = 0.02
"""Room about a box, in shares of its widths, in which a point of the list may lie, ..."""
LEAST_ROOM = 1e-9
"""... and at least this (weights)."""
LEAST_WIDTH = 1e-7
"""A box of which no width of (U, v, g) is larger is given up: what is in it must be found by Newton's method."""
TOO_WIDE = 12.0
"""Width of a margin, or of an argument of tanh, from which a box is halved where it is widest."""
NEARLY = 1.0
"""Width of all margins below which a box is narrowed by all equations together."""
THIN = 0.05
"""Share of the largest width from which a variable is halved."""
MOST_LEFT = 400
"""Boxes that were given up of which the middles are kept."""


class Known(Protocol):
    """Points that may be met."""

    def holds(self, fields: Fields, box: Doubles) -> Booleans:
        """Which boxes (see ``narrowing``) hold no other points, for any kappa of theirs."""


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
        if not len(found):
            return found
        near = ((z[0].min(axis=0) < self.centres) & (self.centres < z[1].max(axis=0))).all(axis=1)
        for centre, radius in zip(self.centres[near], self.radii[near], strict=True):
            # Twice the radius is far more than the rounding of the two differences.
            found |= ((z[0] < centre - 2 * radius) & (centre + 2 * radius < z[1])).all(axis=1)
        return found

    def holds(self, fields: Fields, box: Doubles) -> Booleans:
        """Those that with some room about them have a point of the list in them, and no other one."""
        z = box[:, :, fields.question.samples + 1 :]
        room = (z[1] - z[0]) * ROOM + LEAST_ROOM
        wide = np.stack([z[0] - room, z[1] + room])
        found = self.within(wide)
        near = np.flatnonzero(found)
        found[near] = regular(fields, wide[:, near])
        return found


@dataclass(slots=True)
class _Left:
    """Boxes that are left, whose they are, and where to halve them: across which variable, and at what place."""

    box: Doubles
    owner: Integers
    axis: Integers
    place: Doubles


def _examined(fields: Fields, known: Known, box: Doubles, owner: Integers) -> _Left:
    """Boxes (2, k, size) after one examination."""
    # Where a bound does not exist an end is infinite or not a number, and cuts nothing.
    with np.errstate(all="ignore"):
        found, gone = narrow(fields, box)
        found, owner = found.take(~gone), owner[~gone]
        equations = linear(fields, found)
        gone, scores = excluded(fields, equations)
        nearly = ~gone & ((found.margin[1] - found.margin[0]).max(axis=1) < NEARLY)
        found.box[:, nearly] = solved(fields, equations, found.box, nearly)
        found, owner = found.take(~gone), owner[~gone]
        gone = (found.box[0] > found.box[1]).any(axis=1)
        found, owner, scores = found.take(~gone), owner[~gone], scores[~gone]
        held = known.holds(fields, found.box)
        found, owner, scores = found.take(~held), owner[~held], scores[~held]
        axis = _axes(found, scores, fields.question.samples)
        return _Left(found.box, owner, axis, _places(fields, found, axis))


def _axes(found: Narrowed, scores: Doubles, samples: int) -> Integers:
    """The variable that makes most of the bound; the widest where that says nothing, or where it is thin."""
    margins = found.margin[1] - found.margin[0]
    widths = np.concatenate([margins, (found.box[1] - found.box[0])[:, samples:-1]], axis=1)
    # As much wider is a margin for the range of kappa: t = log(kappa / p - 1).
    with np.errstate(divide="ignore"):
        widths[:, samples] = np.log(found.box[1, :, samples] / found.box[0, :, samples])
    arguments = (found.argument[1] - found.argument[0]).max(axis=(1, 2))
    wide = np.fmax(margins.max(axis=1), arguments) > TOO_WIDE
    rank = np.where(wide[:, None], widths, scores)
    # A rank that is not a number is none.
    rank = np.where((widths < THIN * widths.max(axis=1, keepdims=True)) | np.isnan(rank), -1.0, rank)
    return rank.argmax(axis=1)


def _places(fields: Fields, found: Narrowed, axis: Integers) -> Doubles:
    """The middle of the range; of a pull that of the middle margin, if this parts the range."""
    lane = np.arange(len(axis))
    low, high = found.box[0, lane, axis], found.box[1, lane, axis]
    place = 0.5 * (low + high)
    d = fields.question.samples
    at = np.fmin(axis, d - 1)
    margin = 0.5 * (found.margin[0, lane, at] + found.margin[1, lane, at])
    pull = 0.5 * found.box[:, :, d].sum(axis=0) / (1.0 + np.exp(margin))
    edge = 1e-3 * (high - low)
    parts = (axis < d) & (low + edge < pull) & (pull < high - edge)
    return np.where(parts, pull, place)


def _halves(left: _Left) -> tuple[Doubles, Integers]:
    """Each box halved, and whose they are."""
    lane = np.arange(len(left.owner))
    lower, upper = left.box.copy(), left.box
    lower[1, lane, left.axis] = left.place
    upper[0, lane, left.axis] = left.place
    return np.concatenate([lower, upper], axis=1), np.concatenate([left.owner, left.owner])


@dataclass(slots=True)
class Followed:
    """Which owners were not finished, the boxes for each, and middles z of boxes that were given up."""

    failed: Booleans
    work: Integers
    left: Doubles


def follow(fields: Fields, known: Known, cells: Doubles, limit: int) -> Followed:
    """Prove that all points whose (P, g) lies in each of some cells (2, k, D + 1) are known.

    Each cell is followed for ``limit`` boxes at the most.
    """
    d, owners = fields.question.samples, cells.shape[1]
    failed, work = np.zeros(owners, dtype=bool), np.zeros(owners, dtype=np.intp)
    stack, left = [(first_boxes(fields, cells), np.arange(owners))], list[Doubles]()
    while stack:
        box, owner = stack.pop()
        while stack and len(owner) < CHUNK:
            more = stack.pop()
            box, owner = np.concatenate([more[0], box], axis=1), np.concatenate([more[1], owner])
        if len(owner) > CHUNK:
            stack.append((box[:, :-CHUNK], owner[:-CHUNK]))
            box, owner = box[:, -CHUNK:], owner[-CHUNK:]
        work += np.bincount(owner, minlength=owners)
        failed |= work > limit
        given_up = failed[owner]
        left = [*left, *box[:, given_up, d + 1 :].mean(axis=0)[:20]][-MOST_LEFT:]
        found = _examined(fields, known, box[:, ~given_up], owner[~given_up])
        # A width that is not a number is no width to halve.
        small = ~((found.box[1] - found.box[0])[:, d + 1 :].max(axis=1, initial=0.0) > LEAST_WIDTH)
        failed[found.owner[small]] = True
        left = [*left, *found.box[:, small, d + 1 :].mean(axis=0)[:20]][-MOST_LEFT:]
        if len(found.owner):
            stack.append(_halves(found))
    return Followed(failed, work, np.array(left).reshape(-1, fields.nodes * (fields.question.width + 1) + 1))
