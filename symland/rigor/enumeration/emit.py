"""Compile lane programs with LLVM: a lane value becomes a vector register.

:class:`Vector` records each operation as one IR instruction, without fast-math flags, so LLVM may neither reorder nor
fuse them: the result is bit for bit that of the NumPy run of the same text.  (Comparisons are ordered, minimum and
maximum are a comparison and a select.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numpy as np
import numpy.typing as npt

from symland.errors import KernelError
from symland.machine.gate import Entry, Port, admit

WIDTH = 8
"""Lanes of a strip."""
_DOUBLE = ir.DoubleType()
_LONG = ir.IntType(64)
_STRIP = ir.VectorType(_DOUBLE, WIDTH)
_LONGS = ir.VectorType(_LONG, WIDTH)

Lanes = npt.NDArray[np.float64]
LaneProgram = Callable[[Sequence[Any]], Sequence[Any]]
"""Straight-line text: a list of input lanes to a list of output lanes."""


def _constant(x: float) -> ir.Constant:
    return ir.Constant(_STRIP, [float(x)] * WIDTH)


class Vector:
    """A recorded strip of doubles."""

    __slots__ = ("builder", "value")
    __array_ufunc__ = None

    def __init__(self, builder: ir.IRBuilder, value: Any) -> None:
        self.builder = builder
        self.value = value

    def _other(self, other: Vector | float) -> Any:
        return other.value if isinstance(other, Vector) else _constant(other)

    def _wrap(self, value: Any) -> Vector:
        return Vector(self.builder, value)

    def __add__(self, other: Vector | float) -> Vector:
        return self._wrap(self.builder.fadd(self.value, self._other(other)))

    def __sub__(self, other: Vector | float) -> Vector:
        return self._wrap(self.builder.fsub(self.value, self._other(other)))

    def __rsub__(self, other: float) -> Vector:
        return self._wrap(self.builder.fsub(_constant(other), self.value))

    def __mul__(self, other: Vector | float) -> Vector:
        return self._wrap(self.builder.fmul(self.value, self._other(other)))

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._wrap(self.builder.fdiv(self.value, self._other(other)))

    def __rtruediv__(self, other: float) -> Vector:
        return self._wrap(self.builder.fdiv(_constant(other), self.value))

    def __neg__(self) -> Vector:
        return self._wrap(self.builder.fneg(self.value))

    def _compare(self, sign: str, other: Vector | float) -> Mask:
        return Mask(self.builder, self.builder.fcmp_ordered(sign, self.value, self._other(other)))

    def __lt__(self, other: Vector | float) -> Mask:
        return self._compare("<", other)

    def __le__(self, other: Vector | float) -> Mask:
        return self._compare("<=", other)

    def __gt__(self, other: Vector | float) -> Mask:
        return self._compare(">", other)

    def __ge__(self, other: Vector | float) -> Mask:
        return self._compare(">=", other)

    def lane_min(self, other: Vector | float) -> Vector:
        rhs = self._other(other)
        return self._wrap(self.builder.select(self.builder.fcmp_ordered("<", self.value, rhs), self.value, rhs))

    def lane_max(self, other: Vector | float) -> Vector:
        rhs = self._other(other)
        return self._wrap(self.builder.select(self.builder.fcmp_ordered(">", self.value, rhs), self.value, rhs))

    def _intrinsic(self, name: str) -> Any:
        kind = ir.FunctionType(_STRIP, [_STRIP])
        module = self.builder.module
        full = f"llvm.{name}.v{WIDTH}f64"
        found = module.globals.get(full) or ir.Function(module, kind, full)
        return self.builder.call(found, [self.value])

    def lane_abs(self) -> Vector:
        return self._wrap(self._intrinsic("fabs"))

    def lane_rint(self) -> Vector:
        return self._wrap(self._intrinsic("rint"))

    def lane_exp2(self) -> Vector:
        whole = self.builder.fptosi(self.value, _LONGS)
        biased = self.builder.add(whole, ir.Constant(_LONGS, [1023] * WIDTH))
        return self._wrap(self.builder.bitcast(self.builder.shl(biased, ir.Constant(_LONGS, [52] * WIDTH)), _STRIP))


class Mask:
    """A recorded strip of truth values."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: ir.IRBuilder, value: Any) -> None:
        self.builder = builder
        self.value = value

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.builder, self.builder.and_(self.value, other.value))

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.builder, self.builder.or_(self.value, other.value))

    def __invert__(self) -> Mask:
        return Mask(self.builder, self.builder.not_(self.value))

    def lane_choose(self, a: Vector | float, b: Vector | float) -> Vector:
        left = a.value if isinstance(a, Vector) else _constant(a)
        right = b.value if isinstance(b, Vector) else _constant(b)
        return Vector(self.builder, self.builder.select(self.value, left, right))


