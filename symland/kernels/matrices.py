"""Symmetric matrices from lanes to the caller's array, in whole lines of the memory, as LLVM IR.

The matrices of a strip follow one another without a gap. Eight entries of every lane are transposed at once, and go out
as eight stores, each of one line: lane r begins its lines -r size mod 8 entries after its first, where size is that of
a matrix, so that a line is the end of what the lane had before and the beginning of what it has now. A result that is
larger than the cache goes past it: a line that is written as a whole need not be read first.
"""

from __future__ import annotations

from collections.abc import Sequence

from symland.kernels.lanes import LANES, Buffer
from symland.kernels.rows import AHEAD, QUAD, RowEmitter
from symland.machine.text import VECTOR, plain, splat

__all__ = ["STREAMED", "MatrixEmitter", "in_lines", "places_room", "streamed_points"]

STRAIGHT_ORDER = 16
"""Rows of the largest symmetric matrix that is written out."""

STREAMED = 3 << 23
"""Bytes of the smallest result that goes past the cache. What fits is quicker to write there, and to read again."""

LINE = 64
"""Bytes of a line of the memory."""

_PLACES = f"<{LANES} x i32>"


def in_lines(square: int) -> bool:
    """Whether a matrix of so many entries is written in lines, and not as straight code."""
    return square > STRAIGHT_ORDER**2


