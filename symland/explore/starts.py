"""Where searches begin. Every start is drawn from the seed, the round and the batch, so that a run can be split.

- the origin, and points that the caller gives (extensions of smaller networks, points at a neighbouring penalty),
- random points at many scales,
- random points of subspaces that a subgroup of the symmetries fixes: there a search has fewer dimensions, and a
  point stationary within the subspace is stationary (Palais, Commun. Math. Phys. 69, 19 (1979)),
- known points displaced along eigenvectors, to search one index up, one down, or at the same one,
- points of the line through copies of two known points: where a class is hard to reach from anywhere else, the
  regions that lead to it often lie between others,
- known points, from which Newton trajectories are followed to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from symland.explore.protocol import Kernel, Restriction
from symland.layout import Layout
from symland.machine.spectra import ordered_spectra, ordered_values
from symland.records import FloatArray, Outcome, StationaryPoint
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = [
    "Method",
    "StartKind",
    "Wave",
    "along",
    "along_symmetric",
    "between",
    "displaced",
    "free_space",
    "given",
    "joined",
    "random",
    "split_nodes",
    "symmetric",
    "zero_extension",
]

SCALES = (0.1, 8.0)
"""Smallest and largest standard deviation of random starts, in units of theta."""

DISPLACEMENTS = (0.1, 3.0)
"""Shortest and longest displacement from a known point, in units of theta."""

PLACES = (-0.5, 1.5)
"""Where on the line through two known points a start lies: 0 is one of them and 1 the other."""

STIFFNESS = 0.1
"""The share of a Hessian's norm, times one unit of theta, that is the unit of s along a Newton trajectory. With a small
one the arclength is mostly change of the gradient, with a large one change of theta."""


class StartKind(Enum):
    """Where a search began."""

    GIVEN = "given"
    RANDOM = "random"
    SYMMETRIC = "symmetric"
    DISPLACED = "displaced"
    BETWEEN = "between"
    ALONG = "along"


class Method(Enum):
    """What a search follows."""

    EIGENVECTORS = "eigenvectors"
    SQUARED_GRADIENT = "squared gradient"
    TRAJECTORY = "Newton trajectory"


@dataclass(frozen=True, kw_only=True, eq=False)
class Wave:
    """Searches that run in lock step on one subspace.

    Attributes
    ----------
    space : Restriction
    start : (n, d)
        Coordinates on the subspace.
    index : (n,) int
        The index that each search heads for, within the subspace.
    source : (n, 2) int
        Numbers of the known points that a start was made of, -1 where there is none.
    method : Method
    direction : (n, d)
        The vector r of each Newton trajectory, on which grad E = s r.
    """

    kind: StartKind
    space: Restriction
    start: FloatArray
    index: NDArray[np.intp]
    source: NDArray[np.intp]
    method: Method = Method.EIGENVECTORS
    direction: FloatArray | None = None


def free_space(kernel: Kernel, group: SymmetryGroup) -> Restriction:
    """The complement of the gauge directions: all of theta unless the loss ignores a shift of the outputs."""
    return _fixed(kernel, group, ())


def _fixed(kernel: Kernel, group: SymmetryGroup, elements: Sequence[GroupElement]) -> Restriction:
    basis = group.fixed_space(elements)
    # Each gauge direction adds to the loss its penalty only, so a stationary point has no component along it (or,
    # unpenalised, may be moved to have none). The gauge space is invariant, hence its projection lies in the basis.
    gauge = basis.T @ group.gauge
    if gauge.shape[1]:
        left, size, _ = np.linalg.svd(gauge, full_matrices=True)
        rank = int((size > 0.5 * size.max(initial=1.0) * 1e-6).sum())
        basis = basis @ left[:, rank:]
    return Restriction(kernel=kernel, basis=np.ascontiguousarray(basis))


def given(kernel: Kernel, group: SymmetryGroup, points: FloatArray) -> Wave:
    """Starts at the points themselves (n, P), each heading for the index that its Hessian has there."""
    space = free_space(kernel, group)
    start = space.lower(points)
    index = (ordered_values(space.hessian(start)) < 0.0).sum(axis=1)
    return Wave(kind=StartKind.GIVEN, space=space, start=start, index=index, source=np.full((len(start), 2), -1))


def random(kernel: Kernel, group: SymmetryGroup, rng: np.random.Generator, count: int, top: int) -> Wave:
    """Gaussian starts, standard deviations spread log-uniformly over SCALES; for the index see `_gaussian`."""
    return _gaussian(StartKind.RANDOM, free_space(kernel, group), rng, count, top)


def symmetric(
    kernel: Kernel, group: SymmetryGroup, rng: np.random.Generator, count: int, top: int, spaces: int
) -> list[Wave]:
    """Gaussian starts on `spaces` subspaces, each fixed by one or two random elements, often of prime order."""
    waves = []
    for share in _shares(count, spaces):
        elements = [_generator(group, rng) for _ in range(1 + int(rng.integers(2)))]
        space = _fixed(kernel, group, elements)
        if space.n_parameters and share:
            waves.append(_gaussian(StartKind.SYMMETRIC, space, rng, share, min(top, space.n_parameters)))
    return waves


def _shares(count: int, parts: int) -> list[int]:
    """A number in parts that differ by at most one."""
    return [count * (k + 1) // parts - count * k // parts for k in range(parts)]


def _gaussian(kind: StartKind, space: Restriction, rng: np.random.Generator, count: int, top: int) -> Wave:
    scale = _log_uniform(rng, SCALES, count)
    start = scale * rng.normal(size=(count, space.n_parameters))
    # Indices 0, ..., top - 1 in turn; the highest, often one beyond all that exist, gets every eighth search.
    index = np.where(np.arange(count) % 8 == 7, top, np.arange(count) % max(top, 1))
    return Wave(kind=kind, space=space, start=start, index=index, source=np.full((count, 2), -1))


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float], count: int) -> FloatArray:
    return np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]), size=(count, 1)))


def _generator(group: SymmetryGroup, rng: np.random.Generator) -> GroupElement:
    element = group.random_element(rng)
    if rng.integers(2):
        return element
    # An element of order m raised to m / p, with p the smallest prime factor of m, has order p: it fixes more.
    powers = [element]
    while powers[-1] != group.identity:
        powers.append(group.compose(element, powers[-1]))
    order = len(powers)
    prime = next((p for p in range(2, order + 1) if order % p == 0), 1)
    return powers[order // prime - 1]


def displaced(
    kernel: Kernel,
    group: SymmetryGroup,
    rng: np.random.Generator,
    count: int,
    top: int,
    known: Sequence[StationaryPoint],
    tallies: Sequence[int],
) -> Wave:
    """Known points moved along one or two eigenvectors, heading for an index at most one away from their own.

    A point that was found t times is taken with a probability in proportion to (1 + t)^{-1/2}: what lies about rare
    points is itself likely to be rare.
    """
    space = free_space(kernel, group)
    source = _rare(rng, tallies, count)
    used, place = np.unique(source, return_inverse=True)
    centres = space.lower(np.stack([known[k].theta for k in used]))
    vectors = ordered_spectra(space.hessian(centres))[1][place]
    modes = rng.integers(space.n_parameters, size=(count, 2))
    share = np.column_stack((np.ones(count), rng.normal(size=count) * rng.integers(2, size=count)))
    direction = np.take_along_axis(vectors, modes[:, None, :], axis=2) @ share[:, :, None]
    length = _log_uniform(rng, DISPLACEMENTS, count) * rng.choice((-1.0, 1.0), size=(count, 1))
    start = centres[place] + length * direction[..., 0]
    own = np.array([known[k].index for k in source])
    index = np.clip(own + rng.integers(-1, 2, size=count), 0, top)
    source = np.column_stack((source, np.full(count, -1)))
    return Wave(kind=StartKind.DISPLACED, space=space, start=start, index=index, source=source)


def between(
    kernel: Kernel,
    group: SymmetryGroup,
    rng: np.random.Generator,
    count: int,
    top: int,
    known: Sequence[StationaryPoint],
    tallies: Sequence[int],
) -> Wave:
    """Points of the line through two known points, up to half their distance beyond either.

    Both are taken as in `displaced`. The second is moved by a random symmetry every other time; else both are the
    representatives, whose nodes are in one order. The index lies between theirs, or one beyond.
    """
    space = free_space(kernel, group)
    source = _rare(rng, tallies, 2 * count).reshape(count, 2)
    theta = np.stack([point.theta for point in known])
    one, other = theta[source[:, 0]], theta[source[:, 1]]
    for number in range(0, count, 2):
        other[number] = group.apply(group.random_element(rng), other[number])
    share = rng.uniform(*PLACES, size=(count, 1))
    own = np.array([point.index for point in known])[source]
    index = np.clip(rng.integers(own.min(axis=1) - 1, own.max(axis=1) + 2), 0, top)
    start = space.lower((1.0 - share) * one + share * other)
    return Wave(kind=StartKind.BETWEEN, space=space, start=start, index=index, source=source)


def along(
    kernel: Kernel,
    group: SymmetryGroup,
    rng: np.random.Generator,
    count: int,
    known: Sequence[StationaryPoint],
    tallies: Sequence[int],
) -> Wave:
    """Newton trajectories in random directions from known points that are not degenerate, rare ones more often."""
    isolated = np.flatnonzero([point.outcome is not Outcome.DEGENERATE for point in known])
    source = isolated[_rare(rng, np.array(tallies)[isolated], count)]
    return _trajectories(free_space(kernel, group), rng, np.stack([known[k].theta for k in source]), source)


def along_symmetric(
    kernel: Kernel,
    group: SymmetryGroup,
    rng: np.random.Generator,
    count: int,
    known: Sequence[StationaryPoint],
    tallies: Sequence[int],
    spaces: int,
) -> Wave | None:
    """Newton trajectories from `spaces` symmetric points, each in a subspace that one or two of its symmetries fix.

    What is stationary there is stationary. Curves of the whole space meet rare points of a small subspace seldom.
    The gradient at a fixed point is fixed, and so is the curve of a fixed r from there: it stays in its subspace in
    whatever coordinates it is followed. Those of the whole space let curves of many subspaces share their steps.
    None where no known point is symmetric.
    """
    fit = [p.outcome is not Outcome.DEGENERATE and p.orbit_size < group.formal_order for p in known]
    fitting = np.flatnonzero(fit)
    if not fitting.size:
        return None
    waves = list[Wave]()
    free = free_space(kernel, group)
    sources = fitting[_rare(rng, np.array(tallies)[fitting], spaces)]
    for source, share in zip(sources, _shares(count, spaces), strict=True):
        symmetries = group.stabiliser(known[source].theta)[1]
        chosen = rng.choice(len(symmetries), size=min(len(symmetries), 1 + int(rng.integers(2))), replace=False)
        space = _fixed(kernel, group, [symmetries[k] for k in chosen])
        if space.n_parameters and share:
            theta = np.tile(known[source].theta, (share, 1))
            within = _trajectories(space, rng, theta, np.full(share, source))
            waves.append(_widened(within, free))
    return joined(waves) if waves else None


def _trajectories(space: Restriction, rng: np.random.Generator, theta: FloatArray, source: NDArray[np.intp]) -> Wave:
    """Newton trajectories in random directions of a subspace, from its points theta (n, P)."""
    start = space.lower(theta)
    direction = rng.normal(size=start.shape)
    direction *= (_stiffness(space, start) / np.linalg.norm(direction, axis=1))[:, None]
    return Wave(
        kind=StartKind.ALONG,
        space=space,
        start=start,
        index=np.zeros(len(start), dtype=np.intp),
        source=np.column_stack((source, np.full(len(start), -1))),
        method=Method.TRAJECTORY,
        direction=direction,
    )


def _widened(wave: Wave, space: Restriction) -> Wave:
    """The same trajectories in the coordinates of a subspace that holds theirs."""
    assert wave.direction is not None
    start, direction = (space.lower(wave.space.lift(y)) for y in (wave.start, wave.direction))
    return replace(wave, space=space, start=start, direction=direction)


def _stiffness(space: Restriction, points: FloatArray) -> FloatArray:
    """The gradient that is one unit of s, for each point: a share of the Hessian's norm times one unit of theta."""
    return STIFFNESS * np.linalg.norm(space.hessian(points), axis=(1, 2))


