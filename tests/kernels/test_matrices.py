"""Symmetric matrices are written in whole lines of the memory, past the cache where they are many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symland.kernels import CompiledKernel, compile_kernel, llvm, matrices
from symland.kernels.calls import check_calls
from symland.kernels.lanes import LaneCode
from symland.machine.gate import aligned
from symland.records import Verdict
from symland.spec import load_spec

LINE = 8
"""Doubles of a line."""

GUARD = 64
"""Doubles before and behind the result that must stay as they are."""

UNTOUCHED = 12345.678

# Orders 17, 22, 32, 37 and 42: the matrices of a strip begin at every entry of a line, at two of them, or with a line;
# from six nodes on there are loops, in which the strip before is written.
WIDTHS = (3, 4, 6, 7, 8)


def written(kernel: CompiledKernel, theta: np.ndarray, *, packed: bool, offset: int) -> np.ndarray:
    """The Hessians in an array that starts `offset` entries behind a line."""
    n, p = theta.shape
    shape = (n, p * (p + 1) // 2) if packed else (n, p, p)
    room = aligned((int(np.prod(shape)) + 2 * GUARD + LINE,))
    room[...] = UNTOUCHED
    first = GUARD + offset
    out = room[first : first + int(np.prod(shape))].reshape(shape)
    (kernel.packed_hessian if packed else kernel.hessian)(theta, out=out)
    assert (room[:first] == UNTOUCHED).all()
    assert (room[first + out.size :] == UNTOUCHED).all()
    return out


@pytest.mark.parametrize("packed", [False, True], ids=["full", "packed"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_bits_are_the_same_past_the_cache_and_wherever_the_result_begins(
    monkeypatch: pytest.MonkeyPatch, width: int, packed: bool
) -> None:
    spec = load_spec("xor", hidden=(width,))
    theta = np.random.default_rng(width).normal(size=(27, spec.n_parameters))
    exact = compile_kernel(spec, engine="numpy").hessian(theta)
    if packed:
        exact = exact[:, *np.triu_indices(spec.n_parameters)]
    plain = compile_kernel(spec, cache=False, verify=False)
    reference = written(plain, theta, packed=packed, offset=0)
    assert np.abs(reference - exact).max() < 1e-13
    monkeypatch.setattr(matrices, "STREAMED", 0)
    streaming = compile_kernel(spec, cache=False, verify=False)
    for kernel in (plain, streaming):
        for n in (1, 7, 8, 16, 27):
            for offset in range(LINE) if n == 27 else (0,):
                got = written(kernel, theta[:n], packed=packed, offset=offset)
                assert np.array_equal(got, reference[:n])


@pytest.mark.parametrize("width", [3, 6])
def test_verification_sees_a_line_that_is_missing_past_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int
) -> None:
    sound = llvm.print_llvm

    def planted(code: LaneCode, name: str, **rest: Any) -> str:
        lines = sound(code, name, **rest).split("\n")
        streamed = [k for k, line in enumerate(lines) if "!nontemporal" in line]
        for k in streamed[-1:]:
            del lines[k]
        return "\n".join(lines)

    def refuted(folder: Path) -> set[str]:
        kernel = compile_kernel(load_spec("xor", hidden=(width,)), cache=folder, verify=False, runtime_data=True)
        return {c.name for c in check_calls(kernel) if c.verdict is Verdict.REFUTED}

    assert not refuted(tmp_path / "sound")
    monkeypatch.setattr(llvm, "print_llvm", planted)
    assert refuted(tmp_path / "broken") == {"calls: past the cache"}
