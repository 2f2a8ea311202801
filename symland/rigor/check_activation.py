"""The checker's own reading of an activation: a strict grammar, and (sigma, sigma', sigma'') over a ball.

    text     := tanh | sigmoid | softplus | sin | erf | sum
    sum      := product (("+" | "-") product)*
    product  := signed (("*" | "/") signed)*
    signed   := ("+" | "-")* power
    power    := atom ("**" exponent)?
    exponent := ("+" | "-")* (whole | "(" exponent ")")                     at most 64 in size
    atom     := z | number | function "(" sum ")" | "(" sum ")"
    number   := (whole ("." digits?)? | "." digits) (("e" | "E") ("+" | "-")? digits)?
    whole    := 0, or digits that begin with none
    function := exp log sqrt sin cos tanh sigmoid softplus erf

The text is ASCII, at most 500 characters long and 30 parentheses deep, with spaces between words and nowhere else; a
decimal exponent has at most 3 digits. 0.1 is one tenth.

sigma is answered over the whole ball or not at all. A logarithm, a root or a quotient whose argument's ball touches its
singularity, and a ball without bounds, end the reading: no factor, not even 0, takes that away.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import Generic, NoReturn, TypeVar

from flint import arb, fmpq
from numpy.linalg import LinAlgError

from symland.records import Verdict

__all__ = [
    "GIVEN_UP",
    "NAMED",
    "Reader",
    "Refusal",
    "Sigma",
    "Three",
    "given_up",
    "need",
    "need_text",
    "read_activation",
]

LONGEST_TEXT = 500  # characters
DEEPEST_TEXT = 30  # parentheses
LARGEST_POWER = 64

Three = tuple[arb, arb, arb]
Sigma = Callable[[arb], Three]
"""A ball to balls that hold sigma, sigma' and sigma'' all over it."""

_Some = TypeVar("_Some", bound=tuple[arb, ...])
S = TypeVar("S")
"""What a reading makes of a text."""

NAMED = ("tanh", "sigmoid", "softplus", "sin", "erf")
_WHOLE = re.compile(r"0|[1-9][0-9]*")
_NUMBER = r"(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?(?![0-9A-Za-z_.])"
_WORD = re.compile(rf" *({_NUMBER}|[a-z]+(?![0-9A-Za-z_.])|\*\*|[-+*/()])")
_ZERO, _ONE = arb(0), arb(1)


class Refusal(Exception):
    """Why a certificate is not accepted, and the verdict."""


GIVEN_UP = (ZeroDivisionError, MemoryError, LinAlgError)
"""Errors that end a check and say nothing against the file: it is undecided."""


def given_up(error: Exception) -> str:
    """What an error of GIVEN_UP means."""
    if isinstance(error, ZeroDivisionError):
        return "a matrix is not proved to be invertible"
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    return "float64 found nothing to begin with"


def need(condition: bool, reason: str, otherwise: Verdict = Verdict.REFUTED) -> None:
    """Refuse with the reason unless the condition holds."""
    if not condition:
        raise Refusal(reason, otherwise)


def read_activation(text: object) -> Sigma:
    """The activation that a text names.

    Raises
    ------
    Refusal
        REFUTED for a text outside the grammar. The function that is returned refuses a ball on which sigma is not
        defined (REFUTED where it is defined nowhere on it, else UNDECIDED) or not bounded (UNDECIDED).
    """
    text = need_text(text)
    return _applied(_FUNCTIONS[text]) if text in NAMED else _Reader(text).whole_text()


def need_text(text: object) -> str:
    """Refuse what is no ASCII text of a length that is read."""
    if not (isinstance(text, str) and text.isascii() and len(text) <= LONGEST_TEXT):
        raise Refusal(f"the activation is no ASCII text of at most {LONGEST_TEXT} characters", Verdict.REFUTED)
    return text


