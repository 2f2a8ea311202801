"""Dual numbers over SymPy are the derivative that SymPy finds: one more direction of the same program."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import sympy

from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.dual import Dual, DualAlgebra
from symland.program.expressions import ExpressionAlgebra
from symland.program.ir import PRIMITIVES
from symland.spec import load_spec
from symland.symbolic.functions import standard

ARGUMENTS = {"power": 1, "lse0": 2, "softmax0": 2}


@pytest.mark.parametrize("op", sorted(PRIMITIVES))
def test_a_primitive_has_the_derivative_that_sympy_finds(op: str) -> None:
    algebra: DualAlgebra[Any] = DualAlgebra(ExpressionAlgebra())
    t = sympy.Symbol("t", real=True)
    starts, slopes = sympy.symbols("a b", positive=True), sympy.symbols("c d", positive=True)
    count = ARGUMENTS.get(op, PRIMITIVES[op])
    value = {"power": Fraction(3), "softmax0": Fraction(1)}.get(op)
    args = [Dual(a, c) for a, c in zip(starts[:count], slopes, strict=False)]
    found = algebra.primitive(op, args, value).b
    line = [a + t * c for a, c in zip(starts[:count], slopes, strict=False)]
    whole = standard(ExpressionAlgebra().primitive(op, line, value))
    expected = sympy.diff(whole, t).subs(t, 0)
    point = {s: sympy.Rational(k + 2, 7) for k, s in enumerate((*starts, *slopes))}
    assert abs(sympy.N((standard(found) - expected).subs(point), 30)) < 1e-25


def test_the_gradient_along_a_line_of_data_is_the_mixed_derivative() -> None:
    spec = load_spec("xor", hidden=[1], penalty="1e-2")
    t = sympy.Symbol("t", real=True)
    theta = sympy.symbols(f"w:{spec.n_parameters}", real=True)
    algebra = ExpressionAlgebra()
    cells = [sympy.Rational(cell.numerator, cell.denominator) for row in spec.data.inputs for cell in row]
    moved = [cell + t * int(k == 7) / 3 for k, cell in enumerate(cells)]
    loss = run(build_program(spec, ("value",)), algebra, list(theta), {"x": moved}).value
    dual: DualAlgebra[Any] = DualAlgebra(algebra)
    data = [Dual(cell, sympy.Rational(1, 3) if k == 7 else None) for k, cell in enumerate(cells)]
    found = run(build_program(spec, ("gradient",)), dual, [Dual(x) for x in theta], {"x": data}).gradient
    point = {x: sympy.Rational(2 * k - 5, 9) for k, x in enumerate(theta)}
    for x, g in zip(theta, found, strict=True):
        expected = sympy.diff(standard(loss), x, t).subs(t, 0).subs(point)
        assert abs(sympy.N(expected - (0 if g.b is None else standard(g.b).subs(point)), 30)) < 1e-25
