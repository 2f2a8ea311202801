"""Temperatures as a person writes them: "1e-2", "1e-3,1e-2" or "1e-4..1"."""

from __future__ import annotations

from fractions import Fraction

from symland.errors import SpecError, SymlandError
from symland.exact import parse_exact

__all__ = ["COLDEST", "HOTTEST", "parse_temperatures"]

COLDEST, HOTTEST = Fraction(1, 10**12), Fraction(10**6)
"""Temperatures that are taken, in units of the loss."""

STEPS = (1, 2, 5)
"""Temperatures in each decade of a range."""

ADVICE = 'write one temperature such as 1e-2, several such as "1e-3,1e-2", or a range such as 1e-4..1'


def parse_temperatures(text: str, path: str = "--temperature") -> tuple[Fraction, ...]:
    """The temperatures of a text, ascending and exact; a range has its ends and 1, 2, 5 times powers of ten.

    Raises
    ------
    SpecError
        If the text is none of the three forms, or a temperature is not between `COLDEST` and `HOTTEST`.
    """
    ends = text.split("..")
    if len(ends) == 2:
        low, high = (_one(end, path) for end in ends)
        if low >= high:
            raise SpecError.at(path, f"{text!r} runs from {ends[0]} down to {ends[1]}", "write the lower one first")
        inside = (Fraction(10) ** k * s for k in range(-13, 8) for s in STEPS)
        return tuple(sorted({low, high, *(t for t in inside if low < t < high)}))
    if len(ends) > 2:
        raise SpecError.at(path, f"{text!r} is no range", ADVICE)
    return tuple(sorted({_one(part, path) for part in text.split(",")}))


def _one(text: str, path: str) -> Fraction:
    try:
        value = parse_exact(text.strip(), path)
    except SymlandError:
        raise SpecError.at(path, f"{text.strip()!r} is not a temperature", ADVICE) from None
    if not COLDEST <= value <= HOTTEST:
        raise SpecError.at(path, f"{text.strip()} is out of range", "write a temperature from 1e-12 to 1e6")
    return value
