"""Symmetric matrices from lanes to the caller's array, in whole lines of the memory, as LLVM IR.

The matrices of a strip follow one another without a gap. Eight entries of every lane are transposed at once, and go out
as eight stores, each of one line: lane r begins its lines -r size mod 8 entries after its first, where size is that of
a matrix, so that a line is the end of what the lane had before and the beginning of what it has now. A result that is
larger than the cache goes past it: a line that is written as a whole need not be read first. The memory takes a line in
about the time of 50 operations, so such a strip is written while the next one is computed, some blocks of eight lines
at each turn of a loop, from a matrix of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symland.kernels.lanes import LANES, Buffer
from symland.kernels.rows import QUAD, RowEmitter
from symland.machine.text import VECTOR, plain, splat

__all__ = ["METADATA", "STREAMED", "MatrixEmitter", "in_lines", "lines_room", "streamed_points"]

METADATA = ("!0 = !{i32 1}", '!1 = !{!"branch_weights", i32 1, i32 2000}')
"""What `!nontemporal !0` and `!prof !1` refer to."""

STRAIGHT_ORDER = 16
"""Rows of the largest symmetric matrix that is written out."""

STREAMED = 3 << 23
"""Bytes of the smallest result that goes past the cache. What fits is quicker to write there, and to read again."""

LINE = 64
"""Bytes of a line of the memory."""

OVERLAPPED = 1 << 19
"""Bytes of the largest matrices of a strip that are written while the next are computed: both must stay in a cache."""

AHEAD = 64
"""Entries between what is written of a matrix and what is asked of the memory: a processor that writes eight rows by
turns does not ask by itself."""

_PLACES = f"<{LANES} x i32>"


def in_lines(square: int) -> bool:
    """Whether a matrix of so many entries is written in lines, and not as straight code."""
    return square > STRAIGHT_ORDER**2


def lines_room(square: int) -> int:
    """Vectors of workspace for a matrix of so many entries, besides its own: see `MatrixEmitter.begin_matrix`."""
    return sum(_rooms(square)) if in_lines(square) else 0


def _rooms(square: int) -> tuple[int, int, int]:
    """Vectors for the list of places, for ends of lines, and for the matrices that are being written."""
    return -(-4 * (square + LANES) // LINE), LANES, square * (LANES * 8 * square <= OVERLAPPED)


def streamed_points(size: int) -> int:
    """Points from which matrices with so many entries go past the cache: a strip at least."""
    return STREAMED // (8 * size) + LANES


class MatrixEmitter(RowEmitter):
    """Moves symmetric matrices, of which a buffer holds the entries of row <= column, to the caller's array.

    Attributes
    ----------
    size : entries of a matrix that are written; 0 where there is none that is written in lines
    shifts : for each lane the entries before its first whole line
    places : where the list of places stands in the workspace
    ends : where the last eight entries of each lane stand
    cells : variables: the matrix that is computed, the one that is written, the next block of it, and its goal
    pace : blocks to write for each item of lane code
    """

    size = 0
    pace = 0.0
    shifts: list[int]
    places: str
    ends: str
    cells: Mapping[str, str]

    def begin_matrix(self, buffer: Buffer, offset: int, items: int, *, packed: bool) -> None:
        """Before the first strip: make the list of places, and nothing is left to write.

        Parameters
        ----------
        offset : int
            Where there is room in the workspace: for the list, for the ends of lines, and for a second matrix.
        items : int
            Items of lane code that are carried out for a strip inside loops; straight code is not interrupted.
        """
        listed, ends, second = _rooms(buffer.size)
        order = round(buffer.size**0.5)
        self.size = order * (order + 1) // 2 if packed else buffer.size
        self.shifts = [-lane * self.size % LANES for lane in range(LANES)]
        self.pace = self.size / LANES / items if second and items else 0.0
        self.places = self.entry("%work", str(offset))
        self.ends = self.entry("%work", str(offset + listed))
        held = self.pointers[buffer.name]
        other = self.entry("%work", str(offset + listed + ends)) if self.pace else held
        first = {
            "held": ("ptr", held),
            "left": ("ptr", other),
            "next": ("i64", str(self.size // LANES)),
            "goal": ("ptr", other),
        }
        self.cells = {name: self.put(f"alloca {kind}") for name, (kind, _) in first.items()}
        for name, (kind, value) in first.items():
            self.do(f"store {kind} {value}, ptr {self.cells[name]}")
        self._list_places(order, packed=packed)

    def _cell(self, name: str) -> str:
        return self.put(f"load {'i64' if name == 'next' else 'ptr'}, ptr {self.cells[name]}")

    def begin_strip(self, buffer: Buffer) -> None:
        """The matrix that is computed in this strip is not the one that is being written."""
        if self.pace:
            self.pointers[buffer.name] = self._cell("held")

    def write_some(self, blocks: int) -> None:
        """Write at most so many blocks of what is left of the strip before."""
        if not blocks:
            return
        first, total = self._cell("next"), self.size // LANES
        stop = self.put(f"call i64 @llvm.smin.i64(i64 {self.add(first, blocks)}, i64 {total})")
        # Most calls are small: the loops around keep their registers for themselves.
        at = self.multiply(self.begin_if_any("some", first, stop, ", !prof !1"), LANES)
        goal = self.entry(self._cell("goal"), at, "double")
        new = self._lines(self._cell("left"), at)
        cells = [self.entry(self.ends, str(lane)) for lane in range(LANES)]
        old = [self.load(cell) if shift else "" for cell, shift in zip(cells, self.shifts, strict=True)]
        for lane, (line, start) in enumerate(self._joined(old, new)):
            place = self.entry(goal, str(lane * self.size + start), "double")
            self.do(f"store {VECTOR} {line}, ptr {place}, align {LINE}, !nontemporal !0")
            if self.shifts[lane]:
                self.store(new[lane], cells[lane])
        self.end_if_any()
        self.do(f"store i64 {stop}, ptr {self.cells['next']}")

    def _write_rest(self) -> None:
        """Write what is left of the strip before."""
        self.write_some(self.size // LANES)

    def end_matrix(self) -> None:
        """After the last strip."""
        if self.pace:
            self._write_rest()
        # Lines that went past the cache are there before anything that comes after.
        self.do("fence seq_cst")

    def _joined(self, old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Of eight entries of each lane and the eight before the whole line, and where it starts, seen from the new."""
        for a, b, shift in zip(old, new, self.shifts, strict=True):
            yield (self.shuffle(VECTOR, a, b, *range(shift, shift + LANES)), shift - LANES) if shift else (b, 0)

    def scatter_matrix(self, buffer: Buffer, *, packed: bool) -> None:
        """All entries of a symmetric matrix, or those of row <= column alone, row by row."""
        held, out = self.pointers[buffer.name], f"%out.{plain(buffer.name)}"
        order = round(buffer.size**0.5)
        size = order * (order + 1) // 2 if packed else buffer.size
        rows = self._row_pointers(out, size)
        if in_lines(buffer.size):
            self._scatter_lines(held, rows)
            return
        entries = ((i, j) for i in range(order) for j in range(i if packed else 0, order))
        self._scatter_straight(held, [min(entry) * order + max(entry) for entry in entries], rows)

    def _list_places(self, order: int, *, packed: bool) -> None:
        """List where the entries stand, in the order in which they are written.

        Eight at a time; those that a row has too many are written over by the next row.
        """
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
        self.store(place, self.entry(self.places, self.add(start, first), "i32"), _PLACES, 4)
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

    def _scatter_lines(self, held: str, rows: Sequence[str]) -> None:
        """The matrices of a strip: the ends of rows, and then all lines, or what is to be written later is noted."""
        if self.pace:
            self._write_rest()
        streamed = self._is_streamed(rows[0])
        first = self._lines(held, "0")
        for row, line in zip(rows, first, strict=True):
            self.store(line, row, align=8)
        # The end of a row may begin before its last line.
        missing = any(0 < shift < self.size % LANES for shift in self.shifts)
        for start in range(self.size - (1 + missing) * LANES, self.size, LANES):
            for row, line in zip(rows, self._lines(held, str(start)), strict=True):
                self.store(line, self.entry(row, str(start), "double"), align=8)
        self.counter += 1
        past, cached, after = (f"{tag}{self.counter}" for tag in ("past", "cached", "after"))
        self.do(f"br i1 {streamed}, label %{past}, label %{cached}")
        self.block(past)
        for lane, line in enumerate(first):
            self.store(line, self.entry(self.ends, str(lane)))
        other = self._cell("left")
        for name, value in (
            ("held", f"ptr {other}"),
            ("left", f"ptr {held}"),
            ("goal", f"ptr {rows[0]}"),
            ("next", "i64 1"),
        ):
            self.do(f"store {value}, ptr {self.cells[name]}")
        if not self.pace:
            self._write_rest()
        self.do(f"br label %{after}")
        self.block(cached)
        self._cached_lines(held, rows, first)
        self.do(f"br label %{after}")
        self.block(after)

    def _cached_lines(self, held: str, rows: Sequence[str], first: Sequence[str]) -> None:
        """All whole lines, through the cache."""
        before = self.label
        block = self.begin("lines", self.size // LANES, start="1")
        name, top = block.removesuffix(".v"), len(self.lines)
        at = self.multiply(block, LANES)
        new, old = self._lines(held, at), [f"{name}.old{lane}" for lane in range(LANES)]
        for row, (line, start) in zip(rows, self._joined(old, new), strict=True):
            self.store(line, self.entry(row, self.add(at, start), "double"), align=8)
            self._ask(self.put(f"getelementptr double, ptr {row}, i64 {self.add(at, AHEAD)}"), "i32 1, i32 3")
        self.lines[top:top] = [
            f"  {o} = phi {VECTOR} [ {f}, %{before} ], [ {n}, {name}.end ]"
            for o, f, n in zip(old, first, new, strict=True)
        ]
        self.end()

    def _is_streamed(self, first: str) -> str:
        """Whether there are many points, and the strip begins with a line; then it has eight points."""
        many = self.put(f"icmp sge i64 %n, {streamed_points(self.size)}")
        inside = self.put(f"and i64 {self.put(f'ptrtoint ptr {first} to i64')}, {LINE - 1}")
        return self.put(f"and i1 {many}, {self.put(f'icmp eq i64 {inside}, 0')}")
