"""Certificates of stationary points: existence, uniqueness, index, loss and eigenvalues, decided in Arb.

Where no penalty holds a shift of the outputs, every stationary point lies on a flat. The certificate is about its one
point in the slice of `symland.rigor.gauge`: it exists there, is alone there, and has the index of the whole flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import sub

from flint import arb, arb_mat, ctx

from symland.errors import CertificateError
from symland.program.balls import evaluate_balls, working_precision
from symland.records import Verdict
from symland.rigor.certificate import Certificate, Claims
from symland.rigor.decimals import (
    decimal_places,
    exact_decimal,
    nearest_text,
    outward_texts,
    parse_decimal,
    short_above,
)
from symland.rigor.gauge import gauge_sets, into_slice, raised
from symland.rigor.inertia import (
    characteristic_index,
    congruence_index,
    congruent,
    eigenvalue_index,
    eigenvalues,
    eigenvectors,
    pivot_index,
)
from symland.rigor.krawczyk import (
    Midpoint,
    contraction,
    contracts,
    cube,
    gradient_program,
    hessian_over,
    newton_polish,
    preconditioned_midpoint,
    sliced_hessian,
    widest,
)
from symland.rigor.matrices import one_norm, row_norm
from symland.rigor.refine import BITS_PER_DIGIT, RefinedPoint
from symland.spec import LandscapeSpec
from symland.tolerances import FARTHEST_MOVE

__all__ = ["certify"]

FIRST_BITS = 128
"""Bits of the first attempt at a point given in float64."""

DEFAULT_MAX_BITS = 2048
"""Bits at which a point is left undecided."""

INCLUSION_SLACK = 1.25
"""The inclusion radius, in units of the least that Krawczyk's test could accept."""

MOST_POLISH_STEPS = 60
"""Newton steps that bring the midpoint to the working precision before each attempt."""

EXCLUSION_RADIUS = 1e-6
"""Half edge of the cube that is searched for a nonzero gradient where no zero was found, in the units of theta."""

EIGENVALUE_ROOM = 7
"""What is added to the radius of an eigenvalue's enclosure, in units of that radius, for readers with wider ones."""

OTHER_METHODS = (
    ("pivots", pivot_index),
    ("characteristic polynomial", characteristic_index),
    ("eigenvalues", eigenvalue_index),
)
"""Second opinions on the index."""

