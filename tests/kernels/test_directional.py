"""Hessian-vector products and gradients of single samples, against the Hessian, the gradient and finite fields."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from flint import fmpq
from hypothesis import given, settings

from symland.kernels.checks import check_recording
from symland.kernels.engines import record_code
from symland.program.algebra import Algebra, run
from symland.program.derive import build_program
from symland.program.ir import Formula
from symland.records import Verdict
from symland.spec import LandscapeSpec
from tests.strategies import specs


class CubicAlgebra(Algebra[fmpq]):
    """Exact rationals, with cubes for the activation and for the head: every derivative is a polynomial."""

    def constant(self, value: Fraction) -> fmpq:
        return fmpq(value.numerator, value.denominator)

    def primitive(self, op, args, value):  # type: ignore[no-untyped-def]
        raise AssertionError(op)

    def apply(self, formula: Formula, args):  # type: ignore[no-untyped-def]
        n, total = len(args), sum(args, fmpq(0))
        jet = [total**3, 3 * total**2, 6 * total]
        if formula.name == "activation":
            return jet[: len(formula.outputs)]
        return [jet[0], *[jet[1]] * n, *[jet[2]] * (n * n)][: len(formula.outputs)]


def rationals(draw: Random, n: int) -> list[fmpq]:
    return [fmpq(draw.randrange(-9, 10), 4) for _ in range(n)]


@settings(max_examples=20)
@given(specs(deepest=3))
def test_the_product_is_the_hessian_times_the_vector(spec: LandscapeSpec) -> None:
    draw, p = Random(spec.digest), spec.n_parameters
    theta, v = rationals(draw, p), rationals(draw, p)
    product = run(build_program(spec, ("product",)), CubicAlgebra(), theta, direction=v).product
    hessian = run(build_program(spec, ("hessian",)), CubicAlgebra(), theta).hessian
    assert product == [sum((h * x for h, x in zip(row, v, strict=True)), fmpq(0)) for row in hessian]


@settings(max_examples=20)
@given(specs(deepest=3))
def test_the_gradients_of_the_samples_and_of_the_penalty_make_the_gradient(spec: LandscapeSpec) -> None:
    theta = rationals(Random(spec.digest), spec.n_parameters)
    without = spec.with_(penalty="0")
    ran = run(build_program(without, ("gradient", "per_sample")), CubicAlgebra(), theta)
    means = [sum(column, fmpq(0)) / spec.n_samples for column in zip(*ran.per_sample, strict=True)]
    assert means == ran.gradient


@pytest.mark.parametrize("want", [("product",), ("per_sample",), ("gradient", "product")])
@settings(max_examples=10)
@given(spec=specs())
def test_recorded_code_is_its_program(want: tuple[str, ...], spec: LandscapeSpec) -> None:
    program, code = record_code(spec, want)
    assert check_recording(program, code).verdict is Verdict.CERTIFIED
