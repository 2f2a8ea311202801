"""Inequalities on a box, by ball arithmetic and bisection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb, fmpq

from symland.records import Verdict
from symland.theorems.record import SomePositive

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
        return (x.abs_lower() ** exponent).union(x.abs_upper() ** exponent)
    return x**exponent


def _sign(x: Ball) -> Ball:
    """The slope of |x|: where the ball holds zero, the hull [-1, 1] of all of them."""
    if x > 0:
        return arb(1)
    return arb(-1) if x < 0 else arb(0, 1)


_FUNCTIONS: dict[Any, Callable[[Ball], Ball]] = {
    sp.tanh: _monotone("tanh"),
    sp.exp: _monotone("exp"),
    sp.Abs: abs,
    sp.sign: _sign,
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
    elif isinstance(expression, sp.Pow) and expression.exp.is_Rational and expression.exp.q == 2:
        root, exponent = sp.sqrt(expression.base), int(expression.exp.p)
        operation = ("call", lambda x: _power(x, exponent), _compile(root, symbols, memo, code))
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


def _run(code: Sequence[Any], point: Sequence[Ball], values: list[Ball]) -> None:
    """Append the values of further instructions to those of the instructions before them."""
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


class _Alternatives:
    """Which of several expressions is proved positive on a box: plainly, or by the mean value theorem.

    f(w) is in f(middle) + sum_k (df/dw_k)(box) (w_k - middle_k); where f is smooth the excess is of second order in the
    box's width. |.| enters by the hull of its slopes. What one expression has in common with those before it is
    computed once for a box.
    """

    def __init__(self, expressions: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> None:
        self.plain: list[Any] = []
        self.tests: list[tuple[int, int, list[Any], list[int]]] = []
        memo: dict[sp.Expr, int] = {}
        for expression in expressions:
            value = _compile(expression, symbols, memo, self.plain)
            known, code, end = dict(memo), list(self.plain), len(self.plain)
            slopes = [_compile(expression.diff(s), symbols, known, code) for s in symbols]
            self.tests.append((end, value, code[end:], slopes))

    def positive(self, balls: Sequence[Ball]) -> int | None:
        """The number of the first expression that is proved positive."""
        mids = [x.mid() for x in balls]
        values: list[Ball] = []
        middle: list[Ball] = []
        for number, (end, value, differentiated, slopes) in enumerate(self.tests):
            _run(self.plain[len(values) : end], balls, values)
            if values[value] > 0:
                return number
            _run(self.plain[len(middle) : end], mids, middle)
            if not middle[value] > 0:
                continue
            whole = list(values)
            _run(differentiated, balls, whole)
            change = sum((whole[k] * (x - mid) for k, x, mid in zip(slopes, balls, mids, strict=True)), arb(0))
            if middle[value] + change > 0:
                return number
        return None


def some_positive(obligation: SomePositive) -> tuple[Verdict, str, str | None]:
    """Subdivide the box until on every piece one alternative has a positive lower bound.

    The witness is the bisection tree in preorder: a letter a, b, c... halves the first, second, third... side, a digit
    names the alternative that holds on a piece. A checker follows it without searching.
    """
    symbols = list(obligation.box)
    try:
        alternatives = _Alternatives([sp.sympify(e) for e in obligation.alternatives], symbols)
    except TypeError as reason:
        return Verdict.UNDECIDED, str(reason), None
    sides = [(Fraction(low), Fraction(high)) for low, high in obligation.box.values()]
    stack = [(sides, 0)]
    witness: list[str] = []
    while stack:
        piece, depth = stack.pop()
        balls = [arb(fmpq(a.numerator, a.denominator)).union(arb(fmpq(b.numerator, b.denominator))) for a, b in piece]
        held = alternatives.positive(balls)
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
