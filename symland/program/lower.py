"""From SymPy expressions in the primitive functions to formulas."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy
from sympy import Expr, Integer, Rational, Symbol

from symland.program.ir import Formula, Instruction
from symland.symbolic.functions import Erf, Gauss, Logistic, Lse0, Sech2, Softmax0, Softplus, Tanh

__all__ = ["lower"]

_UNARY: dict[type, str] = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.sin: "sin",
    sympy.cos: "cos",
    Tanh: "tanh",
    Sech2: "sech2",
    Logistic: "logistic",
    Softplus: "softplus",
    Erf: "erf",
    Gauss: "gauss",
}


class _Lowering:
    """Instructions so far, and the value number of each expression already lowered."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self.arity = len(symbols)
        self.numbers: dict[Expr, int] = {symbol: k for k, symbol in enumerate(symbols)}
        self.instructions: list[Instruction] = []

    def emit(self, op: str, *args: int, value: Fraction | None = None) -> int:
        instruction = Instruction(op=op, args=args, value=value)
        if instruction in self.instructions:
            return self.arity + self.instructions.index(instruction)
        self.instructions.append(instruction)
        return self.arity + len(self.instructions) - 1

    def number(self, expression: Expr) -> int:
        if expression not in self.numbers:
            self.numbers[expression] = self._lower(expression)
        return self.numbers[expression]

    def _lower(self, e: Expr) -> int:
        if isinstance(e, Rational):
            return self.emit("constant", value=Fraction(int(e.p), int(e.q)))
        if e.is_Add:
            return self._fold("add", e.args)
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(*e.as_base_exp())
        if isinstance(e, Lse0):
            return self.emit("lse0", *map(self.number, e.args))
        if isinstance(e, Softmax0):
            return self.emit("softmax0", *map(self.number, e.args[1:]), value=Fraction(int(e.args[0])))
        if type(e) in _UNARY:
            return self.emit(_UNARY[type(e)], self.number(e.args[0]))
        raise ValueError(f"no primitive operation computes {e}")

    def _fold(self, op: str, parts: Sequence[Expr]) -> int:
        total = self.number(parts[0])
        for part in parts[1:]:
            total = self.emit(op, total, self.number(part))
        return total

    def _product(self, e: Expr) -> int:
        coefficient, factors = e.as_coeff_mul()
        below = [f for f in factors if f.is_Pow and f.as_base_exp()[1].is_negative]
        above = [f for f in factors if f not in below]
        if coefficient not in (1, -1):
            above.insert(0, coefficient)
        result = self._fold("mul", above) if above else self.number(Integer(1))
        if below:
            result = self.emit("div", result, self._fold("mul", [1 / f for f in below]))
        return self.emit("neg", result) if coefficient == -1 else result

    def _power(self, base: Expr, exponent: Expr) -> int:
        if isinstance(base, Rational) and base.is_positive and exponent == Rational(1, 2):
            return self.emit("sqrt", self.number(base))
        if base == sympy.E:
            return self.emit("exp", self.number(exponent))
        if not isinstance(exponent, Rational) or exponent.q not in (1, 2):
            raise ValueError(f"no primitive operation computes {base}**({exponent})")
        if exponent.is_negative:
            return self.emit("div", self.number(Integer(1)), self.number(base ** (-exponent)))
        root = self.number(base) if exponent.q == 1 else self.emit("sqrt", self.number(base))
        return root if exponent.p == 1 else self.emit("power", root, value=Fraction(int(exponent.p)))


def lower(name: str, symbols: Sequence[Symbol], expressions: Sequence[Expr]) -> Formula:
    """A formula that computes the expressions of the symbols, sharing common subexpressions.

    Raises
    ------
    ValueError
        If an expression holds anything but the primitive functions.
    """
    lowering = _Lowering(symbols)
    outputs = tuple(lowering.number(e) for e in expressions)
    return Formula(name=name, arity=len(symbols), instructions=tuple(lowering.instructions), outputs=outputs)
