"""Activation texts: a strict grammar in z, read by Python's parser and never evaluated.

expression := number | z | expression (+ - * /) expression | expression ** integer | - expression | f(expression)
f          := exp log tanh sin cos erf sqrt sigmoid (or logistic) softplus
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from typing import Any

from symland.errors import SpecError
from symland.exact import parse_exact

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

LARGEST_POWER = 64
"""Largest integer exponent, in absolute value."""

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
        For anything outside the grammar, and for functions that are not smooth.
    """
    bare = text.strip()
    if bare.lower() in _NOT_SMOOTH:
        raise _not_smooth(bare, path)
    if len(bare) > LONGEST_TEXT:
        raise SpecError.at(path, f"a text of {len(bare)} characters", f"use at most {LONGEST_TEXT}")
    if bare in NAMED_ACTIVATIONS:
        return (bare, ("z",))
    try:
        tree = ast.parse(bare, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(bare, path) from None
    node = _read(tree.body, bare, path)
    if not _mentions_z(node):
        raise SpecError.at(path, f"{bare!r} does not depend on z", 'write an expression in z, such as "z*tanh(z)"')
    return node


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
            return ("number", parse_exact(ast.get_source_segment(text, node) or "", path))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ("neg", _read(operand, text, path))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _read(operand, text, path)
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
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value <= LARGEST_POWER:
        return Fraction(sign * node.value)
    came = ast.get_source_segment(text, node) or text
    raise SpecError.at(path, f"the exponent {came[:40]!r}", f"write an integer up to {LARGEST_POWER}, or sqrt")


def _mentions_z(node: Node) -> bool:
    return node == ("z",) or any(isinstance(part, tuple) and _mentions_z(part) for part in node[1:])