def places_room(square: int) -> int:
    """Vectors of the workspace that the list of the places of so many entries takes."""
    return -(-4 * (square + LANES) // LINE) if in_lines(square) else 0


def streamed_points(size: int) -> int:
    """Points from which matrices with so many entries go past the cache: a strip at least."""
    return STREAMED // (8 * size) + LANES


class MatrixEmitter(RowEmitter):
    """Moves symmetric matrices, of which a buffer holds the entries of row <= column, to the caller's array.

    Attributes
    ----------
    places : where the list of places stands in the workspace
    """

    places: str

    def scatter_matrix(self, buffer: Buffer, *, packed: bool) -> None:
        """All entries of a symmetric matrix, or those of row <= column alone, row by row."""
        held, out = self.pointers[buffer.name], f"%out.{plain(buffer.name)}"
        order = round(buffer.size**0.5)
        size = order * (order + 1) // 2 if packed else buffer.size
        rows = self._row_pointers(out, size)
        if in_lines(buffer.size):
            self._scatter_lines(held, rows, size)
            return
        entries = ((i, j) for i in range(order) for j in range(i if packed else 0, order))
        self._scatter_straight(held, [min(entry) * order + max(entry) for entry in entries], rows)

    def list_places(self, buffer: Buffer, pointer: str, *, packed: bool) -> None:
        """List where the entries stand, in the order in which they are written.

        Eight at a time; those that a row has too many are written over by the next row.
        """
        self.places, order = pointer, round(buffer.size**0.5)
        p = self.begin("p", order)
        start, skipped, count = self.multiply(p, order), "0", str(-(-order // LANES))
        if packed:
            # Row p has p entries fewer than in the square; so have those before it, p (p - 1)/2 in all.
            twice = self.put(f"mul nsw i64 {p}, {self.add(p, 1)}")
            start = self.put(f"sub nsw i64 {start}, {self.put(f'lshr i64 {twice}, 1')}")
            rest = self.put(f"sub nsw i64 {order + LANES - 1}, {p}")
            skipped, count = p, self.put(f"lshr i64 {rest}, 3")
        eight = self.multiply(self.begin("q", count), LANES)
        first = self.add(eight, skipped)
        row = self._in_all(p)
        column = self.put(f"add {_PLACES} {self._in_all(first)}, <{', '.join(f'i32 {k}' for k in range(LANES))}>")
        # The entry (p, q) or (q, p), whichever has its row first.
        above, behind = (self._of_two(name, row, column) for name in ("umin", "umax"))
        begin = self.put(f"mul {_PLACES} {above}, {splat('i32', str(order))}")
        place = self.put(f"add {_PLACES} {begin}, {behind}")
        self.store(place, self.entry(pointer, self.add(start, first), "i32"), _PLACES, 4)
        self.end()
        self.end()

    def _in_all(self, number: str) -> str:
        """A small integer in all lanes."""
        short = self.put(f"trunc i64 {number} to i32")
        single = self.put(f"insertelement {_PLACES} poison, i32 {short}, i32 0")
        return self.shuffle(_PLACES, single, "poison", *[0] * LANES)

    def _of_two(self, name: str, a: str, b: str) -> str:
        function = f"@llvm.{name}.v{LANES}i32"
        self.declared.add(f"declare {_PLACES} {function}({_PLACES}, {_PLACES})")
        return self.put(f"call {_PLACES} {function}({_PLACES} {a}, {_PLACES} {b})")

    def _lines(self, held: str, first: str) -> list[str]:
        """Eight entries from the `first` on, side by side for each lane."""
        columns = []
        for k in range(LANES):
            place = self.load(self.entry(self.places, self.add(first, k), "i32"), "i32", 4)
            columns.append(self.load(self.entry(held, self.put(f"zext i32 {place} to i64"))))
        lines = [""] * LANES
        quads = zip(self._pairs(columns[:QUAD]), self._pairs(columns[QUAD:]), strict=True)
        for odd, both in enumerate(quads):
            for half in (0, QUAD):
                picks = (*range(half, half + QUAD), *range(half + LANES, half + LANES + QUAD))
                a, b = (self.shuffle(VECTOR, low, high, *picks) for low, high in both)
                for k in (0, 2):
                    lines[half + k + odd] = self.shuffle(VECTOR, a, b, *(k + j for j in (0, 1, 4, 5, 8, 9, 12, 13)))
        return lines

    def _scatter_lines(self, held: str, rows: Sequence[str], size: int) -> None:
        """The matrices of a strip, of `size` entries each."""
        streamed = self._is_streamed(rows[0], size)
        # The beginnings, which may be ends of lines.
        before = self._lines(held, "0")
        for row, line in zip(rows, before, strict=True):
            self.store(line, row, align=8)
        shifts = [-lane * size % LANES for lane in range(LANES)]
        entry = self.label
        block = self.begin("lines", size // LANES, start="1")
        name, first_line = block.removesuffix(".v"), len(self.lines)
        at = self.multiply(block, LANES)
        stores, carried = list[tuple[str, str]](), list[str]()
        lines = self._lines(held, at)
        for lane, (row, shift) in enumerate(zip(rows, shifts, strict=True)):
            line, start = lines[lane], at
            if shift:
                last, start = f"{name}.last{lane}", self.add(at, shift - LANES)
                carried.append(f"  {last} = phi {VECTOR} [ {before[lane]}, %{entry} ], [ {line}, {name}.end ]")
                line = self.shuffle(VECTOR, last, line, *range(shift, shift + LANES))
            stores.append((line, self.entry(row, start, "double")))
        self.lines[first_line:first_line] = carried
        past, cached, stored = (f"{name.removeprefix('%')}.{tag}" for tag in ("past", "cached", "stored"))
        self.do(f"br i1 {streamed}, label %{past}, label %{cached}")
        self.block(past)
        for line, place in stores:
            self.do(f"store {VECTOR} {line}, ptr {place}, align {LINE}, !nontemporal !0")
        self.do(f"br label %{stored}")
        self.block(cached)
        for line, place in stores:
            self.store(line, place, align=8)
        self._ask(rows, at, AHEAD)
        self.do(f"br label %{stored}")
        self.block(stored)
        self.end()
        # The ends, of which some are written again.
        behind = any(0 < shift < size % LANES for shift in shifts)
        for end in range(size - (1 + behind) * LANES, size, LANES):
            for row, line in zip(rows, self._lines(held, str(end)), strict=True):
                self.store(line, self.entry(row, str(end), "double"), align=8)

    def _is_streamed(self, first: str, size: int) -> str:
        """Whether there are many points, and the strip begins with a line; then it has eight points."""
        many = self.put(f"icmp sge i64 %n, {streamed_points(size)}")
        inside = self.put(f"and i64 {self.put(f'ptrtoint ptr {first} to i64')}, {LINE - 1}")
        return self.put(f"and i1 {many}, {self.put(f'icmp eq i64 {inside}, 0')}")
