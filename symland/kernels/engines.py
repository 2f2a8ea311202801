"""The engines: from a derivation program to a function over arrays of points.

llvm    LLVM IR through llvmlite, cached on disk
numpy   the program run over NumPy arrays
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from symland.kernels import inertia
from symland.kernels.inertia import add_inertia
from symland.kernels.lanes import LANES, Kind, LaneCode
from symland.kernels.matrices import lines_room
from symland.machine.cache import entry_key, read_entry, source_digest, write_entry
from symland.machine.gate import Entry, Port
from symland.program.algebra import DATA_OUTPUTS
from symland.program.ir import Program, Role
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["ENGINES", "Engine", "Function", "Want", "make_function"]

Want = tuple[str, ...]
"""Outputs of a function: those of a program in its order, or ("packed",), or those of `symland.kernels.inertia`."""

ENTRY = "symland_kernel"
"""Name of the function in the machine code."""


ROOMS = ("spec.py", "layout.py", "symbolic", "program", "kernels", "machine")
"""What decides what a kernel is: derivation, lowering, recording, printing, compiling."""


class Engine(Enum):
    """What evaluates a kernel."""

    LLVM = "llvm"
    C = "c"
    NUMPY = "numpy"


ENGINES = tuple(engine.value for engine in Engine)


Call = Callable[[tuple[int, ...], Sequence[FloatArray]], Any]
"""call((n,), (*data, *inputs, *outputs)) at n points."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Function:
    """A compiled function.

    Attributes
    ----------
    want : outputs
    shapes : what each output is of one point
    call : callable
        call((n,), (*data, *inputs, *outputs)) at n points. Machine code is called through the gate.
    cached : bool
        Whether it was found on disk.
    """

    want: Want
    shapes: tuple[tuple[int, ...], ...]
    call: Call
    cached: bool


class Loaded(Protocol):
    """Machine code in memory."""

    def address(self, name: str) -> int:
        """Where a function starts."""
        ...


