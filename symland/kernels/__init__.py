"""Compiled kernels: loss, gradient and Hessian of many points at once, verified against exact arithmetic."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symland.kernels.export import export_kernel
    from symland.kernels.kernel import CompiledKernel, compile_kernel
    from symland.kernels.verify import VerificationRecord, verify_kernel

__all__ = ["CompiledKernel", "VerificationRecord", "compile_kernel", "export_kernel", "verify_kernel"]

_HOMES = {
    "CompiledKernel": "kernel",
    "compile_kernel": "kernel",
    "export_kernel": "export",
    "VerificationRecord": "verify",
    "verify_kernel": "verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"symland.kernels.{_HOMES[name]}"), name)