MOST_PLACES = 60
"""Places of eigenvalue bounds, behind the zeros of a small one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """What one attempt proved at one midpoint."""

    midpoint: tuple[str, ...]
    inclusion: str
    uniqueness: str
    index: int | None
    loss: tuple[str, str]
    eigenvalues: tuple[tuple[str, str], ...]
    opinions: tuple[tuple[str, int], ...]


def certify(
    spec: LandscapeSpec,
    point: RefinedPoint | Sequence[float | str | Fraction],
    *,
    max_bits: int = DEFAULT_MAX_BITS,
    opinions: bool = False,
) -> Certificate:
    """Certify the stationary point near a given point.

    Parameters
    ----------
    point : RefinedPoint, or P floats, decimal texts or fractions
        Taken exactly, but moved into the slice where there is a gauge. Where Krawczyk's test fails at the point itself,
        Newton's method moves it first.
    max_bits : int
        The precision doubles until everything is decided or exceeds this.
    opinions : bool
        Whether the index is also found by LDL^T in balls and by Arb's eigenvalues. Where two decided methods differ,
        the index is undecided.

    Returns
    -------
    Certificate
        What cannot be decided, such as everything at a degenerate point, is UNDECIDED with the reason. Existence is
        REFUTED where the gradient is proved not to vanish near the point.

    Raises
    ------
    CertificateError
        If the point has the wrong length or a number that is not finite.
    """
    numbers = point.theta if isinstance(point, RefinedPoint) else point
    if len(numbers) != spec.n_parameters:
        raise CertificateError(f"{len(numbers)} numbers for {spec.n_parameters} parameters; give one for each")
    given = tuple(exact_decimal(t if isinstance(t, str | Fraction) else float(t)) for t in numbers)
    if not isinstance(point, RefinedPoint):
        given = into_slice(spec, given)
    start = FIRST_BITS
    if isinstance(point, RefinedPoint):
        start = max(start, int(BITS_PER_DIGIT * max(map(decimal_places, given))) + 64)
    texts, slope_bits, moves = given, FIRST_BITS, 0
    reason = f"{max_bits} bits allow no attempt"
    refuted = False
    while slope_bits <= max_bits and not refuted:
        bits = max(start, slope_bits)
        with working_precision(bits):
            found = _attempt(spec, texts, slope_bits, opinions)
            if isinstance(found, _Found) and found.index is not None:
                return _certificate(spec, found, bits)
            reason = found if isinstance(found, str) else "the methods do not agree on the signs of all eigenvalues"
            moved = _polished(spec, given, texts, bits)
            refuted = moved is None and _excluded(spec, given)
        # The first attempt is at the given point itself; later ones follow Newton's method as the precision doubles.
        if moved is None or moves:
            slope_bits *= 2
        texts, moves = moved or texts, moves + 1
    refuted = refuted or _excluded(spec, given)
    nothing = Verdict.REFUTED if refuted else Verdict.UNDECIDED
    if refuted:
        reason = f"the gradient does not vanish within {EXCLUSION_RADIUS:g} of the point"
    claims = Claims(
        existence=nothing,
        uniqueness=Verdict.UNDECIDED,
        index_verdict=Verdict.UNDECIDED,
        index=None,
        loss=None,
        eigenvalues=(),
    )
    return Certificate(
        spec=spec,
        midpoint=given,
        inclusion_radius=None,
        uniqueness_radius=None,
        claims=claims,
        precision=min(slope_bits, max_bits),
        reason=reason,
    )


def _certificate(spec: LandscapeSpec, found: _Found, bits: int) -> Certificate:
    claims = Claims(
        existence=Verdict.CERTIFIED,
        uniqueness=Verdict.CERTIFIED,
        index_verdict=Verdict.CERTIFIED,
        index=found.index,
        loss=found.loss,
        eigenvalues=found.eigenvalues,
    )
    return Certificate(
        spec=spec,
        midpoint=found.midpoint,
        inclusion_radius=found.inclusion,
        uniqueness_radius=found.uniqueness,
        claims=claims,
        precision=bits,
        opinions=found.opinions,
    )


def _attempt(spec: LandscapeSpec, texts: tuple[str, ...], slope_bits: int, opinions: bool) -> _Found | str:
    """Everything that one midpoint and precision prove, or the reason why there is nothing."""
    point = preconditioned_midpoint(spec, [arb(parse_decimal(t)) for t in texts], slope_bits)
    with working_precision(slope_bits):
        return _proved(spec, texts, point, opinions)


def _proved(spec: LandscapeSpec, texts: tuple[str, ...], point: Midpoint | None, opinions: bool) -> _Found | str:
    if point is None:
        return "the Hessian cannot be inverted at the point, or the loss is not finite there: it is degenerate"
    inclusion = _inclusion(spec, point)
    if inclusion is None:
        return _why_not(spec, point)
    text, radius, sliced = inclusion
    hessian = _lifted(spec, sliced)
    vectors = eigenvectors(hessian, _steps())
    turned = congruent(hessian, vectors)
    index = congruence_index(hessian, vectors, turned)
    votes = [("congruence", index)]
    if opinions or index is None:
        votes += [(name, method(hessian)) for name, method in OTHER_METHODS]
    decided = tuple((name, vote) for name, vote in votes if vote is not None)
    agreed = {vote for _, vote in decided}
    wide = widest(spec, point, radius)
    # The loss changes between midpoint and zero by no more than |grad|_1 over the cube times its radius.
    spread = (_gradient_over(point, sliced, radius) * radius).upper()
    places = max(MOST_PLACES, *map(decimal_places, texts))
    with working_precision(point.bits):
        loss = outward_texts(_wider(point.value, spread), places)
    bounds = eigenvalues(hessian, vectors, turned)
    if bounds is None:
        return f"the eigenvalues are not enclosed at {ctx.prec} bits"
    # The largest ones are those that lift the gauge; the Hessian has zeros in their place.
    zeros = len(gauge_sets(spec))
    texts_of = [outward_texts(_wider(x, EIGENVALUE_ROOM * x.rad()), _places(x)) for x in bounds[: len(bounds) - zeros]]
    below = sum(bool(x < 0) for x in bounds)
    return _Found(
        midpoint=texts,
        inclusion=text,
        uniqueness=text if wide is None else _uniqueness(point, text, *wide),
        index=agreed.pop() if len(agreed) == 1 else None,
        loss=loss,
        eigenvalues=(*texts_of[:below], *[("0", "0")] * zeros, *texts_of[below:]),
        opinions=decided if opinions else (),
    )


def _lifted(spec: LandscapeSpec, hessian: arb_mat) -> arb_mat:
    """The Hessian of E_s with a height above all eigenvalues of that of E: the q largest of it belong to the gauge."""
    return raised(spec, hessian, row_norm(hessian)) if gauge_sets(spec) else hessian


def _wider(x: arb, by: arb) -> arb:
    return x + arb(0, by)


def _places(x: arb) -> int:
    """MOST_PLACES from about the first digit that is not zero."""
    return MOST_PLACES + decimal_places(short_above(x.abs_lower()))


def _steps() -> int:
    """Steps of 45 bits from a float64 eigenvector to the working precision."""
    return int(ctx.prec) // 45 - 1


def _uniqueness(point: Midpoint, inclusion: str, radius: arb, slope: arb) -> str:
    """A short text at most the radius of a wide cube, or the inclusion radius where the test needs that.

    The slope over the wide cube bounds that over every smaller one.
    """
    text = short_above(radius * 0.98)
    short = arb(parse_decimal(text))
    good = parse_decimal(text) > parse_decimal(inclusion) and short <= radius and contracts(point.shift, slope, short)
    return text if good else inclusion


def _inclusion(spec: LandscapeSpec, point: Midpoint) -> tuple[str, arb, arb_mat] | None:
    """A small radius on which Krawczyk's test holds, as text and ball, and the Hessian there; None where it fails."""
    if not point.shift.is_finite():
        return None
    least = arb(2) ** (-(point.bits // 2))
    text = short_above(point.shift * INCLUSION_SLACK if point.shift > least * least else least)
    radius = arb(parse_decimal(text))
    hessian = sliced_hessian(spec, cube(point.balls, radius))
    slope = contraction(point.inverse, hessian)
    return (text, radius, hessian) if contracts(point.shift, slope, radius) else None


def _gradient_over(point: Midpoint, hessian: arb_mat, radius: arb) -> arb:
    """At least |grad E|_1 over the cube, by the mean value theorem: |f(m)|_1 + r |H(X)|_1,1."""
    return one_norm(point.gradient) + radius * one_norm(hessian.entries())


def _why_not(spec: LandscapeSpec, point: Midpoint) -> str:
    hessian = _lifted(spec, hessian_over(spec, point.balls))
    bounds = eigenvalues(hessian, eigenvectors(hessian, _steps()))
    if bounds is None:
        return f"Krawczyk's test fails at {ctx.prec} bits"
    least = min(float(x.abs_upper()) for x in bounds)
    return (
        f"Krawczyk's test fails at {ctx.prec} bits: degenerate or nearly so, "
        f"the smallest eigenvalue is at most {least:.1e}"
    )


def _polished(spec: LandscapeSpec, given: tuple[str, ...], texts: tuple[str, ...], bits: int) -> tuple[str, ...] | None:
    """The midpoint after Newton steps, as texts of the precision's places; None where it breaks or runs away."""
    start = [arb(parse_decimal(t)).mid() for t in texts]
    balls = newton_polish(spec, start, MOST_POLISH_STEPS)
    if balls is None or not all(b.is_finite() for b in balls):
        return None
    origin = [arb(parse_decimal(t)) for t in given]
    reach = FARTHEST_MOVE * (1 + max(float(o.abs_upper()) for o in origin))
    if any(not abs(move) < reach for move in map(sub, balls, origin)):
        return None
    places = int(bits / BITS_PER_DIGIT)
    return tuple(nearest_text(b, places) for b in balls)


def _excluded(spec: LandscapeSpec, texts: tuple[str, ...]) -> bool:
    """Whether the gradient is proved not to vanish in the cube of EXCLUSION_RADIUS."""
    box = cube([arb(parse_decimal(t)) for t in texts], arb(EXCLUSION_RADIUS))
    ran = evaluate_balls(gradient_program(spec), box)
    return any(g.is_finite() and not g.contains(0) for g in ran.gradient)
