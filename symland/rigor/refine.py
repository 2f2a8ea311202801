"""Refinement of a stationary point to any number of digits by Newton's method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from math import ceil
from operator import sub
from typing import Any

from flint import arb, arb_mat, fmpz
from mpmath import mp, mpf

from symland.errors import RefinementError
from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.program.digits import evaluate_digits
from symland.program.ir import Program
from symland.records import Verdict
from symland.rigor.decimals import exact_decimal, nearest_text, parse_decimal, short_above
from symland.rigor.gauge import gauge_sets, into_slice
from symland.rigor.krawczyk import (
    contraction,
    contracts,
    cube,
    gradient_program,
    preconditioned_midpoint,
    sliced_hessian,
)
from symland.rigor.matrices import approximate_solution, identity, largest
from symland.spec import LandscapeSpec
from symland.tolerances import FARTHEST_MOVE

__all__ = ["NewtonStep", "RefinedPoint", "need_digits", "refine"]

FIRST_DIGITS = 30
"""Decimal digits of the first steps, which start from float64."""

MOST_DIGITS = 1_000_000
"""Decimal digits that can be asked for."""

GUARD_DIGITS = 12
"""Decimal digits carried beyond those asked for."""

MOST_FIRST_STEPS = 60
"""Newton steps that do not raise the precision; a degenerate point takes about one for each bit."""

FIRST_SLOPE_BITS = 256
"""Bits of the Hessian in the test that certifies digits."""

SPARE_PLACES = 4
"""The least radius of that test is this many places below the last one asked for."""

RADIUS_SLACKS = (1.25, 2.0, 4.0)
"""Radii of that test, in units of the least that it could accept."""

SINGULAR_SHIFT = 1e-15
"""Multiple of I that is added to a Hessian in which elimination meets a zero pivot."""

BITS_PER_DIGIT = 3.3219281
"""log2(10), rounded up."""


@dataclass(frozen=True, kw_only=True)
class NewtonStep:
    """One step: the decimal digits it was computed with, |grad|_inf before it, and its length |step|_inf.

    The last two are rounded up to three digits.
    """

    digits: int
    residual: str
    length: str


@dataclass(frozen=True, kw_only=True)
class RefinedPoint:
    """A stationary point as decimal text.

    Attributes
    ----------
    theta : P texts
        With `digits` places after the point, each within 10^-digits of the exact stationary point.
    digits : int
        Certified places; 0 when none are.
    asked : int
        Places asked for.
    verdict : Verdict
        Whether the existence of a stationary point within 10^-digits was certified.
    loss : str
        The loss at theta to `digits` places.
    residual : str
        An upper bound of |grad|_inf at theta.
    steps : tuple of NewtonStep
        Where the convergence is quadratic the residual of a step is about the square of the one before.
    """

    theta: tuple[str, ...]
    digits: int
    asked: int
    verdict: Verdict
    loss: str
    residual: str
    steps: tuple[NewtonStep, ...]

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.CERTIFIED) != (self.digits > 0):
            raise RefinementError(f"{self.digits} certified digits with the verdict {self.verdict.value}")

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            **asdict(self),
            "theta": list(self.theta),
            "verdict": self.verdict.value,
            "steps": [*map(asdict, self.steps)],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RefinedPoint:
        """The point that `to_dict` wrote."""
        steps = tuple(NewtonStep(**step) for step in values["steps"])
        verdict = Verdict(values["verdict"])
        return cls(**{**values, "theta": tuple(values["theta"]), "verdict": verdict, "steps": steps})


def refine(spec: LandscapeSpec, theta: Sequence[float | str | Fraction], digits: int = 50) -> RefinedPoint:
    """Refine a point to `digits` decimal places.

    Newton's method over mpmath numbers; the precision doubles with each step, as the number of correct digits does.
    Krawczyk's test in Arb then says how many places are certified. Where no penalty holds a shift of the outputs, the
    point is moved along it into the slice of `symland.rigor.gauge` first.

    Raises
    ------
    RefinementError
        If theta has the wrong length, Newton's method leaves the neighbourhood of theta, or it does not converge.
    """
    need_digits(digits)
    if len(theta) != spec.n_parameters:
        raise RefinementError(f"{len(theta)} numbers for {spec.n_parameters} parameters; give one for each")
    start = into_slice(spec, [exact_decimal(t if isinstance(t, str | Fraction) else float(t)) for t in theta])
    point, steps, accuracy = _newton(spec, start, digits)
    places = min(digits, accuracy)
    with working_precision(_bits(digits + GUARD_DIGITS)):
        certified = _certified_places(spec, [_ball(t) for t in point], places)
        texts = [nearest_text(_ball(t), certified or places) for t in point]
        ran = evaluate_balls(gradient_program(spec), [arb(parse_decimal(t)) for t in texts])
        assert ran.value is not None
        residual = largest([g.abs_upper() for g in ran.gradient])
        return RefinedPoint(
            theta=tuple(texts),
            digits=certified,
            asked=digits,
            verdict=Verdict.CERTIFIED if certified else Verdict.UNDECIDED,
            loss=nearest_text(ran.value, certified or places),
            residual=short_above(residual),
            steps=tuple(steps),
        )


def need_digits(digits: int) -> None:
    """Refuse a number of digits that is not between 1 and MOST_DIGITS."""
    if not 1 <= digits <= MOST_DIGITS:
        raise RefinementError(f"{digits} digits; ask for 1 to {MOST_DIGITS}")


def _bits(digits: int) -> int:
    return ceil(digits * BITS_PER_DIGIT)


def _ball(x: mpf) -> arb:
    sign, mantissa, exponent, _ = x._mpf_
    return arb((-fmpz(mantissa) if sign else fmpz(mantissa), fmpz(exponent)))


def _digits(x: arb) -> mpf:
    mantissa, exponent = x.mid().man_exp()
    return mp.ldexp(mpf(int(mantissa)), int(exponent))


@lru_cache(maxsize=16)
def _newton_program(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("gradient", "hessian"))


def _newton(spec: LandscapeSpec, start: Sequence[str], digits: int) -> tuple[list[mpf], list[NewtonStep], int]:
    """Newton's method: the point, its steps, and the places that the last step suggests."""
    program = _newton_program(spec)
    with mp.workdps(FIRST_DIGITS), working_precision(_bits(FIRST_DIGITS)):
        point = [_digits(arb(parse_decimal(t))) for t in start]
        size = 1 + max(abs(t) for t in point)
    origin, target = list(point), digits + GUARD_DIGITS
    steps: list[NewtonStep] = []
    work, slow = FIRST_DIGITS, 0
    while True:
        with mp.workdps(work):
            gradient, hessian = _derivatives(spec, program, point)
            step = _solve(hessian, gradient, work)
            length, residual = max(map(abs, step)), short_above(_ball(max(map(abs, gradient))))
            steps.append(NewtonStep(digits=work, residual=residual, length=short_above(_ball(length))))
            point = list(map(sub, point, step))
            if max(map(abs, map(sub, point, origin))) > FARTHEST_MOVE * size:
                raise RefinementError(
                    f"Newton's method left the neighbourhood of the point (residual {residual}); "
                    "give a point nearer to a stationary one"
                )
            gained = int(-mp.log10(length / size)) if length else work
        # A step of length 10^-k leaves an error of about 10^-2k, but no better than the precision allows; the next step
        # is computed with the digits that it can gain.
        accuracy = min(2 * gained, work - 3)
        if accuracy >= target:
            return point, steps, digits
        following = max(FIRST_DIGITS, min(2 * accuracy + GUARD_DIGITS, target + 3))
        if following <= work:
            slow += 1
            if slow > MOST_FIRST_STEPS:
                return point, steps, max(gained, 1)
        work = max(work, following)


