"""How the C library hands out memory for large arrays."""

from __future__ import annotations

import numpy as np

__all__ = ["keep_freed_memory"]

KEPT = 2**25 - 2**13
"""Bytes just below the largest limit that glibc lets itself be taught."""


def keep_freed_memory() -> None:
    """Let this process use freed memory again for the next array, up to 64 MiB, rather than ask for new pages.

    glibc hands an array of 128 KiB or more back to the system when it is freed, so that the next one costs a page
    fault for each 4 KiB: several times what is computed with it. The limit rises to the size of whatever was freed
    above it, up to 32 MiB (`mallopt(3)`, "dynamic mmap threshold"). One array that nobody writes to costs no page.
    Other C libraries take no notice.
    """
    np.empty(KEPT, dtype=np.uint8)
