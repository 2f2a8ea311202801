"""The NumPy engine: each statement of a program as one contraction of strided views, for all points at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from symland.program.floats import NumpyAlgebra
from symland.program.ir import Apply, Contract, Program, Ref, Role
from symland.records import FloatArray

__all__ = ["evaluate_arrays"]

DIRECT_TERMS = 20_000
"""Terms up to which a contraction is summed as it stands."""


def evaluate_arrays(
    program: Program, inputs: Sequence[FloatArray], data: Mapping[str, FloatArray] | None = None
) -> dict[str, FloatArray]:
    """The outputs of a program by name, of shape (n, *shape).

    Parameters
    ----------
    inputs : arrays (n, P): theta, and the direction if the program has one
    data : numbers in place of the exact values of data arrays, by name
    """
    n, bases = len(inputs[0]), {}
    given = iter(inputs)
    for array in program.arrays.values():
        if array.base != array.name:
            continue
        if array.role is Role.INPUT:
            bases[array.name] = np.ascontiguousarray(next(given), dtype=np.float64)
        elif array.role is Role.DATA:
            values = data[array.name].ravel() if data else [float(v) for v in array.values or ()]
            bases[array.name] = np.array(values, dtype=np.float64)[np.newaxis]
        else:
            bases[array.name] = np.zeros((n, array.size))
    with np.errstate(all="ignore"):
        for statement in program.statements:
            if isinstance(statement, Contract):
                _contract(program, statement, bases, n)
            else:
                _apply(program, statement, bases)
    out = {name: bases[name].reshape(n, *program.arrays[name].shape) for name in program.outputs}
    if "hessian" in out:
        upper = np.triu_indices(program.n_parameters, 1)
        out["hessian"][:, upper[1], upper[0]] = out["hessian"][:, upper[0], upper[1]]
    return out


def _view(program: Program, ref: Ref, bases: Mapping[str, FloatArray]) -> FloatArray:
    """The entries at a reference, with an axis for the points and one for each letter; a letter that stands twice runs
    over the diagonal."""
    array = program.arrays[ref.array]
    base = bases[array.base]
    steps = dict.fromkeys(ref.letters, 0)
    offset = array.offset
    for index, step in zip(ref.index, array.strides, strict=True):
        if isinstance(index, int):
            offset += index * step
        else:
            steps[index] += step
    shape = (len(base), *(program.sizes[x] for x in steps))
    strides = (base.strides[0], *(step * base.itemsize for step in steps.values()))
    return as_strided(base[:, offset:], shape, strides)


def _contract(program: Program, statement: Contract, bases: Mapping[str, FloatArray], n: int) -> None:
    numbers = {x: k for k, x in enumerate(statement.letters, start=1)}
    operands: list[object] = []
    for ref in statement.factors:
        view = _view(program, ref, bases)
        axes = [numbers[x] for x in ref.letters]
        # The data are the same for every point.
        operands += [view[0], axes] if len(view) == 1 else [view, [0, *axes]]
    out = _view(program, statement.out, bases)
    letters = [numbers[x] for x in statement.out.letters]
    used = {axis for axes in operands[1::2] for axis in axes}  # type: ignore[attr-defined]
    kept = [axis for axis in (0, *letters) if axis in used]
    # A contraction order is looked for where finding it costs less than what it saves.
    long = n * prod(program.sizes[x] for x in statement.letters) > DIRECT_TERMS
    total = np.einsum(*operands, kept, optimize=long)  # type: ignore[call-overload]
    shape = [1 if axis not in used else size for axis, size in zip((0, *letters), out.shape, strict=True)]
    out += float(statement.coefficient) * total.reshape(shape)


def _apply(program: Program, statement: Apply, bases: Mapping[str, FloatArray]) -> None:
    formula = program.formulas[statement.formula]
    results = NumpyAlgebra().apply(formula, [_view(program, ref, bases) for ref in statement.ins])
    for ref, result in zip(statement.outs, results, strict=True):
        _view(program, ref, bases)[...] = result
