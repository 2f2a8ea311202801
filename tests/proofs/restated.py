"""Looking for a step that only says again what the theorem assumes.

An identity D = 0 says again the rule a -> b of a hypothesis where D is a - b times a number; or, where the machine has
nothing to derive, times a monomial. A sign says again an assumed one where the expression is a product of symbols that
hypotheses make positive. An identity between two numbers, with nothing to carry out, says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from symland.theorems import Identity, Positive, Step, Theorem
from symland.theorems.decide import evaluate
from symland.theorems.smooth import At


def _numerator(expression: Any) -> sp.Expr:
    """The numerator over independent atoms, functions being atoms."""
    value = sp.sympify(expression)
    atoms = sorted(value.atoms(sp.Function), key=sp.default_sort_key, reverse=True)
    value = value.xreplace({atom: sp.Symbol(f"<{atom}>") for atom in atoms})
    return sp.expand(sp.fraction(sp.together(value))[0])


def _monomial_factor(whole: sp.Expr, part: sp.Expr) -> sp.Expr | None:
    """whole / part where that is a monomial, else None."""
    top, bottom = sp.fraction(sp.cancel(whole / part))
    return None if isinstance(sp.expand(top), sp.Add) or not bottom.is_number else top


def _says_again(theorem: Theorem, step: Step, obligation: Any) -> bool:
    assumed = [hypothesis for hypothesis in theorem.hypotheses if hypothesis.name in step.uses]
    if isinstance(obligation, Positive):
        positive = {symbol for hypothesis in assumed for symbol in hypothesis.positive}
        expression = sp.sympify(obligation.expression)
        return not isinstance(expression, (sp.Add, At)) and expression.free_symbols <= positive
    if not isinstance(obligation, Identity):
        return False
    left, right = sp.sympify(obligation.left), sp.sympify(obligation.right)
    if left.is_number and right.is_number:
        return True
    derived = any(side.has(sp.Derivative) or side.has(At) for side in (left, right))
    difference = _numerator(evaluate(left - right))
    if difference == 0:
        return False
    for hypothesis in assumed:
        for atom, value in hypothesis.rules:
            factor = _monomial_factor(difference, _numerator(evaluate(sp.sympify(atom) - sp.sympify(value))))
            if factor is not None and (factor.is_number or not derived):
                return True
    return False


def restatements(theorem: Theorem) -> Iterator[str]:
    """Steps of a theorem with an identity that says a hypothesis again, or with nothing but such claims."""
    for step in theorem.steps:
        again = [_says_again(theorem, step, obligation) for obligation in step.obligations]
        if all(again) or any(
            said and isinstance(obligation, Identity) for said, obligation in zip(again, step.obligations, strict=True)
        ):
            yield step.name
