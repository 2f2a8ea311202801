"""Homes: for each part of an interval of kappa the regions in which its points lie, and what boxes they account for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symland.rigor.enumeration_check.balls import Doubles
from symland.rigor.enumeration_check.fields import Booleans, Fields
from symland.rigor.enumeration_check.joint import regular
from symland.rigor.enumeration_check.question import Question
from symland.rigor.range_check.folds import Tract
from symland.rigor.range_check.middles import labelled

__all__ = ["Homes", "Part"]

MARGIN = 1e-9
"""Granted to rounding where a box of doubles is turned into the coordinates of a region."""
ROOM = 0.25
"""Room about a box, in shares of its largest width, in which a whole point may lie: of a coordinate that is far thinner
than others too little is known there to have room for one point only, ..."""
LEAST_ROOM = 1e-9
"""... and at least this (weights)."""
ALIKE = 6
"""Digits in which two images of a region agree that are taken for one."""


@dataclass(frozen=True, eq=False)
class Part:
    """An interval of kappa, and for every kappa of it all points that are claimed: one in each tract, two in a bend."""

    low: Fraction
    high: Fraction
    tracts: tuple[Tract, ...]


def _images(question: Question, tract: Tract) -> Iterator[Tract]:
    """The images of a region under all symmetries that may hold a point with v_1 >= v_2 >= ... >= 0."""
    size, m1 = len(tract.centre), question.width + 1
    seen = set()
    for image in labelled(question, tuple(float(k + 1) for k in range(size))):
        which, sign = np.abs(image).astype(np.intp) - 1, np.sign(image)
        centre, frame = tract.centre[which] * sign, tract.frame[which] * sign[:, None]
        reach = np.abs(frame) @ tract.reach
        least, most = (centre - reach)[m1 - 1 : -1 : m1], (centre + reach)[m1 - 1 : -1 : m1]
        if (most < 0.0).any() or (most[:-1] < least[1:]).any():
            continue
        shape = (frame * tract.reach**2) @ frame.T
        key = (np.round(centre, ALIKE) + 0.0, np.round(shape / tract.reach.max() ** 2, ALIKE) + 0.0)
        if (word := b"".join(k.tobytes() for k in key)) in seen:
            continue
        seen.add(word)
        core = None if tract.core is None else np.sort(tract.core[:, which] * sign, axis=0)
        yield Tract(centre, frame, tract.reach, core, tract.below)


class _Table:
    """The images of all regions of a part."""

    def __init__(self, question: Question, part: Part) -> None:
        # Where a double falls on the wrong side of an end, a box meets one part more.
        self.low, self.high = float(part.low) * (1.0 - MARGIN), float(part.high) * (1.0 + MARGIN)
        found = [image for tract in part.tracts for image in _images(question, tract)]
        self.centre = np.array([t.centre for t in found])
        self.turned = np.array([np.linalg.inv(t.frame) for t in found])
        self.reach = np.array([t.reach for t in found])
        far = np.array([np.abs(t.frame) @ t.reach for t in found])
        self.hull = np.stack([self.centre - far, self.centre + far])
        size = self.centre.shape[1]
        self.cores = np.array([t.core for t in found if t.core is not None]).reshape(-1, 2, size)

    def within(self, z: Doubles) -> Booleans:
        """Which boxes (2, k, size) lie in a region."""
        found = np.zeros(z.shape[1], dtype=bool)
        small = np.flatnonzero(((z[1] - z[0]) < (self.hull[1] - self.hull[0]).max(axis=0)).all(axis=1))
        z = z[:, small]
        near = ((z[0][:, None] > self.hull[0]) & (z[1][:, None] < self.hull[1])).all(axis=2)
        middle, half = 0.5 * (z[0] + z[1]), 0.5 * (z[1] - z[0])
        for k in np.flatnonzero(near.any(axis=0)):
            lanes, turned = np.flatnonzero(near[:, k]), self.turned[k]
            size = np.abs((middle[lanes] - self.centre[k]) @ turned.T) + half[lanes] @ np.abs(turned).T
            found[small[lanes]] |= (size * (1 + MARGIN) + MARGIN < self.reach[k]).all(axis=1)
        return found

    def around(self, z: Doubles) -> Booleans:
        """Which boxes have in them what holds one point for every kappa of the part."""
        found = np.zeros(z.shape[1], dtype=bool)
        for core in self.cores:
            found |= ((z[0] < core[0]) & (core[1] < z[1])).all(axis=1)
        return found


class Homes:
    """Known points (see ``follow``) for every kappa of parts that join.

    A box holds nothing else if for each part that it meets it lies in a region; or if for each such part it has a
    whole point in it, for every kappa, and has room for one at the most.
    """

    def __init__(self, question: Question, joint: Fields, parts: Sequence[Part]) -> None:
        self.joint, self.tables = joint, [_Table(question, part) for part in parts]

    def holds(self, fields: Fields, box: Doubles) -> Booleans:
        d = fields.question.samples
        kappa, z = box[:, :, d], box[:, :, d + 1 :]
        room = (z[1] - z[0]).max(axis=1, keepdims=True) * ROOM + LEAST_ROOM
        wide = np.stack([z[0] - room, z[1] + room])
        within, around = np.ones(z.shape[1], dtype=bool), np.ones(z.shape[1], dtype=bool)
        for table in self.tables:
            # What is no number meets every part.
            meets = ~((kappa[0] > table.high) | (table.low > kappa[1]))
            here = np.flatnonzero(meets & within)
            within[here] = table.within(z[:, here])
            here = np.flatnonzero(meets & around)
            around[here] = table.around(wide[:, here])
        left = np.flatnonzero(around & ~within)
        if len(left):
            within[left] = regular(self.joint, wide[:, left])
        return within