def _rare(rng: np.random.Generator, tallies: Sequence[int] | NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Numbers of known points, rare ones more often."""
    weight = (1.0 + np.array(tallies)) ** -0.5
    return rng.choice(len(tallies), size=count, p=weight / weight.sum())


def joined(waves: Sequence[Wave]) -> Wave:
    """Waves of one subspace as one, in order; it is of the kind and the method of the last."""
    directions = [wave.direction for wave in waves if wave.direction is not None]
    return Wave(
        kind=waves[-1].kind,
        space=waves[0].space,
        start=np.vstack([wave.start for wave in waves]),
        index=np.concatenate([wave.index for wave in waves]),
        source=np.vstack([wave.source for wave in waves]),
        method=waves[-1].method,
        direction=np.vstack(directions) if directions else None,
    )


def zero_extension(small: Layout, large: Layout, theta: FloatArray) -> FloatArray:
    """Points (n, P) of a network put into a wider one, all weights of the added nodes zero.

    Where sigma(0) = 0 a stationary point stays stationary, at the same loss.

    Raises
    ------
    ValueError
        If `large` is not `small` with wider hidden layers.
    """
    out = np.zeros((len(theta), large.size))
    out[:, small.places_in(large)] = theta
    return out


def split_nodes(small: Layout, large: Layout, theta: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Points put into a network with more nodes by splitting: copies of a node share its outgoing weights.

    A node with outgoing weights v becomes two with mu v and (1 - mu) v, mu uniform in [0, 1] (Fukumizu and Amari,
    Neural Networks 13, 317 (2000)); the network's outputs do not change.
    """
    out = zero_extension(small, large, theta)
    for layer, (old, new) in enumerate(zip(small.widths[1:-1], large.widths[1:-1], strict=True), start=1):
        block, after, bias = large.weight(layer), large.weight(layer + 1), large.biases(layer)
        rows = block.of(out)
        columns = after.of(out)
        for node in range(old, new):
            parent = rng.integers(node, size=len(out))
            each = np.arange(len(out))
            share = rng.uniform(size=(len(out), 1))
            rows[:, node] = rows[each, parent]
            columns[:, :, node] = (1.0 - share) * columns[each, :, parent]
            columns[each, :, parent] *= share
            if bias is not None:
                out[:, bias.offset + node] = out[each, bias.offset + parent]
    return out
