"""No kernel writes outside the arrays that it is given, or leaves an entry of its outputs unwritten."""

from __future__ import annotations

import numpy as np
import pytest

from symland.kernels import inertia
from symland.kernels.engines import ENTRY, inline_code, record_code, workspace
from symland.kernels.llvm import print_llvm
from symland.machine.llvm import LoadedObject, make_object
from symland.spec import load_spec

GUARD = 2048
"""Doubles before and behind each array that must stay as they are."""

UNTOUCHED = 12345.678


@pytest.mark.parametrize("want", [("value", "gradient"), ("hessian",), ("packed",), inertia.OUTPUTS], ids=str)
@pytest.mark.parametrize("hidden", [(1,), (3,), (6,), (3, 2)], ids=str)
def test_nothing_outside_is_touched(hidden: tuple[int, ...], want: tuple[str, ...]) -> None:
    import ctypes

    spec = load_spec("xor", hidden=hidden)
    p = spec.n_parameters
    code = inline_code(record_code(spec, want)[1])
    loaded = LoadedObject(make_object(print_llvm(code, ENTRY, packed=want == ("packed",))))
    call = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * (2 + len(want)))(loaded.address(ENTRY))
    sizes = {"gradient": p, "hessian": p * p, "packed": p * (p + 1) // 2}
    for n in (1, 5, 8, 11):
        theta = np.random.default_rng(n).normal(size=(n, p))
        work = np.full(workspace(code) + 2 * GUARD, UNTOUCHED)
        first = GUARD + -(work.ctypes.data // 8 + GUARD) % 8
        outputs = [np.full(n * sizes.get(name, 1) + 2 * GUARD, UNTOUCHED) for name in want]
        places = [out.ctypes.data + 8 * GUARD for out in outputs]
        call(n, work.ctypes.data + 8 * first, theta.ctypes.data, *places)
        assert (work[:first] == UNTOUCHED).all()
        assert (work[first + workspace(code) :] == UNTOUCHED).all()
        for out in outputs:
            assert (out[:GUARD] == UNTOUCHED).all()
            assert (out[-GUARD:] == UNTOUCHED).all()
            assert not (out[GUARD:-GUARD] == UNTOUCHED).any()
