"""Which members of two lists fit together, and where: a compiled double loop, since the lists are long.

Members i of the first list and j of the second *fit* when ``lower_rj <= most_ri`` and ``upper_rj >= least_ri`` for
every row r, and their boxes ``begin .. end`` meet.  Most often only the hull of the meets is asked for; then no list of
pairs is ever made.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, c_int64, c_void_p
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import llvmlite.ir as ir
import numpy as np
import numpy.typing as npt

from symland.rigor.enumeration.emit import WIDTH, load_machine_code

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

GROUP = 5
"""Rows after which a strip that no member fits is left."""
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)

_DOUBLE, _LONG, _BYTE, _INT = ir.DoubleType(), ir.IntType(64), ir.IntType(8), ir.IntType(32)
_STRIP, _MASK = ir.VectorType(_DOUBLE, WIDTH), ir.VectorType(ir.IntType(1), WIDTH)


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The pairs that fit, as a bit mask, and the hulls of their meets.

    Attributes
    ----------
    mask : (k, strips) bytes; bit b of strip s of row i: does member 8 s + b of the second list fit i?
    first, second : hulls of the meets in which a member takes part, (2, S, k) and (2, S, n); +inf, -inf if in none.
    size : pairs.
    """

    mask: npt.NDArray[np.uint8]
    first: Doubles
    second: Doubles
    size: int

    def pairs(self) -> tuple[Integers, Integers]:
        """Rows i and columns j, sorted by i."""
        row, strip = np.nonzero(self.mask)
        bits = np.unpackbits(self.mask[row, strip][:, None], axis=1, bitorder="little")
        place, bit = np.nonzero(bits)
        return row[place], strip[place] * WIDTH + bit


class _Emitter:
    """The two loops; row r, column j of an array of the second list lies at ``[r * stride + j]``."""

    def __init__(self, rows: int, sides: int) -> None:
        self.rows, self.sides = rows, sides
        self.module = ir.Module(name="match")
        double, long = ir.PointerType(_DOUBLE), ir.PointerType(_LONG)
        kind = ir.FunctionType(
            ir.VoidType(), [_LONG, _LONG, _LONG, *[double] * 4, long, double, double, ir.PointerType(_BYTE)]
        )
        self.function = ir.Function(self.module, kind, "match")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def block(self, name: str) -> ir.Block:
        return self.function.append_basic_block(name)

    def splat(self, base: Any, i: Any, width: int, slot: int) -> Any:
        """Number ``slot`` of row i of an array (k, width), in every lane."""
        build = self.builder
        place = build.add(build.mul(i, _LONG(width)), _LONG(slot))
        scalar = build.load(build.gep(base, [place]), typ=_DOUBLE)
        single = build.insert_element(ir.Constant(_STRIP, ir.Undefined), scalar, _INT(0))
        places = ir.Constant(ir.VectorType(_INT, WIDTH), [0] * WIDTH)
        return build.shuffle_vector(single, ir.Constant(_STRIP, ir.Undefined), places)

    def address(self, base: Any, row: int, stride: Any, column: Any) -> Any:
        build = self.builder
        slot = build.add(build.mul(_LONG(row), stride), column)
        return build.bitcast(build.gep(base, [slot]), ir.PointerType(_STRIP))

    def strip(self, base: Any, row: int, stride: Any, column: Any) -> Any:
        load = self.builder.load(self.address(base, row, stride, column), typ=_STRIP)
        load.align = 8
        return load

    def pick(self, sign: str, a: Any, b: Any) -> Any:
        return self.builder.select(self.builder.fcmp_ordered(sign, a, b), a, b)

    def emit(self) -> ir.Module:
        k, strips, stride, members, box, limits, reach, start_of, first, second, out = self.function.args
        build, rows, sides = self.builder, self.rows, self.sides
        entry, outer, inner, hit, onward, after, leave = (
            build.block,
            *map(self.block, ("outer", "inner", "hit", "onward", "after", "leave")),
        )
        zero, one = _LONG(0), _LONG(1)
        build.cbranch(build.icmp_signed(">", k, zero), outer, leave)

        build.position_at_end(outer)
        i = build.phi(_LONG)
        i.add_incoming(zero, entry)
        tops = [self.splat(limits, i, 2 * rows, r) for r in range(rows)]
        feet = [self.splat(limits, i, 2 * rows, rows + r) for r in range(rows)]
        begins = [self.splat(reach, i, 2 * sides, s) for s in range(sides)]
        ends = [self.splat(reach, i, 2 * sides, sides + s) for s in range(sides)]
        none = [ir.Constant(_STRIP, [x] * WIDTH) for x in (float("inf"), float("-inf"))]
        start = build.load(build.gep(start_of, [i]), typ=_LONG)
        build.cbranch(build.icmp_signed("<", start, strips), inner, after)

        build.position_at_end(inner)
        s = build.phi(_LONG)
        s.add_incoming(start, outer)
        hulls = [build.phi(_STRIP) for _ in range(2 * sides)]
        for number, hull in enumerate(hulls):
            hull.add_incoming(none[number >= sides], outer)
        column = build.mul(s, _LONG(WIDTH))
        mask: Any = ir.Constant(_MASK, [1] * WIDTH)
        misses = []
        # The rows, then the boxes; a strip in which nothing fits is left early.
        tests = [(members, r, rows + r, tops[r], feet[r]) for r in range(rows)]
        tests += [(box, t, sides + t, ends[t], begins[t]) for t in range(sides)]
        for number, (base, low, high, top, foot) in enumerate(tests, start=1):
            mask = build.and_(mask, build.fcmp_ordered("<=", self.strip(base, low, stride, column), top))
            mask = build.and_(mask, build.fcmp_ordered(">=", self.strip(base, high, stride, column), foot))
            if number % GROUP == 0 or number == len(tests):
                goes_on = hit if number == len(tests) else self.block(f"group{number}")
                some = build.icmp_unsigned("!=", build.bitcast(mask, _BYTE), _BYTE(0))
                build.cbranch(some, goes_on, onward)
                misses.append(build.block)
                build.position_at_end(goes_on)

        place = build.add(build.mul(i, strips), s)
        build.store(build.bitcast(mask, _BYTE), build.gep(out, [place]))
        grown = []
        for number, hull in enumerate(hulls):
            side, sign = number % sides, "<" if number < sides else ">"
            own = (begins if number < sides else ends)[side]
            meet = self.pick(">" if number < sides else "<", self.strip(box, number, stride, column), own)
            meet = build.select(mask, meet, none[number >= sides])
            grown.append(self.pick(sign, meet, hull))
            theirs = self.strip(second, number, stride, column)
            build.store(self.pick(sign, meet, theirs), self.address(second, number, stride, column), align=8)
        build.branch(onward)

        build.position_at_end(onward)
        merged = [build.phi(_STRIP) for _ in hulls]
        for phi, hull, more in zip(merged, hulls, grown, strict=True):
            for block in misses:
                phi.add_incoming(hull, block)
            phi.add_incoming(more, hit)
        following = build.add(s, one)
        s.add_incoming(following, onward)
        for hull, phi in zip(hulls, merged, strict=True):
            hull.add_incoming(phi, onward)
        build.cbranch(build.icmp_signed("<", following, strips), inner, after)

        build.position_at_end(after)
        final = [build.phi(_STRIP) for _ in hulls]
        for number, phi in enumerate(final):
            phi.add_incoming(none[number >= sides], outer)
            phi.add_incoming(merged[number], onward)
            slot = build.mul(build.add(build.mul(i, _LONG(2 * sides)), _LONG(number)), _LONG(WIDTH))
            build.store(phi, build.bitcast(build.gep(first, [slot]), ir.PointerType(_STRIP)), align=8)
        step = build.add(i, one)
        i.add_incoming(step, after)
        build.cbranch(build.icmp_signed("<", step, k), outer, leave)
        build.position_at_end(leave)
        build.ret_void()
        return self.module


