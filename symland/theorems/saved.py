"""Proofs as JSON: every expression as a prefix tree, derivatives and substitutions left open.

    "x"                      a symbol                   ["+", a, b, ...]   ["*", a, b, ...]   ["^", a, n]
    ["q", "1/3"]             a rational                 [name, a], name one of exp log tanh sin cos erf sqrt abs
    ["F", "f", [0, 2], a, b] a smooth function, differentiated 0 times in its first and twice in its second argument
    ["D", a, "x", "y"]       the derivative of a by x, then y
    ["at", a, ["x", b], ...] a with b in place of x, all at once

`symland.theorems.check` reads this and nothing else of the prover.
"""

from __future__ import annotations

import json
from typing import Any

import sympy as sp

from symland.errors import ProofError
from symland.theorems.record import Count, Identity, Obligation, Positive, ProofResult, SomePositive
from symland.theorems.smooth import At, Smooth

__all__ = ["PROOF_FORMAT", "expression_tree", "save_proof"]

PROOF_FORMAT = "symland proof 2"

_NAMED = {sp.exp: "exp", sp.log: "log", sp.tanh: "tanh", sp.sin: "sin", sp.cos: "cos", sp.erf: "erf", sp.Abs: "abs"}


def expression_tree(expression: Any) -> Any:
    """The prefix tree of an expression.

    Raises
    ------
    ProofError
        If it holds something that the format has no word for.
    """
    node = sp.sympify(expression)
    if node.is_Symbol:
        return str(node)
    if node.is_Rational:
        return ["q", str(node)]
    if isinstance(node, sp.Derivative):
        names = [str(symbol) for symbol, times in node.variable_count for _ in range(int(times))]
        return ["D", expression_tree(node.expr), *names]
    if isinstance(node, At):
        inside, symbols, values = node.args
        return [
            "at",
            expression_tree(inside),
            *([str(s), expression_tree(v)] for s, v in zip(symbols, values, strict=True)),
        ]
    parts = [expression_tree(part) for part in node.args]
    if isinstance(node, Smooth):
        return ["F", node.letter, list(node.orders), *parts]
    if isinstance(node, sp.Add):
        return ["+", *parts]
    if isinstance(node, sp.Mul):
        return ["*", *parts]
    if isinstance(node, sp.Pow) and node.exp.is_Rational and node.exp.q == 2:
        root = ["sqrt", parts[0]]
        return root if node.exp.p == 1 else ["^", root, int(node.exp.p)]
    if isinstance(node, sp.Pow) and node.exp.is_Integer:
        return ["^", parts[0], int(node.exp)]
    if node.func in _NAMED:
        return [_NAMED[node.func], parts[0]]
    raise ProofError(f"the saved form has no word for {node}: use + * / **, exp, log, tanh, sqrt or smooth functions")


def _obligation(obligation: Obligation, witness: str | None) -> dict[str, Any]:
    match obligation:
        case Identity():
            return {
                "kind": "identity",
                "left": expression_tree(obligation.left),
                "right": expression_tree(obligation.right),
            }
        case Positive():
            return {"kind": "positive", "expression": expression_tree(obligation.expression)}
        case SomePositive():
            return {
                "kind": "some positive",
                "alternatives": [expression_tree(e) for e in obligation.alternatives],
                "box": [[str(s), str(low), str(high)] for s, (low, high) in obligation.box.items()],
                "witness": witness,
            }
        case Count():
            return {
                "kind": "count",
                "what": obligation.kind,
                "arguments": obligation.arguments,
                "value": obligation.value,
            }


def save_proof(result: ProofResult) -> str:
    """JSON text of a proof: the record of `ProofResult.to_dict` with every expression and rule."""
    theorem = result.theorem
    record: dict[str, Any] = {"format": PROOF_FORMAT, **result.to_dict()}
    for saved, step, outcome in zip(record["steps"], theorem.steps, result.steps, strict=True):
        rules, positive = theorem.granted(step)
        saved["uses"] = list(step.uses)
        saved["rules"] = [[expression_tree(left), expression_tree(right)] for left, right in rules]
        saved["positive"] = sorted(map(str, positive))
        saved["obligations"] = [
            _obligation(obligation, witness)
            for obligation, witness in zip(step.obligations, outcome.witnesses, strict=True)
        ]
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
