"""The activation sigma and its jet (sigma, sigma', sigma''), derived by SymPy from the text that the user names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import sympy
from sympy import Expr, Function, Symbol

from symland.errors import SpecError
from symland.expression import Node, parse_activation
from symland.symbolic.functions import PRIMITIVES, Erf, Logistic, Softplus, Tanh, standard

__all__ = ["Activation", "Z", "derive_activation"]

Z = Symbol("z", real=True)

_FUNCTIONS: dict[str, Callable[[Expr], Expr]] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "tanh": Tanh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "erf": Erf,
    "sqrt": sympy.sqrt,
    "sigmoid": Logistic,
    "softplus": Softplus,
}


SOMEWHERE = sympy.Rational(3, 7)
"""A point z at which an expression is looked at before it is proved to be zero everywhere."""

CLEARLY = 1e-6
"""Absolute value there above which no proof is tried."""

_SMOOTH = frozenset({sympy.exp, sympy.log, sympy.sin, sympy.cos, *PRIMITIVES})


@dataclass(frozen=True, kw_only=True)
class Activation:
    """sigma and its derivatives in the primitive functions, as expressions in `Z`.

    Attributes
    ----------
    text : str
    jet : (sigma, sigma', sigma'')
    """

    text: str
    jet: tuple[Expr, Expr, Expr]

    @property
    def expression(self) -> Expr:
        """sigma(z) in SymPy's own functions."""
        return standard(self.jet[0])

    def at(self, argument: Expr) -> Expr:
        """sigma(argument) in SymPy's own functions."""
        return self.expression.subs(Z, argument)

    @property
    def is_odd(self) -> bool:
        """Whether sigma(-z) = -sigma(z) was proved; False when it is not true or not decided."""
        return bool(_vanishes(self.expression.subs(Z, -Z) + self.expression))

    @property
    def is_even(self) -> bool:
        """Whether sigma(-z) = sigma(z) was proved; False when it is not true or not decided."""
        return bool(_vanishes(self.expression.subs(Z, -Z) - self.expression))

    @property
    def vanishes_at_zero(self) -> bool:
        """Whether sigma(0) = 0 was proved; False when it is not true or not decided."""
        return bool(_vanishes(self.expression.subs(Z, 0)))


def _vanishes(expression: Expr) -> bool:
    """Whether an expression was proved to be zero; one that is not zero at a point is left without a try."""
    if expression == 0:
        return True
    at_a_point = expression.subs(Z, SOMEWHERE).evalf()
    if at_a_point.is_Float and abs(at_a_point) > CLEARLY:
        return False
    return sympy.simplify(expression.rewrite(sympy.exp)) == 0


@cache
def derive_activation(text: str) -> Activation:
    """Differentiate the activation that a text names.

    Raises
    ------
    SpecError
        If the text is outside the grammar of `symland.expression`, or SymPy brings it into a form without a jet.
    """
    value = _stable(_expression(parse_activation(text)))
    # The square root of a square becomes an absolute value, which has no derivative in the primitives.
    if strange := {f.func.__name__ for f in value.atoms(Function) if f.func not in _SMOOTH} | _unreal(value):
        what = f"{text[:60]!r} is brought by SymPy into a form with {', '.join(sorted(strange))}"
        advice = "write it in a simpler way, without the square root of a square"
        raise SpecError.at("network.activation", what, advice)
    first = sympy.diff(value, Z)
    if not value.has(Z) or _vanishes(first):
        what = f"{text[:60]!r} is a constant"
        raise SpecError.at("network.activation", what, 'write an expression that varies with z, such as "z*tanh(z)"')
    return Activation(text=text, jet=(value, first, sympy.diff(first, Z)))


def _unreal(expression: Expr) -> set[str]:
    return {str(n) for n in (sympy.I, sympy.nan, sympy.zoo, sympy.oo, -sympy.oo) if expression.has(n)}


def _stable(expression: Expr) -> Expr:
    """ln(1 + e^u) and 1/(1 + e^u)^n as softplus and logistic, which do not overflow."""
    u, n = sympy.Wild("u"), sympy.Wild("n", properties=[lambda k: k.is_Integer and k.is_positive])
    expression = expression.replace(sympy.log(1 + sympy.exp(u)), lambda u: Softplus(u))
    return expression.replace((1 + sympy.exp(u)) ** (-n), lambda u, n: Logistic(-u) ** n)


def _expression(node: Node) -> Expr:
    match node:
        case ("z",):
            return Z
        case ("number", number):
            return sympy.Rational(number.numerator, number.denominator)
        case ("neg", operand):
            return -_expression(operand)
        case ("power", base, (_, exponent)):
            return _expression(base) ** int(exponent)
        case ("add", left, right):
            return _expression(left) + _expression(right)
        case ("sub", left, right):
            return _expression(left) - _expression(right)
        case ("mul", left, right):
            return _expression(left) * _expression(right)
        case ("div", left, right):
            return _expression(left) / _expression(right)
        case (name, argument):
            return _FUNCTIONS[name](_expression(argument))
    raise AssertionError(node)
