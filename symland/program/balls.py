"""The algebra of Arb balls: every result encloses the exact value for every point of the arguments' balls.

Arb's tanh of a wide ball explodes, so a monotone function is evaluated at both ends and the results are joined; an even
function that falls away from zero is joined with its value at zero where the ball holds zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from math import prod

from flint import arb, arb_mat, ctx, fmpq

from symland.program.algebra import Algebra, Evaluation, run
from symland.program.ir import Program

__all__ = ["BallAlgebra", "evaluate_balls", "exact_ball", "working_precision"]


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Arb's working precision within a block; flint keeps it per process."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def exact_ball(value: Fraction | float | int) -> arb:
    """A ball that holds a rational, as narrow as the working precision allows; a float is taken exactly."""
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


def _ends(x: arb) -> tuple[arb, arb]:
    return x.lower(), x.upper()


def _increasing(f: Callable[[arb], arb], x: arb) -> arb:
    """An increasing function of a ball."""
    if x.is_exact():
        return f(x)
    low, high = _ends(x)
    return f(low).union(f(high))


def _bell(f: Callable[[arb], arb], x: arb) -> arb:
    """An even function that falls with |x|."""
    if x.is_exact():
        return f(x)
    low, high = _ends(x)
    joined = f(low).union(f(high))
    return joined.union(f(arb(0))) if x.contains(0) else joined


def _tanh(x: arb) -> arb:
    return x.tanh()


def _sech2(x: arb) -> arb:
    return x.sech() ** 2


def _logistic(x: arb) -> arb:
    # For x << 0, e^x / (1 + e^x) keeps the relative precision that 1 / (1 + e^-x) keeps for x >> 0.
    if x < 0:
        e = x.exp()
        return e / (1 + e)
    return 1 / (1 + (-x).exp())


def _softplus(x: arb) -> arb:
    return x.exp().log1p() if x < 0 else x + (-x).exp().log1p()


def _gauss(x: arb) -> arb:
    return 2 * (-x * x).exp() / arb.pi().sqrt()


def _power(x: arb, n: int) -> arb:
    """x^n by its monotone pieces; flint's own power is not finite for a negative ball or one that holds zero."""
    if n < 0:
        return 1 / _power(x, -n)
    low, high = _ends(x) if n % 2 else (x.abs_lower(), x.abs_upper())
    return prod([low] * n, start=arb(1)).union(prod([high] * n, start=arb(1)))


_MONOTONE: dict[str, Callable[[arb], arb]] = {
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "tanh": _tanh,
    "logistic": _logistic,
    "softplus": _softplus,
    "erf": lambda x: x.erf(),
}
_BELLS: dict[str, Callable[[arb], arb]] = {"sech2": _sech2, "gauss": _gauss}


class BallAlgebra(Algebra[arb]):
    """Numbers are Arb balls at flint's working precision; see `working_precision`."""

    def constant(self, value: Fraction) -> arb:
        return exact_ball(value)

    def primitive(self, op: str, args: Sequence[arb], value: Fraction | None) -> arb:
        x = args[0]
        if op in _MONOTONE:
            return _increasing(_MONOTONE[op], x)
        if op in _BELLS:
            return _bell(_BELLS[op], x)
        match op:
            case "div":
                return x / args[1]
            case "power":
                assert value is not None
                return _power(x, int(value))
            case "sin":
                return x.sin()
            case "cos":
                return x.cos()
            case "lse0":
                return _lse0(args)
            case "softmax0":
                assert value is not None
                return _softmax0(int(value), args)
        raise ValueError(f"no ball function {op}")


def _lse0(margins: Sequence[arb]) -> arb:
    """ln(1 + sum e^m), which increases in each margin."""

    def at(ends: list[arb]) -> arb:
        return sum((m.exp() for m in ends), arb(0)).log1p()

    if all(m.is_exact() for m in margins):
        return at(list(margins))
    return at([m.lower() for m in margins]).union(at([m.upper() for m in margins]))


def _softmax0(i: int, margins: Sequence[arb]) -> arb:
    """1 / sum_k e^{m_k - m_i} with m_0 = 0: it increases in m_i and falls in every other margin."""
    logits = [arb(0), *margins]

    def at(own: arb, others: list[arb]) -> arb:
        return 1 / (1 + sum(((m - own).exp() for m in others), arb(0)))

    others = [m for k, m in enumerate(logits) if k != i]
    if all(m.is_exact() for m in logits):
        return at(logits[i], others)
    low = at(logits[i].lower(), [m.upper() for m in others])
    return low.union(at(logits[i].upper(), [m.lower() for m in others]))


_ALGEBRA = BallAlgebra()


def evaluate_balls(
    program: Program, theta: Sequence[arb], data: Mapping[str, Sequence[arb]] | None = None
) -> Evaluation[arb]:
    """Enclosures of a program's outputs over a box theta of P balls, at flint's working precision.

    Where `data` is given, its balls take the place of data arrays, by name. A number outside a function's domain (the
    log of a ball that holds zero) gives a ball that is not finite.
    """
    return run(program, _ALGEBRA, list(theta), data)


def column(values: Sequence[arb]) -> arb_mat:
    """A column vector of balls."""
    return arb_mat(len(values), 1, list(values))
