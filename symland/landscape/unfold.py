"""The network of labelled copies, unfolded from classes by the group elements that pathways carry.

If the branches of the transition state t end at g m and h n, with t, m, n the representatives of their classes, then
for every symmetry k the copy k t connects k g m with k h n. The orbit of the triple (t, g m, h n) under generators of
the group therefore lists all connections, each once or, where a symmetry of t swaps its sides, twice.

Symmetries permute the entries of theta and change their signs. So each theta is first written in whole numbers,
one for every distinct |theta_p| up to a tolerance; orbits are then found exactly, without comparing floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from symland.errors import DatabaseError
from symland.records import Descent, FloatArray, Pathway, StationaryPoint
from symland.symmetry import MATCH_TOLERANCE, GroupElement, SymmetryGroup

__all__ = ["LARGEST_UNFOLDING", "Copy", "Unfolded", "unfold"]

LARGEST_UNFOLDING = 200_000
"""Connections of labelled copies that are listed at most."""

_Integers = NDArray[np.int32]


class Copy(NamedTuple):
    """A labelled copy of a class; copy 0 is the representative where it was met first."""

    number: int
    copy: int


@dataclass(frozen=True, kw_only=True)
class Unfolded:
    """Labelled copies and their connections.

    Attributes
    ----------
    copies : dict
        Copies of each class that takes part, or is a minimum.
    edges : tuple of (transition state, minus end, plus end)
        Each labelled transition state once for each pathway of its class.
    descents : tuple of (saddle, end)
        Each labelled saddle with each copy that lies downhill of it.
    """

    copies: dict[int, int]
    edges: tuple[tuple[Copy, Copy, Copy], ...]
    descents: tuple[tuple[Copy, Copy], ...] = ()

    @property
    def reached(self) -> frozenset[Copy]:
        """Copies on which a branch ends."""
        return frozenset(end for _, minus, plus in self.edges for end in (minus, plus))


def unfold(
    points: Sequence[StationaryPoint],
    pathways: Iterable[Pathway],
    group: SymmetryGroup,
    largest: int = LARGEST_UNFOLDING,
    descents: Iterable[Descent] = (),
) -> Unfolded:
    """All labelled copies of the pathways and descents.

    Raises
    ------
    DatabaseError
        If a pathway carries no group elements, a number of copies differs from the orbit size of its class, or there
        are more than `largest` connections.
    """
    actions = [_action(group, element) for element in group.generators()]
    names: dict[int, dict[bytes, int]] = {}
    edges: dict[tuple[int, Copy], tuple[Copy, Copy, Copy]] = {}

    def copy_of(number: int, form: _Integers) -> Copy:
        known = names.setdefault(number, {})
        return Copy(number, known.setdefault(form.tobytes(), len(known)))

    for number, point in enumerate(points):
        if point.index == 0:
            for form in _orbit(_whole(point.theta)[None], actions, largest):
                copy_of(number, form[0])
    for place, path in enumerate(pathways):
        if not isinstance(path.minus_element, GroupElement) or not isinstance(path.plus_element, GroupElement):
            raise DatabaseError(
                f"pathway {place} of transition state {path.transition_state} carries no group elements; follow the "
                "pathways again to unfold them"
            )
        ends = [
            _action(group, element)(_whole(points[end].theta))
            for end, element in ((path.minus, path.minus_element), (path.plus, path.plus_element))
        ]
        triple = np.stack([_whole(points[path.transition_state].theta), *ends])
        for image in _orbit(triple, actions, largest - len(edges)):
            state = copy_of(path.transition_state, image[0])
            edges.setdefault((place, state), (state, copy_of(path.minus, image[1]), copy_of(path.plus, image[2])))
    downhill: dict[tuple[Copy, Copy], None] = {}
    for descent in descents:
        if not isinstance(descent.element, GroupElement):
            raise DatabaseError(
                f"a descent from class {descent.saddle} carries no group element; follow the pathways again"
            )
        end = _action(group, descent.element)(_whole(points[descent.end].theta))
        for image in _orbit(np.stack([_whole(points[descent.saddle].theta), end]), actions, largest):
            downhill[copy_of(descent.saddle, image[0]), copy_of(descent.end, image[1])] = None
    copies = {number: len(known) for number, known in sorted(names.items())}
    for number, count in copies.items():
        complete = points[number].index == 0 or any(state.number == number for state, _, _ in edges.values())
        if complete and count != points[number].orbit_size:
            raise DatabaseError(
                f"class {number} unfolds into {count} copies, its orbit size is {points[number].orbit_size}; "
                "refine its point before unfolding"
            )
    return Unfolded(copies=copies, edges=tuple(edges.values()), descents=tuple(downhill))


def _whole(theta: FloatArray) -> _Integers:
    """Theta with |theta_p| replaced by its rank among the distinct ones, 0 for zero."""
    size = np.abs(theta)
    order = np.sort(size)
    slack = MATCH_TOLERANCE * (1.0 + float(size.max(initial=0.0)))
    # A gap wider than the tolerance begins a new value; those joined to zero are zero.
    starts = [b for a, b in pairwise([0.0, *order]) if b - a > slack]
    rank = np.searchsorted(starts, size, side="right")
    return (np.sign(theta) * rank).astype(np.int32)


def _action(group: SymmetryGroup, element: GroupElement) -> Callable[[_Integers], _Integers]:
    index, sign = group.signed_permutation(element)
    signs = sign.astype(np.int32)

    def act(form: _Integers) -> _Integers:
        image = np.empty_like(form)
        image[..., index] = signs * form
        return image

    return act


def _orbit(form: _Integers, actions: Sequence[Callable[[_Integers], _Integers]], largest: int) -> list[_Integers]:
    seen = {form.tobytes()}
    out = [form]
    for current in out:
        for act in actions:
            image = act(current)
            if (key := image.tobytes()) not in seen:
                seen.add(key)
                out.append(image)
                if len(out) > largest:
                    raise DatabaseError(
                        f"unfolding needs more than {largest} labelled connections; draw the collapsed tree instead"
                    )
    return out
