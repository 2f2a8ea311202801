"""What no output needs is left out, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.floats import NumpyAlgebra
from symland.program.ir import Apply
from symland.program.needed import needed
from symland.spec import load_spec


@pytest.mark.parametrize("want", [("margins",), ("margins", "margins_by_input"), ("gradient",), ("hessian", "mixed")])
def test_the_outputs_stay_and_margins_need_no_head_of_the_loss(want: tuple[str, ...]) -> None:
    spec = load_spec("xor").with_(hidden=(3, 2))
    whole = build_program(spec, want)
    small = needed(whole)
    theta = [np.float64(x) for x in np.random.default_rng(0).normal(size=spec.n_parameters)]
    before, after = (run(program, NumpyAlgebra(), theta) for program in (whole, small))
    assert before.by_data == after.by_data
    assert before.gradient == after.gradient
    assert before.hessian == after.hessian
    heads = [s for s in small.statements if isinstance(s, Apply) and s.formula == "head"]
    assert bool(heads) == ("margins" not in want)
    assert set(small.statements) <= set(whole.statements)