def output_shapes(spec: LandscapeSpec, want: Want) -> tuple[tuple[int, ...], ...]:
    """The shape of each output of one point."""
    p = spec.n_parameters
    shapes = {
        "gradient": (p,),
        "hessian": (p, p),
        "packed": (p * (p + 1) // 2,),
        "product": (p,),
        "per_sample": (spec.n_samples, p),
    }
    if set(want) & set(DATA_OUTPUTS):
        from symland.program.builder import output_shape
        from symland.symbolic.head import contrast

        turn = contrast(spec)
        margins = len(turn) if turn else spec.n_outputs
        shapes |= {name: output_shape(spec, name, margins) for name in want}
    return tuple(shapes.get(name, ()) for name in want)


def per_point(*shape: int) -> Callable[[int], tuple[int, ...]]:
    """The shape of an array with an entry of the given shape for each of n points."""
    return lambda n: (n, *shape)


def kernel_ports(spec: LandscapeSpec, want: Want, data_sizes: Sequence[int] = ()) -> tuple[Port, ...]:
    """The arrays that the machine code of a function takes: data, theta, the direction of a product, outputs."""

    def constant(size: int) -> Callable[[int], tuple[int, ...]]:
        return lambda n: (size,)

    outputs = zip(want, output_shapes(spec, want), strict=True)
    inputs = ("theta", "direction")[: 1 + (want == ("product",))]
    return (
        *(Port(name=f"data array {k}", shape=constant(size)) for k, size in enumerate(data_sizes)),
        *(Port(name=name, shape=per_point(spec.n_parameters)) for name in inputs),
        *(Port(name=f"out for the {name}", shape=per_point(*shape), written=True) for name, shape in outputs),
    )


def native(loaded: Loaded, workspace: int, ports: Sequence[Port]) -> Entry:
    """The function of machine code with the signature (i64, work, data..., inputs..., outputs...)."""
    return Entry(address=loaded.address(ENTRY), n_sizes=1, ports=ports, owner=loaded, workspace=workspace)


def data_sizes(code: LaneCode) -> list[int]:
    """How many numbers each data array of a function holds."""
    return [b.size for b in code.named(Kind.DATA)]


Checker = Callable[[Program, LaneCode, Function], None]
"""Raises if a function that was just built is not what its program says; nothing is kept of one that fails."""


def make_function(
    spec: LandscapeSpec,
    want: Want,
    engine: Engine,
    *,
    runtime_data: bool = False,
    folder: Path | None = None,
    check: Checker | None = None,
) -> Function:
    """Build a function and check it, or take it from the cache."""
    if engine is Engine.NUMPY:
        return _numpy_function(spec, want)
    if engine is Engine.C:
        from symland.kernels import c99
        from symland.machine.library import LoadedLibrary, compiler_facts, make_library

        version, make_text, made_for = c99.VERSION, c99.print_c, compiler_facts()
        make_code: Callable[[str], bytes] = make_library
        load: Callable[[bytes], Loaded] = LoadedLibrary
    else:
        from symland.kernels import llvm
        from symland.machine.llvm import LoadedObject, host, make_object

        version, make_text, made_for = llvm.VERSION, llvm.print_llvm, host()
        make_code = partial(make_object, waits_least=True)
        load = LoadedObject
    facts = {
        "engine": engine.value,
        "printer": version,
        "source": source_digest(*ROOMS),
        "spec": spec.digest,
        "want": list(want),
        "runtime data": runtime_data,
        "checked": check is not None,
        **made_for,
    }
    key = entry_key(facts)
    found = read_entry(folder, key) if folder is not None else None
    if found is not None:
        held, machine_code = found
        return _loaded(spec, want, load(machine_code), held, cached=True)
    program, code = record_code(spec, want, runtime_data)
    inlined = inline_code(code)
    machine_code = make_code(make_text(inlined, ENTRY, packed=want == ("packed",)))
    held = {**facts, "workspace": workspace(inlined), "data": data_sizes(code), "program": program.digest}
    function = _loaded(spec, want, load(machine_code), held, cached=False)
    if check is not None:
        check(program, code, function)
    if folder is not None:
        write_entry(folder, key, held, machine_code)
    return function


def _loaded(spec: LandscapeSpec, want: Want, loaded: Loaded, held: Mapping[str, Any], *, cached: bool) -> Function:
    call = native(loaded, int(held["workspace"]), kernel_ports(spec, want, held["data"]))
    return Function(want=want, shapes=output_shapes(spec, want), call=call, cached=cached)


def data_arrays(program: Program) -> tuple[str, ...]:
    """The names of all data arrays."""
    return tuple(a.name for a in program.arrays.values() if a.role is Role.DATA)


def record_code(
    spec: LandscapeSpec,
    want: Want,
    runtime_data: bool = False,
    *,
    given: Callable[[Program], Collection[str]] = data_arrays,
) -> tuple[Program, LaneCode]:
    """The program of a specification and its lane code in primitive functions.

    With `runtime_data` all its data arrays are given with every call; else those that `given` names, if it is not that
    of all.
    """
    from symland.kernels.record import record
    from symland.program.derive import build_program

    program = build_program(spec, program_outputs(want))
    names = given(program) if runtime_data or given is not data_arrays else ()
    finish = add_inertia if want == inertia.OUTPUTS else None
    return program, record(program, given=names, finish=finish)


def program_outputs(want: Want) -> Want:
    """What a program must give for a function."""
    return ("hessian",) if want in (("packed",), inertia.OUTPUTS) else want


def inline_code(code: LaneCode) -> LaneCode:
    """The code in elementary operations."""
    from symland.kernels.elementary import inline

    return inline(code)


def workspace(code: LaneCode) -> int:
    """Doubles of workspace that a function needs: its buffers, and what moves a matrix out."""
    held = [b for kind in (Kind.INPUT, Kind.LOCAL, Kind.OUTPUT) for b in code.named(kind)]
    listed = [lines_room(b.size) for b in code.named(Kind.OUTPUT) if b.name == "hessian"]
    return LANES * sum((*(b.size for b in held), *listed))


def _numpy_function(spec: LandscapeSpec, want: Want) -> Function:
    from symland.program.derive import build_program

    program = build_program(spec, program_outputs(want))
    return Function(want=want, shapes=output_shapes(spec, want), call=numpy_call(program, want), cached=False)


def numpy_call(program: Program, want: Want) -> Call:
    """The call of a function, by running its program over NumPy arrays."""
    from symland.kernels.arrays import evaluate_arrays

    names = [a.name for a in program.arrays.values() if a.role is Role.DATA]
    upper = np.triu_indices(program.n_parameters)

    def call(sizes: tuple[int, ...], arrays: Sequence[FloatArray]) -> None:
        first = len(arrays) - len(want)
        n_inputs = 1 + (want == ("product",))
        data, inputs, outputs = arrays[: first - n_inputs], arrays[first - n_inputs : first], arrays[first:]
        made = evaluate_arrays(program, inputs, dict(zip(names, data, strict=False)))
        if want == ("packed",):
            made["packed"] = made["hessian"][:, *upper]
        elif want == inertia.OUTPUTS:
            spectrum = np.linalg.eigvalsh(made["hessian"])
            magnitude = np.abs(spectrum)
            made |= {"negative": (spectrum < 0).sum(1), "smallest": magnitude.min(1), "largest": magnitude.max(1)}
        for name, out in zip(want, outputs, strict=True):
            out[...] = made[name]

    return call
