"""Statements unrolled into flat positions, for the algebras that work on single numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from symland.program.ir import Apply, Contract, Formula, Program, Ref

__all__ = ["Applications", "Plan", "Sums", "plan", "positions", "unroll"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Sums:
    """A contraction: slot `place` receives coefficient * sum of the products of the slots in each tuple.

    Attributes
    ----------
    coefficient : Fraction
    groups : list of (place, fresh, products); `fresh` where nothing was added to the slot before
    """

    coefficient: Fraction
    groups: list[tuple[int, bool, list[tuple[int, ...]]]]


@dataclass(frozen=True, kw_only=True)
class Applications:
    """A formula with the slots that it reads and those that it writes, once for each value of its letters."""

    formula: Formula
    rows: list[tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A program over one row of slots: the bases one after another, then a slot that holds 1.

    Attributes
    ----------
    slots : dict
        The first slot of each base.
    one : int
        The slot of the number 1, which is also the number of the others.
    steps : tuple of Sums and Applications
    """

    slots: dict[str, int]
    one: int
    steps: tuple[Sums | Applications, ...]


def positions(program: Program, ref: Ref, letters: tuple[str, ...]) -> IntArray:
    """Where `ref` stands in its base, for all values of the letters: shape (product of their sizes,), row-major."""
    array = program.arrays[ref.array]
    shape = tuple(program.sizes[x] for x in letters)
    out = np.full(shape, array.offset, dtype=np.int64)
    for index, step in zip(ref.index, array.strides, strict=True):
        if isinstance(index, int):
            out += index * step
        else:
            axis = [1] * len(letters)
            axis[letters.index(index)] = -1
            out += step * np.arange(program.sizes[index]).reshape(axis)
    return out.reshape(-1)


def _references(statement: Contract | Apply) -> tuple[Ref, ...]:
    return (statement.out, *statement.factors) if isinstance(statement, Contract) else statement.outs + statement.ins


def unroll(program: Program, statement: Contract | Apply, zeros: Collection[str] = ()) -> list[IntArray]:
    """Positions of the output and of each factor (Contract), or of each out and each in (Apply).

    Terms that are known to vanish or not to be wanted are left out: those below the diagonal of a triangle, and those
    with a factor that is a zero of one of the data arrays named in `zeros`.
    """
    refs = _references(statement)
    places = [positions(program, ref, statement.letters) for ref in refs]
    keep = np.ones(places[0].shape, dtype=bool)
    if isinstance(statement, Contract):
        if statement.triangle:
            row, column = np.divmod(places[0], program.n_parameters)
            keep &= row <= column
        for ref, place in zip(statement.factors, places[1:], strict=True):
            values = program.arrays[ref.array].values
            if values is not None and ref.array in zeros:
                keep &= np.array([v != 0 for v in values])[place]
    return [place[keep] for place in places]


def plan(program: Program, baked: frozenset[str]) -> Plan:
    """The program's plan when the data arrays named in `baked` hold their exact values; found once.

    Factors that are 1 are left out, and so are terms with a factor 0.
    """
    if baked not in program.plans:
        program.plans[baked] = _plan(program, baked)
    known: Plan = program.plans[baked]
    return known


def _plan(program: Program, baked: frozenset[str]) -> Plan:
    slots: dict[str, int] = {}
    ones, one = set[int](), 0
    for array in program.arrays.values():
        if array.base == array.name:
            slots[array.name] = one
            if array.name in baked and array.values is not None:
                ones.update(one + k for k, value in enumerate(array.values) if value == 1)
            one += array.size
    written: set[int] = set()
    steps: list[Sums | Applications] = []
    for statement in program.statements:
        refs = _references(statement)
        starts = [slots[program.arrays[ref.array].base] for ref in refs]
        places = [start + place for start, place in zip(starts, unroll(program, statement, baked), strict=True)]
        rows = list(zip(*(place.tolist() for place in places), strict=True))
        if isinstance(statement, Apply):
            split = len(statement.outs)
            formula = program.formulas[statement.formula]
            steps.append(Applications(formula=formula, rows=[(row[split:], row[:split]) for row in rows]))
            continue
        sums: dict[int, list[tuple[int, ...]]] = {}
        for place, *factors in rows:
            kept = tuple(k for k in factors if k not in ones)
            sums.setdefault(place, []).append(kept or (one,))
        groups = [(place, place not in written, products) for place, products in sums.items()]
        written.update(sums)
        steps.append(Sums(coefficient=statement.coefficient, groups=groups))
    return Plan(slots=slots, one=one, steps=tuple(steps))
