"""Compile lane programs with LLVM: a lane value becomes a vector register.

:class:`Vector` records each operation as one IR instruction, without fast-math flags, so LLVM may neither reorder nor
fuse them: the result is bit for bit that of the NumPy run of the same text.  (Comparisons are ordered, minimum and
maximum are a comparison and a select.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from symland.errors import KernelError
from symland.machine.cache import cache_folder
from symland.machine.gate import Entry, Port, admit
from symland.machine.llvm import load_text
from symland.machine.text import LANES as WIDTH
from symland.machine.text import MASK, VECTOR, Emitter, double, splat

__all__ = ["WIDTH", "CompiledLanes", "LaneText", "Lanes", "Mask", "NumpyLanes", "Vector", "lane_text"]

LONGS = f"<{WIDTH} x i64>"
"""The type of whole numbers in lanes."""

Lanes = npt.NDArray[np.float64]
LaneText = Callable[[Sequence[Any]], Sequence[Any]]
"""Straight-line text: a list of input lanes to a list of output lanes."""


def _name(lane: Vector | float) -> str:
    return lane.name if isinstance(lane, Vector) else splat("double", double(lane))


class Vector:
    """A recorded strip of doubles."""

    __slots__ = ("emitter", "name")
    __array_ufunc__ = None

    def __init__(self, emitter: Emitter, name: str) -> None:
        self.emitter = emitter
        self.name = name

    def _put(self, text: str) -> Vector:
        return Vector(self.emitter, self.emitter.put(text))

    def _operation(self, op: str, first: Vector | float, second: Vector | float) -> Vector:
        return self._put(f"{op} {VECTOR} {_name(first)}, {_name(second)}")

    def __add__(self, other: Vector | float) -> Vector:
        return self._operation("fadd", self, other)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._operation("fsub", self, other)

    def __rsub__(self, other: float) -> Vector:
        return self._operation("fsub", other, self)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._operation("fmul", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._operation("fdiv", self, other)

    def __rtruediv__(self, other: float) -> Vector:
        return self._operation("fdiv", other, self)

    def __neg__(self) -> Vector:
        return self._put(f"fneg {VECTOR} {self.name}")

    def _compare(self, test: str, other: Vector | float) -> Mask:
        return Mask(self.emitter, self.emitter.put(f"fcmp {test} {VECTOR} {self.name}, {_name(other)}"))

    def __lt__(self, other: Vector | float) -> Mask:
        return self._compare("olt", other)

    def __le__(self, other: Vector | float) -> Mask:
        return self._compare("ole", other)

    def __gt__(self, other: Vector | float) -> Mask:
        return self._compare("ogt", other)

    def __ge__(self, other: Vector | float) -> Mask:
        return self._compare("oge", other)

    def lane_min(self, other: Vector | float) -> Vector:
        return (self < other).lane_choose(self, other)

    def lane_max(self, other: Vector | float) -> Vector:
        return (self > other).lane_choose(self, other)

    def _intrinsic(self, name: str) -> Vector:
        return self._put(f"call {VECTOR} @llvm.{name}.v{WIDTH}f64({VECTOR} {self.name})")

    def lane_abs(self) -> Vector:
        return self._intrinsic("fabs")

    def lane_rint(self) -> Vector:
        return self._intrinsic("rint")

    def lane_root(self) -> Vector:
        return self._intrinsic("sqrt")

    def lane_bits(self) -> Vector:
        whole = self.emitter.put(f"bitcast {VECTOR} {self.name} to {LONGS}")
        return self._put(f"sitofp {LONGS} {whole} to {VECTOR}")

    def lane_exp2(self) -> Vector:
        put = self.emitter.put
        whole = put(f"fptosi {VECTOR} {self.name} to {LONGS}")
        biased = put(f"add {LONGS} {whole}, {splat('i64', '1023')}")
        shifted = put(f"shl {LONGS} {biased}, {splat('i64', '52')}")
        return self._put(f"bitcast {LONGS} {shifted} to {VECTOR}")


class Mask:
    """A recorded strip of truth values."""

    __slots__ = ("emitter", "name")

    def __init__(self, emitter: Emitter, name: str) -> None:
        self.emitter = emitter
        self.name = name

    def _operation(self, op: str, second: str) -> Mask:
        return Mask(self.emitter, self.emitter.put(f"{op} {MASK} {self.name}, {second}"))

    def __and__(self, other: Mask) -> Mask:
        return self._operation("and", other.name)

    def __or__(self, other: Mask) -> Mask:
        return self._operation("or", other.name)

    def __invert__(self) -> Mask:
        return self._operation("xor", splat("i1", "true"))

    def lane_choose(self, a: Vector | float, b: Vector | float) -> Vector:
        text = f"select {MASK} {self.name}, {VECTOR} {_name(a)}, {VECTOR} {_name(b)}"
        return Vector(self.emitter, self.emitter.put(text))


def lane_text(name: str, program: LaneText, n_in: int) -> tuple[str, int]:
    """LLVM IR of ``void name(int64 strips, int64 stride, double *in, double *out)`` and the number of outputs.

    There is one strip at least. Slot s of lane i lies at ``[s * stride + i]`` of both arrays.
    """
    emitter = Emitter()
    strip = emitter.begin("strip", "%strips")
    first = emitter.multiply(strip, WIDTH)

    def place(base: str, slot: int) -> str:
        return emitter.entry(base, emitter.add(emitter.multiply("%stride", slot), first), "double")

    inputs = [Vector(emitter, emitter.load(place("%in", slot), align=8)) for slot in range(n_in)]
    outputs = program(inputs)
    for slot, lane in enumerate(outputs):
        emitter.store(_name(lane), place("%out", slot), align=8)
    emitter.end()
    emitter.do("ret void")
    declared = [f"declare {VECTOR} @llvm.{function}.v{WIDTH}f64({VECTOR})" for function in ("fabs", "rint", "sqrt")]
    head = f"define void @{name}(i64 %strips, i64 %stride, ptr %in, ptr %out) {{\nentry:"
    return "\n".join([head, *emitter.lines, "}", *declared, ""]), len(outputs)


class CompiledLanes:
    """A lane program as machine code: ``run(inputs (n_in, n)) -> (n_out, n)``."""

    def __init__(self, name: str, program: LaneText, n_in: int) -> None:
        text, self.n_out = lane_text(name, program, n_in)
        self.n_in = n_in
        loaded = load_text(text, cache_folder())
        self._entry = Entry(
            address=loaded.address(name),
            n_sizes=2,
            ports=(
                Port(name="the lanes", shape=lambda strips, stride: (n_in, stride)),
                Port(name="the results", shape=lambda strips, stride: (self.n_out, stride), written=True),
            ),
            owner=loaded,
        )

    def __call__(self, inputs: Lanes) -> Lanes:
        """Run over the columns; they are padded to whole strips by repeating the last one."""
        lanes = admit(inputs, "the input of a lane program")
        if lanes.ndim != 2 or lanes.shape[0] != self.n_in:
            raise KernelError(f"lanes of shape {lanes.shape} came; give {self.n_in} rows, a column for each lane")
        n = lanes.shape[1]
        if n == 0:
            return np.empty((self.n_out, 0))
        strips = -(-n // WIDTH)
        whole, out = lanes, np.empty((self.n_out, strips * WIDTH))
        if n < strips * WIDTH:
            whole = np.empty((self.n_in, strips * WIDTH))
            whole[:, :n] = lanes
            whole[:, n:] = lanes[:, -1:]
        self._entry((strips, strips * WIDTH), (whole, out))
        return out[:, :n]


class NumpyLanes:
    """The same lane program over NumPy arrays: slower, and the oracle of the compiled one."""

    def __init__(self, program: LaneText, n_in: int) -> None:
        self._program = program
        self.n_in = n_in

    def __call__(self, inputs: Lanes) -> Lanes:
        n = inputs.shape[1]
        with np.errstate(all="ignore"):
            outputs = self._program([inputs[k] for k in range(self.n_in)])
        return np.stack([np.broadcast_to(np.asarray(lane, dtype=np.float64), (n,)) for lane in outputs])
