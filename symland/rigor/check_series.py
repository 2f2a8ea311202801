"""The checker's own power series of an activation, read from its text by the grammar of `check_activation`.

The series of a function of a series u comes from its differential equation, coefficient by coefficient:

    y = tanh u:      y' = (1 - y^2) u'          y = sigmoid u:   y' = y (1 - y) u'
    y = softplus u:  y' = sigmoid(u) u'

with the first coefficient from both ends of the ball, as these functions increase. The others are Arb's.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import arb, arb_series, fmpq

from symland.records import Verdict
from symland.rigor.check_activation import NAMED, Reader, Refusal, need_text

__all__ = ["Series", "exponential", "logistic", "read_series", "reciprocal", "soft"]

Series = Callable[[arb, int], list[arb]]
"""A ball and a number n to balls that hold the first n Taylor coefficients all over it."""

_Map = Callable[[arb_series], arb_series]


def read_series(text: object) -> Series:
    """The series of the activation that a text names.

    Raises
    ------
    Refusal
        REFUTED for a text outside the grammar. The function that is returned refuses (UNDECIDED) a ball on which
        there is no bounded series.
    """
    text = need_text(text)
    return _coefficients(_FUNCTIONS[text] if text in NAMED else _Reader(text).whole_text())


def _coefficients(function: _Map) -> Series:
    def series(x: arb, count: int) -> list[arb]:
        try:
            found = function(arb_series([x, arb(1)], prec=count))
        except ValueError:
            raise Refusal("the activation divides by what may be 0 on the box", Verdict.UNDECIDED) from None
        values = [found[k] for k in range(count)]
        if not all(v.is_finite() for v in values):
            raise Refusal("the activation has no bound on the box", Verdict.UNDECIDED)
        return values

    return series


class _Reader(Reader[_Map]):
    def variable(self) -> _Map:
        return lambda z: z

    def number(self, value: fmpq) -> _Map:
        return lambda z: arb_series([arb(value)], prec=z.prec)

    def function(self, name: str, inner: _Map) -> _Map:
        outer = _FUNCTIONS[name]
        return lambda z: outer(inner(z))

    def joined(self, sign: str, left: _Map, right: _Map) -> _Map:
        match sign:
            case "+":
                return lambda z: left(z) + right(z)
            case "-":
                return lambda z: left(z) - right(z)
            case "*":
                return lambda z: left(z) * right(z)
        return lambda z: left(z) / right(z)

    def negated(self, inner: _Map) -> _Map:
        return lambda z: -inner(z)

    def raised(self, base: _Map, n: int) -> _Map:
        def function(z: arb_series) -> arb_series:
            one = arb_series([arb(1)], prec=z.prec)
            factor, total = base(z), one
            for _ in range(abs(n)):
                total = total * factor
            return one / total if n < 0 else total

        return function


def _solved(u: arb_series, first: arb, slope: Callable[[arb_series], arb_series]) -> arb_series:
    """y with y(0) = first and y' = slope(y) u'."""
    count = u.prec
    y = [first]
    for k in range(1, count):
        right = slope(arb_series(y, prec=k)) * arb_series([u[j + 1] * (j + 1) for j in range(k)], prec=k)
        y.append(right[k - 1] / k)
    return arb_series(y, prec=count)


def _ends(f: Callable[[arb], arb], x: arb) -> arb:
    return f(x.lower()).union(f(x.upper()))


def _tanh(u: arb_series) -> arb_series:
    return _solved(u, _ends(lambda x: x.tanh(), u[0]), lambda y: 1 - y * y)


def _sigmoid(u: arb_series) -> arb_series:
    return _solved(u, _ends(lambda x: 1 / (1 + (-x).exp()), u[0]), lambda y: y * (1 - y))


def _softplus(u: arb_series) -> arb_series:
    g, count = _sigmoid(u), u.prec
    y = [_ends(lambda x: x.exp().log1p(), u[0])]
    rise = g * arb_series([u[j + 1] * (j + 1) for j in range(count)], prec=count)
    return arb_series(y + [rise[k] / (k + 1) for k in range(count - 1)], prec=count)


def _log(u: arb_series) -> arb_series:
    _above_zero(u)
    return u.log()


def _sqrt(u: arb_series) -> arb_series:
    _above_zero(u)
    return u.sqrt()


def _above_zero(u: arb_series) -> None:
    if not u[0] > 0:
        raise Refusal(
            "the activation takes a logarithm or root of what may not be positive on the box", Verdict.UNDECIDED
        )


_FUNCTIONS: dict[str, _Map] = {
    "exp": lambda u: u.exp(),
    "log": _log,
    "sqrt": _sqrt,
    "sin": lambda u: u.sin(),
    "cos": lambda u: u.cos(),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": lambda u: u.erf(),
}

exponential = _coefficients(lambda u: u.exp())
logistic = _coefficients(_sigmoid)
soft = _coefficients(_softplus)
reciprocal = _coefficients(lambda u: arb_series([arb(1)], prec=u.prec) / u)
