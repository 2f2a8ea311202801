"""The superposition in Arb balls, from what the certificates enclose."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from symland.tables import Enclosed

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["enclose_superposition"]

BITS = 192
"""Working precision in bits; the certificates' own widths are far above its rounding."""

DIGITS = 17
"""Decimal digits written of each end, rounded outward."""


def enclose_superposition(landscape: Landscape, temperatures: tuple[Fraction, ...]) -> tuple[Enclosed | None, ...]:
    """Bounds of ln Z of the listed minima at each temperature; None where one of them is not certified.

    What is enclosed is the harmonic sum over the minima of the list, not the integral: the next term is none of it.
    """
    from flint import arb

    from symland.program.balls import exact_ball, working_precision
    from symland.rigor.decimals import outward_texts, parse_decimal

    numbers = landscape.minima
    if not all(landscape.account.certified[n] for n in numbers):
        return (None,) * len(temperatures)

    def ball(pair: tuple[str, str]) -> arb:
        low, high = (arb(parse_decimal(text)) for text in pair)
        return low.union(high)

    found: list[Enclosed | None] = []
    with working_precision(BITS):
        losses, log_dets = [], []
        for n in numbers:
            claims = landscape.certificates[n].claims
            if claims.loss is None or len(claims.eigenvalues) != landscape.spec.n_parameters:
                return (None,) * len(temperatures)
            losses.append(ball(claims.loss))
            log_dets.append(sum((ball(pair).log() for pair in claims.eigenvalues), arb(0)))
        for temperature in temperatures:
            t = exact_ball(temperature)
            flat = (2 * arb.pi() * t).log() * landscape.spec.n_parameters / 2
            terms = [
                arb(landscape.points[n].orbit_size).log() - loss / t + flat - log_det / 2
                for n, loss, log_det in zip(numbers, losses, log_dets, strict=True)
            ]
            top = max(terms, key=lambda term: float(term.mid()))
            log_z = top + sum(((term - top).exp() for term in terms), arb(0)).log()
            lower, upper = outward_texts(log_z, DIGITS)
            found.append(Enclosed(lower=lower, upper=upper))
    return tuple(found)