class Reader(ABC, Generic[S]):
    """A recursive descent through the words of a text: one method for each rule of the grammar.

    What it makes is said by a subclass: of z, of a number, of a function's name and what stands in its parentheses, of
    two parts and the sign between them, and of a power.
    """

    @abstractmethod
    def variable(self) -> S:
        """Of z."""

    @abstractmethod
    def number(self, value: fmpq) -> S:
        """Of a number."""

    @abstractmethod
    def function(self, name: str, inner: S) -> S:
        """Of a function."""

    @abstractmethod
    def joined(self, sign: str, left: S, right: S) -> S:
        """Of left + right, left - right, left * right or left / right."""

    @abstractmethod
    def negated(self, inner: S) -> S:
        """Of - inner."""

    @abstractmethod
    def raised(self, base: S, n: int) -> S:
        """Of base ** n."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        at, end = 0, len(text.rstrip(" "))
        while at < end:
            if (match := _WORD.match(text, at)) is None:
                self.refuse(text[at : at + 20])
            self.words.append(match[1])
            at = match.end()
        self.words.append("")
        self.next, self.depth = 0, 0

    def refuse(self, what: str) -> NoReturn:
        raise Refusal(f"the activation holds {what or 'its end'!r} where that is not allowed", Verdict.REFUTED)

    def take(self, *words: str) -> str:
        """The next word if it is one of these, else the empty word."""
        word = self.words[self.next]
        if word not in words:
            return ""
        self.next += 1
        return word

    def any(self) -> str:
        word = self.words[self.next]
        self.next += 1
        return word

    def close(self) -> None:
        if not self.take(")"):
            self.refuse(self.words[self.next])
        self.depth -= 1

    def deeper(self) -> None:
        self.depth += 1
        need(self.depth <= DEEPEST_TEXT, f"the activation is more than {DEEPEST_TEXT} parentheses deep")

    def whole_text(self) -> S:
        sigma = self.sum()
        if self.words[self.next]:
            self.refuse(self.words[self.next])
        return sigma

    def sum(self) -> S:
        left = self.product()
        while sign := self.take("+", "-"):
            left = self.joined(sign, left, self.product())
        return left

    def product(self) -> S:
        left = self.signed()
        while sign := self.take("*", "/"):
            left = self.joined(sign, left, self.signed())
        return left

    def signed(self) -> S:
        negative = self.negative()
        inner = self.power()
        return self.negated(inner) if negative else inner

    def negative(self) -> bool:
        """Whether the signs that stand next make negative."""
        negative = False
        while sign := self.take("+", "-"):
            negative ^= sign == "-"
        return negative

    def power(self) -> S:
        base = self.atom()
        return self.raised(base, self.exponent()) if self.take("**") else base

    def exponent(self) -> int:
        negative, word = self.negative(), self.any()
        if word == "(":
            self.deeper()
            n = self.exponent()
            self.close()
        else:
            need(_WHOLE.fullmatch(word) is not None, "an exponent is not an integer")
            need(len(word) < 3 and int(word) <= LARGEST_POWER, "an exponent is out of range")
            n = int(word)
        return -n if negative else n

    def atom(self) -> S:
        word = self.any()
        if word == "z":
            return self.variable()
        if word and word[0] in ".0123456789":
            value = Fraction(word)
            return self.number(fmpq(value.numerator, value.denominator))
        if word != "(" and not (word in _FUNCTIONS and self.take("(")):
            self.refuse(word)
        self.deeper()
        inner = self.sum()
        self.close()
        return inner if word == "(" else self.function(word, inner)


class _Reader(Reader[Sigma]):
    """Makes sigma with two derivatives."""

    def variable(self) -> Sigma:
        return lambda z: (z, _ONE, _ZERO)

    def number(self, value: fmpq) -> Sigma:
        # Rounded where it is used: the precision is not known yet.
        return lambda z: (arb(value), _ZERO, _ZERO)

    def function(self, name: str, inner: Sigma) -> Sigma:
        return _composed(_applied(_FUNCTIONS[name]), inner)

    def joined(self, sign: str, left: Sigma, right: Sigma) -> Sigma:
        return {"+": _added, "-": _subtracted, "*": _multiplied, "/": _divided}[sign](left, right)

    def negated(self, inner: Sigma) -> Sigma:
        return _negated(inner)

    def raised(self, base: Sigma, n: int) -> Sigma:
        return _raised(base, n)


def _added(left: Sigma, right: Sigma) -> Sigma:
    def sigma(z: arb) -> Three:
        (f, fd, fe), (g, gd, ge) = left(z), right(z)
        return f + g, fd + gd, fe + ge

    return sigma


def _subtracted(left: Sigma, right: Sigma) -> Sigma:
    return _added(left, _negated(right))


def _negated(inner: Sigma) -> Sigma:
    def sigma(z: arb) -> Three:
        f, d, e = inner(z)
        return -f, -d, -e

    return sigma


def _multiplied(left: Sigma, right: Sigma) -> Sigma:
    def sigma(z: arb) -> Three:
        (f, fd, fe), (g, gd, ge) = left(z), right(z)
        return f * g, fd * g + f * gd, fe * g + 2 * fd * gd + f * ge

    return sigma


def _divided(left: Sigma, right: Sigma) -> Sigma:
    def sigma(z: arb) -> Three:
        (f, fd, fe), (g, gd, ge) = left(z), right(z)
        _away_from_zero(g)
        # From h g = f: h' g = f' - h g', and h'' g = f'' - 2 h' g' - h g''.
        h = f / g
        hd = (fd - h * gd) / g
        return _bounded((h, hd, (fe - 2 * hd * gd - h * ge) / g))

    return sigma


def _raised(base: Sigma, n: int) -> Sigma:
    def sigma(z: arb) -> Three:
        f, d, e = base(z)
        if n < 0:
            _away_from_zero(f)
        first, second = n * _power(f, n - 1 if n else 0), n * (n - 1) * _power(f, n - 2 if n * n != n else 0)
        return _bounded((_power(f, n), first * d, second * d * d + first * e))

    return sigma


def _composed(outer: Sigma, inner: Sigma) -> Sigma:
    def sigma(z: arb) -> Three:
        f, d, e = inner(z)
        a, b, c = outer(f)
        return a, b * d, c * d * d + b * e

    return sigma


def _applied(function: Sigma) -> Sigma:
    # A bounded function of a ball without bounds would hide it.
    def sigma(x: arb) -> Three:
        return _bounded(function(*_bounded((x,))))

    return sigma


def _bounded(values: _Some) -> _Some:
    if not all(x.is_finite() for x in values):
        raise Refusal("the activation has no bound on the box", Verdict.UNDECIDED)
    return values


def _away_from_zero(x: arb) -> None:
    if not x.is_finite() or x.contains(0):
        nowhere = Verdict.REFUTED if x.is_zero() else Verdict.UNDECIDED
        raise Refusal("the activation divides by what may be 0 on the box", nowhere)


def _above_zero(x: arb) -> arb:
    if not x > 0:
        nowhere = Verdict.REFUTED if x <= 0 else Verdict.UNDECIDED
        raise Refusal("the activation takes a logarithm or root of what may not be positive on the box", nowhere)
    return x


def _monotone(f: Callable[[arb], arb], x: arb) -> arb:
    return f(x.lower()).union(f(x.upper()))


def _power(x: arb, n: int) -> arb:
    """By products: arb's own power of a ball around zero is NaN."""
    power = arb(1)
    for _ in range(abs(n)):
        power *= x
    return 1 / power if n < 0 else power


