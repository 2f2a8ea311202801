"""Cells of an arrangement of hyperplanes w . x + b = 0, in rational arithmetic and without linear programs.

Hyperplanes are added one after the other. A new hyperplane H splits exactly those cells that it meets, and the cells
that it meets are the cells of the arrangement which the earlier hyperplanes cut out of H, one dimension lower (deletion
and restriction: Zaslavsky, Facing up to arrangements, 1975). So the list of cells follows by induction on the
dimension.

A point y of H is x = Q y + q. An earlier hyperplane w . x + b = 0 becomes (Q^T w) . y + (w . q + b) = 0. Where
Q^T w = 0 it is parallel to H, and has one sign on all of H.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb

__all__ = ["Arrangement", "Hyperplane", "arrange", "zaslavsky"]

Point = tuple[Fraction, ...]


@dataclass(frozen=True, kw_only=True)
class Hyperplane:
    """The points x with normal . x + offset = 0; the normal may be 0, and then there are none or all."""

    normal: Point
    offset: Fraction

    def at(self, x: Sequence[Fraction]) -> Fraction:
        """normal . x + offset."""
        return sum((a * b for a, b in zip(self.normal, x, strict=True)), self.offset)

    @property
    def proper(self) -> bool:
        """Whether the normal is not 0."""
        return any(self.normal)

    @property
    def canonical(self) -> Hyperplane:
        """The same set of points, its first nonzero coefficient being 1."""
        first = next(a for a in self.normal if a)
        return Hyperplane(normal=tuple(a / first for a in self.normal), offset=self.offset / first)


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Cells of R^n less some hyperplanes.

    Attributes
    ----------
    dimension : int
    hyperplanes : tuple of Hyperplane
        As given; those with normal 0 cut nothing, and equal ones cut once.
    distinct : int
        Different proper hyperplanes.
    signs : tuple of tuples of -1, 0, 1
        For each cell the sign of each given hyperplane; 0 only for a hyperplane that is all of R^n.
    witnesses : tuple of points
        A rational point inside each cell.
    faces : tuple of int
        Faces of dimension 0, 1, ..., n; empty above three dimensions.
    vertices : tuple of points
        The faces of dimension 0; empty above three dimensions.
    """

    dimension: int
    hyperplanes: tuple[Hyperplane, ...]
    distinct: int
    signs: tuple[tuple[int, ...], ...]
    witnesses: tuple[Point, ...]
    faces: tuple[int, ...]
    vertices: tuple[Point, ...]


def zaslavsky(planes: int, dimension: int) -> int:
    """Cells of hyperplanes in general position: sum_{k <= n} C(m, k)."""
    return sum(comb(planes, k) for k in range(dimension + 1))


def arrange(hyperplanes: Sequence[Hyperplane], dimension: int) -> Arrangement:
    """The cells of an arrangement in R^n, n >= 0, each with its signs and a point."""
    proper = _distinct(hyperplanes)
    witnesses = _witnesses(proper, dimension)
    faces, vertices = _faces(proper, dimension) if 1 <= dimension <= 3 else ((), ())
    return Arrangement(
        dimension=dimension,
        hyperplanes=tuple(hyperplanes),
        distinct=len(proper),
        signs=tuple(tuple(_sign(h.at(x)) for h in hyperplanes) for x in witnesses),
        witnesses=witnesses,
        faces=faces,
        vertices=vertices,
    )


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _distinct(hyperplanes: Sequence[Hyperplane]) -> tuple[Hyperplane, ...]:
    return tuple(dict.fromkeys(h.canonical for h in hyperplanes if h.proper))


def _witnesses(planes: tuple[Hyperplane, ...], dimension: int) -> tuple[Point, ...]:
    """One point inside each cell of different proper hyperplanes."""
    found: dict[tuple[int, ...], Point] = {(): (Fraction(0),) * dimension}
    for k, plane in enumerate(planes):
        earlier = planes[:k]
        basis, foot = _frame(plane)
        cut = _distinct([_restrict(h, basis, foot) for h in earlier])
        split: dict[tuple[int, ...], Point] = {}
        for y in _witnesses(cut, dimension - 1):
            x = _lift(y, basis, foot)
            split[tuple(_sign(h.at(x)) for h in earlier)] = x
        found = {
            (*signs, side): point
            for signs, x in found.items()
            for side, point in (
                _both_sides(split[signs], plane, earlier) if signs in split else ((_sign(plane.at(x)), x),)
            )
        }
    return tuple(found.values())


