"""Freed memory serves the next array without a page fault."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from symland.machine.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        [np.ones(2**17) for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library hands out memory in another way")
def test_arrays_of_a_step_cost_no_page_faults_once_as_many_were_freed() -> None:
    """In a process of its own: the limit of one that has freed a large array has risen already."""
    # Dask, once imported, sets a fixed limit for all processes that follow.
    settings = {name: text for name, text in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10_000  # of 100 800; a system short of memory takes some pages back
