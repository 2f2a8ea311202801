"""A kernel made where it runs: what a worker process needs to import, and no more."""

from __future__ import annotations

from typing import Any

from symland.kernels.kernel import CompiledKernel, compile_kernel
from symland.spec import LandscapeSpec

__all__ = ["kernel_of"]


def kernel_of(canonical: dict[str, Any]) -> CompiledKernel:
    """The kernel of the specification that `LandscapeSpec.canonical` wrote."""
    return compile_kernel(LandscapeSpec.from_canonical(canonical))
