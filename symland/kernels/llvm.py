"""Lane code as LLVM IR: a function that runs it over an array of points, eight lanes at a time.

    void kernel(i64 n, ptr work, ptr data..., ptr input..., ptr output...)

Inputs and outputs are row-major with a row for each point; in the workspace every entry is a vector of eight lanes.
Rows go over to lanes and back as `symland.kernels.rows` and `symland.kernels.matrices` say. The last strip of n >= 8
points is moved back so that it ends with the last point; with fewer points the last one fills the lanes that are left.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from symland.kernels.coefficients import FAR
from symland.kernels.lanes import Address, Buffer, Item, Kind, LaneCode, Let, Load, Loop, Store
from symland.kernels.matrices import METADATA, MatrixEmitter, in_lines
from symland.kernels.order import ordered
from symland.kernels.recorder import reads
from symland.machine.text import LANES, MASK, VECTOR, double, plain, splat

__all__ = ["VERSION", "print_llvm", "written_once"]

VERSION = 11
"""Raised whenever this module prints other text."""

STACK_ENTRIES = 1024
"""Lane values that a kernel without loops keeps on the stack."""

_I = f"<{LANES} x i64>"
_BITS_OF_SQRT_HALF = struct.unpack("<q", struct.pack("<d", 0.5**0.5))[0]
_EXPONENT = -(1 << 52)
_HIGH = -(1 << 27)


def _integers(value: int) -> str:
    return splat("i64", str(value))


_SHIFT = struct.unpack("<q", struct.pack("<d", 1.5 * 2**52))[0]


def _held(code: LaneCode) -> list[Buffer]:
    return [b for b in code.buffers.values() if b.kind in (Kind.INPUT, Kind.LOCAL, Kind.OUTPUT)]


def _looped_items(items: Sequence[Item]) -> int:
    """Items that are carried out inside loops, but for the loops."""
    total = 0.0
    for loop in items:
        if isinstance(loop, Loop):
            turns = loop.stop if loop.from_ is None else (loop.stop + 1) / 2
            total += turns * (_straight_items(loop) + _looped_items(loop.body))
    return round(total)


def _straight_items(loop: Loop) -> int:
    return sum(not isinstance(item, Loop) for item in loop.body)


def print_llvm(
    code: LaneCode, name: str, *, packed: bool = False, square: str = "hessian", summed: bool = False
) -> str:
    """The module text of a function called `name`.

    Parameters
    ----------
    code : LaneCode
        In elementary operations.
    square : str
        Name of the output whose buffer is a square matrix with its entries of row <= column.
    packed : bool
        Whether the caller gets only these entries, row by row, or both triangles.
    summed : bool
        Whether each output is one row, the sum over all points, and not a row for each. The workspace holds eight sums
        of every entry behind the buffers.
    """
    return _Printer(ordered(code), name, square, packed, summed).text()


def written_once(code: LaneCode) -> set[str]:
    """Outputs that the code does not read, and of which it writes no entry twice: sums can take them as they come."""
    counts: dict[str, list[int]] = {b.name: [0] * b.size for b in code.named(Kind.OUTPUT)}

    def walk(items: Sequence[Item], ranges: dict[int, int]) -> None:
        for item in items:
            if isinstance(item, Loop):
                walk(item.body, {**ranges, item.variable: item.stop})
            elif isinstance(item, Store) and item.buffer in counts:
                steps = item.address.steps
                for values in product(*map(range, ranges.values())):
                    at = dict(zip(ranges, values, strict=True))
                    counts[item.buffer][item.address.constant + sum(at[v] * step for v, step in steps)] += 1

    walk(code.items, {})
    return {name for name, entries in counts.items() if max(entries) <= 1} - reads(code.items)


class _Printer(MatrixEmitter):
    def __init__(self, code: LaneCode, name: str, square: str, packed: bool, summed: bool) -> None:
        super().__init__()
        self.code, self.name, self.square, self.packed, self.summed = code, name, square, packed, summed
        self.names: dict[int, str] = {}
        self.variables: dict[int, str] = {}
        self.globals: list[str] = []
        self.declared: set[str] = set()
        self.looped = any(isinstance(item, Loop) for item in code.items)

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
        arguments += [f"ptr noalias readonly %data.{plain(b.name)}" for b in data]
        arguments += [f"ptr noalias readonly %in.{plain(b.name)}" for b in inputs]
        arguments += [f"ptr noalias %out.{plain(b.name)}" for b in outputs]
        self.pointers = {b.name: f"%data.{plain(b.name)}" for b in data}
        offset = 0
        in_registers = not self.looped and sum(b.size for b in _held(code)) <= STACK_ENTRIES
        for buffer in _held(code):
            if in_registers:
                pointer = self.put(f"alloca [{buffer.size} x {VECTOR}], align 64")
            else:
                pointer = self.put(f"getelementptr inbounds {VECTOR}, ptr %work, i64 {offset}")
            self.pointers[buffer.name] = pointer
            offset += buffer.size
        for buffer in code.named(Kind.BAKED):
            self._global(buffer)
        self.sums = sums = dict[str, str]()
        self.once = written_once(code) if self.summed else set[str]()
        for buffer in outputs if self.summed else ():
            sums[buffer.name] = self.put(f"getelementptr inbounds {VECTOR}, ptr %work, i64 {offset}")
            offset += buffer.size
            k = self.begin("zero", buffer.size)
            self.store("zeroinitializer", self.entry(sums[buffer.name], k))
            self.end()
        matrices = [b for b in outputs if b.name == self.square and in_lines(b.size)]
        for buffer in matrices:
            self.begin_matrix(buffer, offset, _looped_items(code.items), packed=self.packed)
        last = self.put(f"sub nsw i64 %n, {LANES}")
        end = self.put("sub nsw i64 %n, 1")
        self.full = self.put(f"icmp sge i64 %n, {LANES}")
        before = self.label
        self.do("br label %strip")
        self.block("strip")
        self.do(f"%i = phi i64 [ 0, %{before} ], [ %next, %done ]")
        if self.summed:
            # The last strip stays where it is: a point that is taken twice would count twice.
            self.base = "%i"
        else:
            below = self.put(f"call i64 @llvm.smin.i64(i64 %i, i64 {last})")
            self.base = self.put(f"call i64 @llvm.smax.i64(i64 {below}, i64 0)")
        for buffer in matrices:
            self.begin_strip(buffer)
        self.rows = []
        for lane in range(LANES):
            row = self.add(self.base, lane)
            self.rows.append(self.put(f"call i64 @llvm.smin.i64(i64 {row}, i64 {end})"))
        for buffer in inputs:
            self.gather(buffer)
        if self.summed:
            self.own = self._points_of_their_own()
        self._items(code.items)
        for buffer in outputs if self.summed else ():
            if buffer.name not in self.once:
                k = self.begin("sum", buffer.size)
                self._add_to(buffer.name, k, self.load(self.entry(self.pointers[buffer.name], k)))
                self.end()
        for buffer in () if self.summed else outputs:
            if buffer.name == self.square:
                self.scatter_matrix(buffer, packed=self.packed)
            else:
                self.scatter(buffer)
        self.do("br label %done")
        self.block("done")
        self.do(f"%next = add nsw i64 %i, {LANES}")
        self.do("%more = icmp slt i64 %next, %n")
        self.do("br i1 %more, label %strip, label %exit")
        self.block("exit")
        for buffer in outputs if self.summed else ():
            k = self.begin("total", buffer.size)
            total, width = self.load(self.entry(sums[buffer.name], k)), LANES
            while width > 1:
                # Halves are added, then halves of that.
                kind, width = f"<{width} x double>", width // 2
                low, high = (self.shuffle(kind, total, "poison", *range(k, k + width)) for k in (0, width))
                total = self.put(f"fadd <{width} x double> {low}, {high}")
            total = self.put(f"extractelement <1 x double> {total}, i32 0")
            self.store(total, self.entry(f"%out.{plain(buffer.name)}", k, "double"), "double", 8)
            self.end()
        if matrices:
            self.end_matrix()
        self.do("ret void")
        declarations = [
            "declare i64 @llvm.smin.i64(i64, i64)",
            "declare i64 @llvm.smax.i64(i64, i64)",
            f"declare {VECTOR} @llvm.fabs.v{LANES}f64({VECTOR})",
            f"declare {VECTOR} @llvm.sqrt.v{LANES}f64({VECTOR})",
            f"declare {VECTOR} @llvm.copysign.v{LANES}f64({VECTOR}, {VECTOR})",
            *sorted(self.declared),
            *METADATA,
            'attributes #0 = { nounwind "stackrealign" "prefer-vector-width"="512" "min-legal-vector-width"="512" }',
        ]
        head = f"define void @{self.name}({', '.join(arguments)}) #0 {{\nentry:"
        return "\n".join([*self.globals, head, *self.lines, "}", *declarations, ""])

    def _points_of_their_own(self) -> str:
        """The lanes of this strip that are points of their own."""
        first = self.put(f"insertelement {_I} poison, i64 %i, i32 0")
        count = self.put(f"insertelement {_I} poison, i64 %n, i32 0")
        zeros = f"<{LANES} x i32> zeroinitializer"
        first = self.put(f"shufflevector {_I} {first}, {_I} poison, {zeros}")
        count = self.put(f"shufflevector {_I} {count}, {_I} poison, {zeros}")
        steps = f"<{', '.join(f'i64 {k}' for k in range(LANES))}>"
        rows = self.put(f"add nsw {_I} {first}, {steps}")
        return self.put(f"icmp slt {_I} {rows}, {count}")

    def _add_to(self, output: str, index: str, value: str) -> None:
        """Add such lanes of a value to the sums of an entry of an output."""
        place = self.entry(self.sums[output], index)
        before = self.load(place)
        self.store(self._select(self.own, self.put(f"fadd {VECTOR} {before}, {value}"), before), place)

    def _global(self, buffer: Buffer) -> None:
        name = f"@{self.name}.{plain(buffer.name)}"
        values = ", ".join(f"double {double(v)}" for v in buffer.values)
        self.globals.append(f"{name} = private unnamed_addr constant [{buffer.size} x double] [{values}], align 64")
        self.pointers[buffer.name] = name

    # -- lane code ------------------------------------------------------------------------------------------------

    def _items(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Let):
                self.names[item.number] = self._let(item)
            elif isinstance(item, Load):
                self.names[item.number] = self._load(item)
            elif isinstance(item, Store) and item.buffer in self.once:
                self._add_to(item.buffer, self.index(item.address), self.names[item.argument])
            elif isinstance(item, Store):
                pointer = self.entry(self.pointers[item.buffer], self.index(item.address))
                self.store(self.names[item.argument], pointer)
            else:
                self._loop(item)

    def _load(self, item: Load) -> str:
        base, index = self.pointers[item.buffer], self.index(item.address)
        if self.code.buffers[item.buffer].kind in (Kind.BAKED, Kind.DATA):
            number = self.load(self.entry(base, index, "double"), "double", 8)
            single = self.put(f"insertelement {VECTOR} poison, double {number}, i32 0")
            return self.put(f"shufflevector {VECTOR} {single}, {VECTOR} poison, <{LANES} x i32> zeroinitializer")
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
        self.write_some(round(self.pace * _straight_items(loop)))
        self._items(loop.body)
        for c, slot in zip(loop.carried, slots, strict=True):
            initial, following = self.names[c.initial], self.names[c.following]
            self.lines[slot] = f"  %c{c.inner} = phi {VECTOR} [ {initial}, %{before} ], [ {following}, %{head}.end ]"
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
                return splat("double", double(item.value or Fraction(0)))
            case "infinity":
                return splat("double", double(float("inf")))
            case "add" | "sub" | "mul":
                return self.put(f"f{item.op} contract {VECTOR} {args[0]}, {args[1]}")
            case "div":
                return self.put(f"fdiv {VECTOR} {args[0]}, {args[1]}")
            case "neg":
                return self.put(f"fneg contract {VECTOR} {args[0]}")
            case "abs":
                return self.put(f"call {VECTOR} @llvm.fabs.v{LANES}f64({VECTOR} {args[0]})")
            case "sqrt":
                return self.put(f"call {VECTOR} @llvm.sqrt.v{LANES}f64({VECTOR} {args[0]})")
            case "copysign":
                return self.put(f"call {VECTOR} @llvm.copysign.v{LANES}f64({VECTOR} {args[0]}, {VECTOR} {args[1]})")
            case "less" | "equal":
                test = "olt" if item.op == "less" else "oeq"
                return self.put(f"fcmp {test} {VECTOR} {args[0]}, {args[1]}")
            case "least" | "most":
                test = self.put(f"fcmp {'olt' if item.op == 'least' else 'ogt'} {VECTOR} {args[0]}, {args[1]}")
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
        size = self.put(f"call {VECTOR} @llvm.fabs.v{LANES}f64({VECTOR} {x})")
        far = self.put(f"fcmp ogt {VECTOR} {size}, {splat('double', double(FAR))}")
        bits = self.put(f"bitcast {MASK} {far} to i{LANES}")
        some = self.put(f"icmp ne i{LANES} {bits}, 0")
        self.do(f"br i1 {some}, label %{slow}, label %{after}")
        self.block(slow)
        vector = near
        self.declared.add(f"declare double @{function}(double) #0")
        for lane in range(LANES):
            number = self.put(f"extractelement {VECTOR} {x}, i32 {lane}")
            result = self.put(f"call double @{function}(double {number})")
            vector = self.put(f"insertelement {VECTOR} {vector}, double {result}, i32 {lane}")
        vector = self._select(far, vector, near)
        self.do(f"br label %{after}")
        self.block(after)
        return self.put(f"phi {VECTOR} [ {near}, %{before} ], [ {vector}, %{slow} ]")

    def _select(self, mask: str, a: str, b: str) -> str:
        return self.put(f"select {MASK} {mask}, {VECTOR} {a}, {VECTOR} {b}")

    def _integer(self, a: str) -> str:
        return self.put(f"bitcast {VECTOR} {a} to {_I}")

    def _number(self, a: str) -> str:
        return self.put(f"bitcast {_I} {a} to {VECTOR}")

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
            return self.put(f"fsub {VECTOR} {moved}, {splat('double', double(1.5 * 2**52))}")
        if op == "reduced":
            octaves = self.put(f"and {_I} {above}, {_integers(_EXPONENT)}")
            return self._number(self.put(f"sub {_I} {bits}, {octaves}"))
        raise AssertionError(op)
