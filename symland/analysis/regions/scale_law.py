"""The scale of the weight of one logistic unit on separable data, and the density of samples.

Samples of density rho fill [-1, 1], labelled by their sign. Derived here:

    L(k) = 2 rho int_0^1 ln(1 + e^(-k t)) dt,
    L'(k) = -(2 rho / k^2) int_0^k u / (1 + e^u) du = -(rho pi^2 / (6 k^2)) (1 - delta(k)),
    delta(k) = (12 / pi^2) int_k^oo u / (1 + e^u) du,   0 < delta(k) < (12 / pi^2) (k + 1) e^(-k),

since int_0^oo u / (1 + e^u) du = pi^2 / 12 and u / (1 + e^u) < u e^(-u). With a penalty lambda k^2 the loss is strictly
convex in k, so it has one stationary point k*, and

    k*^3 = (rho pi^2 / (12 lambda)) (1 - delta(k*)),   k0 (1 - (12 / pi^2) (k* + 1) e^(-k*))^(1/3) < k* < k0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import acb, arb

from symland.errors import SpecError
from symland.program.balls import exact_ball, working_precision

__all__ = ["Law", "finite_scale", "scale_law", "slope"]

BITS = 192
"""Working precision."""

HALVINGS = 44
"""Of the interval that holds k*, which begins as wide as twice the bound on the departure makes it."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """The law at one penalty, as balls: k0, k*, the departure delta(k*) and its bound."""

    k0: arb
    k_star: arb
    departure: arb
    bound: arb


def _integral(k: arb) -> arb:
    """int_0^k u / (1 + e^u) du; the poles u = +-i pi, ... are off the path, and Arb's quadrature proves its error."""
    return acb.integral(lambda u, _: u / (1 + u.exp()), 0, acb(k)).real


def slope(k: Fraction | arb, density: Fraction) -> arb:
    """L'(k), enclosed."""
    with working_precision(BITS):
        ball = exact_ball(k) if isinstance(k, Fraction) else k
        return -2 * exact_ball(density) * _integral(ball) / ball**2


def scale_law(penalty: Fraction, density: Fraction) -> Law:
    """Enclosures of the law and of the exact scale.

    Raises
    ------
    SpecError
        If the penalty or the density is not positive.
    """
    for name, value in (("--penalty", penalty), ("--density", density)):
        if value <= 0:
            raise SpecError.at(name, f"{value} is not positive", 'write a positive number, such as "1e-3"')
    with working_precision(BITS):
        rho, lam = exact_ball(density), exact_ball(penalty)
        factor = 12 / arb.pi() ** 2
        k0 = (rho / (factor * lam)).root(3)

        def sign_at(k: arb) -> arb:
            """(k^2 / 2) d/dk (L + lambda k^2): negative below k*, positive above."""
            return lam * k**3 - rho * _integral(k)

        guess = (k0 * (1 - 2 * factor * (k0 + 1) * (-k0).exp())).mid()
        low = guess if guess > 0 and sign_at(guess) < 0 else arb(0)
        high = k0.upper()
        for _ in range(HALVINGS):
            middle = ((low + high) / 2).mid()
            sign = sign_at(middle)
            if sign > 0:
                high = middle
            elif sign < 0:
                low = middle
            else:
                break
        star = low.union(high)
        departure = 1 - factor * _integral(star)
        return Law(k0=k0, k_star=star, departure=departure, bound=factor * (star + 1) * (-star).exp())


def finite_scale(penalty: float, density: float, samples: int) -> float:
    """k* of samples at equal distances over [-1, 1], none at 0; each weighs 2 rho / samples. An estimate."""
    from scipy.optimize import brentq

    t = (2 * np.arange(samples) + 1) / samples - 1

    def force(k: float) -> float:
        size = np.abs(t)
        return float(2 * penalty * k - 2 * density * np.mean(size * np.exp(-k * size) / (1 + np.exp(-k * size))))

    top = max(1.0, density / (2 * penalty))
    return float(brentq(force, 0.0, top, xtol=1e-13))
