"""Finite enumerations, by brute force: what the counting theorems are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import Any

from symland.errors import ProofError

__all__ = ["enumerate_count"]


def _surjections(width: int, nodes: int) -> int:
    """Maps of `nodes` labelled nodes onto `width` kinds."""
    return sum(len(set(kinds)) == width for kinds in product(range(width), repeat=nodes))


def _partitions(elements: int) -> Iterator[list[list[int]]]:
    if elements == 0:
        yield []
        return
    for smaller in _partitions(elements - 1):
        for k in range(len(smaller)):
            yield [*smaller[:k], [*smaller[k], elements], *smaller[k + 1 :]]
        yield [*smaller, [elements]]


def _set_partitions(elements: int) -> int:
    """Ways to split labelled nodes into groups."""
    return sum(1 for _ in _partitions(elements))


def _reducible_copies(width: int, nodes: int) -> int:
    """Ways to build width `nodes` from an irreducible point of `width` nodes by copies and zero-type groups.

    The nodes fall into groups of equal incoming weights; `width` of the groups carry the labelled nodes of the narrow
    network, and the outgoing weights of each other group cancel.
    """
    total = 0
    for groups in _partitions(nodes):
        total += sum(1 for _ in permutations(range(len(groups)), width))
    return total


def _choices(width: int, nodes: int) -> int:
    """Sets of `width` among `nodes` labelled nodes."""
    return sum(sum(kinds) == width for kinds in product((0, 1), repeat=nodes))


def _automorphisms(inputs: tuple[tuple[int, ...], ...], labels: tuple[int, ...]) -> int:
    """Pairs (signed permutation of the inputs, permutation of the classes) that map the labelled data to itself."""
    samples = sorted(zip(inputs, labels, strict=True))
    size, classes = len(inputs[0]), sorted(set(labels))
    found = 0
    for order in permutations(range(size)):
        for signs in product((1, -1), repeat=size):
            for renaming in permutations(classes):
                name = dict(zip(classes, renaming, strict=True))
                image = sorted(
                    (tuple(s * x[k] for s, k in zip(signs, order, strict=True)), name[y])
                    for x, y in zip(inputs, labels, strict=True)
                )
                found += image == samples
    return found


_KINDS: dict[str, Callable[..., Any]] = {
    "automorphisms": _automorphisms,
    "choices": _choices,
    "reducible copies": _reducible_copies,
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
