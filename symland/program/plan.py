"""Statements unrolled into flat positions, for the algebras that work on single numbers."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from symland.program.ir import Apply, Contract, Program, Ref

__all__ = ["positions", "unroll"]

IntArray = NDArray[np.int64]


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


def unroll(program: Program, statement: Contract | Apply, zeros: Collection[str] = ()) -> list[IntArray]:
    """Positions of the output and of each factor (Contract), or of each out and each in (Apply).

    Terms that are known to vanish or not to be wanted are left out: those below the diagonal of a triangle, and those
    with a factor that is a zero of one of the data arrays named in `zeros`.
    """
    refs = (statement.out, *statement.factors) if isinstance(statement, Contract) else statement.outs + statement.ins
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
