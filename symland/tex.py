"""Numbers, text and verdicts as LaTeX."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from math import ceil, floor, isfinite

from symland.records import Verdict

__all__ = [
    "LOSS_PLACES",
    "decimal_tex",
    "enclosure_tex",
    "fraction_tex",
    "mixed_tex",
    "scientific_tex",
    "text_tex",
    "verdict_tex",
]

LOSS_PLACES = 14
"""Decimal places of a loss enclosure in a table."""

WIDEST_TAIL = 3
"""Digits in which the two ends of an enclosure may differ before both are written in full."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
}
_UNICODE = {
    "\u2013": "--",
    "\u2014": "---",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
}
_GREEK_NAMES = (
    r"\alpha \beta \gamma \delta \varepsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi o \pi \rho "
    r"\varsigma \sigma \tau \upsilon \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon "
    r"\Phi \Psi \Omega"
)
_GREEK = dict(zip("αβγδεζηθικλμνξοπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _GREEK_NAMES.split(), strict=True))
_LATIN_ALIKE = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0326": "textcommabelow",
    "\u0327": "c",
    "\u0328": "k",
    "\u0331": "b",
}


def text_tex(text: object) -> str:
    """Plain text as LaTeX: Latin and Greek letters with their accents; other characters as their number, U+4E2D.

    A LaTeX without fonts for these would stop at them.
    """
    special = {**_SPECIAL, '"': "''", **_UNICODE}
    return "".join(special.get(c) or _letter_tex(c) for c in str(text))


def _letter_tex(character: str) -> str:
    if ord(character) < 0x180:
        return character
    if character in _GREEK:
        return f"${_GREEK[character]}$"
    if character in _LATIN_ALIKE:
        return _LATIN_ALIKE[character]
    base, *marks = list(unicodedata.normalize("NFD", character))
    if not marks or not all(mark in _ACCENTS for mark in marks):
        return rf"\texttt{{U+{ord(character):04X}}}"
    out = _letter_tex(base)
    for mark in marks:
        out = rf"\{_ACCENTS[mark]}{{{out}}}"
    return out


def mixed_tex(text: object) -> str:
    """Text that is LaTeX where it holds a formula or a command, and plain otherwise."""
    whole = str(text)
    return whole if "$" in whole or "\\" in whole else text_tex(whole)


def fraction_tex(value: Fraction) -> str:
    """An exact rational: an integer, a short decimal, a power of ten, or a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    power = len(str(value.denominator)) - 1
    if value.numerator == 1 and value.denominator == 10**power and power > 1:
        return f"10^{{-{power}}}"
    scaled = value * 10**6
    if scaled.denominator == 1:
        return f"{float(value):.6f}".rstrip("0")
    sign = "-" if value < 0 else ""
    return rf"{sign}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def scientific_tex(value: float | str, digits: int = 2) -> str:
    """A number of any size with `digits` figures: 3.1 \\times 10^{-17}, or as a short decimal where that is shorter."""
    number = float(value)
    if number == 0 or not isfinite(number):
        return "0" if number == 0 else r"\infty"
    if 1e-3 <= abs(number) < 1e4:
        return f"{number:.{digits}g}" if "e" not in f"{number:.{digits}g}" else f"{number:.0f}"
    mantissa, exponent = f"{number:.{digits - 1}e}".split("e")
    if float(mantissa) == 1:
        return f"10^{{{int(exponent)}}}"
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"


def decimal_tex(value: float, places: int = 6) -> str:
    """A number with fixed places, and no sign on zero."""
    text = f"{value:.{places}f}"
    return text[1:] if float(text) == 0 and text.startswith("-") else text


def enclosure_tex(lower: str, upper: str, places: int = LOSS_PLACES) -> str:
    """An enclosure, rounded outward: common digits, then those of the upper end above those of the lower.

    Where the ends share too few digits, c(k) stands for c +- k units of its last digit.

    Parameters
    ----------
    lower, upper : str
        Exact decimal or rational texts.
    """
    low, high = Fraction(lower), Fraction(upper)
    while True:
        units = 10**places
        ends = [floor(low * units), ceil(high * units)]
        if places == 0 or ends[1] - ends[0] < 10 ** (WIDEST_TAIL - 1):
            break
        places -= 1
    texts = [_fixed(end, places) for end in ends]
    if ends[0] == ends[1]:
        return texts[0]
    same = 0
    while same < min(map(len, texts)) and texts[0][same] == texts[1][same]:
        same += 1
    tails = [text[same:] for text in texts]
    if len(tails[0]) != len(tails[1]) or len(tails[0]) > WIDEST_TAIL or "." in tails[0] or not same:
        # The ends lie on two sides of a round number: it, and in brackets the distance in units of its last digit.
        middle = (ends[0] + ends[1]) // 2
        return f"{_fixed(middle, places)}({max(ends[1] - middle, middle - ends[0])})"
    return f"{texts[0][:same]}_{{{tails[0]}}}^{{{tails[1]}}}"


def _fixed(units: int, places: int) -> str:
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def verdict_tex(verdict: Verdict | str) -> str:
    """A tick, a cross or a question mark."""
    return {
        Verdict.CERTIFIED: r"$\checkmark$",
        Verdict.REFUTED: r"$\times$",
        Verdict.UNDECIDED: "?",
    }[Verdict(verdict)]


def breakable_tex(formula: str) -> str:
    """A long digest or number in typewriter that may be broken anywhere after eight characters."""
    return r"\texttt{" + r"\allowbreak ".join(re.findall(".{1,8}", str(formula))) + "}"
