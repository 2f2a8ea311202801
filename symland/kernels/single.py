"""One primitive function as a kernel of its own: for measuring its error."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from symland.kernels.elementary import inline
from symland.kernels.lanes import Address, Buffer, Kind, LaneCode
from symland.kernels.recorder import Recorder
from symland.machine.gate import Port
from symland.records import FloatArray

__all__ = ["evaluate_primitive", "primitive_code"]


def primitive_code(op: str, arity: int = 1, value: Fraction | None = None) -> LaneCode:
    """Lane code of y = op(x_1, ..., x_arity), with the inputs in "x" and the result in "y"."""
    rec = Recorder()
    rec.buffer(Buffer(name="x", kind=Kind.INPUT, size=arity))
    rec.buffer(Buffer(name="y", kind=Kind.OUTPUT, size=1))
    args = [rec.load("x", Address(k)) for k in range(arity)]
    rec.store("y", Address(0), rec.op(op, *args, value=value))
    return rec.code()


def evaluate_primitive(op: str, x: FloatArray, value: Fraction | None = None) -> FloatArray:
    """What the compiled polynomial gives at arguments of shape (n, arity)."""
    from symland.kernels.engines import ENTRY, native, per_point, workspace
    from symland.kernels.llvm import print_llvm
    from symland.machine.llvm import LoadedObject, make_object

    code = inline(primitive_code(op, x.shape[1], value))
    loaded = LoadedObject(make_object(print_llvm(code, ENTRY), waits_least=True))
    ports = (Port(name="x", shape=per_point(x.shape[1])), Port(name="y", shape=per_point(), written=True))
    y = np.empty(len(x))
    native(loaded, workspace(code), ports)((len(x),), (x, y))
    return y
