"""Which members of two lists fit together, and where: compiled loops, since the lists are long.

Members i of the first list and j of the second *fit* when ``lower_rj <= most_ri`` and ``upper_rj >= least_ri`` for
every row r, and their boxes ``begin .. end`` meet.  Most often only the hull of the meets is asked for; then no list of
pairs is ever made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import llvmlite.ir as ir
import numpy as np
import numpy.typing as npt

from symland.machine.cache import cache_folder
from symland.machine.gate import INTEGER, Entry, Port
from symland.machine.llvm import Passes, load_text
from symland.machine.text import LANES as WIDTH

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

GROUP = 5
"""Rows after which a strip that no member fits is left."""

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
    """Three loops: members of the first list, strips of strips of the second (by their hulls), strips.

    Row r, column j of ``lists`` lies at ``[r * stride + j]``: lower ends of R rows, then upper ends.  ``hulls`` is the
    same for the hulls of strips.  The loops return the number of pairs.
    """

    def __init__(self, rows: int, sides: int) -> None:
        self.rows, self.sides = rows, sides
        self.module = ir.Module(name="match")
        double, long = ir.PointerType(_DOUBLE), ir.PointerType(_LONG)
        kind = ir.FunctionType(_LONG, [_LONG, _LONG, _LONG, *[double] * 3, long, double, double, ir.PointerType(_BYTE)])
        self.function = ir.Function(self.module, kind, "match")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def block(self, name: str) -> ir.Block:
        return self.function.append_basic_block(name)

    def splat(self, base: Any, i: Any, slot: int) -> Any:
        """Number ``slot`` of row i of an array (k, 2 R), in every lane."""
        build = self.builder
        place = build.add(build.mul(i, _LONG(2 * self.rows)), _LONG(slot))
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

    def extreme(self, sign: str, strip: Any) -> Any:
        """The least or the largest lane, by halves."""
        width = WIDTH
        while width > 1:
            width //= 2
            places = ir.Constant(ir.VectorType(_INT, WIDTH), [(k + width) % WIDTH for k in range(WIDTH)])
            turned = self.builder.shuffle_vector(strip, ir.Constant(_STRIP, ir.Undefined), places)
            strip = self.pick(sign, strip, turned)
        return self.builder.extract_element(strip, _INT(0))

    def fits(self, lists: Any, stride: Any, column: Any, limits: tuple[list[Any], list[Any]], misses: ir.Block) -> Any:
        """The mask of the eight from ``column`` on which fit; where none does, on to ``misses``."""
        build = self.builder
        mask: Any = ir.Constant(_MASK, [1] * WIDTH)
        for r, (most, least) in enumerate(zip(*limits, strict=True)):
            mask = build.and_(mask, build.fcmp_ordered("<=", self.strip(lists, r, stride, column), most))
            mask = build.and_(mask, build.fcmp_ordered(">=", self.strip(lists, self.rows + r, stride, column), least))
            if (r + 1) % GROUP == 0 or r + 1 == self.rows:
                goes_on = self.block("fits")
                some = build.icmp_unsigned("!=", build.bitcast(mask, _BYTE), _BYTE(0))
                build.cbranch(some, goes_on, misses)
                build.position_at_end(goes_on)
        return mask

    def emit(self) -> ir.Module:
        k, strips, stride, lists, hulls, limits, start_of, first, second, out = self.function.args
        build, rows, sides = self.builder, self.rows, self.sides
        names = ("outer", "coarse", "inside", "onward", "fine", "found", "after", "leave")
        outer, coarse, inside, onward, fine, found, after, leave = map(self.block, names)
        zero, one, eight = _LONG(0), _LONG(1), _LONG(WIDTH)
        i_at, group_at, size_at, bits_at = *(build.alloca(_LONG) for _ in range(3)), build.alloca(_BYTE)
        hull_at = [build.alloca(_STRIP) for _ in range(2 * sides)]
        none = [ir.Constant(_STRIP, [float("-inf" if end >= sides else "inf")] * WIDTH) for end in range(2 * sides)]
        groups = build.udiv(build.add(strips, _LONG(WIDTH - 1)), eight)
        build.store(zero, i_at)
        build.store(zero, size_at)
        build.cbranch(build.icmp_signed(">", k, zero), outer, leave)

        build.position_at_end(outer)
        i = build.load(i_at, typ=_LONG)
        own = [self.splat(limits, i, r) for r in range(rows)], [self.splat(limits, i, rows + r) for r in range(rows)]
        for at, nothing in zip(hull_at, none, strict=True):
            build.store(nothing, at)
        build.store(build.load(build.gep(start_of, [i]), typ=_LONG), group_at)
        build.branch(coarse)

        build.position_at_end(coarse)
        group = build.load(group_at, typ=_LONG)
        build.store(build.add(group, one), group_at)
        build.cbranch(build.icmp_signed("<", group, groups), inside, after)
        build.position_at_end(inside)
        mask = self.fits(hulls, build.mul(groups, eight), build.mul(group, eight), own, coarse)
        build.store(build.bitcast(mask, _BYTE), bits_at)
        build.branch(onward)

        build.position_at_end(onward)
        bits = build.load(bits_at, typ=_BYTE)
        build.cbranch(build.icmp_unsigned("!=", bits, _BYTE(0)), fine, coarse)

        build.position_at_end(fine)
        build.store(build.and_(bits, build.sub(bits, _BYTE(1))), bits_at)
        place = build.zext(build.cttz(bits, ir.Constant(ir.IntType(1), 1)), _LONG)
        s = build.add(build.mul(group, eight), place)
        column = build.mul(s, eight)
        mask = self.fits(lists, stride, column, own, onward)
        build.branch(found)

        build.position_at_end(found)
        bits = build.bitcast(mask, _BYTE)
        build.store(bits, build.gep(out, [build.add(build.mul(i, strips), s)]))
        build.store(build.add(build.load(size_at, typ=_LONG), build.zext(build.ctpop(bits), _LONG)), size_at)
        for end, at in enumerate(hull_at):
            upper, side = divmod(end, sides)
            row = rows - sides + side
            member = self.strip(lists, upper * rows + row, stride, column)
            meet = build.select(mask, self.pick("<" if upper else ">", member, own[1 - upper][row]), none[end])
            sign = ">" if upper else "<"
            build.store(self.pick(sign, meet, build.load(at, typ=_STRIP)), at)
            theirs = self.strip(second, end, stride, column)
            build.store(self.pick(sign, meet, theirs), self.address(second, end, stride, column), align=8)
        build.branch(onward)

        build.position_at_end(after)
        for end, at in enumerate(hull_at):
            slot = build.add(build.mul(_LONG(end), k), i)
            extreme = self.extreme(">" if end >= sides else "<", build.load(at, typ=_STRIP))
            build.store(extreme, build.gep(first, [slot]), align=8)
        step = build.add(i, one)
        build.store(step, i_at)
        build.cbranch(build.icmp_signed("<", step, k), outer, leave)
        build.position_at_end(leave)
        build.ret(build.load(size_at, typ=_LONG))
        return self.module


def _ports(rows: int, sides: int) -> tuple[Port, ...]:
    """The arrays of the loops, by k, strips and stride = 8 strips."""
    groups = WIDTH * WIDTH
    return (
        Port(name="lists", shape=lambda k, strips, stride: (2 * rows, stride)),
        Port(name="hulls", shape=lambda k, strips, stride: (2 * rows, WIDTH * -(-stride // groups))),
        Port(name="limits", shape=lambda k, strips, stride: (k, 2 * rows)),
        Port(name="starts", shape=lambda k, strips, stride: (k,), dtype=INTEGER),
        Port(name="first", shape=lambda k, strips, stride: (2, sides, k), written=True),
        Port(name="second", shape=lambda k, strips, stride: (2, sides, stride), written=True),
        Port(name="mask", shape=lambda k, strips, stride: (k, strips), dtype=np.dtype(np.uint8), written=True),
    )


@lru_cache(maxsize=8)
def _compiled(rows: int, sides: int) -> Entry:
    loaded = load_text(str(_Emitter(rows, sides).emit()), Passes.MANY, cache_folder())
    return Entry(
        address=loaded.address("match"),
        n_sizes=3,
        ports=_ports(rows, sides),
        owner=loaded,
        counts=True,
    )


def _padded(array: Doubles) -> Doubles:
    """Columns of NaN, which fit nothing, up to a whole number of strips."""
    rows, n = array.shape
    whole = np.full((rows, n + -n % WIDTH), np.nan)
    whole[:, :n] = array
    return whole


def _or(unbounded: float, bounds: Sequence[npt.NDArray[Any]]) -> Doubles:
    """Rows of bounds, one under the other. A bound that is not a number bounds nothing, so it excludes no pair."""
    rows: Doubles = np.vstack(bounds).astype(np.float64)
    rows[np.isnan(rows)] = unbounded
    return rows


def _hulls_of_strips(lists: Doubles, rows: int) -> Doubles:
    """Hulls (2 R, strips) of the members (2 R, 8 strips) of each strip."""
    strips = lists.reshape(2, rows, -1, WIDTH)
    return np.concatenate([np.fmin.reduce(strips[0], axis=2), np.fmax.reduce(strips[1], axis=2)])


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
    # Two more kinds of row: j >= first_i, and the boxes.
    lower = _or(-np.inf, [np.zeros(n), members[0], boxes[0]])
    upper = _or(np.inf, [np.arange(n), members[1], boxes[1]])
    most = _or(np.inf, [np.zeros(k), limits[0], reach[1]])
    least = _or(-np.inf, [first, limits[1], reach[0]])
    rows = len(lower)
    lists = _padded(np.concatenate([lower, upper]))
    strips = lists.shape[1] // WIDTH
    hull = np.empty((2, sides, strips * WIDTH))
    hull[0], hull[1] = np.inf, -np.inf
    own = np.empty((2, sides, k))
    mask = np.zeros((k, strips), dtype=np.uint8)
    # NumPy chooses the order of what it makes; the gate makes it the loops' own. A start below 0 would lie before it.
    made = (lists, _padded(_hulls_of_strips(lists, rows)), np.concatenate([most, least]).T)
    starts = np.maximum(first, 0) // WIDTH**2
    size = _compiled(rows, sides)((k, strips, strips * WIDTH), (*made, starts, own, hull, mask))
    return Matches(mask=mask, first=own, second=hull[:, :, :n], size=size)
