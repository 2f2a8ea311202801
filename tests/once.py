"""What several workers of one test run need is made by the first of them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["made_once"]

PATIENCE = 600.0
"""Seconds after which a maker is taken for dead."""


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A copy for this worker of the folder that `make` fills in whichever worker comes first."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"once-{name}"
    done, failed = folder.with_suffix(".done"), folder.with_suffix(".failed")
    try:
        folder.mkdir()
    except FileExistsError:
        start = time.monotonic()
        while not done.exists():
            if failed.exists() or time.monotonic() - start > PATIENCE:
                pytest.fail(f"{name} was not made by the worker that came first")
            time.sleep(0.1)
    else:
        try:
            make(folder)
        except BaseException:
            failed.touch()
            raise
        done.touch()
    return Path(shutil.copytree(folder, factory.mktemp("copies") / name))