def lane_ir(name: str, program: LaneProgram, n_in: int) -> tuple[ir.Module, int]:
    """LLVM module of ``void name(int64 strips, int64 stride, double *in, double *out)`` and the number of outputs.

    Slot s of lane i lies at ``[s * stride + i]`` of both arrays.
    """
    module = ir.Module(name=name)
    pointer = ir.PointerType(_DOUBLE)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_LONG, _LONG, pointer, pointer]), name)
    strips, stride, source, target = function.args
    entry, loop, leave = (function.append_basic_block(label) for label in ("entry", "loop", "leave"))
    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed(">", strips, ir.Constant(_LONG, 0)), loop, leave)
    builder.position_at_end(loop)
    index = builder.phi(_LONG)
    index.add_incoming(ir.Constant(_LONG, 0), entry)
    first = builder.mul(index, ir.Constant(_LONG, WIDTH))

    def place(base: Any, slot: int) -> Any:
        offset = builder.add(builder.mul(ir.Constant(_LONG, slot), stride), first)
        return builder.bitcast(builder.gep(base, [offset]), ir.PointerType(_STRIP))

    inputs = []
    for slot in range(n_in):
        load = builder.load(place(source, slot), typ=_STRIP)
        load.align = 8
        inputs.append(Vector(builder, load))
    outputs = program(inputs)
    for slot, lane in enumerate(outputs):
        value = lane.value if isinstance(lane, Vector) else _constant(lane)
        builder.store(value, place(target, slot), align=8)
    following = builder.add(index, ir.Constant(_LONG, 1))
    index.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, strips), loop, leave)
    builder.position_at_end(leave)
    builder.ret_void()
    return module, len(outputs)


def load_machine_code(module: ir.Module) -> Any:
    """Optimise a module for this processor (no fast-math: every rounding stays) and load it; keep what is returned."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    host = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    text = llvm.parse_assembly(str(module))
    text.verify()
    builder = llvm.create_pass_builder(host, llvm.create_pipeline_tuning_options(speed_level=1))
    builder.getModulePassManager().run(text, builder)
    engine = llvm.create_mcjit_compiler(text, host)
    engine.finalize_object()
    return engine


class CompiledLanes:
    """A lane program as machine code: ``run(inputs (n_in, n)) -> (n_out, n)``."""

    def __init__(self, name: str, program: LaneProgram, n_in: int) -> None:
        module, self.n_out = lane_ir(name, program, n_in)
        self.n_in = n_in
        engine = load_machine_code(module)
        self._entry = Entry(
            address=engine.get_function_address(name),
            n_sizes=2,
            ports=(
                Port(name="the lanes", shape=lambda strips, stride: (n_in, stride)),
                Port(name="the results", shape=lambda strips, stride: (self.n_out, stride), written=True),
            ),
            owner=engine,
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
        out = np.empty((self.n_out, strips * WIDTH))
        self._entry((strips, strips * WIDTH), (np.pad(lanes, ((0, 0), (0, strips * WIDTH - n)), mode="edge"), out))
        return out[:, :n]


class NumpyLanes:
    """The same lane program over NumPy arrays: slower, and the oracle of the compiled one."""

    def __init__(self, program: LaneProgram, n_in: int) -> None:
        self._program = program
        self.n_in = n_in

    def __call__(self, inputs: Lanes) -> Lanes:
        n = inputs.shape[1]
        with np.errstate(all="ignore"):
            outputs = self._program([inputs[k] for k in range(self.n_in)])
        return np.stack([np.broadcast_to(np.asarray(lane, dtype=np.float64), (n,)) for lane in outputs])
