"""The algebra of SymPy expressions: running a program over it is a symbolic derivation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy
from sympy import Expr, Rational

from symland.program.algebra import Algebra
from symland.symbolic.functions import Erf, Gauss, Logistic, Lse0, Sech2, Softmax0, Softplus, Tanh

__all__ = ["ExpressionAlgebra"]

_FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tanh": Tanh,
    "sech2": Sech2,
    "logistic": Logistic,
    "softplus": Softplus,
    "erf": Erf,
    "gauss": Gauss,
    "lse0": Lse0,
}


class ExpressionAlgebra(Algebra[Expr]):
    """Numbers are SymPy expressions in the primitive functions."""

    def constant(self, value: Fraction) -> Expr:
        return Rational(value.numerator, value.denominator)

    def primitive(self, op: str, args: Sequence[Expr], value: Fraction | None) -> Expr:
        if op == "div":
            return args[0] / args[1]
        if op == "power":
            assert value is not None
            return args[0] ** int(value)
        if op == "softmax0":
            assert value is not None
            return Softmax0(sympy.Integer(int(value)), *args)
        return _FUNCTIONS[op](*args)
