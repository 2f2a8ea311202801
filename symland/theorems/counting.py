"""Finite enumerations, by brute force: what counting theorems are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import Any

from symland.errors import ProofError

__all__ = ["enumerate_count"]

Points = tuple[tuple[int, ...], ...]


def _surjections(kinds: int, elements: int) -> int:
    """Maps of labelled elements onto `kinds` kinds."""
    return sum(len(set(image)) == kinds for image in product(range(kinds), repeat=elements))


def _partitions(elements: int) -> Iterator[list[list[int]]]:
    if elements == 0:
        yield []
        return
    for smaller in _partitions(elements - 1):
        for k in range(len(smaller)):
            yield [*smaller[:k], [*smaller[k], elements], *smaller[k + 1 :]]
        yield [*smaller, [elements]]


def _set_partitions(elements: int) -> int:
    """Ways to split labelled elements into groups."""
    return sum(1 for _ in _partitions(elements))


def _named_partitions(names: int, elements: int) -> int:
    """Ways to split labelled elements into groups and to give each of `names` names to a group of its own."""
    return sum(1 for groups in _partitions(elements) for _ in permutations(range(len(groups)), names))


def _choices(chosen: int, elements: int) -> int:
    """Sets of `chosen` among labelled elements."""
    return sum(sum(kinds) == chosen for kinds in product((0, 1), repeat=elements))


def _signed_permutations(points: Points, labels: tuple[int, ...], renamings: Iterator[tuple[int, ...]]) -> int:
    """Pairs (signed permutation of the coordinates, renaming of the labels) that map labelled points to themselves."""
    samples = sorted(zip(points, labels, strict=True))
    size, known = len(points[0]), sorted(set(labels))
    found = 0
    for renaming in renamings:
        name = dict(zip(known, renaming, strict=True))
        for order in permutations(range(size)):
            for signs in product((1, -1), repeat=size):
                image = sorted(
                    (tuple(s * x[k] for s, k in zip(signs, order, strict=True)), name[y])
                    for x, y in zip(points, labels, strict=True)
                )
                found += image == samples
    return found


def _automorphisms(points: Points, labels: tuple[int, ...]) -> int:
    return _signed_permutations(points, labels, permutations(sorted(set(labels))))


def _label_keeping_automorphisms(points: Points, labels: tuple[int, ...]) -> int:
    return _signed_permutations(points, labels, iter([tuple(sorted(set(labels)))]))


_KINDS: dict[str, Callable[..., Any]] = {
    "automorphisms": _automorphisms,
    "automorphisms that keep labels": _label_keeping_automorphisms,
    "choices": _choices,
    "named partitions": _named_partitions,
    "set partitions": _set_partitions,
    "surjections": _surjections,
}


def enumerate_count(kind: str, arguments: tuple[Any, ...]) -> Any:
    """The enumeration called `kind`.

    Raises
    ------
    ProofError
        If there is no such enumeration.
    """
    if kind not in _KINDS:
        raise ProofError(f"there is no enumeration {kind!r}: use one of {', '.join(_KINDS)}")
    return _KINDS[kind](*arguments)
