"""Derivatives by the data: proved against SymPy, tested over a finite field, and compiled code against its program."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from symland.kernels.checks import check_recording
from symland.kernels.engines import record_code
from symland.kernels.kernel import compile_kernel
from symland.program.algebra import DATA_OUTPUTS
from symland.program.derive import build_program
from symland.program.identity import check_identity
from symland.program.ir import Contract
from symland.program.proof import prove_structure
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss, load_spec
from tests.strategies import specs


def outputs(spec: LandscapeSpec) -> tuple[str, ...]:
    return tuple(name for name in DATA_OUTPUTS if spec.loss is not Loss.SQUARED or name != "margins_by_theta")


def test_the_program_is_proved_against_sympy() -> None:
    deep = load_spec("xor", hidden=(2, 1))
    for spec in (load_spec("xor", hidden=(2,)), deep):
        program = build_program(spec, outputs(spec))
        assert prove_structure(spec, program).verdict is Verdict.CERTIFIED


def test_a_wrong_coefficient_is_refuted_for_every_output() -> None:
    spec = load_spec("xor", hidden=(1,))
    for name in DATA_OUTPUTS:
        program = build_program(spec, (name,))
        last = max(k for k, s in enumerate(program.statements) if isinstance(s, Contract) and s.out.array[0] in "bms")
        wrong = list(program.statements)
        wrong[last] = replace(wrong[last], coefficient=2 * wrong[last].coefficient)
        faulty = replace(program, statements=tuple(wrong))
        assert prove_structure(spec, faulty).verdict is Verdict.REFUTED, name
        assert check_identity(spec, faulty).verdict is Verdict.REFUTED, name


@settings(max_examples=12)
@given(specs(deepest=3))
def test_the_program_passes_the_identity_test_for_every_loss(spec: LandscapeSpec) -> None:
    assert check_identity(spec, build_program(spec, outputs(spec))).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("name", DATA_OUTPUTS)
@settings(max_examples=4)
@given(spec=specs())
def test_recorded_code_is_its_program(name: str, spec: LandscapeSpec) -> None:
    if name in outputs(spec):
        program, code = record_code(spec, (name,))
        assert check_recording(program, code).verdict is Verdict.CERTIFIED


def test_the_compiled_derivatives_are_differences_of_the_compiled_gradient() -> None:
    spec = load_spec("xor", hidden=(2,), penalty="1e-2")
    kernel = compile_kernel(spec, runtime_data=True)
    theta = np.random.default_rng(3).normal(size=(5, 12))
    mixed = compile_kernel(spec).evaluator(("mixed",))(theta)[0]
    assert mixed.shape == (5, 4, 2, 12)
    step = Fraction(1, 2**17)
    for d in range(4):
        for k in range(2):
            ends = []
            for sign in (-1, 1):
                rows = [list(row) for row in spec.data.inputs]
                rows[d][k] += sign * step
                moved = spec.with_(data=replace(spec.data, inputs=tuple(map(tuple, rows))))
                ends.append(kernel.bind(moved).gradient(theta))
            difference = (ends[1] - ends[0]) / float(2 * step)
            np.testing.assert_allclose(mixed[:, d, k], difference, rtol=0, atol=1e-9)
