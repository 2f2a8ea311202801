"""C compilers: the one of the system, or ziglang where that is installed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from symland.errors import KernelError

__all__ = ["LoadedLibrary", "compiler", "compiler_facts", "make_library"]

FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-shared")


@cache
def compiler() -> tuple[str, ...]:
    """The command of a C compiler: that of the variable CC, cc, gcc, clang, or ziglang's.

    Raises
    ------
    KernelError
        If there is none.
    """
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and (path := shutil.which(name)):
            return (path,)
    try:
        import ziglang  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        raise KernelError("no C compiler was found; install one, or ziglang from PyPI, or use engine='llvm'") from None
    return (sys.executable, "-m", "ziglang", "cc")


@cache
def compiler_facts() -> Mapping[str, str]:
    """What machine code of the C engine depends on."""
    from symland.machine.llvm import host

    version = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, check=False).stdout
    first = version.splitlines()[0] if version else ""
    return {"compiler": first, "flags": " ".join(FLAGS), "cpu": host()["cpu"], "features": host()["features"]}


def make_library(text: str) -> bytes:
    """The shared library of a C text.

    Raises
    ------
    KernelError
        If the compiler does not take it.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "kernel.c", Path(folder) / "kernel.so"
        source.write_text(text)
        command = [*compiler(), *FLAGS, "-o", str(library), str(source), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            line = " ".join(done.stderr.split())[:200]
            raise KernelError(f"the C compiler does not take the kernel ({line}); use engine='llvm'")
        return library.read_bytes()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where libraries stand until the process ends.

    The dynamic linker tells libraries apart by the number of their file. If the file were removed, its number could go
    to the next library, and the linker would give that one's caller the first one's functions.
    """
    return tempfile.TemporaryDirectory(prefix="symland-", ignore_cleanup_errors=True)


class LoadedLibrary:
    """A shared library in memory."""

    def __init__(self, content: bytes) -> None:
        descriptor, path = tempfile.mkstemp(dir=_folder().name, suffix=".so")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self._library = ctypes.CDLL(path)

    def address(self, name: str) -> int:
        return ctypes.cast(getattr(self._library, name), ctypes.c_void_p).value or 0