def _derivatives(spec: LandscapeSpec, program: Program, point: list[mpf]) -> tuple[list[mpf], list[list[mpf]]]:
    """Gradient and Hessian, of E_s where there is a gauge; all entries are real and finite."""
    try:
        ran = evaluate_digits(program, point)
    except (ArithmeticError, ValueError, TypeError):
        # mpmath raises the last one where it meets a complex number of its own.
        raise RefinementError("the loss is not defined near this point; start from another") from None
    if not all(isinstance(x, mpf) and mp.isfinite(x) for x in chain(ran.gradient, *ran.hessian)):
        raise RefinementError("the loss is not finite near this point; start from another")
    gradient, hessian = list(ran.gradient), [list(row) for row in ran.hessian]
    for places in gauge_sets(spec):
        total = sum((point[p] for p in places), mpf(0))
        for p in places:
            gradient[p] += total
            for q in places:
                hessian[p][q] += 1
    return gradient, hessian


def _solve(hessian: list[list[mpf]], gradient: list[mpf], digits: int) -> list[mpf]:
    """Newton's step: H s = g; where elimination meets a zero pivot, a small multiple of I is added to H."""
    with working_precision(_bits(digits)):
        matrix = arb_mat([[_ball(x) for x in row] for row in hessian])
        right = arb_mat(len(gradient), 1, [_ball(g) for g in gradient])
        solved = approximate_solution(matrix, right)
        if solved is None:
            solved = approximate_solution(matrix + SINGULAR_SHIFT * identity(len(gradient)), right)
        if solved is None:
            raise RefinementError("the Hessian is singular here; start from another point")
        return [_digits(x) for x in solved.entries()]


def _certified_places(spec: LandscapeSpec, centre: list[arb], places: int) -> int:
    """How many places are certified once an exact point is rounded to them; 0 when Krawczyk's test fails.

    The zero lies within r of the point, and rounding to k places moves the point by up to 10^-k / 2: together less
    than 10^-k where 2 r < 10^-k.
    """
    point = preconditioned_midpoint(spec, centre, FIRST_SLOPE_BITS)
    if point is None or not point.shift.is_finite():
        return 0
    finest = arb(parse_decimal(f"1e-{places + SPARE_PLACES}"))
    for slack in RADIUS_SLACKS:
        text = short_above((point.shift * slack).max(finest))
        radius = arb(parse_decimal(text))
        with working_precision(FIRST_SLOPE_BITS):
            slope = contraction(point.inverse, sliced_hessian(spec, cube(point.balls, radius)))
        if contracts(point.shift, slope, radius):
            # The text says d.dd 10^e with d < 10, so that 2 r < 10^(e + 2).
            return max(0, min(places, -2 - int(text.partition("e")[2])))
    return 0
