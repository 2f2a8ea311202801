"""Rates and passage times to as many digits as asked for, from stationary points refined by Newton's method.

Energies and determinants come from the derivation program over mpmath numbers at the refined points, passage times from
eliminating states, which subtracts nothing. An error of delta in a loss moves a rate by delta / T of its size, so the
points carry the digits asked for, those of 1 / T, and a guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, log10
from typing import TYPE_CHECKING, Any

from mpmath import mp, mpf

from symland.analysis.temperature.elimination import passage_times
from symland.analysis.temperature.kinetics import Crossing
from symland.program.derive import build_program
from symland.program.digits import evaluate_digits
from symland.rigor.refine import refine

if TYPE_CHECKING:
    from collections.abc import Callable

    from symland.landscape.landscape import Landscape

__all__ = ["ExactNetwork", "exact_network"]

GUARD = 12
"""Decimal digits carried beyond what is asked for."""


class ExactNetwork:
    """Losses and ln det of the minima and transition states of crossings, in mpmath numbers.

    Parameters
    ----------
    digits : int
        Of the results.
    coldest : Fraction
        The lowest temperature that will be asked for.
    """

    def __init__(
        self,
        landscape: Landscape,
        crossings: Sequence[Crossing],
        digits: int,
        coldest: Fraction,
        progress: Callable[[int, int], None],
    ) -> None:
        self.minima, self.crossings, self.digits = landscape.minima, tuple(crossings), digits
        self.copies = {n: landscape.points[n].orbit_size for n in self.minima}
        places = digits + GUARD + max(0, ceil(-log10(coldest)))
        self.working = places + GUARD
        program = build_program(landscape.spec, ("value", "hessian"))
        self.points: dict[int, tuple[Any, Any]] = {}
        wanted = [*self.minima, *(c.number for c in crossings)]
        with mp.workdps(self.working):
            for done, n in enumerate(dict.fromkeys(wanted)):
                progress(done, len(wanted))
                theta = [mpf(text) for text in refine(landscape.spec, landscape.points[n].theta.tolist(), places).theta]
                found = evaluate_digits(program, theta)
                spectrum = mp.eigsy(mp.matrix(found.hessian), eigvals_only=True)
                self.points[n] = found.value, mp.fsum(mp.log(w) for w in spectrum if w > 0)

    def rates(self, temperature: Fraction) -> list[list[Any]]:
        """k from a copy of each class of minima to the copies of each, on the diagonal to other copies of its own."""
        with mp.workdps(self.working):
            t = mpf(temperature.numerator) / temperature.denominator
            place = {number: k for k, number in enumerate(self.minima)}
            held = []
            for n in self.minima:
                loss, log_det = self.points[n]
                held.append(self.copies[n] * mp.exp(-log_det / 2 - loss / t))
            flux = [[mpf(0)] * len(place) for _ in place]
            for crossing in self.crossings:
                if crossing.loop:
                    continue
                loss, log_det = self.points[crossing.number]
                flow = crossing.copies / (2 * mp.pi) * mp.exp(-log_det / 2 - loss / t)
                for a, share in crossing.minus.items():
                    for b, other in crossing.plus.items():
                        part = flow * share * other
                        flux[place[a]][place[b]] += part
                        flux[place[b]][place[a]] += part
            return [[x / held[a] for x in row] for a, row in enumerate(flux)]

    def passage_times(self, temperature: Fraction) -> list[list[Any]]:
        """Mean first-passage times, None where no pathway leads."""
        with mp.workdps(self.working):
            return passage_times(self.rates(temperature))

    def text(self, number: Any) -> str:
        """A number to the digits asked for."""
        with mp.workdps(self.working):
            return str(mp.nstr(number, self.digits, strip_zeros=False, min_fixed=-5, max_fixed=5))


def exact_network(
    landscape: Landscape,
    crossings: Sequence[Crossing],
    digits: int,
    coldest: Fraction,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExactNetwork:
    """The network refined for results of so many digits.

    Raises
    ------
    RefinementError
        If a point does not converge or the digits are too many.
    """
    from symland.rigor.refine import need_digits

    need_digits(digits)
    return ExactNetwork(landscape, crossings, digits, coldest, progress)
