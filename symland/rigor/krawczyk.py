"""Krawczyk's operator for the stationary points of a loss: existence and uniqueness in a cube.

With f the gradient, m the midpoint of the cube X = m + r [-1, 1]^P, Y any matrix and H(X) an enclosure of the Hessian
over X, let K(X) = m - Y f(m) + (I - Y H(X)) (X - m). If K(X) lies in the interior of X, then X holds exactly one zero
of f, and no matrix in H(X) is singular (Krawczyk 1969; Neumaier 1990, theorem 5.1.8). Since X - m is symmetric,

    |K(X) - m| <= |Y f(m)| + |I - Y H(X)| r 1,

so the test is |Y f(m)|_i + r sum_j |I - Y H(X)|_ij < r for every i. As the Hessian is nonsingular all over X, which is
connected, its index is the same everywhere in X.

Where a gauge leaves E flat (`symland.rigor.gauge`), E_s takes its place, whose zeros are those of the slice: loss,
gradient and Hessian of `preconditioned_midpoint`, `widest` and `newton_polish`, and `sliced_hessian`, are those of E_s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import add

from flint import arb, arb_mat, ctx

from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.rigor.gauge import raised, slice_gradient, slice_value
from symland.rigor.matrices import approximate_inverse, identity, largest, row_norm
from symland.spec import LandscapeSpec

__all__ = [
    "Midpoint",
    "contraction",
    "contracts",
    "cube",
    "gradient_program",
    "hessian_over",
    "newton_polish",
    "preconditioned_midpoint",
    "sliced_hessian",
    "widest",
]

WIDEST_CONTRACTION = 0.5
"""Largest row sum of |I - Y H(X)| of a recorded cube: it leaves room for a reader whose enclosure of H is wider. It is
divided by the square of the number of hidden layers, as every layer widens an enclosure found in another way."""

FIRST_RADIUS = 1e-3
"""Radius of the first cube tried in the search for a large one, in units of 1 + max |theta|."""

MOST_CUBES = 6
"""Cubes tried in that search."""

LEAST_PROGRESS = 0.9
"""Newton's steps end when one is not shorter than this times the one before; near a degenerate point it is 2/3."""


@lru_cache(maxsize=64)
def gradient_program(spec: LandscapeSpec) -> Program:
    """Value and gradient."""
    return build_program(spec, ("value", "gradient"))


@lru_cache(maxsize=64)
def _hessian_program(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("hessian",))


def hessian_over(spec: LandscapeSpec, box: Sequence[arb]) -> arb_mat:
    """(P, P) enclosure of the Hessian over a box of P balls."""
    return arb_mat(evaluate_balls(_hessian_program(spec), box).hessian)


def sliced_hessian(spec: LandscapeSpec, box: Sequence[arb]) -> arb_mat:
    """(P, P) enclosure over a box of the Hessian of E_s, which is that of E where there is no gauge."""
    return raised(spec, hessian_over(spec, box))


def cube(midpoint: Sequence[arb], radius: arb) -> list[arb]:
    """The balls m_i + r [-1, 1]."""
    around = arb(0, radius)
    return [m + around for m in midpoint]


@dataclass(frozen=True, kw_only=True, eq=False)
class Midpoint:
    """What Krawczyk's test needs at the midpoint.

    Attributes
    ----------
    balls : P balls that hold the midpoint
    bits : int
        The precision of the loss and the gradient.
    value : arb
        The loss there.
    gradient : P balls
    inverse : arb_mat
        Y.
    shift : arb
        max_i |Y f(m)|_i, an upper bound.
    """

    balls: list[arb]
    bits: int
    value: arb
    gradient: list[arb]
    inverse: arb_mat
    shift: arb


def preconditioned_midpoint(spec: LandscapeSpec, balls: list[arb], slope_bits: int) -> Midpoint | None:
    """Loss and gradient at a midpoint at the working precision, Y at that of the slopes.

    None where a number is not finite or the Hessian cannot be inverted.
    """
    ran = evaluate_balls(gradient_program(spec), balls)
    assert ran.value is not None
    if not (ran.value.is_finite() and all(g.is_finite() for g in ran.gradient)):
        return None
    gradient = list(map(add, ran.gradient, slice_gradient(spec, balls)))
    with working_precision(slope_bits):
        hessian = sliced_hessian(spec, balls)
        inverse = approximate_inverse(hessian) if all(x.is_finite() for x in hessian.entries()) else None
        if inverse is None:
            return None
        moved = inverse * arb_mat(len(balls), 1, gradient)
        shift = largest([x.abs_upper() for x in moved.entries()])
    value = ran.value + slice_value(spec, balls)
    return Midpoint(balls=balls, bits=ctx.prec, value=value, gradient=gradient, inverse=inverse, shift=shift)


def contraction(inverse: arb_mat, hessian: arb_mat) -> arb:
    """An upper bound of max_i sum_j |I - Y H|_ij."""
    return row_norm(identity(hessian.nrows()) - inverse * hessian)


def contracts(shift: arb, slope: arb, radius: arb) -> bool:
    """Whether |Y f(m)| + r |I - Y H(X)| < r is proved, by bounds of the two norms."""
    return bool(shift + slope * radius < radius)


def widest(spec: LandscapeSpec, point: Midpoint, least: arb) -> tuple[arb, arb] | None:
    """The largest cube found on which Krawczyk's test holds with room to spare: (radius, slope), or None.

    The slope |I - Y H(X_r)| grows about linearly with r, which gives the next radius to try.
    """
    size = largest([m.abs_upper() for m in point.balls])
    aim = WIDEST_CONTRACTION / len(spec.hidden) ** 2
    radius = _exact(largest([least, FIRST_RADIUS * (1 + size)]))
    best: tuple[arb, arb] | None = None
    for _ in range(MOST_CUBES):
        slope = contraction(point.inverse, sliced_hessian(spec, cube(point.balls, radius)))
        good = bool(slope <= aim) and contracts(point.shift, slope, radius)
        if good:
            best = (radius, slope)
        growth = aim / slope
        step = 0.95 * growth.mid() if growth.is_finite() else arb(0.25)
        if good and step < 1.05:
            break
        # A failed cube asks for a smaller one, by any factor; a good one for a larger.
        radius = _exact(radius * step.min(arb(20 if good else 0.8)))
        if best is not None and radius <= best[0]:
            break
    return best


def _exact(x: arb) -> arb:
    """The midpoint with 30 bits."""
    mantissa, exponent = x.mid().man_exp()
    drop = max(mantissa.bit_length() - 30, 0)
    return arb((mantissa >> drop, exponent + drop))


def newton_polish(spec: LandscapeSpec, balls: list[arb], most: int) -> list[arb] | None:
    """Newton's method on midpoints at the working precision, until the steps stop shrinking; None where it breaks."""
    previous: arb | None = None
    for _ in range(most):
        point = preconditioned_midpoint(spec, [b.mid() for b in balls], ctx.prec)
        if point is None:
            return None
        if previous is not None and not point.shift < LEAST_PROGRESS * previous:
            return balls
        step = point.inverse * arb_mat(len(balls), 1, point.gradient)
        balls = (arb_mat(len(balls), 1, balls) - step).mid().entries()
        previous = point.shift
    return balls
