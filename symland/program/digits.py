"""The algebra of mpmath numbers: as many digits as asked for, without a claim of enclosure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mpmath import mp, mpf

from symland.program.algebra import Algebra, Evaluation, run
from symland.program.ir import Program

__all__ = ["DigitsAlgebra", "evaluate_digits"]


class DigitsAlgebra(Algebra[mpf]):
    """Numbers are `mpf` at mpmath's working precision `mp.dps`."""

    def constant(self, value: Fraction) -> mpf:
        return mpf(value.numerator) / value.denominator

    def primitive(self, op: str, args: Sequence[mpf], value: Fraction | None) -> mpf:
        x = args[0]
        match op:
            case "div":
                return x / args[1]
            case "power":
                assert value is not None
                return x ** int(value)
            case "sech2":
                return mp.sech(x) ** 2
            case "logistic":
                return 1 / (1 + mp.exp(-x))
            case "softplus":
                return max(x, mpf(0)) + mp.log1p(mp.exp(-abs(x)))
            case "gauss":
                return 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)
            case "lse0":
                return mp.log1p(mp.fsum(mp.exp(m) for m in args))
            case "softmax0":
                assert value is not None
                parts = [mpf(1), *(mp.exp(m) for m in args)]
                return parts[int(value)] / mp.fsum(parts)
        return getattr(mp, op)(x)


_ALGEBRA = DigitsAlgebra()


def evaluate_digits(program: Program, theta: Sequence[mpf]) -> Evaluation[mpf]:
    """A program's outputs at theta, at mpmath's working precision."""
    return run(program, _ALGEBRA, list(theta))