@lru_cache(maxsize=8)
def _compiled(rows: int, sides: int) -> tuple[Any, Any]:
    engine = load_machine_code(_Emitter(rows, sides).emit())
    kind = CFUNCTYPE(None, c_int64, c_int64, c_int64, *[c_void_p] * 8)
    return kind(engine.get_function_address("match")), engine


def _padded(arrays: tuple[Doubles, Doubles], width: int) -> Doubles:
    """Two arrays (rows, n) as one (2 rows, width); what is added is NaN, which fits nothing."""
    rows, n = arrays[0].shape
    out = np.full((2 * rows, width), np.nan)
    out[:rows, :n], out[rows:, :n] = arrays
    return out


def match(
    members: tuple[Doubles, Doubles],
    limits: tuple[Doubles, Doubles],
    boxes: tuple[Doubles, Doubles],
    reach: tuple[Doubles, Doubles],
    first: Integers,
) -> Matches:
    """Match every i of the first list with the j >= first_i of the second.

    Parameters
    ----------
    members : lower, upper (rows, n); limits : most, least (rows, k); boxes : begin, end (S, n); reach : begin, end
    (S, k); first : (k,).
    """
    n, (sides, k) = members[0].shape[1], reach[0].shape
    # The last row says j >= first_i.
    members = np.vstack([members[0], np.zeros(n)]), np.vstack([members[1], np.arange(n)])
    limits = np.vstack([limits[0], np.zeros(k)]), np.vstack([limits[1], first])
    rows = len(members[0])
    strips = -(-n // WIDTH)
    width = strips * WIDTH
    hull = np.empty((2, sides, width))
    hull[0], hull[1] = np.inf, -np.inf
    own = np.empty((k, 2, sides, WIDTH))
    mask = np.zeros((k, strips), dtype=np.uint8)
    if n and k:
        held, box = _padded(members, width), _padded(boxes, width)
        limit = np.ascontiguousarray(np.concatenate(limits).T)
        ends = np.ascontiguousarray(np.concatenate(reach).T)
        start = (first // WIDTH).astype(np.int64)
        call, _ = _compiled(rows, sides)
        arrays = (held, box, limit, ends, start, own, hull, mask)
        call(k, strips, width, *(array.ctypes.data for array in arrays))
    return Matches(
        mask=mask,
        first=np.stack([own[:, 0].min(axis=2).T, own[:, 1].max(axis=2).T]),
        second=hull[:, :, :n],
        size=int(_BITS[mask].sum()),
    )
