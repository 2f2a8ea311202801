"""Which members of two lists fit together: a compiled double loop, since the lists are long and few pairs fit."""

from __future__ import annotations

from ctypes import CFUNCTYPE, c_int64, c_void_p
from functools import lru_cache
from typing import Any

import llvmlite.ir as ir
import numpy as np
import numpy.typing as npt

from symland.rigor.enumeration.emit import WIDTH, load_machine_code

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

_DOUBLE, _LONG, _BYTE = ir.DoubleType(), ir.IntType(64), ir.IntType(8)
_STRIP, _MASK = ir.VectorType(_DOUBLE, WIDTH), ir.VectorType(ir.IntType(1), WIDTH)


def _matching_ir(rows: int) -> ir.Module:
    """``void fit(k, strips, lower, upper, most, least, first, out)``; row r, column j at [r * strips * 8 + j]."""
    module = ir.Module(name="fit")
    pointer, longs, bytes_ = ir.PointerType(_DOUBLE), ir.PointerType(_LONG), ir.PointerType(_BYTE)
    kind = ir.FunctionType(ir.VoidType(), [_LONG, _LONG, pointer, pointer, pointer, pointer, longs, bytes_])
    function = ir.Function(module, kind, "fit")
    k, strips, lower, upper, most, least, first, out = function.args
    entry, outer, inner, after, leave = (
        function.append_basic_block(label) for label in ("entry", "outer", "inner", "after", "leave")
    )
    zero, one = ir.Constant(_LONG, 0), ir.Constant(_LONG, 1)
    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed(">", k, zero), outer, leave)

    builder.position_at_end(outer)
    i = builder.phi(_LONG)
    i.add_incoming(zero, entry)
    places = [ir.Constant(ir.IntType(32), 0)] * WIDTH

    def splat(base: Any, row: int) -> Any:
        place = builder.add(builder.mul(i, ir.Constant(_LONG, rows)), ir.Constant(_LONG, row))
        scalar = builder.load(builder.gep(base, [place]), typ=_DOUBLE)
        single = builder.insert_element(ir.Constant(_STRIP, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(
            single, ir.Constant(_STRIP, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), places)
        )

    tops = [splat(most, row) for row in range(rows)]
    feet = [splat(least, row) for row in range(rows)]
    start = builder.load(builder.gep(first, [i]), typ=_LONG)
    builder.cbranch(builder.icmp_signed("<", start, strips), inner, after)

    builder.position_at_end(inner)
    j = builder.phi(_LONG)
    j.add_incoming(start, outer)
    eight = ir.Constant(_LONG, WIDTH)

    def strip(base: Any, row: int) -> Any:
        slot = builder.mul(builder.add(builder.mul(ir.Constant(_LONG, row), strips), j), eight)
        load = builder.load(builder.bitcast(builder.gep(base, [slot]), ir.PointerType(_STRIP)), typ=_STRIP)
        load.align = 8
        return load

    mask: Any = ir.Constant(_MASK, [1] * WIDTH)
    for row in range(rows):
        mask = builder.and_(mask, builder.fcmp_ordered("<=", strip(lower, row), tops[row]))
        mask = builder.and_(mask, builder.fcmp_ordered(">=", strip(upper, row), feet[row]))
    place = builder.add(builder.mul(i, strips), j)
    builder.store(builder.bitcast(mask, _BYTE), builder.gep(out, [place]))
    following = builder.add(j, one)
    j.add_incoming(following, inner)
    builder.cbranch(builder.icmp_signed("<", following, strips), inner, after)

    builder.position_at_end(after)
    step = builder.add(i, one)
    i.add_incoming(step, after)
    builder.cbranch(builder.icmp_signed("<", step, k), outer, leave)
    builder.position_at_end(leave)
    builder.ret_void()
    return module


@lru_cache(maxsize=8)
def _compiled(rows: int) -> tuple[Any, Any]:
    engine = load_machine_code(_matching_ir(rows))
    kind = CFUNCTYPE(None, c_int64, c_int64, *[c_void_p] * 6)
    return kind(engine.get_function_address("fit")), engine


def fitting_pairs(
    lower: Doubles, upper: Doubles, most: Doubles, least: Doubles, first: Integers
) -> tuple[Integers, Integers]:
    """Pairs (i, j), j >= first_i, with lower_rj <= most_ri and upper_rj >= least_ri in every row r.

    Parameters
    ----------
    lower, upper : (rows, n); most, least : (rows, k); first : (k,).
    """
    rows, n = lower.shape
    k = most.shape[1]
    if not n or not k:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    strips = -(-n // WIDTH)
    padded = np.full((2, rows, strips * WIDTH), np.inf)
    padded[0, :, :n], padded[1, :, :n] = lower, upper
    limits = np.ascontiguousarray(np.stack([most.T, least.T]))
    starts = (first // WIDTH).astype(np.int64)
    out = np.zeros((k, strips), dtype=np.uint8)
    call, _ = _compiled(rows)
    call(
        k,
        strips,
        padded[0].ctypes.data,
        padded[1].ctypes.data,
        limits[0].ctypes.data,
        limits[1].ctypes.data,
        starts.ctypes.data,
        out.ctypes.data,
    )
    i, j = np.nonzero(np.unpackbits(out, axis=1, bitorder="little"))
    fits = (j < n) & (j >= first[i])
    return i[fits], j[fits]
