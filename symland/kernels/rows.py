"""Rows to lanes and back: the entries of eight points, transposed in registers, as LLVM IR.

A quad is four neighbouring entries of each point: two 4 x 4 blocks, one for each half of the lanes. Both are transposed
at once, in two shuffles for each vector: pairs, then pairs of pairs. What two quads of a processor's vector are put
together from, or taken apart to, memory does by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symland.kernels.lanes import LANES, Buffer
from symland.machine.text import VECTOR, Emitter, plain

__all__ = ["RowEmitter"]

QUAD = 4
_QUAD = f"<{QUAD} x double>"

STRAIGHT_QUADS = 8
"""Quads of a row that are written out; more are moved in a loop."""

_PREFETCH = "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"


def _starts(size: int) -> list[int]:
    """Where the quads of a row start; the last one may overlap the one before."""
    return [min(k, size - QUAD) for k in range(0, size, QUAD)]


class RowEmitter(Emitter):
    """Moves buffers between the caller's rows and the workspace.

    Attributes
    ----------
    pointers : where each buffer stands in the workspace
    base, rows : the first point of the strip, and the point of each lane
    full : whether there are as many points as lanes
    declared : declarations of functions
    """

    pointers: dict[str, str]
    base: str
    rows: list[str]
    full: str
    declared: set[str]

    def _pairs(self, lines: Sequence[str]) -> tuple[list[str], list[str]]:
        """Of four lines, the even and the odd entries of the first two, and those of the last two, side by side."""
        even, odd = range(0, LANES, 2), range(1, LANES, 2)
        first, second = (
            [
                self.shuffle(VECTOR, lines[k], lines[k + 1], *(at for e in entries for at in (e, e + LANES)))
                for k in (0, 2)
            ]
            for entries in (even, odd)
        )
        return first, second

    def _columns(self, lines: Sequence[str]) -> list[str]:
        """Four lines of two halves: the columns of the first halves, each with that of the second halves behind it."""
        pairs = self._pairs(lines)
        low, high = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
        return [self.shuffle(VECTOR, a, b, *half) for half in (low, high) for a, b in pairs]

    def _row_pointers(self, pointer: str, size: int) -> list[str]:
        return [self.entry(pointer, self.multiply(row, size), "double") for row in self.rows]

    def _move_in(self, rows: Sequence[str], start: str, held: str, places: Iterable[str]) -> None:
        """Four neighbouring entries of every row to four places of the workspace."""
        quads = [self.load(self.entry(row, start, "double"), _QUAD, 8) for row in rows]
        lines = [self.shuffle(_QUAD, quads[k], quads[k + QUAD], *range(LANES)) for k in range(QUAD)]
        for place, column in zip(places, self._columns(lines), strict=True):
            self.store(column, self.entry(held, place))

    def _move_out(self, held: str, places: Sequence[str], rows: Sequence[str], start: str) -> None:
        """Four places of the workspace to neighbouring entries of every row."""
        pairs = self._pairs([self.load(self.entry(held, place)) for place in places])
        for odd, (a, b) in enumerate(pairs):
            for first, picks in ((0, (0, 1, 8, 9, 2, 3, 10, 11)), (QUAD, (4, 5, 12, 13, 6, 7, 14, 15))):
                both = self.shuffle(VECTOR, a, b, *picks)
                for row, half in ((rows[first + odd], 0), (rows[first + odd + 2], QUAD)):
                    line = self.shuffle(VECTOR, both, "poison", *range(half, half + QUAD))
                    self.store(line, self.entry(row, start, "double"), _QUAD, 8)

    def _ask(self, pointer: str, hint: str) -> None:
        """Have a line fetched that will be needed soon."""
        self.declared.add(_PREFETCH)
        self.do(f"call void @llvm.prefetch.p0(ptr {pointer}, {hint}, i32 1)")

    def _ask_for_next(self, rows: Sequence[str], start: str, size: int) -> None:
        """Ask for as many lines of the next strip as the quad at `start` holds; strips have no gaps between them.

        Also lines that will be written are asked for as if they were read: no other core has them. Of rows that are
        moved in a loop they go to the second-level cache, for the nearest one holds this strip.
        """
        level = 3 if len(_starts(size)) <= STRAIGHT_QUADS else 2
        at = str(LANES * int(start)) if start.isdigit() else self.multiply(start, LANES)
        first = self.put(f"getelementptr double, ptr {rows[0]}, i64 {at}")
        for k in range(QUAD):
            self._ask(self.put(f"getelementptr double, ptr {first}, i64 {LANES * (size + k)}"), f"i32 0, i32 {level}")

    def _scatter_lanes(self, pointer: str, rows: Sequence[str], place: int) -> None:
        vector = self.load(pointer)
        for lane, row in enumerate(rows):
            number = self.put(f"extractelement {VECTOR} {vector}, i32 {lane}")
            self.store(number, self.entry(row, str(place), "double"), "double", 8)

    # -- rows -----------------------------------------------------------------------------------------------------

    def gather(self, buffer: Buffer) -> None:
        size, held = buffer.size, self.pointers[buffer.name]
        rows = self._row_pointers(f"%in.{plain(buffer.name)}", size)
        if size < QUAD:
            for k in range(size):
                vector = "poison"
                for lane, row in enumerate(rows):
                    number = self.load(self.entry(row, str(k), "double"), "double", 8)
                    vector = self.put(f"insertelement {VECTOR} {vector}, double {number}, i32 {lane}")
                self.store(vector, self.entry(held, str(k)))
            return
        starts = _starts(size)
        if len(starts) <= STRAIGHT_QUADS:
            for start in starts:
                self._move_in(rows, str(start), held, [str(start + k) for k in range(QUAD)])
                self._ask_for_next(rows, str(start), size)
            return
        at = self._moved(self.begin("g", len(starts)), size)
        self._move_in(rows, at, held, [self.add(at, k) for k in range(QUAD)])
        self._ask_for_next(rows, at, size)
        self.end()

    def scatter(self, buffer: Buffer) -> None:
        size, held, out = buffer.size, self.pointers[buffer.name], f"%out.{plain(buffer.name)}"
        if size == 1:
            self._scatter_numbers(held, out)
            return
        rows = self._row_pointers(out, size)
        if size <= STRAIGHT_QUADS * QUAD:
            self._scatter_straight(held, list(range(size)), rows)
            for start in range(0, size, QUAD):
                self._ask_for_next(rows, str(start), size)
            return
        at = self._moved(self.begin("g", len(_starts(size))), size)
        self._move_out(held, [self.add(at, k) for k in range(QUAD)], rows, at)
        self._ask_for_next(rows, at, size)
        self.end()

    def _moved(self, quad: str, size: int) -> str:
        """The start of a quad of a row, by its number."""
        return self.put(f"call i64 @llvm.smin.i64(i64 {self.multiply(quad, QUAD)}, i64 {size - QUAD})")

    def _scatter_straight(self, held: str, places: Sequence[int], rows: Sequence[str], first: int = 0) -> None:
        """Places of the workspace to the neighbouring entries of every row that begin with the `first`."""
        if len(places) < QUAD:
            for k, place in enumerate(places):
                self._scatter_lanes(self.entry(held, str(place)), rows, first + k)
            return
        for start in _starts(len(places)):
            self._move_out(held, [str(k) for k in places[start : start + QUAD]], rows, str(first + start))

    def _scatter_numbers(self, held: str, out: str) -> None:
        """One number for each point."""
        self.counter += 1
        whole, rest, after = (f"{tag}{self.counter}" for tag in ("whole", "rest", "after"))
        self.do(f"br i1 {self.full}, label %{whole}, label %{rest}")
        self.block(whole)
        self.store(self.load(self.entry(held, "0")), self.entry(out, self.base, "double"), VECTOR, 8)
        self.do(f"br label %{after}")
        self.block(rest)
        self._scatter_lanes(self.entry(held, "0"), self._row_pointers(out, 1), 0)
        self.do(f"br label %{after}")
        self.block(after)
