"""Machine code by LLVM, and loading it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from symland.errors import KernelError

__all__ = ["LoadedObject", "host", "make_object"]


@cache
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@cache
def host() -> Mapping[str, str]:
    """The compiler and the processor that machine code is made for."""
    llvm = _llvm()
    return {
        "llvm": ".".join(map(str, llvm.llvm_version_info)),
        "triple": llvm.get_default_triple(),
        "cpu": llvm.get_host_cpu_name(),
        "features": llvm.get_host_cpu_features().flatten(),
    }


def make_object(text: str) -> bytes:
    """Machine code of an LLVM module for this processor.

    The recorder has already shared, hoisted and folded what can be; what is left for LLVM is to keep the stack in
    registers, to fuse products into sums, and to schedule. So only two passes run before code generation.

    Raises
    ------
    KernelError
        If LLVM does not take the text.
    """
    llvm = _llvm()
    try:
        module = llvm.parse_assembly(text)
    except RuntimeError as error:
        line = " ".join(str(error).split())[:200]
        raise KernelError(f"LLVM does not take the kernel's text ({line}); report it with the specification") from None
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=host()["cpu"], features=host()["features"], opt=2, jit=True)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    passes = llvm.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.run(module, llvm.create_pass_builder(machine, options))
    return bytes(machine.emit_object(module))


_ENGINES: list[Any] = []
"""Every engine that was made: machine code is small, and an address that was handed out stays good."""


class LoadedObject:
    """Machine code in memory."""

    def __init__(self, machine_code: bytes) -> None:
        llvm = _llvm()
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(machine_code))
        self._engine.finalize_object()
        _ENGINES.append(self._engine)

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))
