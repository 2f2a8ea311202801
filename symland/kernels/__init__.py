"""Compiled kernels: loss, gradient and Hessian of many points at once, verified against exact arithmetic."""

from __future__ import annotations

from symland.kernels.kernel import CompiledKernel, compile_kernel

__all__ = ["CompiledKernel", "compile_kernel"]