def _tanh(x: arb) -> Three:
    t = _monotone(lambda y: y.tanh(), x)
    slope = 1 - t * t
    return t, slope, -2 * t * slope


def _sigmoid(x: arb) -> Three:
    g = _monotone(lambda y: 1 / (1 + (-y).exp()), x)
    slope = g * (1 - g)
    return g, slope, slope * (1 - 2 * g)


def _erf(x: arb) -> Three:
    least, most = (2 * (-y * y).exp() / arb.pi().sqrt() for y in (x.abs_upper(), x.abs_lower()))
    bell = least.union(most)
    return _monotone(lambda y: y.erf(), x), bell, -2 * x * bell


def _sqrt(x: arb) -> Three:
    root = _above_zero(x).sqrt()
    return root, 1 / (2 * root), -1 / (4 * x * root)


def _log(x: arb) -> Three:
    return _above_zero(x).log(), 1 / x, -1 / (x * x)


_FUNCTIONS: dict[str, Sigma] = {
    "exp": lambda x: ((e := x.exp()), e, e),
    "log": _log,
    "sqrt": _sqrt,
    "sin": lambda x: ((s := x.sin()), x.cos(), -s),
    "cos": lambda x: ((c := x.cos()), -x.sin(), -c),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: (_monotone(lambda y: y.exp().log1p(), x), *_sigmoid(x)[:2]),
    "erf": _erf,
}
