"""Activation texts: a strict grammar in z, read by Python's parser and never evaluated.

expression := number | z | expression (+ - * /) expression | expression ** integer | - expression | f(expression)
f          := exp log tanh sin cos erf sqrt sigmoid (or logistic) softplus

The words are checked before Python sees them: ASCII, decimal numbers, names, operators and parentheses, nothing else.
An activation is smooth on the whole real line, as it stands: see `symland.domain`.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from itertools import accumulate
from typing import Any

from symland.domain import LINE, ORIGIN, Singular, range_over
from symland.errors import SpecError
from symland.exact import need_float64, parse_exact

__all__ = ["FUNCTIONS", "NAMED_ACTIVATIONS", "Node", "parse_activation", "standard_text"]

FUNCTIONS = frozenset({"exp", "log", "tanh", "sin", "cos", "erf", "sqrt", "sigmoid", "softplus"})
NAMED_ACTIVATIONS = ("tanh", "sigmoid", "softplus", "sin", "erf")

_NOT_SMOOTH = frozenset(
    {
        "relu",
        "leaky_relu",
        "elu",
        "relu6",
        "abs",
        "sign",
        "max",
        "min",
        "heaviside",
        "step",
        "hardtanh",
        "floor",
        "ceil",
    }
)

LONGEST_TEXT = 500
"""Characters in an activation's text."""

DEEPEST_TEXT = 30
"""Parentheses within one another."""

LARGEST_SIZE = 20_000
"""Bits of the numbers, and degree of the powers, that an activation can be worked out to."""

LARGEST_POWER = 64
"""Largest integer exponent, in absolute value."""

_NUMBER = r"(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?(?![\w.])"
_WORD = re.compile(rf"{_NUMBER}|[A-Za-z]\w*(?!\.)|[-+*/()\s]", re.ASCII)

_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}

Node = tuple[Any, ...]
"""("z",), ("number", Fraction), or (operator or function, Node, ...)."""


def standard_text(text: str) -> str:
    """The text with single spaces and with sigmoid for its other name, logistic, so that digests agree."""
    return re.sub(r"\blogistic\b", "sigmoid", " ".join(text.split()))


def parse_activation(text: str, path: str = "network.activation") -> Node:
    """The syntax tree of an activation: nested tuples of operator names, ("z",) and ("number", Fraction).

    Raises
    ------
    SpecError
        For anything outside the grammar, and for functions that are not smooth on the whole real line.
    """
    bare = text.strip()
    if bare.lower() in _NOT_SMOOTH:
        raise _not_smooth(bare, path)
    if len(bare) > LONGEST_TEXT:
        raise SpecError.at(path, f"a text of {len(bare)} characters", f"use at most {LONGEST_TEXT}")
    if bare in NAMED_ACTIVATIONS:
        return (bare, ("z",))
    if _WORD.sub("", bare) or bare.isspace() or "//" in bare:
        raise _refused(bare, path)
    if _depth(bare) > DEEPEST_TEXT:
        raise SpecError.at(path, f"parentheses {_depth(bare)} deep", f"use at most {DEEPEST_TEXT}")
    try:
        tree = ast.parse(bare, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(bare, path) from None
    node = _read(tree.body, bare, path)
    if not _mentions_z(node):
        raise SpecError.at(path, f"{bare!r} does not depend on z", 'write an expression in z, such as "z*tanh(z)"')
    if _size(node) > LARGEST_SIZE:
        raise SpecError.at(path, f"{bare[:60]!r} holds numbers or powers of immense size", "write smaller ones")
    _need_smooth(node, bare, path)
    return node


def _depth(text: str) -> int:
    """Parentheses that are open at once, at most."""
    return max(accumulate({"(": 1, ")": -1}.get(character, 0) for character in text), default=0)


def _need_smooth(node: Node, text: str, path: str) -> None:
    try:
        range_over(node, ORIGIN)
    except Singular as singular:
        what = f"{text[:60]!r} is singular at z = 0 ({singular}), and every landscape begins at theta = 0, where z = 0"
        raise SpecError.at(path, what, "write one that is smooth there") from None
    try:
        range_over(node, LINE)
    except Singular as singular:
        what = f"{text[:60]!r} is not shown to be smooth at every z ({singular})"
        advice = "take logarithms and roots of what is clearly above 0, and divide by what clearly is not 0: 1 + z**2"
        raise SpecError.at(path, what, advice) from None


def _size(node: Node) -> int:
    """A bound for the bits of every number, and for the degree of every power, that can be worked out."""
    match node:
        case ("z",):
            return 1
        case ("number", number):
            return int(number.numerator.bit_length() + number.denominator.bit_length())
        case ("power", base, (_, exponent)):
            return _size(base) * max(1, abs(int(exponent)))
    return sum(_size(part) for part in node[1:])


def _refused(what: str, path: str) -> SpecError:
    names = ", ".join(sorted(FUNCTIONS))
    advice = f"write tanh, softplus, ... or an expression in z from + - * / **, numbers and {names}"
    return SpecError.at(path, f"{what[:60]!r} is not an activation", advice)


def _not_smooth(name: str, path: str) -> SpecError:
    return SpecError.at(
        path,
        f"{name} is not smooth, so it has no Hessian everywhere",
        "write a smooth one such as softplus or z*sigmoid(z)",
    )


def _read(node: ast.expr, text: str, path: str) -> Node:
    match node:
        case ast.Name(id="z"):
            return ("z",)
        case ast.Constant(value=bool()):
            raise _refused(text, path)
        case ast.Constant(value=int() | float()):
            number = parse_exact(ast.get_source_segment(text, node) or "", path)
            need_float64(number, path)
            return ("number", number)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            negative, inner = _without_signs(node)
            return ("neg", _read(inner, text, path)) if negative else _read(inner, text, path)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return ("power", _read(left, text, path), ("number", _exponent(right, text, path)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return (_OPERATORS[type(op)], _read(left, text, path), _read(right, text, path))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return (name, _read(argument, text, path))
        case ast.Call(func=ast.Name(id=name)) if name.lower() in _NOT_SMOOTH:
            raise _not_smooth(name, path)
    raise _refused(ast.get_source_segment(text, node) or text, path)


def _exponent(node: ast.expr, text: str, path: str) -> Fraction:
    negative, inner = _without_signs(node)
    if isinstance(inner, ast.Constant) and type(inner.value) is int and inner.value <= LARGEST_POWER:
        return Fraction(-inner.value if negative else inner.value)
    came = ast.get_source_segment(text, node) or text
    raise SpecError.at(path, f"the exponent {came[:40]!r}", f"write an integer up to {LARGEST_POWER}, or sqrt")


def _without_signs(node: ast.expr) -> tuple[bool, ast.expr]:
    """Whether the signs before a node make it negative, and the node behind them."""
    negative = False
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        negative ^= isinstance(node.op, ast.USub)
        node = node.operand
    return negative, node


def _mentions_z(node: Node) -> bool:
    return node == ("z",) or any(isinstance(part, tuple) and _mentions_z(part) for part in node[1:])
