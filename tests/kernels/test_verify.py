"""The verification record, and random networks through recording and code."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings

from symland.errors import VerificationError
from symland.kernels import compile_kernel
from symland.kernels.checks import check_recording
from symland.kernels.engines import record_code
from symland.kernels.record import record
from symland.kernels.verify import verify_kernel
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Verdict
from symland.spec import LandscapeSpec, load_spec
from tests.strategies import specs


def test_every_check_passes_for_the_xor_network_and_is_written_down() -> None:
    record = verify_kernel(compile_kernel(load_spec("xor"), cache=False))
    assert record.verdict is Verdict.CERTIFIED
    assert {c.kind for c in record.checks} == {"a", "b", "c"}
    values = json.loads(json.dumps(record.to_dict()))
    assert values["verdict"] == "certified"
    assert all(c["measured"] <= c["budget"] for c in values["checks"] if c["measured"] is not None)


def test_the_numpy_engine_passes_the_same_checks() -> None:
    record = verify_kernel(compile_kernel(load_spec("xor", hidden=(1,)), engine="numpy"))
    assert record.verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    "activation",
    [
        "exp(-z**2)*sin(z) + log(1 + exp(z))/(1 + z**2)",
        "erf(z)*cos(z) + sqrt(1 + z**2) - tanh(z)**3 + 1/(1 + exp(-z))",
    ],
)
def test_every_primitive_function_passes_all_checks(activation: str) -> None:
    spec = load_spec("xor", hidden=(1,)).with_(activation=activation, bias=False)
    assert verify_kernel(compile_kernel(spec, cache=False)).verdict is Verdict.CERTIFIED


@settings(max_examples=16)
@given(specs())
def test_recorded_code_is_its_program_for_random_networks(spec: LandscapeSpec) -> None:
    for runtime_data in (False, True):
        program, code = record_code(spec, ("value", "gradient", "hessian"), runtime_data)
        assert check_recording(program, code).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("limit", [1, 8])
def test_recorded_code_with_loops_is_its_program(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    # With low limits every index of a small network becomes a loop.
    monkeypatch.setattr("symland.kernels.schedule.STRAIGHT_LINE_TERMS", 0)
    monkeypatch.setattr("symland.kernels.schedule.BODY_TERMS", limit)
    monkeypatch.setattr("symland.kernels.schedule.NARROW", 1)
    for name, changes in (("xor", {"hidden": (3, 2, 4)}), ("xor-pm", {"hidden": (5,), "bias": False})):
        program = build_program(load_spec(name).with_(**changes))
        assert check_recording(program, record(program)).verdict is Verdict.CERTIFIED


@settings(max_examples=8)
@given(specs(deepest=2))
def test_random_networks_compile_to_what_numpy_computes(spec: LandscapeSpec) -> None:
    kernel = compile_kernel(spec, cache=False, verify=False)
    theta = np.random.default_rng(3).normal(size=(9, spec.n_parameters))
    program = build_program(spec, ("value", "gradient"))
    for got, expected in zip(kernel.value_gradient(theta), evaluate(program, theta)[:2], strict=True):
        assert np.abs(got - expected).max() <= 1e-12 * max(1.0, np.abs(expected).max())


def test_a_kernel_that_fails_is_not_returned_and_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from symland.kernels import llvm

    sound = llvm.print_llvm
    monkeypatch.setattr(
        llvm, "print_llvm", lambda code, name, **rest: sound(code, name, **rest).replace("fadd", "fsub", 20)
    )
    kernel = compile_kernel(load_spec("xor"), cache=tmp_path)
    with pytest.raises(VerificationError, match="numpy"):
        kernel.value(np.zeros((1, 12)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("want", [("value", "gradient"), ("hessian",)], ids=str)
def test_the_code_does_not_grow_with_the_width(want: tuple[str, ...]) -> None:
    lines = {width: len(record_code(load_spec("xor", hidden=(width,)), want)[1].text()) for width in (12, 24, 96)}
    assert lines[96] <= 1.3 * lines[12]
    assert lines[96] <= 1.3 * lines[24]
