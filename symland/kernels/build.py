"""Machine code: LLVM, the object cache on disk, and loading.

A cached object is one file: a line of JSON (format, key, SHA-256 and size of the object, facts about its making) and
the object. The key holds everything that the machine code depends on; a file whose key or checksum does not fit is made
again. Files appear by an atomic rename, so processes may race: each finds a whole file or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from symland.errors import KernelError

__all__ = ["cache_folder", "host", "load_object", "make_object", "read_entry", "source_digest", "write_entry"]

FORMAT = 1
"""Of the files in the cache."""


@cache
def source_digest() -> str:
    """SHA-256 of the modules that decide what a kernel is: derivation, lowering, recording, printing."""
    root = Path(__file__).parent.parent
    files = [root / "spec.py", root / "layout.py", *sorted((root / "symbolic").glob("*.py"))]
    files += [*sorted((root / "program").glob("*.py")), *sorted((root / "kernels").glob("*.py"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


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


class LoadedObject:
    """Machine code in memory; it lives as long as this does."""

    def __init__(self, machine_code: bytes) -> None:
        llvm = _llvm()
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(machine_code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


def load_object(machine_code: bytes) -> LoadedObject:
    return LoadedObject(machine_code)


# -- the cache ----------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where objects are kept: SYMLAND_CACHE, or the platform's folder for caches."""
    given = os.environ.get("SYMLAND_CACHE")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("symland")) / "kernels"


def entry_key(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the facts that an object depends on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read_entry(folder: Path, key: str) -> tuple[dict[str, Any], bytes] | None:
    """The facts and the object under a key; None if there is none or it is damaged."""
    try:
        content = (folder / f"{key}.o").read_bytes()
        line, _, machine_code = content.partition(b"\n")
        head = json.loads(line)
        whole = (
            head["format"] == FORMAT
            and head["key"] == key
            and head["size"] == len(machine_code)
            and head["sha256"] == hashlib.sha256(machine_code).hexdigest()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (head["facts"], machine_code) if whole else None


def write_entry(folder: Path, key: str, facts: Mapping[str, Any], machine_code: bytes) -> bool:
    """Keep an object under a key; False where the folder cannot be written."""
    head = {
        "format": FORMAT,
        "key": key,
        "size": len(machine_code),
        "sha256": hashlib.sha256(machine_code).hexdigest(),
        "facts": dict(facts),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="new-")
    except OSError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + machine_code)
        Path(name).replace(folder / f"{key}.o")
    except OSError:
        Path(name).unlink(missing_ok=True)
        return False
    return True


def cached(folder: Path | None, key: str, make: Callable[[], tuple[Mapping[str, Any], bytes]]) -> bytes:
    """The object under a key, made and kept if it is not there."""
    if folder is not None and (found := read_entry(folder, key)) is not None:
        return found[1]
    facts, machine_code = make()
    if folder is not None:
        write_entry(folder, key, facts, machine_code)
    return machine_code
