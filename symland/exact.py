"""Exact numbers from text: "1/3", "0.1" and "1e-3" are rationals, never floats."""

from __future__ import annotations

import re
from fractions import Fraction

from symland.errors import SpecError

__all__ = ["exact_text", "need_float64", "parse_exact"]

LONGEST_NUMBER = 2000
"""Characters in the text of one number."""

LARGEST_EXPONENT = 1000
"""Decimal exponent, in absolute value, of one number."""

LEAST_SIZE, LARGEST_SIZE = Fraction(10) ** -300, Fraction(10) ** 300
"""Of a number of a question that is not 0: float64 holds it with all its digits, and with room around."""

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_RATIO = re.compile(r"[+-]?\d+\s*/\s*\d+")


def parse_exact(value: str | int, path: str) -> Fraction:
    """The rational that a text or an integer says.

    Parameters
    ----------
    value : str or int
        "3", "-1/3", "0.1", "1e-3", or an integer.
    path : str
        Where it stands, for the error.

    Raises
    ------
    SpecError
        If the text is not a finite decimal or a ratio of integers.
    """
    advice = 'write a finite number as text, such as "0.1", "1e-3" or "1/3"'
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SpecError.at(path, f"{value!r} is not exact", advice)
    text = str(value).strip()
    if len(text) > LONGEST_NUMBER:
        raise SpecError.at(path, f"a number of {len(text)} characters", f"use at most {LONGEST_NUMBER}")
    if match := _DECIMAL.fullmatch(text):
        exponent = (match[3] or "e0")[1:]
        if len(exponent) > 6 or abs(int(exponent)) > LARGEST_EXPONENT:
            raise SpecError.at(path, f"exponent {exponent} is out of range", f"use at most {LARGEST_EXPONENT}")
        return Fraction(text)
    if _RATIO.fullmatch(text):
        numerator, denominator = (int(part) for part in text.split("/"))
        if denominator == 0:
            raise SpecError.at(path, f"{text!r} divides by zero", advice)
        return Fraction(numerator, denominator)
    raise SpecError.at(path, f"{text[:60]!r} is not a finite number", advice)


def need_float64(value: Fraction, path: str) -> None:
    """Refuse a number that the kernels would take for 0 or for infinity.

    Raises
    ------
    SpecError
        If the number is neither 0 nor between LEAST_SIZE and LARGEST_SIZE in size.
    """
    if value and not LEAST_SIZE <= abs(value) <= LARGEST_SIZE:
        what = "infinite" if abs(value) > 1 else "zero"
        raise SpecError.at(path, f"the number is (nearly) {what} in float64", "write 0, or 1e-300 to 1e300 in size")


def exact_text(value: Fraction) -> str:
    """The canonical text of a rational: "3" or "-1/3"."""
    return str(value)
