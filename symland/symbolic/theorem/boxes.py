"""Inequalities on a box, by ball arithmetic and bisection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb, fmpq

from symland.records import Verdict
from symland.symbolic.theorem.record import SomePositive

__all__ = ["some_positive"]

MOST_BOXES = 400_000
"""Boxes looked at before the question is left undecided."""

Ball = Any
Compiled = Callable[[Sequence[Ball]], Ball]


def _monotone(function: str) -> Callable[[Ball], Ball]:
    """An increasing function, evaluated at both ends of the ball: a wide ball loses nothing."""

    def evaluate(x: Ball) -> Ball:
        low, high = getattr(x.lower(), function)(), getattr(x.upper(), function)()
        return low.union(high)

    return evaluate


def _root(x: Ball) -> Ball:
    low = x.lower()
    low = low.sqrt() if low > 0 else arb(0)
    return low.union(x.upper().sqrt())


def _power(x: Ball, exponent: int) -> Ball:
    if exponent > 0 and exponent % 2 == 0:
        size = abs(x)
        low = size.lower() if size.lower() > 0 else arb(0)
        return (low**exponent).union(size.upper() ** exponent)
    return x**exponent


_FUNCTIONS: dict[Any, Callable[[Ball], Ball]] = {
    sp.tanh: _monotone("tanh"),
    sp.exp: _monotone("exp"),
    sp.Abs: abs,
}


def _compile(expression: sp.Expr, symbols: Sequence[sp.Symbol], memo: dict[sp.Expr, int], code: list[Any]) -> int:
    """Number of the instruction that computes `expression`; equal subexpressions are computed once."""
    if expression in memo:
        return memo[expression]
    operation: tuple[Any, ...]
    if expression in symbols:
        operation = ("input", list(symbols).index(expression))
    elif expression.is_Rational:
        operation = ("constant", arb(fmpq(int(expression.p), int(expression.q))))
    elif isinstance(expression, (sp.Add, sp.Mul)):
        kind = "add" if isinstance(expression, sp.Add) else "mul"
        operation = (kind, [_compile(part, symbols, memo, code) for part in expression.args])
    elif isinstance(expression, sp.Pow) and expression.exp == sp.Rational(1, 2):
        operation = ("call", _root, _compile(expression.base, symbols, memo, code))
    elif isinstance(expression, sp.Pow) and expression.exp.is_Integer:
        exponent = int(expression.exp)
        operation = ("call", lambda x: _power(x, exponent), _compile(expression.base, symbols, memo, code))
    elif expression.func in _FUNCTIONS:
        operation = ("call", _FUNCTIONS[expression.func], _compile(expression.args[0], symbols, memo, code))
    else:
        raise TypeError(f"{expression} has no enclosure")
    code.append(operation)
    memo[expression] = len(code) - 1
    return memo[expression]


def _run(code: list[Any], point: Sequence[Ball]) -> list[Ball]:
    values: list[Ball] = []
    for operation in code:
        kind = operation[0]
        if kind == "input":
            value = point[operation[1]]
        elif kind == "constant":
            value = operation[1]
        elif kind == "call":
            value = operation[1](values[operation[2]])
        else:
            value = values[operation[1][0]]
            for k in operation[1][1:]:
                value = value + values[k] if kind == "add" else value * values[k]
        values.append(value)
    return values


def some_positive(obligation: SomePositive) -> tuple[Verdict, str, str | None]:
    """Subdivide the box until on every piece one alternative has a positive lower bound.

    The witness is the bisection tree in preorder: a letter a, b, c... halves the first, second, third... side, a digit
    names the alternative that holds on a piece. A checker follows it without searching.
    """
    symbols = list(obligation.box)
    code: list[Any] = []
    memo: dict[sp.Expr, int] = {}
    try:
        results = [_compile(sp.sympify(e), symbols, memo, code) for e in obligation.alternatives]
    except TypeError as reason:
        return Verdict.UNDECIDED, str(reason), None
    sides = [(Fraction(low), Fraction(high)) for low, high in obligation.box.values()]
    stack = [(sides, 0)]
    witness: list[str] = []
    while stack:
        piece, depth = stack.pop()
        balls = [arb(fmpq(a.numerator, a.denominator)).union(arb(fmpq(b.numerator, b.denominator))) for a, b in piece]
        values = _run(code, balls)
        held = next((k for k, result in enumerate(results) if values[result] > 0), None)
        if held is not None:
            witness.append(str(held))
            continue
        if depth >= obligation.deepest or len(witness) >= MOST_BOXES:
            shown = ", ".join(
                f"{s} in [{float(a):.4g}, {float(b):.4g}]" for s, (a, b) in zip(symbols, piece, strict=True)
            )
            return Verdict.UNDECIDED, f"not decided for {shown}", None
        side = max(range(len(piece)), key=lambda k: piece[k][1] - piece[k][0])
        witness.append(chr(ord("a") + side))
        low, high = piece[side]
        middle = (low + high) / 2
        for half in ((middle, high), (low, middle)):
            stack.append(([*piece[:side], half, *piece[side + 1 :]], depth + 1))
    return Verdict.CERTIFIED, "", "".join(witness)