def _both_sides(
    x: Point, plane: Hyperplane, earlier: Sequence[Hyperplane]
) -> tuple[tuple[int, Point], tuple[int, Point]]:
    """Points on either side of a hyperplane through x, so near that no earlier one is crossed."""
    step = Fraction(1)
    for h in earlier:
        rate = abs(sum((a * b for a, b in zip(h.normal, plane.normal, strict=True)), Fraction(0)))
        if rate:
            step = min(step, abs(h.at(x)) / (2 * rate))
    step = _short(step)
    up = tuple(a + step * n for a, n in zip(x, plane.normal, strict=True))
    down = tuple(a - step * n for a, n in zip(x, plane.normal, strict=True))
    return (1, up), (-1, down)


def _short(step: Fraction) -> Fraction:
    """A power of two, at most the step: short numbers stay short."""
    return Fraction(2) ** (step.numerator.bit_length() - step.denominator.bit_length() - 1)


def _frame(plane: Hyperplane) -> tuple[tuple[Point, ...], Point]:
    """n - 1 vectors that span the hyperplane's directions, and a point on it.

    With the coefficient a_p not 0, vector j has 1 at j and -a_j / a_p at p.
    """
    n = len(plane.normal)
    p = next(i for i, a in enumerate(plane.normal) if a)
    basis = []
    for j in range(n):
        if j != p:
            vector = [Fraction(0)] * n
            vector[j], vector[p] = Fraction(1), -plane.normal[j] / plane.normal[p]
            basis.append(tuple(vector))
    foot = [Fraction(0)] * n
    foot[p] = -plane.offset / plane.normal[p]
    return tuple(basis), tuple(foot)


def _restrict(h: Hyperplane, basis: Sequence[Point], foot: Point) -> Hyperplane:
    normal = tuple(sum((a * b for a, b in zip(h.normal, v, strict=True)), Fraction(0)) for v in basis)
    return Hyperplane(normal=normal, offset=h.at(foot))


def _lift(y: Point, basis: Sequence[Point], foot: Point) -> Point:
    return tuple(f + sum((t * v[i] for t, v in zip(y, basis, strict=True)), Fraction(0)) for i, f in enumerate(foot))


def _faces(planes: tuple[Hyperplane, ...], dimension: int) -> tuple[tuple[int, ...], tuple[Point, ...]]:
    """Faces by dimension, and the vertices: a face of dimension k is a cell cut out of one k-dimensional flat."""
    counts = [0] * dimension + [len(_witnesses(planes, dimension))]
    vertices: set[Point] = set()
    for k in range(1, dimension + 1):
        flats: dict[tuple[Point, ...], tuple[tuple[Point, ...], Point]] = {}
        for chosen in combinations(planes, k):
            flat = _flat(chosen, dimension)
            if flat is not None:
                flats[_key(planes, *flat)] = flat
        for basis, foot in flats.values():
            cut = _distinct([_restrict(h, basis, foot) for h in planes])
            counts[dimension - k] += len(_witnesses(cut, dimension - k))
            if k == dimension:
                vertices.add(foot)
    return tuple(counts), tuple(sorted(vertices))


def _key(planes: Sequence[Hyperplane], basis: Sequence[Point], foot: Point) -> tuple[Point, ...]:
    """Which hyperplanes hold a flat, which names it."""
    restricted = (_restrict(h, basis, foot) for h in planes)
    return (tuple(Fraction(not h.proper and h.offset == 0) for h in restricted),)


def _flat(chosen: Sequence[Hyperplane], dimension: int) -> tuple[tuple[Point, ...], Point] | None:
    """The common points of hyperplanes where their normals are independent, else None."""
    unit = tuple(tuple(Fraction(i == j) for i in range(dimension)) for j in range(dimension))
    basis, foot = unit, (Fraction(0),) * dimension
    for h in chosen:
        inside = _restrict(h, basis, foot)
        if not inside.proper:
            return None
        inner, start = _frame(inside)
        foot = _lift(start, basis, foot)
        zero = (Fraction(0),) * dimension
        basis = tuple(_lift(v, basis, zero) for v in inner)
    return basis, foot
