"""Double-ended searches: a band of images between two minima, whose maxima lead to transition states.

The doubly nudged elastic band of Trygubenko and Wales, J. Chem. Phys. 120, 2082 (2004): with tangent tau (Henkelman and
Jonsson, J. Chem. Phys. 113, 9978 (2000)), true gradient g and spring gradient s at an image, the band moves along minus

    g_perp + s_par + ( s_perp - (s_perp . e) e ),     e = g_perp / |g_perp|,

the last term being the part of the springs' pull across the band that does not fight the true gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from symland.explore.align import nearest_copy
from symland.explore.following import follow
from symland.explore.identify import Catalogue
from symland.explore.newton import newton
from symland.explore.pathways import Connections, LostBranch, connect
from symland.explore.protocol import Kernel
from symland.explore.starts import free_space
from symland.explore.tolerances import BAND_IMAGES, BAND_STEPS
from symland.records import FloatArray, Pathway, StationaryPoint
from symland.symmetry import SymmetryGroup

__all__ = ["ATTEMPTS", "bridge", "components", "elastic_band", "search_between", "transition_states_between"]

SPRING = 1.0
"""Stiffness of the springs, in units of the mean gradient across the band per mean distance of images."""

BRIDGE_HEADS = 4
"""Minima of each component that double-ended searches start from."""

ATTEMPTS = 20
"""Double-ended searches between components, at most."""

LONGEST_MOVE = 0.1
"""Longest move of an image in one step, in units of theta."""


def elastic_band(
    kernel: Kernel, start: FloatArray, end: FloatArray, *, images: int = BAND_IMAGES, steps: int = BAND_STEPS
) -> FloatArray:
    """A band (images + 2, P) from `start` to `end` that has relaxed towards a path of steepest descent."""
    fraction = np.linspace(0.0, 1.0, images + 2)[:, None]
    band = (1.0 - fraction) * start + fraction * end
    velocity = np.zeros((images, start.size))
    rate, trust = 0.1, 0
    for _ in range(steps):
        pull = -_band_gradient(kernel, band)
        # FIRE: speed up along the force while the motion descends, stop dead when it does not.
        power = float((pull * velocity).sum())
        if power > 0.0:
            norm = np.linalg.norm(pull)
            mixed = 0.9 * velocity + 0.1 * np.linalg.norm(velocity) / max(norm, np.finfo(float).tiny) * pull
            trust += 1
            rate = min(rate * 1.1, 10.0) if trust > 5 else rate
            velocity = mixed
        else:
            velocity[:] = 0.0
            rate, trust = rate * 0.5, 0
        velocity += rate * pull
        move = rate * velocity
        longest = float(np.linalg.norm(move, axis=1).max(initial=0.0))
        band[1:-1] += move * min(1.0, LONGEST_MOVE / max(longest, np.finfo(float).tiny))
    return band


def _band_gradient(kernel: Kernel, band: FloatArray) -> FloatArray:
    value, gradient = kernel.value_gradient(band)
    inner = gradient[1:-1]
    ahead, behind = band[2:] - band[1:-1], band[1:-1] - band[:-2]
    tangent = _tangents(value, ahead, behind)
    across = inner - _along(inner, tangent)
    ahead_length, behind_length = (np.linalg.norm(d, axis=1, keepdims=True) for d in (ahead, behind))
    scale = np.linalg.norm(across, axis=1).mean() / max(float(behind_length.mean()), np.finfo(float).tiny)
    spring = -SPRING * scale * (ahead - behind)
    along = -SPRING * scale * (ahead_length - behind_length) * tangent
    sideways = spring - _along(spring, tangent)
    size = np.linalg.norm(across, axis=1, keepdims=True)
    sideways -= _along(sideways, across / np.where(size > 0.0, size, 1.0))
    return across + along + sideways


def _tangents(value: FloatArray, ahead: FloatArray, behind: FloatArray) -> FloatArray:
    """Towards the higher neighbour; at an extremum of the band, both neighbours weighted by the energy differences."""
    rise, fall = value[2:] - value[1:-1], value[1:-1] - value[:-2]
    large, small = np.maximum(np.abs(rise), np.abs(fall)), np.minimum(np.abs(rise), np.abs(fall))
    upward = value[2:] > value[:-2]
    weight_ahead = np.where(upward, large, small)[:, None]
    weight_behind = np.where(upward, small, large)[:, None]
    mixed = weight_ahead * ahead + weight_behind * behind
    tangent = np.where(((rise > 0) & (fall > 0))[:, None], ahead, mixed)
    tangent = np.where(((rise < 0) & (fall < 0))[:, None], behind, tangent)
    norm = np.linalg.norm(tangent, axis=1, keepdims=True)
    straight = ahead + behind
    tangent = np.where(norm > 0.0, tangent, straight)
    return tangent / np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), np.finfo(float).tiny)


def _along(vectors: FloatArray, directions: FloatArray) -> FloatArray:
    return (vectors * directions).sum(axis=1, keepdims=True) * directions


def transition_states_between(kernel: Kernel, group: SymmetryGroup, start: FloatArray, end: FloatArray) -> FloatArray:
    """Transition states (n, P) that a band between two minima leads to: from each of its maxima, by following."""
    space = free_space(kernel, group)
    band = _refined(elastic_band(space, space.lower(start[None])[0], space.lower(end[None])[0]))
    value = space.value(band)
    peaks = 1 + np.flatnonzero((value[1:-1] >= value[:-2]) & (value[1:-1] >= value[2:]))
    ends, arrived = follow(space, band[peaks], np.ones(len(peaks), dtype=np.intp))
    polished, converged = newton(space, ends[arrived])
    return space.lift(polished[converged])


def _refined(band: FloatArray) -> FloatArray:
    """More points along the band: halved segments, and ever closer to the two ends, whose basins may be narrow."""
    knots = np.arange(len(band), dtype=np.float64)
    near = 2.0 ** -np.arange(1.0, 11.0)
    places = np.unique(np.concatenate((knots, knots[:-1] + 0.5, near, knots[-1] - near)))
    return np.stack([np.interp(places, knots, column) for column in band.T], axis=1)


def search_between(
    kernel: Kernel, group: SymmetryGroup, points: Sequence[StationaryPoint], start: int, end: int
) -> list[StationaryPoint]:
    """The classes `points`, and those that a band from class `start` to the nearest copy of class `end` leads to."""
    here, there = points[start].theta, points[end].theta
    catalogue = Catalogue(kernel, group, points)
    catalogue.add(transition_states_between(kernel, group, here, group.apply(nearest_copy(group, there, here), there)))
    return list(catalogue.points)


def components(connections: Connections) -> NDArray[np.intp]:
    """For each class, the smallest number of a class that pathways connect it to, through copies of any kind."""
    root = np.arange(len(connections.points))
    for path in connections.pathways:
        joined = np.isin(root, root[[path.transition_state, path.minus, path.plus]])
        root[joined] = root[joined].min()
    for descent in connections.descents:
        joined = np.isin(root, root[[descent.saddle, descent.end]])
        root[joined] = root[joined].min()
    return root


def bridge(
    kernel: Kernel,
    group: SymmetryGroup,
    points: Sequence[StationaryPoint],
    *,
    attempts: int = ATTEMPTS,
    progress: Callable[[str, int, int], None] = lambda note, done, total: None,
    known: Sequence[Pathway] = (),
    lost: Sequence[LostBranch] = (),
    keep: Callable[[Sequence[Pathway], Sequence[LostBranch]], None] = lambda pathways, lost: None,
) -> Connections:
    """Pathways of `points`; where minima remain unconnected, double-ended searches between the nearest of them.

    Each attempt takes the closest pair of minima, up to symmetry, among the lowest few of each two components, and adds
    the transition states found between them. It ends when all minima are connected, no pair is left or the attempts are
    used up: compare `components`. Before each step `progress` is told what it is, and how many of how many are done.
    `known`, `lost` and `keep` are those of `connect`.
    """
    connections = connect(kernel, group, points, known=known, lost=lost, keep=keep, progress=progress)
    copies: dict[tuple[int, int], tuple[float, FloatArray]] = {}
    tried: set[tuple[int, int]] = set()
    for attempt in range(attempts):
        pairs = _apart(connections) - tried
        if not pairs:
            break
        progress(f"double-ended searches, {len(connections.points)} classes", attempt, attempts)
        for i, j in sorted(pairs - copies.keys()):
            here, there = connections.points[i].theta, connections.points[j].theta
            copy = group.apply(nearest_copy(group, there, here), there)
            copies[i, j] = float(np.linalg.norm(copy - here)), copy
        pair = min(pairs, key=lambda p: (copies[p][0], p))
        tried.add(pair)
        states = transition_states_between(kernel, group, connections.points[pair[0]].theta, copies[pair][1])
        catalogue = Catalogue(kernel, group, connections.points)
        catalogue.add(states)
        if len(catalogue.points) > len(connections.points):
            connections = connect(
                kernel, group, catalogue.points, known=connections.pathways, lost=connections.lost, keep=keep
            )
    return connections


def _apart(connections: Connections) -> set[tuple[int, int]]:
    """Pairs of minima in different components, of the lowest few of each."""
    root, points = components(connections), connections.points
    lowest: dict[int, list[int]] = {}
    for k in sorted((k for k, point in enumerate(points) if point.index == 0), key=lambda k: points[k].loss):
        members = lowest.setdefault(int(root[k]), [])
        if len(members) < BRIDGE_HEADS:
            members.append(k)
    heads = [(r, k) for r, members in lowest.items() for k in members]
    return {(min(i, j), max(i, j)) for r, i in heads for s, j in heads if r < s}
