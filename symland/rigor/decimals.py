"""Decimal texts and balls: exact in, outward out.

A decimal text is n 10^-k with integers n and k. Every float64 is one, so a float enters exactly.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import isfinite

from flint import arb, fmpq, fmpz

from symland.errors import CertificateError

__all__ = [
    "decimal_places",
    "exact_decimal",
    "fixed_text",
    "nearest_text",
    "outward_texts",
    "parse_decimal",
    "short_above",
]

_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e-?\d{1,6})?", re.ASCII)


def parse_decimal(text: str) -> fmpq:
    """The rational that a decimal text says.

    Raises
    ------
    CertificateError
        If it is not a decimal text.
    """
    if not _DECIMAL.fullmatch(text):
        raise CertificateError(f"{text[:40]!r} is not a decimal number; write one such as 0.25 or 1.5e-30")
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or "0") - len(fraction)
    return fmpz(whole + fraction) * _ten(shift)


def _ten(k: int) -> fmpq:
    return fmpq(10) ** k


def decimal_places(text: str) -> int:
    """k where the text says n 10^-k."""
    mantissa, _, exponent = text.partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or "0")


def fixed_text(n: fmpz, places: int) -> str:
    """n 10^-places in positional notation with `places` digits after the point."""
    if places <= 0:
        return str(n * _ten(-places))
    sign, digits = ("-" if n < 0 else ""), str(abs(n)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def exact_decimal(value: float | Fraction | str) -> str:
    """The decimal text that is equal to a number.

    Raises
    ------
    CertificateError
        If the number is not finite, or is a fraction without a finite decimal expansion.
    """
    if isinstance(value, str):
        parse_decimal(value)
        return value
    if not isfinite(value):
        raise CertificateError(f"{value} is not a point; give finite numbers")
    fraction = Fraction(value)
    twos = (fraction.denominator & -fraction.denominator).bit_length() - 1
    fives, rest = 0, fraction.denominator >> twos
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    if rest != 1:
        raise CertificateError(f"{fraction} has no finite decimal expansion; write it rounded, as text")
    places = max(twos, fives)
    scaled = fmpq(fraction.numerator, fraction.denominator) * _ten(places)
    return fixed_text(scaled.p, places)


def _scaled(x: arb, places: int) -> fmpq:
    """An exact ball times 10^places."""
    mantissa, exponent = x.man_exp()
    return mantissa * fmpq(2) ** int(exponent) * _ten(places)


def nearest_text(x: arb, places: int) -> str:
    """The midpoint rounded to `places` digits after the point."""
    return fixed_text((_scaled(x.mid(), places) + fmpq(1, 2)).floor(), places)


def outward_texts(x: arb, most: int) -> tuple[str, str]:
    """Decimal texts below and above every number of a finite ball, with at most `most` places.

    Fewer places are used where the ball is wider: the last digit weighs a hundredth of the radius or less.
    """
    # The radius is size 10^-most: of its digits only two are kept.
    size = _scaled(x.rad(), most).ceil()
    places = min(most, most - len(str(size)) + 3)
    low, high = _scaled(x.lower(), places).floor(), _scaled(x.upper(), places).ceil()
    return fixed_text(low, places), fixed_text(high, places)


def short_above(x: arb) -> str:
    """A decimal text of three digits that is at least the upper end of a ball, and at most 1 % more; 0 for zero.

    Raises
    ------
    CertificateError
        If the upper end is negative or not finite.
    """
    top = x.upper()
    if not (top.is_finite() and top >= 0):
        raise CertificateError(f"{top} has no upper bound in decimals; give a finite positive number")
    if top == 0:
        return "0"
    mantissa, exponent = top.man_exp()
    # log10 of the upper end, to a unit.
    magnitude = int((mantissa.bit_length() + int(exponent)) * 0.30103)
    places = 3 - magnitude
    n = _scaled(top, places).ceil()
    while n >= 1000:
        n, places = -((-n) // 10), places - 1
    while n < 100:
        places += 1
        n = _scaled(top, places).ceil()
    return f"{str(n)[0]}.{str(n)[1:]}e{2 - places}"
