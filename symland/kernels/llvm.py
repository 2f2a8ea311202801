"""Lane code as LLVM IR: a function that runs it over an array of points, eight lanes at a time.

    void kernel(i64 n, ptr work, ptr data..., ptr input..., ptr output...)

Inputs and outputs are row-major with a row for each point; in the workspace every entry is a vector of eight lanes.
Rows go over to lanes and back by transposing 8 x 8 blocks in registers. The last strip of n >= 8 points is moved back
so that it ends with the last point; with fewer points the last one fills the lanes that are left.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

from symland.kernels.coefficients import FAR
from symland.kernels.lanes import LANES, Address, Buffer, Item, Kind, LaneCode, Let, Load, Loop, Store

__all__ = ["VERSION", "print_llvm"]

VERSION = 2
"""Raised whenever this module prints other text."""

STACK_ENTRIES = 1024
"""Lane values that a kernel without loops keeps on the stack."""

_V = f"<{LANES} x double>"
_I = f"<{LANES} x i64>"
_M = f"<{LANES} x i1>"
_BITS_OF_SQRT_HALF = struct.unpack("<q", struct.pack("<d", 0.5**0.5))[0]
_EXPONENT = -(1 << 52)
_HIGH = -(1 << 27)


def _double(value: Fraction | float) -> str:
    return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"


def _splat(kind: str, text: str) -> str:
    return f"<{', '.join([f'{kind} {text}'] * LANES)}>"


def _integers(value: int) -> str:
    return _splat("i64", str(value))


_ZERO = _splat("double", _double(0.0))
_SHIFT = struct.unpack("<q", struct.pack("<d", 1.5 * 2**52))[0]


def _held(code: LaneCode) -> list[Buffer]:
    return [b for b in code.buffers.values() if b.kind in (Kind.INPUT, Kind.LOCAL, Kind.OUTPUT)]


def print_llvm(code: LaneCode, name: str, *, packed: bool = False, square: str = "hessian") -> str:
    """The module text of a function called `name`.

    Parameters
    ----------
    code : LaneCode
        In elementary operations.
    square : str
        Name of the output whose buffer is a square matrix with its entries of row <= column.
    packed : bool
        Whether the caller gets only these entries, row by row, or both triangles.
    """
    return _Printer(code, name, square, packed).text()


class _Printer:
    def __init__(self, code: LaneCode, name: str, square: str, packed: bool) -> None:
        self.code, self.name, self.square, self.packed = code, name, square, packed
        self.lines: list[str] = []
        self.counter = 0
        self.names: dict[int, str] = {}
        self.variables: dict[int, str] = {}
        self.label = "entry"
        self.globals: list[str] = []
        self.declared: set[str] = set()
        self.looped = any(isinstance(item, Loop) for item in code.items)

    # -- pieces ---------------------------------------------------------------------------------------------------

    def fresh(self) -> str:
        self.counter += 1
        return f"%t{self.counter}"

    def put(self, text: str) -> str:
        """A line that gives a value."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def block(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    def entry(self, base: str, index: str, kind: str = _V) -> str:
        return self.put(f"getelementptr inbounds {kind}, ptr {base}, i64 {index}")

    def multiply(self, a: str, b: int) -> str:
        return a if b == 1 else self.put(f"mul nsw i64 {a}, {b}")

    def add(self, a: str, b: str | int) -> str:
        return a if b in (0, "0") else self.put(f"add nsw i64 {a}, {b}")

    def load(self, pointer: str, kind: str = _V, align: int = 64) -> str:
        return self.put(f"load {kind}, ptr {pointer}, align {align}")

    def store(self, value: str, pointer: str, kind: str = _V, align: int = 64) -> None:
        self.do(f"store {kind} {value}, ptr {pointer}, align {align}")

    def index(self, address: Address) -> str:
        total: str | None = None
        for variable, step in address.steps:
            part = self.multiply(self.variables[variable], step)
            total = part if total is None else self.put(f"add nsw i64 {total}, {part}")
        return str(address.constant) if total is None else self.add(total, address.constant)

    # -- the function ---------------------------------------------------------------------------------------------

    def text(self) -> str:
        code = self.code
        data, inputs, outputs = (code.named(kind) for kind in (Kind.DATA, Kind.INPUT, Kind.OUTPUT))
        arguments = ["i64 %n", "ptr noalias %work"]
        arguments += [f"ptr noalias readonly %data.{_plain(b.name)}" for b in data]
        arguments += [f"ptr noalias readonly %in.{_plain(b.name)}" for b in inputs]
        arguments += [f"ptr noalias %out.{_plain(b.name)}" for b in outputs]
        self.pointers: dict[str, str] = {b.name: f"%data.{_plain(b.name)}" for b in data}
        offset = 0
        on_stack = not self.looped and sum(b.size for b in _held(code)) <= STACK_ENTRIES
        for buffer in _held(code):
            if on_stack:
                pointer = self.put(f"alloca [{buffer.size} x {_V}], align 64")
            else:
                pointer = self.put(f"getelementptr inbounds {_V}, ptr %work, i64 {offset}")
            self.pointers[buffer.name] = pointer
            offset += buffer.size
        for buffer in code.named(Kind.BAKED):
            self._global(buffer)
        last = self.put(f"sub nsw i64 %n, {LANES}")
        self.last = self.put("sub nsw i64 %n, 1")
        self.full = self.put(f"icmp sge i64 %n, {LANES}")
        self.do("br label %strip")
        self.block("strip")
        self.do("%i = phi i64 [ 0, %entry ], [ %next, %done ]")
        below = self.put(f"call i64 @llvm.smin.i64(i64 %i, i64 {last})")
        base = self.put(f"call i64 @llvm.smax.i64(i64 {below}, i64 0)")
        self.base = base
        self.rows: list[str] = []
        for lane in range(LANES):
            row = self.add(base, lane)
            self.rows.append(self.put(f"call i64 @llvm.smin.i64(i64 {row}, i64 {self.last})"))
        for buffer in inputs:
            self._gather(buffer)
        self._items(code.items)
        for buffer in outputs:
            if buffer.name == self.square and self.packed:
                self._scatter_packed(buffer)
            elif buffer.name == self.square:
                self._scatter_square(buffer)
            else:
                self._scatter(buffer)
        self.do("br label %done")
        self.block("done")
        self.do(f"%next = add nsw i64 %i, {LANES}")
        self.do("%more = icmp slt i64 %next, %n")
        self.do("br i1 %more, label %strip, label %exit")
        self.block("exit")
        self.do("ret void")
        declarations = [
            "declare i64 @llvm.smin.i64(i64, i64)",
            "declare i64 @llvm.smax.i64(i64, i64)",
            f"declare {_V} @llvm.fabs.v{LANES}f64({_V})",
            f"declare {_V} @llvm.sqrt.v{LANES}f64({_V})",
            f"declare {_V} @llvm.copysign.v{LANES}f64({_V}, {_V})",
            *sorted(self.declared),
            'attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }',
        ]
        head = f"define void @{self.name}({', '.join(arguments)}) #0 {{\nentry:"
        return "\n".join([*self.globals, head, *self.lines, "}", *declarations, ""])

    def _global(self, buffer: Buffer) -> None:
        name = f"@{self.name}.{_plain(buffer.name)}"
        values = ", ".join(f"double {_double(v)}" for v in buffer.values)
        self.globals.append(f"{name} = private unnamed_addr constant [{buffer.size} x double] [{values}], align 64")
        self.pointers[buffer.name] = name

    # -- rows and lanes -------------------------------------------------------------------------------------------

    def _transpose(self, rows: Sequence[str]) -> list[str]:
        """The columns of an 8 x 8 block: pairs, then pairs of pairs, then halves."""

        def shuffle(a: str, b: str, picks: Sequence[int]) -> str:
            mask = ", ".join(f"i32 {k}" for k in picks)
            return self.put(f"shufflevector {_V} {a}, {_V} {b}, <{LANES} x i32> <{mask}>")

        even, odd = (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15)
        low, high = (0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15)
        pairs = [[shuffle(rows[k], rows[k + 1], half) for k in (0, 2, 4, 6)] for half in (even, odd)]
        out = [""] * LANES
        for parity, (ab, cd, ef, gh) in enumerate(pairs):
            for second, half in ((0, low), (1, high)):
                abcd, efgh = shuffle(ab, cd, half), shuffle(ef, gh, half)
                out[parity + 2 * second] = shuffle(abcd, efgh, low)
                out[parity + 2 * second + 4] = shuffle(abcd, efgh, high)
        return out

    def _starts(self, size: int) -> list[int]:
        """Where blocks of eight entries start; the last one may overlap the one before."""
        return [min(k, size - LANES) for k in range(0, size, LANES)]

    def _counted(self, tag: str, turns: int | str, start: str = "0") -> str:
        """Begin a loop of the frame; its variable."""
        before = self.label
        self.counter += 1
        head, variable = f"{tag}{self.counter}", f"%{tag}{self.counter}.v"
        self.do(f"br label %{head}")
        self.block(head)
        self.do(f"{variable} = phi i64 [ {start}, %{before} ], [ {variable}.next, %{head}.end ]")
        self._open = [*getattr(self, "_open", []), (head, turns)]
        return variable

    def _end(self) -> None:
        head, turns = self._open.pop()
        variable = f"%{head}.v"
        self.do(f"br label %{head}.end")
        self.block(f"{head}.end")
        self.do(f"{variable}.next = add nuw nsw i64 {variable}, 1")
        test = self.put(f"icmp slt i64 {variable}.next, {turns}")
        self.do(f"br i1 {test}, label %{head}, label %{head}.out")
        self.block(f"{head}.out")

    def _row_pointers(self, pointer: str, size: int) -> list[str]:
        return [self.entry(pointer, self.multiply(row, size), "double") for row in self.rows]

    def _blocks(self, size: int) -> tuple[list[str], bool]:
        """Starts of the blocks of eight, as text; whether they are one for a loop that was begun."""
        starts = self._starts(size)
        if len(starts) <= 4:
            return [str(s) for s in starts], False
        variable = self._counted("g", len(starts))
        start = self.multiply(variable, LANES)
        return [self.put(f"call i64 @llvm.smin.i64(i64 {start}, i64 {size - LANES})")], True

    def _gather(self, buffer: Buffer) -> None:
        size, held = buffer.size, self.pointers[buffer.name]
        rows = self._row_pointers(f"%in.{_plain(buffer.name)}", size)
        if size < LANES:
            for k in range(size):
                vector = "poison"
                for lane, row in enumerate(rows):
                    number = self.load(self.entry(row, str(k), "double"), "double", 8)
                    vector = self.put(f"insertelement {_V} {vector}, double {number}, i32 {lane}")
                self.store(vector, self.entry(held, str(k)))
            return
        starts, looped = self._blocks(size)
        for start in starts:
            loaded = [self.load(self.entry(row, start, "double"), _V, 8) for row in rows]
            for k, column in enumerate(self._transpose(loaded)):
                self.store(column, self.entry(held, self.add(start, k) if looped else str(int(start) + k)))
        if looped:
            self._end()

    def _scatter(self, buffer: Buffer) -> None:
        size, held, out = buffer.size, self.pointers[buffer.name], f"%out.{_plain(buffer.name)}"
        if size == 1:
            self._scatter_numbers(self.load(self.entry(held, "0")), out)
            return
        rows = self._row_pointers(out, size)
        if size < LANES:
            for k in range(size):
                vector = self.load(self.entry(held, str(k)))
                for lane, row in enumerate(rows):
                    self._scatter_lane(vector, lane, self.entry(row, str(k), "double"))
            return
        starts, looped = self._blocks(size)
        for start in starts:
            places = [self.add(start, k) if looped else str(int(start) + k) for k in range(LANES)]
            loaded = [self.load(self.entry(held, place)) for place in places]
            for row, line in zip(rows, self._transpose(loaded), strict=True):
                self.store(line, self.entry(row, start, "double"), _V, 8)
        if looped:
            self._end()

    def _scatter_lane(self, vector: str, lane: int, pointer: str) -> None:
        self.store(self.put(f"extractelement {_V} {vector}, i32 {lane}"), pointer, "double", 8)

    def _scatter_numbers(self, vector: str, out: str) -> None:
        """One number for each point."""
        self.counter += 1
        whole, rest, after = (f"{tag}{self.counter}" for tag in ("whole", "rest", "after"))
        self.do(f"br i1 {self.full}, label %{whole}, label %{rest}")
        self.block(whole)
        self.store(vector, self.entry(out, self.base, "double"), _V, 8)
        self.do(f"br label %{after}")
        self.block(rest)
        for lane, row in enumerate(self.rows):
            self._scatter_lane(vector, lane, self.entry(out, row, "double"))
        self.do(f"br label %{after}")
        self.block(after)

    def _scatter_square(self, buffer: Buffer) -> None:
        """Both triangles of a symmetric matrix of which the buffer holds one."""
        held, out = self.pointers[buffer.name], f"%out.{_plain(buffer.name)}"
        size = round(buffer.size**0.5)
        rows = self._row_pointers(out, buffer.size)
        if buffer.size < LANES or size <= 2 * LANES:
            self._scatter_straight(held, rows, size)
            return
        # Lower entries near the diagonal are filled in, so that blocks that straddle it can be read as they are.
        p = self._counted("m", size)
        for k in range(1, 2 * LANES):
            q = self.put(f"call i64 @llvm.smin.i64(i64 {self.add(p, k)}, i64 {size - 1})")
            upper, lower = self.add(self.multiply(p, size), q), self.add(self.multiply(q, size), p)
            self.store(self.load(self.entry(held, upper)), self.entry(held, lower))
        self._end()
        # Row by row, so that each point's matrix is written from its beginning to its end: first the blocks below the
        # diagonal, read down a column, then the rest.
        p = self._counted("p", size)
        split = self.put(f"call i64 @llvm.smax.i64(i64 {self.put(f'lshr i64 {p}, 3')}, i64 1)")
        for stop, first, down in ((split, "0", True), (-(-size // LANES), split, False)):
            block = self._counted("b", stop, first)
            start = self.put(f"call i64 @llvm.smin.i64(i64 {self.multiply(block, LANES)}, i64 {size - LANES})")
            flat = self.add(self.multiply(p, size), start)
            at, step = (self.add(self.multiply(start, size), p), size) if down else (flat, 1)
            loaded = [self.load(self.entry(held, self.add(at, lane * step))) for lane in range(LANES)]
            for pointer, line in zip(rows, self._transpose(loaded), strict=True):
                self.store(line, self.entry(pointer, flat, "double"), _V, 8)
            self._end()
        self._end()

    def _scatter_packed(self, buffer: Buffer) -> None:
        """The entries of row <= column, row by row."""
        held, out = self.pointers[buffer.name], f"%out.{_plain(buffer.name)}"
        size = round(buffer.size**0.5)
        rows = self._row_pointers(out, size * (size + 1) // 2)
        if LANES <= size <= 2 * LANES:
            entries = [i * size + j for i in range(size) for j in range(i, size)]
            for begin in self._starts(len(entries)):
                self._store_block([str(k) for k in entries[begin : begin + LANES]], held, rows, str(begin))
            return
        if size < LANES:
            for place, (row, column) in enumerate((i, j) for i in range(size) for j in range(i, size)):
                vector = self.load(self.entry(held, str(row * size + column)))
                for lane, pointer in enumerate(rows):
                    self._scatter_lane(vector, lane, self.entry(pointer, str(place), "double"))
            return
        # Rows of at least eight entries; row p starts at p size - p (p - 1)/2 and its entry q stands q - p further on.
        p = self._counted("p", size - LANES + 1)
        square = self.put(f"mul nsw i64 {p}, {self.put(f'add nsw i64 {p}, 1')}")
        shift = self.put(f"sub nsw i64 {self.multiply(p, size)}, {self.put(f'lshr i64 {square}, 1')}")
        rest = self.put(f"sub nsw i64 {size + LANES - 1}, {p}")
        block = self._counted("b", self.put(f"lshr i64 {rest}, 3"))
        along = self.put(f"add nsw i64 {p}, {self.multiply(block, LANES)}")
        start = self.put(f"call i64 @llvm.smin.i64(i64 {along}, i64 {size - LANES})")
        at = self.put(f"add nsw i64 {self.multiply(p, size)}, {start}")
        self._store_block(
            [self.add(at, lane) for lane in range(LANES)], held, rows, self.put(f"add nsw i64 {shift}, {start}")
        )
        self._end()
        self._end()
        # The rows of fewer.
        flat = [j + i * size for i in range(size - LANES + 1, size) for j in range(i, size)]
        first = size * (size + 1) // 2 - len(flat)
        for begin in self._starts(len(flat)):
            self._store_block([str(k) for k in flat[begin : begin + LANES]], held, rows, str(first + begin))

    def _store_block(self, places: Sequence[str], held: str, rows: Sequence[str], at: str) -> None:
        """Eight entries of the workspace to neighbouring places of every point's row."""
        loaded = [self.load(self.entry(held, place)) for place in places]
        for pointer, line in zip(rows, self._transpose(loaded), strict=True):
            self.store(line, self.entry(pointer, at, "double"), _V, 8)

    def _scatter_straight(self, held: str, rows: Sequence[str], size: int) -> None:
        def entry(flat: int) -> str:
            row, column = divmod(flat, size)
            return self.entry(held, str(min(row, column) * size + max(row, column)))

        if size * size < LANES:
            for flat in range(size * size):
                vector = self.load(entry(flat))
                for lane, pointer in enumerate(rows):
                    self._scatter_lane(vector, lane, self.entry(pointer, str(flat), "double"))
            return
        for start in self._starts(size * size):
            loaded = [self.load(entry(start + k)) for k in range(LANES)]
            for pointer, line in zip(rows, self._transpose(loaded), strict=True):
                self.store(line, self.entry(pointer, str(start), "double"), _V, 8)

    # -- lane code ------------------------------------------------------------------------------------------------

    def _items(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Let):
                self.names[item.number] = self._let(item)
            elif isinstance(item, Load):
                self.names[item.number] = self._load(item)
            elif isinstance(item, Store):
                pointer = self.entry(self.pointers[item.buffer], self.index(item.address))
                self.store(self.names[item.argument], pointer)
            else:
                self._loop(item)

    def _load(self, item: Load) -> str:
        base, index = self.pointers[item.buffer], self.index(item.address)
        if self.code.buffers[item.buffer].kind in (Kind.BAKED, Kind.DATA):
            number = self.load(self.entry(base, index, "double"), "double", 8)
            single = self.put(f"insertelement {_V} poison, double {number}, i32 0")
            return self.put(f"shufflevector {_V} {single}, {_V} poison, <{LANES} x i32> zeroinitializer")
        return self.load(self.entry(base, index))

    def _loop(self, loop: Loop) -> None:
        head, before = f"loop{loop.variable}", self.label
        variable = f"%v{loop.variable}"
        start = "0" if loop.from_ is None else self.variables[loop.from_]
        self.variables[loop.variable] = variable
        self.do(f"br label %{head}")
        self.block(head)
        self.do(f"{variable} = phi i64 [ {start}, %{before} ], [ {variable}.next, %{head}.end ]")
        slots: list[int] = []
        for c in loop.carried:
            self.names[c.inner] = f"%c{c.inner}"
            slots.append(len(self.lines))
            self.lines.append("")
        self._items(loop.body)
        for c, slot in zip(loop.carried, slots, strict=True):
            initial, following = self.names[c.initial], self.names[c.following]
            self.lines[slot] = f"  %c{c.inner} = phi {_V} [ {initial}, %{before} ], [ {following}, %{head}.end ]"
            self.names[c.result] = following
        self.do(f"br label %{head}.end")
        self.block(f"{head}.end")
        self.do(f"{variable}.next = add nuw nsw i64 {variable}, 1")
        test = self.put(f"icmp slt i64 {variable}.next, {loop.stop}")
        self.do(f"br i1 {test}, label %{head}, label %{head}.out")
        self.block(f"{head}.out")

    def _let(self, item: Let) -> str:
        args = [self.names[a] for a in item.args]
        match item.op:
            case "constant":
                return _splat("double", _double(item.value or Fraction(0)))
            case "infinity":
                return _splat("double", _double(float("inf")))
            case "add" | "sub" | "mul":
                return self.put(f"f{item.op} contract {_V} {args[0]}, {args[1]}")
            case "div":
                return self.put(f"fdiv {_V} {args[0]}, {args[1]}")
            case "neg":
                return self.put(f"fneg contract {_V} {args[0]}")
            case "abs":
                return self.put(f"call {_V} @llvm.fabs.v{LANES}f64({_V} {args[0]})")
            case "sqrt":
                return self.put(f"call {_V} @llvm.sqrt.v{LANES}f64({_V} {args[0]})")
            case "copysign":
                return self.put(f"call {_V} @llvm.copysign.v{LANES}f64({_V} {args[0]}, {_V} {args[1]})")
            case "less" | "equal":
                test = "olt" if item.op == "less" else "oeq"
                return self.put(f"fcmp {test} {_V} {args[0]}, {args[1]}")
            case "least" | "most":
                test = self.put(f"fcmp {'olt' if item.op == 'least' else 'ogt'} {_V} {args[0]}, {args[1]}")
                return self._select(test, args[0], args[1])
            case "select":
                return self._select(args[0], args[1], args[2])
            case "far_sin" | "far_cos":
                return self._far(item.op.removeprefix("far_"), *args)
        return self._bits(item.op, args[0])

    def _far(self, function: str, x: str, near: str) -> str:
        """`near`, or in a strip with a lane far from zero, what the C library gives for that lane."""
        self.counter += 1
        slow, after, before = f"far{self.counter}", f"near{self.counter}", self.label
        size = self.put(f"call {_V} @llvm.fabs.v{LANES}f64({_V} {x})")
        far = self.put(f"fcmp ogt {_V} {size}, {_splat('double', _double(FAR))}")
        bits = self.put(f"bitcast {_M} {far} to i{LANES}")
        some = self.put(f"icmp ne i{LANES} {bits}, 0")
        self.do(f"br i1 {some}, label %{slow}, label %{after}")
        self.block(slow)
        vector = near
        self.declared.add(f"declare double @{function}(double) #0")
        for lane in range(LANES):
            number = self.put(f"extractelement {_V} {x}, i32 {lane}")
            result = self.put(f"call double @{function}(double {number})")
            vector = self.put(f"insertelement {_V} {vector}, double {result}, i32 {lane}")
        vector = self._select(far, vector, near)
        self.do(f"br label %{after}")
        self.block(after)
        return self.put(f"phi {_V} [ {near}, %{before} ], [ {vector}, %{slow} ]")

    def _select(self, mask: str, a: str, b: str) -> str:
        return self.put(f"select {_M} {mask}, {_V} {a}, {_V} {b}")

    def _integer(self, a: str) -> str:
        return self.put(f"bitcast {_V} {a} to {_I}")

    def _number(self, a: str) -> str:
        return self.put(f"bitcast {_I} {a} to {_V}")

    def _bits(self, op: str, a: str) -> str:
        bits = self._integer(a)
        if op in ("bit0", "bit1"):
            held = self.put(f"and {_I} {bits}, {_integers(1 << int(op[-1]))}")
            return self.put(f"icmp ne {_I} {held}, {_integers(0)}")
        if op == "shift52":
            return self._number(self.put(f"shl {_I} {bits}, {_integers(52)}"))
        if op == "high":
            return self._number(self.put(f"and {_I} {bits}, {_integers(_HIGH)}"))
        above = self.put(f"sub {_I} {bits}, {_integers(_BITS_OF_SQRT_HALF)}")
        if op == "octave":
            octaves = self.put(f"ashr {_I} {above}, {_integers(52)}")
            moved = self._number(self.put(f"add {_I} {octaves}, {_integers(_SHIFT)}"))
            return self.put(f"fsub {_V} {moved}, {_splat('double', _double(1.5 * 2**52))}")
        if op == "reduced":
            octaves = self.put(f"and {_I} {above}, {_integers(_EXPONENT)}")
            return self._number(self.put(f"sub {_I} {bits}, {octaves}"))
        raise AssertionError(op)


def _plain(name: str) -> str:
    """A name of letters, digits and dots."""
    return "".join(c if c.isalnum() else "." for c in name)
