"""Deciding an obligation with SymPy: identities of rational functions, and signs that can be read off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symland.errors import ProofError
from symland.records import Verdict
from symland.theorems.boxes import some_positive
from symland.theorems.counting import enumerate_count
from symland.theorems.record import Count, Identity, Obligation, Positive, SomePositive
from symland.theorems.smooth import ELEMENTARY, At, Smooth, derivative

__all__ = ["decide", "evaluate"]

Rules = Sequence[tuple[Any, Any]]

LONGEST_DETAIL = 400
"""Characters of a leftover expression that a verdict quotes."""


def evaluate(expression: Any) -> sp.Expr:
    """Carry out the derivatives and substitutions that `partial` and `at` left open.

    Substitution is simultaneous, and derivatives inside it are taken first.
    """
    expression = sp.sympify(expression)
    if isinstance(expression, sp.Derivative):
        value = evaluate(expression.expr)
        for symbol, times in expression.variable_count:
            for _ in range(times):
                value = derivative(value, symbol)
        return value
    if isinstance(expression, At):
        inside, symbols, values = expression.args
        return evaluate(inside).xreplace(dict(zip(symbols, map(evaluate, values), strict=True)))
    if not expression.args:
        return expression
    return expression.func(*map(evaluate, expression.args))


def _settled(expression: sp.Expr) -> sp.Expr:
    """Smooth functions at expanded arguments, so that a rule meets its atom however the argument was written."""
    if not expression.args:
        return expression
    parts = [_settled(part) for part in expression.args]
    if isinstance(expression, Smooth):
        parts = [sp.expand(part) for part in parts]
    return expression.func(*parts)


def _normal(expression: Any, rules: Rules) -> tuple[sp.Expr, sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """(numerator, denominator, atoms): expanded polynomials in symbols, with what each fresh symbol stands for."""
    value = _settled(evaluate(expression))
    for left, right in rules:
        value = _settled(value.xreplace({_settled(sp.sympify(left)): evaluate(right)}))
    atoms: dict[sp.Expr, sp.Symbol] = {}

    def atom(node: sp.Expr) -> sp.Symbol:
        return atoms.setdefault(node, sp.Dummy(str(node.func)))

    def flatten(node: sp.Expr) -> sp.Expr:
        if isinstance(node, sp.exp):
            # exp(sum_k (p_k / q_k) m_k) = prod_k exp(m_k / q_k)^(p_k): sums split into independent atoms.
            factors = []
            for term in sp.Add.make_args(sp.expand(node.args[0])):
                coefficient, rest = term.as_coeff_Mul()
                if rest == 1 or not coefficient.is_Rational:
                    coefficient, rest = sp.S.One, term
                if term != 0:
                    factors.append(atom(sp.exp(rest / coefficient.q)) ** coefficient.p)
            return sp.Mul(*factors)
        if isinstance(node, (Smooth, *ELEMENTARY)):
            node = node.func(*(sp.expand(argument) for argument in node.args))
            return atom(node) if isinstance(node, (Smooth, *ELEMENTARY)) else flatten(node)
        if isinstance(node, sp.Pow) and not node.exp.is_Integer:
            raise _NotRational(f"the power {node} is not an integer one")
        if node.is_Symbol or node.is_Rational:
            return node
        if isinstance(node, (sp.Add, sp.Mul, sp.Pow)):
            return node.func(*map(flatten, node.args))
        raise _NotRational(f"{node} is no rational function of the known atoms")

    numerator, denominator = sp.fraction(sp.together(flatten(value)))
    return sp.expand(numerator), sp.expand(denominator), {fresh: atom for atom, fresh in atoms.items()}


class _NotRational(Exception):
    pass


def _identity(obligation: Identity, rules: Rules) -> tuple[Verdict, str]:
    difference = sp.sympify(obligation.left) - sp.sympify(obligation.right)
    value = evaluate(difference)
    if not value.free_symbols and value.is_zero is False:
        return Verdict.REFUTED, f"left over: {value}"
    numerator, denominator, atoms = _normal(value, rules)
    if denominator == 0:
        return Verdict.UNDECIDED, "a denominator vanishes identically"
    if numerator == 0:
        return Verdict.CERTIFIED, ""
    left_over = str((numerator / denominator).xreplace(atoms))[:LONGEST_DETAIL]
    # Symbols and unknown smooth functions at different arguments take any values, so a polynomial in them that is
    # not the zero polynomial is a false identity. exp, log and tanh may still satisfy a relation.
    independent = all(isinstance(atom, Smooth) for atom in atoms.values())
    return (Verdict.REFUTED if independent else Verdict.UNDECIDED), f"left over: {left_over}"


def _sign(polynomial: sp.Expr, positive: frozenset[sp.Symbol]) -> int:
    """+1 or -1 when every monomial has that sign and one cannot vanish; 0 when that cannot be read off."""
    symbols = sorted(polynomial.free_symbols, key=str)
    if not symbols:
        return int(sp.sign(polynomial))
    signs, certain = set(), False
    for exponents, coefficient in sp.Poly(polynomial, *symbols).terms():
        powers = [(s, n) for s, n in zip(symbols, exponents, strict=True) if n]
        if any(s not in positive and n % 2 for s, n in powers):
            return 0
        signs.add(1 if coefficient > 0 else -1)
        certain = certain or all(s in positive for s, _ in powers)
    return signs.pop() if len(signs) == 1 and certain else 0


def _positive(obligation: Positive, rules: Rules, positive: frozenset[sp.Symbol]) -> tuple[Verdict, str]:
    numerator, denominator, atoms = _normal(obligation.expression, rules)
    known = positive | {fresh for fresh, atom in atoms.items() if isinstance(atom, sp.exp)}
    sign = _sign(numerator, known) * _sign(denominator, known)
    if sign > 0:
        return Verdict.CERTIFIED, ""
    shown = str((numerator / denominator).xreplace(atoms))[:LONGEST_DETAIL]
    return (Verdict.REFUTED if sign < 0 else Verdict.UNDECIDED), f"sign of {shown}"


def decide(obligation: Obligation, rules: Rules, positive: frozenset[sp.Symbol]) -> tuple[Verdict, str, str | None]:
    """The verdict, what is left over when it is not CERTIFIED, and a witness for a checker where one is needed.

    Raises
    ------
    ProofError
        If the obligation is of no known kind.
    """
    try:
        match obligation:
            case Identity():
                return (*_identity(obligation, rules), None)
            case Positive():
                return (*_positive(obligation, rules, positive), None)
            case SomePositive():
                return some_positive(obligation)
            case Count():
                found = enumerate_count(obligation.kind, obligation.arguments)
                if found == obligation.value:
                    return Verdict.CERTIFIED, "", None
                return Verdict.REFUTED, f"{obligation.kind}{obligation.arguments}: found {found}", None
    except _NotRational as reason:
        return Verdict.UNDECIDED, str(reason), None
    raise ProofError(f"obligation {obligation!r} is of no known kind: use Identity, Positive, SomePositive or Count")
