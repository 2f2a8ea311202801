"""Machine code by LLVM, keeping it on disk, and loading it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from symland.errors import KernelError
from symland.machine.cache import entry_key, read_entry, source_digest, write_entry

__all__ = ["LoadedObject", "host", "load_text", "make_object"]


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


_COMPILING = Lock()
"""Options of LLVM hold for the whole process: whoever makes code holds this lock."""

OPTION = "misched-regpressure"
"""LLVM's scheduler leaves an order that holds many registers for one that waits longer. It counts 16 registers, while
a vector of 512 bits has 32 and a spilled one costs one load: without the rule straight code is a fifth quicker."""

KNOWN_VERSIONS = range(15, 23)
"""Versions of LLVM that have the option; another one might end the process over an option that it does not know."""


@contextmanager
def _scheduling(waits_least: bool) -> Iterator[None]:
    """Alone with LLVM, whose option is set back whatever happens."""
    llvm = _llvm()
    with _COMPILING:
        if not (waits_least and llvm.llvm_version_info[0] in KNOWN_VERSIONS):
            yield
            return
        llvm.set_option("", f"-{OPTION}=false")
        try:
            yield
        finally:
            llvm.set_option("", f"-{OPTION}=true")


def make_object(text: str, *, waits_least: bool = False) -> bytes:
    """Machine code of an LLVM module for this processor.

    Parameters
    ----------
    waits_least : bool
        Whether LLVM orders instructions by how long they wait alone, and not by the registers that they hold.

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
        raise KernelError(f"LLVM does not take its text ({line}); report it with the specification") from None
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=host()["cpu"], features=host()["features"], opt=2, jit=True)
    # The texts are shared, hoisted and folded as far as they can be: keep the stack in registers, fuse products into
    # sums. No pass may reorder or fuse what the text does not allow.
    manager = llvm.create_new_module_pass_manager()
    manager.add_sroa_pass()
    manager.add_instruction_combine_pass()
    manager.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1)))
    with _scheduling(waits_least):
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


def load_text(text: str, folder: Path | None) -> LoadedObject:
    """The machine code of an LLVM module, from the cache if it was made before.

    The key is the text itself with all that makes code of it, so what is found is what would be made: nothing that the
    text was written from needs to be known.
    """
    if folder is None:
        return LoadedObject(make_object(text))
    made_by = {"source": source_digest("machine"), **host()}
    facts = {"engine": "text", "text": hashlib.sha256(text.encode()).hexdigest(), **made_by}
    key = entry_key(facts)
    found = read_entry(folder, key)
    if found is not None:
        return LoadedObject(found[1])
    machine_code = make_object(text)
    write_entry(folder, key, facts, machine_code)
    return LoadedObject(machine_code)
