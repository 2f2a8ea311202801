"""The engines: from a derivation program to a function over arrays of points.

llvm    LLVM IR through llvmlite, cached on disk
numpy   the program run over NumPy arrays
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from symland.kernels.lanes import Kind, LaneCode
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["ENGINES", "Engine", "Function", "Want", "make_function"]

Want = tuple[str, ...]
"""Outputs of a function in the order of the program: "value", "gradient", "hessian"."""

ENTRY = "symland_kernel"
"""Name of the function in the machine code."""


class Engine(Enum):
    """What evaluates a kernel."""

    LLVM = "llvm"
    C = "c"
    NUMPY = "numpy"


ENGINES = tuple(engine.value for engine in Engine)


@dataclass(frozen=True, kw_only=True, eq=False)
class Function:
    """A compiled function.

    Attributes
    ----------
    want : outputs
    call : callable
        call(n, data, inputs, outputs): data, inputs and outputs are C-contiguous float64 arrays.
    code : LaneCode or None
        What was compiled, in primitive functions; None where it came from the cache or nothing was compiled.
    cached : bool
    """

    want: Want
    call: Callable[[int, Sequence[FloatArray], Sequence[FloatArray], Sequence[FloatArray]], None]
    cached: bool


def native(address: int, workspace: int, n_pointers: int, owner: object) -> Callable[..., None]:
    """A call of machine code with the signature (i64, work, data..., inputs..., outputs...)."""
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * (1 + n_pointers))
    function = prototype(address)

    def call(n: int, data: Sequence[FloatArray], inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        work = np.empty(workspace + 8)
        start = work.ctypes.data
        start += -start % 64
        function(n, start, *(array.ctypes.data for array in (*data, *inputs, *outputs)))

    call.owner = owner  # type: ignore[attr-defined]
    return call


def pointers(code: LaneCode) -> int:
    return sum(len(code.named(kind)) for kind in (Kind.DATA, Kind.INPUT, Kind.OUTPUT))


def make_function(
    spec: LandscapeSpec, want: Want, engine: Engine, *, runtime_data: bool, folder: Path | None
) -> Function:
    """Build a function, or take it from the cache."""
    if engine is Engine.NUMPY:
        return _numpy_function(spec, want)
    return _llvm_function(spec, want, runtime_data, folder)


def _llvm_function(spec: LandscapeSpec, want: Want, runtime_data: bool, folder: Path | None) -> Function:
    from symland.kernels.build import entry_key, host, load_object, make_object, read_entry, source_digest, write_entry
    from symland.kernels.llvm import LLVM_VERSION

    facts: Mapping[str, object] = {
        "engine": "llvm",
        "printer": LLVM_VERSION,
        "source": source_digest(),
        "spec": spec.digest,
        "want": list(want),
        "runtime data": runtime_data,
        **host(),
    }
    key = entry_key(facts)
    found = read_entry(folder, key) if folder is not None else None
    if found is None:
        made = _record(spec, want, runtime_data)
        machine_code = make_object(made[2])
        held = {**facts, "workspace": made[0], "pointers": made[1], "digest": made[3]}
        if folder is not None:
            write_entry(folder, key, held, machine_code)
    else:
        held, machine_code = found
    loaded = load_object(machine_code)
    call = native(loaded.address(ENTRY), int(str(held["workspace"])), int(str(held["pointers"])), loaded)
    return Function(want=want, call=call, cached=found is not None)


def _record(spec: LandscapeSpec, want: Want, runtime_data: bool) -> tuple[int, int, str, str]:
    from symland.kernels.elementary import inline
    from symland.kernels.llvm import print_llvm, workspace
    from symland.kernels.record import record
    from symland.program.derive import build_program

    program = build_program(spec, want)
    code = inline(record(program, runtime_data=runtime_data))
    return workspace(code), pointers(code), print_llvm(code, ENTRY), program.digest


def _numpy_function(spec: LandscapeSpec, want: Want) -> Function:
    from symland.program.derive import build_program
    from symland.program.floats import evaluate

    program = build_program(spec, want)

    def call(n: int, data: Sequence[FloatArray], inputs: Sequence[FloatArray], outputs: Sequence[FloatArray]) -> None:
        made = dict(zip(("value", "gradient", "hessian"), evaluate(program, inputs[0]), strict=True))
        for name, out in zip(want, outputs, strict=True):
            out[...] = made[name]

    return Function(want=want, call=call, cached=False)
