"""Homogeneous polynomials with rational coefficients, as dictionaries from exponents to coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import factorial, prod

from flint import fmpq, fmpq_mat

__all__ = ["Form", "decimal_text", "derivative", "form_text", "kernel_of", "moment_form", "null_space", "plus", "times"]

Form = dict[tuple[int, ...], Fraction]
"""Exponents of each variable, and the coefficient; zero coefficients are left out."""


def moment_form(vectors: Sequence[Sequence[Fraction]], weights: Sequence[Fraction], degree: int) -> Form:
    """sum_d m_d (w . xi_d)^k as a polynomial in w, by the multinomial theorem."""
    size = len(vectors[0])
    found: Form = {}
    for choice in combinations_with_replacement(range(size), degree):
        products = (prod((x[i] for i in choice), start=Fraction(1)) for x in vectors)
        moment = sum((m * x for m, x in zip(weights, products, strict=True)), Fraction(0))
        if moment:
            exponents = tuple(choice.count(i) for i in range(size))
            found[exponents] = moment * (factorial(degree) // prod(map(factorial, exponents)))
    return found


def plus(*forms: Form) -> Form:
    """The sum."""
    total: Form = {}
    for form in forms:
        for exponents, value in form.items():
            total[exponents] = total.get(exponents, Fraction(0)) + value
    return {exponents: value for exponents, value in total.items() if value}


def times(left: Form, right: Form) -> Form:
    """The product."""
    total: Form = {}
    for a, x in left.items():
        for b, y in right.items():
            key = tuple(i + j for i, j in zip(a, b, strict=True))
            total[key] = total.get(key, Fraction(0)) + x * y
    return {exponents: value for exponents, value in total.items() if value}


def derivative(form: Form, variable: int) -> Form:
    """The partial derivative by a variable."""
    return {
        tuple(e - (i == variable) for i, e in enumerate(exponents)): value * exponents[variable]
        for exponents, value in form.items()
        if exponents[variable]
    }


def null_space(rows: Sequence[Sequence[Fraction]], size: int) -> list[tuple[Fraction, ...]]:
    """A rational basis of the vectors of length `size` that every row annihilates."""
    if not rows:
        return [tuple(Fraction(int(i == j)) for j in range(size)) for i in range(size)]
    matrix = fmpq_mat([[fmpq(v.numerator, v.denominator) for v in row] for row in rows])
    reduced, rank = matrix.rref()
    pivots = [next(j for j in range(size) if reduced[i, j] != 0) for i in range(rank)]
    basis = []
    for free in (j for j in range(size) if j not in pivots):
        vector = [Fraction(int(j == free)) for j in range(size)]
        for i, pivot in enumerate(pivots):
            entry = reduced[i, free]
            vector[pivot] = -Fraction(int(entry.p), int(entry.q))
        basis.append(tuple(vector))
    return basis


def kernel_of(forms: Iterable[Form], size: int) -> list[tuple[Fraction, ...]]:
    """The directions along which no form changes: v with v . grad F = 0 identically."""
    rows: list[list[Fraction]] = []
    for form in forms:
        slopes = [derivative(form, j) for j in range(size)]
        rows += [[slope.get(e, Fraction(0)) for slope in slopes] for e in sorted(set().union(*slopes))]
    return null_space(rows, size)


def form_text(form: Form, names: Sequence[str]) -> str:
    """The polynomial as SymPy writes it, factored where it has rational factors."""
    import sympy

    symbols = sympy.symbols(names)
    whole = sympy.Add(
        *(
            sympy.Rational(value.numerator, value.denominator)
            * sympy.Mul(*(s**e for s, e in zip(symbols, key, strict=True)))
            for key, value in form.items()
        )
    )
    few = len(form) <= FACTORED_TERMS and len(names) <= FACTORED_NAMES
    return str(sympy.factor(whole) if few else whole)


def decimal_text(form: Form, names: Sequence[str]) -> str:
    """The polynomial with its coefficients as decimals of six digits, the largest first; its tail is counted."""
    largest = sorted(form.items(), key=lambda term: -abs(term[1]))
    terms = []
    for key, value in largest[:DECIMAL_TERMS]:
        powers = [name if e == 1 else f"{name}**{e}" for name, e in zip(names, key, strict=True) if e]
        terms.append("*".join([f"{float(value):.6g}", *powers]))
    tail = f" + {len(form) - DECIMAL_TERMS} smaller terms" if len(form) > DECIMAL_TERMS else ""
    return " + ".join(terms).replace("+ -", "- ") + tail


DECIMAL_TERMS = 12
"""Terms of a polynomial with decimal coefficients that are printed."""

FACTORED_TERMS = 60
"""Terms of the longest polynomial that is factored before it is printed."""

FACTORED_NAMES = 8
"""Variables of a polynomial that is factored: SymPy takes minutes with many."""
