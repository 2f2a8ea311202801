"""The derivation program computes the loss, gradient and Hessian, over every algebra."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import arb
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from symland.program.algebra import run
from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.program.digits import evaluate_digits
from symland.program.expressions import ExpressionAlgebra
from symland.program.floats import evaluate
from symland.program.identity import check_identity
from symland.program.ir import Contract, Program
from symland.program.proof import additive, prove_activation, prove_head, prove_program, prove_structure
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss, builtin
from symland.symbolic.functions import standard
from symland.symbolic.loss import build_loss
from tests.strategies import specs

XOR = builtin("xor")
PUBLISHED_POINT = np.arange(1, 13) / 10


def test_the_published_test_vector_is_met_to_1e_14() -> None:
    # Values of the Wales group's own binaries for MLPVB3 at theta = 0.1, 0.2, ..., 1.2.
    for penalty, wanted in (("0", 0.7143509399729032), ("0.01", 0.7793509399729033)):
        value, gradient, hessian = evaluate(build_program(XOR.with_(penalty=penalty)), PUBLISHED_POINT[None])
        assert abs(value[0] / wanted - 1) < 1e-14
    assert abs(np.linalg.norm(gradient) / np.sqrt(12) / 0.06747607907 - 1) < 1e-9
    spectrum = np.linalg.eigvalsh(hessian[0])
    assert np.allclose(spectrum[:2], [-0.04722636116, -0.02330743308], rtol=1e-9)
    assert abs(np.log(spectrum[2:]).sum() / -33.8943733522 - 1) < 1e-11


def difference_quotients(program: Program, theta: np.ndarray, h: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
    steps = h * np.eye(theta.size)
    up, down = evaluate(program, theta + steps), evaluate(program, theta - steps)
    return (up[0] - down[0]) / (2 * h), (up[1] - down[1]) / (2 * h)


@given(specs(), st.integers(0, 2**32))
@hypothesis_settings(max_examples=60)
def test_gradient_and_hessian_are_limits_of_difference_quotients(spec: LandscapeSpec, seed: int) -> None:
    theta = np.random.default_rng(seed).uniform(-0.8, 0.8, spec.n_parameters)
    program = build_program(spec)
    _, gradient, hessian = evaluate(program, theta[None])
    first, second = difference_quotients(program, theta)
    scale = 1 + np.abs(hessian).max()
    assert np.abs(gradient[0] - first).max() < 1e-6 * scale
    assert np.abs(hessian[0] - second).max() < 1e-6 * scale
    assert (hessian[0] == hessian[0].T).all()


@given(specs(deepest=1, widest=2), st.integers(0, 2**32))
@hypothesis_settings(max_examples=5)
def test_the_program_agrees_with_sympy_diff_of_the_whole_loss(spec: LandscapeSpec, seed: int) -> None:
    theta = np.random.default_rng(seed).uniform(-0.9, 0.9, spec.n_parameters)
    loss = build_loss(spec)
    gradient = [sympy.diff(loss.expression, p) for p in loss.theta]
    corner = [sympy.diff(gradient[0], p) for p in loss.theta]
    direct = sympy.lambdify(loss.theta, [loss.expression, *gradient, *corner], "mpmath", cse=True)
    with mp.workdps(40):
        point = [mpf(t) for t in theta]
        ran = evaluate_digits(build_program(spec), point)
        for got, wanted in zip([ran.value, *ran.gradient, *ran.hessian[0]], direct(*point), strict=True):
            assert abs(got - wanted) < 1e-30


@given(specs(), st.integers(0, 2**32))
@hypothesis_settings(max_examples=40)
def test_balls_hold_what_many_digits_give(spec: LandscapeSpec, seed: int) -> None:
    theta = np.random.default_rng(seed).normal(size=spec.n_parameters)
    program = build_program(spec)
    with working_precision(80):
        balls = evaluate_balls(program, [arb(t) for t in theta])
    with mp.workdps(60):
        digits = evaluate_digits(program, [mpf(t) for t in theta])
        pairs = list(zip(balls.gradient, digits.gradient, strict=True))
        pairs += [pair for rows in zip(balls.hessian, digits.hessian, strict=True) for pair in zip(*rows, strict=True)]
        for ball, number in [*pairs, (balls.value, digits.value)]:
            assert ball.is_finite()
            assert (
                abs(mpf(ball.mid().str(60, radius=False)) - number)
                <= mpf(ball.rad().str(20, radius=False)) * 1.01 + mpf(10) ** -55
            )


@given(specs(deepest=2), st.integers(0, 2**32), st.floats(1e-6, 0.5))
@hypothesis_settings(max_examples=40)
def test_a_box_encloses_the_values_at_points_inside_it(spec: LandscapeSpec, seed: int, radius: float) -> None:
    draw = np.random.default_rng(seed)
    theta = draw.normal(size=spec.n_parameters)
    program = build_program(spec)
    box = evaluate_balls(program, [arb(t, radius) for t in theta])
    points = theta + draw.uniform(-radius, radius, (5, theta.size))
    values, gradients, _ = evaluate(program, points)
    for value, gradient in zip(values, gradients, strict=True):
        for ball, number in zip([box.value, *box.gradient], [value, *gradient], strict=True):
            slack = arb(0, 1e-9 * (1 + abs(number)))
            assert (ball + slack).contains(arb(number))


@pytest.mark.parametrize(
    "spec",
    [
        XOR,
        XOR.with_(hidden=(2, 2), bias=False),
        XOR.with_(activation="softplus", loss=Loss.LOGISTIC, outputs=0),
        XOR.with_(activation="z*(1+erf(z/sqrt(2)))/2", hidden=(1,), outputs=3),
    ],
    ids=["one hidden layer", "two hidden layers", "logistic", "three classes"],
)
def test_the_program_is_proved_against_sympy_diff(spec: LandscapeSpec) -> None:
    assert [s.verdict for s in prove_program(spec)] == [Verdict.CERTIFIED] * 3


def test_the_program_of_the_origin_is_ln_2_exactly() -> None:
    ran = run(build_program(XOR, want=["value"]), ExpressionAlgebra(), [sympy.Integer(0)] * 12)
    assert standard(ran.value) == sympy.log(2)


def faults(program: Program) -> list[Program]:
    """The program with one statement negated, dropped, or with two letters of its output exchanged."""
    out = []
    for k, s in enumerate(program.statements):
        if not isinstance(s, Contract):
            continue
        before, after = program.statements[:k], program.statements[k + 1 :]
        out.append(replace(program, statements=(*before, replace(s, coefficient=-s.coefficient), *after)))
        out.append(replace(program, statements=before + after))
        if len(s.factors) > 1 and s.factors[0] != s.factors[1]:
            repeated = replace(s, factors=(s.factors[0], s.factors[0], *s.factors[2:]))
            if repeated.letters == s.letters:
                out.append(replace(program, statements=(*before, repeated, *after)))
    return out


@pytest.mark.parametrize("hidden", [(2,), (2, 2)])
def test_the_identity_test_refuses_every_planted_fault(hidden: tuple[int, ...]) -> None:
    spec = XOR.with_(hidden=hidden)
    program = build_program(spec)
    planted = faults(program)
    assert len(planted) > 80
    assert check_identity(spec, program).verdict is Verdict.CERTIFIED
    missed = [k for k, fault in enumerate(planted) if check_identity(spec, fault).verdict is not Verdict.REFUTED]
    assert missed == []


def test_the_symbolic_proof_refuses_planted_faults() -> None:
    spec = XOR.with_(hidden=(1,))
    program = build_program(spec)
    for fault in faults(program)[::12]:
        assert prove_structure(spec, fault).verdict is not Verdict.CERTIFIED


def test_a_wrong_mean_over_the_samples_is_refuted() -> None:
    program = build_program(XOR)
    mean = [replace(s, coefficient=Fraction(1)) if isinstance(s, Contract) else s for s in program.statements]
    assert prove_structure(XOR, replace(program, statements=tuple(mean))).verdict is Verdict.REFUTED


def test_a_program_that_mixes_samples_is_not_additive() -> None:
    program = build_program(XOR)
    assert additive(program)
    square = next(s for s in program.statements if isinstance(s, Contract) and s.out.array == "value")
    mixed = replace(square, factors=(*square.factors, *square.factors))
    again = Contract(out=square.out, factors=(replace(square.out), replace(square.out)))
    assert not additive(replace(program, statements=(*program.statements, mixed, again)))


def test_a_wrong_formula_is_refuted() -> None:
    program = build_program(XOR)
    jet, head = program.formulas["activation"], program.formulas["head"]
    swapped = replace(program, formulas={"activation": replace(jet, outputs=jet.outputs[::-1]), "head": head})
    assert prove_activation(XOR, swapped).verdict is Verdict.REFUTED
    a, b, c = head.outputs
    swapped = replace(program, formulas={"activation": jet, "head": replace(head, outputs=(a, c, b))})
    assert prove_head(XOR, swapped).verdict is Verdict.REFUTED


@given(specs())
@hypothesis_settings(max_examples=40)
def test_random_architectures_pass_the_identity_test(spec: LandscapeSpec) -> None:
    assert check_identity(spec, build_program(spec)).verdict is Verdict.CERTIFIED


def test_saturated_derivatives_keep_their_digits() -> None:
    # At s = 40 the slope 1 - tanh(s)^2 = 4 e^{-80} is lost by subtraction; the program must keep it.
    spec = XOR.with_(penalty="0", hidden=(1,))
    theta = np.array([20.0, 20.0, 1.0, -1.0, 0.0, 0.0, 0.0])
    _, gradient, _ = evaluate(build_program(spec), theta[None])
    with mp.workdps(80):
        wanted = evaluate_digits(build_program(spec), [mpf(t) for t in theta]).gradient
    assert abs(gradient[0, 0] / float(wanted[0]) - 1) < 1e-12


def test_what_is_not_wanted_is_not_computed() -> None:
    program = build_program(XOR, want=["value"])
    assert program.outputs == ("value",)
    assert not any(name.startswith(("delta", "hessian")) for name in program.arrays)
    with pytest.raises(ValueError, match="want must be among"):
        build_program(XOR, want=["jacobian"])
