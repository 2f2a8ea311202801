"""The algebra of complex Arb balls: a program enclosed over complex boxes of its inputs.

Every result holds the value of the analytic function at every point of the arguments' balls, or is not finite where a
ball meets a pole or a branch cut. So a finite result says that the function is analytic there, which bounds of Cauchy
and Bernstein need.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import acb

from symland.program.algebra import Algebra
from symland.program.balls import exact_ball

__all__ = ["ComplexBallAlgebra"]


class ComplexBallAlgebra(Algebra[acb]):
    """Numbers are complex balls at flint's working precision."""

    def constant(self, value: Fraction) -> acb:
        return acb(exact_ball(value))

    def primitive(self, op: str, args: Sequence[acb], value: Fraction | None) -> acb:
        z = args[0]
        match op:
            case "exp":
                return z.exp()
            case "log":
                return z.log(analytic=True)
            case "sqrt":
                return z.sqrt(analytic=True)
            case "sin":
                return z.sin()
            case "cos":
                return z.cos()
            case "tanh":
                return z.tanh()
            case "sech2":
                return z.sech() ** 2
            case "logistic":
                return _logistic(z)
            case "softplus":
                return (1 + z.exp()).log(analytic=True)
            case "erf":
                return z.erf()
            case "gauss":
                return 2 * (-z * z).exp() / acb.pi().sqrt()
            case "div":
                return z / args[1]
            case "power":
                assert value is not None
                return z ** int(value)
            case "lse0":
                return sum((m.exp() for m in args), acb(1)).log(analytic=True)
            case "softmax0":
                assert value is not None
                logits = [acb(0), *args]
                own = logits[int(value)]
                return 1 / sum(((m - own).exp() for k, m in enumerate(logits) if k != int(value)), acb(1))
        raise ValueError(f"no complex ball function {op}")


def _logistic(z: acb) -> acb:
    # The form whose exponential is small.
    if z.real > 0:
        return 1 / (1 + (-z).exp())
    e = z.exp()
    return 1 - 1 / (1 + e) if not z.real < 0 else e / (1 + e)
