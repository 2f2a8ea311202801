"""Closed forms of critical lines: guessed from digits, accepted only where exact arithmetic proves them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import sympy
from flint import arb

from symland.analysis.condensation.balls import Line
from symland.analysis.condensation.energy import Energy

__all__ = ["closed_form"]

DIGITS = 35
"""Digits from which a closed form is guessed."""

LARGEST_COEFFICIENT = 10**6
"""Of the quadratic equation that a ratio of components is tried with."""

MOST_SAMPLES = 200
"""Samples up to which a guess is checked."""


def closed_form(energy: Energy, line: Line) -> tuple[str, bool] | None:
    """The unit vector in radicals, and whether the form vanishes there; None where no closed form was proved.

    Ratios of components are taken for roots of a linear or quadratic equation with integers. The guess holds where all
    minors of (grad F, w) vanish in exact arithmetic.
    """
    if len(energy.vectors) > MOST_SAMPLES:
        return None
    ratios = [_radical(v) for v in line.vector]
    if any(r is None for r in ratios):
        return None
    w = [sympy.sympify(r) for r in ratios]
    value, gradient = _form(energy, w)
    size = range(len(w))
    if any(sympy.expand(gradient[i] * w[j] - gradient[j] * w[i]) != 0 for i in size for j in size if i < j):
        return None
    return _text(w, line), bool(sympy.expand(value) == 0)


def _radical(value: arb) -> Any:
    with mpmath.workdps(DIGITS + 5):
        x = mpmath.mpf(value.mid().str(DIGITS + 5, radius=False))
        if abs(x) < mpmath.mpf(10) ** -DIGITS:
            return sympy.Integer(0)
        near = Fraction(str(x)).limit_denominator(LARGEST_COEFFICIENT)
        if abs(mpmath.mpf(near.numerator) / near.denominator - x) < mpmath.mpf(10) ** (-DIGITS + 2):
            return sympy.Rational(near.numerator, near.denominator)
        with mpmath.workdps(DIGITS):
            found = mpmath.pslq([x**2, x, mpmath.mpf(1)], maxcoeff=LARGEST_COEFFICIENT, maxsteps=2000)
        if found is None or found[0] == 0:
            return None
        a, b, c = map(int, found)
        roots = [(-b + s * sympy.sqrt(b * b - 4 * a * c)) / (2 * a) for s in (1, -1)]
        return min(
            (sympy.expand(r) for r in roots), key=lambda r: abs(sympy.N(r, DIGITS) - sympy.Float(str(x), DIGITS))
        )


def _form(energy: Energy, w: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The form that decides and its gradient at w, in exact arithmetic."""
    n, k = range(len(w)), energy.order
    values, slopes = [], []
    inner = [sympy.expand(sympy.Add(*(_rational(x) * v for x, v in zip(xi, w, strict=True)))) for xi in energy.vectors]
    powers = [sympy.expand(s ** (k - 1)) if k > 1 else sympy.Integer(1) for s in inner]
    for moments in energy.moments:
        terms = [
            (_rational(m) * p, s, xi) for m, p, s, xi in zip(moments, powers, inner, energy.vectors, strict=True) if m
        ]
        values.append(sympy.expand(sympy.Add(*(p * s for p, s, _ in terms))))
        slopes.append([sympy.expand(k * sympy.Add(*(p * _rational(xi[j]) for p, _, xi in terms))) for j in n])
    if energy.single:
        return values[0], slopes[0]
    q = range(len(values))
    gram = [[_rational(v) for v in row] for row in energy.gram]
    total = sympy.Add(*(gram[a][b] * values[a] * values[b] for a in q for b in q))
    return total, [2 * sympy.Add(*(gram[a][b] * values[a] * slopes[b][j] for a in q for b in q)) for j in n]


def _rational(value: Fraction) -> Any:
    return sympy.Rational(value.numerator, value.denominator)


def _text(w: list[Any], line: Line) -> str:
    """(2, 2, 1)/3: integers where that is possible, over their length."""
    denominators = [part.q for v in w for part in v.atoms(sympy.Rational)]
    scale = sympy.ilcm(1, *denominators)
    whole = [sympy.expand(v * scale) for v in w]
    if all(v.is_Integer for v in whole):
        common = sympy.igcd(*whole)
        whole = [v // common for v in whole]
    first = next(v for v in whole if v != 0)
    if sympy.N(first) < 0:
        whole = [sympy.expand(-v) for v in whole]
    length = sympy.sqrt(sympy.expand(sympy.Add(*(v**2 for v in whole))))
    inside = "(" + ", ".join(map(str, whole)) + ")"
    if length == 1:
        return inside
    return f"{inside}/{length}" if length.is_Integer or length.func is sympy.Pow else f"{inside}/({length})"
