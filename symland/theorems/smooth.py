"""Smooth functions of which nothing is known but that they can be differentiated.

`smooth("sigma", 1)` is a SymPy function class whose derivative is the class of its first derivative, and so on, so
that sigma, sigma', sigma'' at the same point are three independent atoms. SymPy's own undefined functions answer
with `Subs(Derivative(...))` objects instead, which have no normal form.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

__all__ = ["ELEMENTARY", "At", "Smooth", "at", "derivative", "partial", "smooth"]

ELEMENTARY = (sp.exp, sp.log, sp.tanh)
"""The functions of SymPy that theorems are made of."""


class Smooth(sp.Function):
    """Base of the classes that `smooth` makes; `letter` names the function, `orders` counts its derivatives."""

    letter: str = ""
    orders: tuple[int, ...] = ()

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        raised = tuple(n + (i == argindex - 1) for i, n in enumerate(self.orders))
        return _class(self.letter, raised)(*self.args)


@cache
def _class(letter: str, orders: tuple[int, ...]) -> Any:
    label = letter if not any(orders) else letter + "_" + "".join(map(str, orders))
    return type(label, (Smooth,), {"nargs": len(orders), "letter": letter, "orders": orders})


def smooth(letter: str, arity: int, *orders: int) -> Any:
    """The function named `letter` of `arity` arguments, or its partial derivative of the given `orders`."""
    return _class(letter, orders or (0,) * arity)


class At(sp.Expr):
    """expression with values in place of symbols, all at once; arguments (expression, symbols, values).

    SymPy's `Subs` is not used: it calls two of them equal when two symbols that trade places go to one value.
    """

    is_commutative = True

    def __new__(cls, expression: sp.Expr, symbols: sp.Tuple, values: sp.Tuple) -> At:
        return sp.Expr.__new__(cls, expression, symbols, values)


def partial(expression: sp.Expr, *variables: sp.Symbol) -> sp.Expr:
    """The derivative, left for the machine to carry out."""
    return sp.Derivative(expression, *variables, evaluate=False)


def at(expression: sp.Expr, point: dict[sp.Symbol, Any]) -> sp.Expr:
    """The value of an expression at a point, left for the machine to carry out."""
    return At(sp.sympify(expression), sp.Tuple(*point), sp.Tuple(*point.values()))


def derivative(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """d expression / d symbol by the rules of sums, products, constant powers and chains; SymPy's own for the rest.

    SymPy's `diff` asks of every part of a derivative whether it is zero, which takes longer than the derivative does.
    """
    return _derivative(expression, symbol, {symbol: sp.S.One})


def _derivative(expression: sp.Expr, symbol: sp.Symbol, known: dict[sp.Expr, sp.Expr]) -> sp.Expr:
    if expression not in known:
        known[expression] = _by_rules(expression, symbol, known)
    return known[expression]


def _by_rules(expression: sp.Expr, symbol: sp.Symbol, known: dict[sp.Expr, sp.Expr]) -> sp.Expr:
    parts = expression.args
    if not isinstance(expression, (sp.Add, sp.Mul, sp.Pow, Smooth, *ELEMENTARY)):
        return sp.diff(expression, symbol)
    inner = [(k, d) for k, part in enumerate(parts) if (d := _derivative(part, symbol, known)) is not sp.S.Zero]
    match expression:
        case sp.Add():
            return sp.Add(*(d for _, d in inner))
        case sp.Mul():
            return sp.Add(*(sp.Mul(*parts[:k], d, *parts[k + 1 :]) for k, d in inner))
        case sp.Pow() if any(k == 1 for k, _ in inner):
            return sp.diff(expression, symbol)
        case sp.Pow(base=base, exp=exponent):
            return sp.Add(*(exponent * base ** (exponent - 1) * d for _, d in inner))
    return sp.Add(*(expression.fdiff(k + 1) * d for k, d in inner))
