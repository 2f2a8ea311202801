"""Derivatives of F along a straight line: power series in t."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flint import arb

from symland.rigor.enumeration_check.question import Question, ball
from symland.rigor.range_check.middles import AtKappa

__all__ = ["by_kappa", "diagonal", "directional", "second"]


class _Jet:
    """c_0 + c_1 t + c_2 t^2 + ..., as far as it is given."""

    __slots__ = ("c",)

    def __init__(self, *c: arb) -> None:
        self.c = c

    def __add__(self, other: _Jet) -> _Jet:
        return _Jet(*(a + b for a, b in zip(self.c, other.c, strict=True)))

    def plus(self, number: int) -> _Jet:
        return _Jet(self.c[0] + number, *self.c[1:])

    def times(self, factor: arb) -> _Jet:
        return _Jet(*(a * factor for a in self.c))

    def __mul__(self, other: _Jet) -> _Jet:
        a, b = self.c, other.c
        return _Jet(*(sum((a[i] * b[n - i] for i in range(n + 1)), arb(0)) for n in range(len(a))))

    def tanh(self) -> _Jet:
        """y' = (1 - y^2) a', coefficient by coefficient."""
        a, y = self.c, [self.c[0].tanh()]
        for n in range(1, len(a)):
            # The coefficients of 1 - y^2 that are known so far.
            bell = [int(k == 0) - sum((y[i] * y[k - i] for i in range(k + 1)), arb(0)) for k in range(n)]
            y.append(sum((k * a[k] * bell[n - k] for k in range(1, n + 1)), arb(0)) / n)
        return _Jet(*y)


def _pull(question: Question, z: Sequence[arb], u: Sequence[arb], order: int) -> list[_Jet]:
    """F(z + t u) - A (z + t u) up to t^order: minus kappa times the sums over the samples."""
    m, rest = question.width, [arb(0)] * (order - 1)
    jets = [_Jet(*[a, b, *rest][: order + 1]) for a, b in zip(z, u, strict=True)]
    nothing = _Jet(*[arb(0)] * (order + 1))
    out = [nothing for _ in z]
    for row, sign in zip(question.design, question.signs, strict=True):
        x = [ball(c) for c in row]
        logit, nodes = jets[-1], []
        for at in range(0, len(z) - 1, m + 1):
            a = nothing
            for k in range(m):
                a = a + jets[at + k].times(x[k])
            t = a.tanh()
            logit = logit + jets[at + m] * t
            nodes.append((at, t))
        p = logit.times(arb(0.5)).tanh().times(arb(-1)).plus(sign).times(-question.kappa / 2)
        out[-1] = out[-1] + p
        for at, t in nodes:
            out[at + m] = out[at + m] + p * t
            lean = jets[at + m] * p * (t * t).times(arb(-1)).plus(1)
            for k in range(m):
                out[at + k] = out[at + k] + lean.times(x[k])
    return out


def directional(question: Question, z: Sequence[arb], u: Sequence[arb], order: int) -> list[arb]:
    """The derivative of F of an order from 2 on, along u every time."""
    return [math.factorial(order) * jet.c[order] for jet in _pull(question, z, u, order)]


def second(question: Question, z: Sequence[arb], u: Sequence[arb]) -> list[arb]:
    """F_zz[u, u]."""
    return directional(question, z, u, 2)


def by_kappa(question: Question, z: Sequence[arb]) -> list[arb]:
    """F_kappa: F is affine in kappa."""
    one = AtKappa.of(question, arb(1))
    return [jet.c[0] for jet in _pull(one, z, [arb(0)] * len(z), 0)]


def diagonal(question: Question, size: int) -> list[int]:
    """A."""
    return [2 if i % (question.width + 1) < question.width else 1 for i in range(size - 1)] + [1]
