"""How complete a list of stationary points is: estimates of what is unseen.

Searches are taken as draws from the classes, each with a probability of its own. A search that ends in the class it was
displaced from says nothing and is not counted.

A class that a given start reached is known before any draw. What is estimated is the rest: for the classes that were
not given, Good's estimate of the probability that a draw is of one that is unseen is f_1 / n, with f_1 the classes
among them that were drawn once, and n all draws; so too for Chao's estimate of their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from symland.landscape.account import Counts
from symland.records import StationaryPoint

__all__ = ["Completeness", "Richness", "completeness", "richness"]

QUANTILE = 1.959963984540054
"""Standard normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, kw_only=True)
class Richness:
    """Classes seen, and an estimate of all classes, for one index or for all.

    Attributes
    ----------
    observed : int
        Classes seen.
    draws : int
        Searches that ended in them.
    once, twice : int
        Classes seen exactly once and exactly twice, f_1 and f_2, without those that were given.
    estimate, low, high : float
        Chao's estimate of the number of classes and its interval of 95 %.
    coverage, coverage_low : float
        Good and Turing's estimate of the probability that the next draw is of a seen class; its lower limit at 95 %.
    """

    observed: int
    draws: int
    once: int
    twice: int
    estimate: float
    low: float
    high: float
    coverage: float
    coverage_low: float


def richness(tallies: Sequence[int], given: Sequence[bool] = ()) -> Richness:
    """Species-richness estimates from how often each seen class was drawn, and whether a given start reached it.

    Chao1 in its bias-corrected form, S + (n-1)/n f_1 (f_1 - 1) / (2 (f_2 + 1)), with the log-normal interval of
    Chao, Biometrics 43, 783 (1987); where it adds nothing, the interval of Colwell's EstimateS for f_1 <= 1. Coverage
    1 - f_1/n of Good, Biometrika 40, 237 (1953), with the variance of Esty, Ann. Statist. 11, 905 (1983), and never
    above the limit 1 - 3/n that n draws without a new class leave.
    """
    counts = [t for t in tallies if t > 0]
    n, seen = sum(counts), len(tallies)
    if not n:
        return Richness(
            observed=seen,
            draws=0,
            once=0,
            twice=0,
            estimate=float(seen),
            low=float(seen),
            high=float("inf"),
            coverage=0.0,
            coverage_low=0.0,
        )
    open_counts = [t for t, known in zip(tallies, given, strict=True) if not known] if given else counts
    f1, f2 = open_counts.count(1), open_counts.count(2)
    unseen = (n - 1) / n * f1 * (f1 - 1) / (2 * (f2 + 1))
    if unseen > 0.0:
        variance = f1 * (f1 - 1) / (2 * (f2 + 1)) + f1 * (2 * f1 - 1) ** 2 / (4 * (f2 + 1) ** 2)
        variance += f1**2 * f2 * (f1 - 1) ** 2 / (4 * (f2 + 1) ** 4)
        spread = exp(QUANTILE * sqrt(log(1.0 + variance / unseen**2)))
        low, high = seen + unseen / spread, seen + unseen * spread
    else:
        missed = exp(-n / seen)
        middle, half = seen / (1.0 - missed), QUANTILE * sqrt(seen * missed) / (1.0 - missed)
        low, high = max(float(seen), middle - half), middle + half
    coverage = 1.0 - f1 / n
    slack = QUANTILE * sqrt(f1 * coverage + 2 * f2) / n
    return Richness(
        observed=seen,
        draws=n,
        once=f1,
        twice=f2,
        estimate=seen + unseen,
        low=low,
        high=high,
        coverage=coverage,
        coverage_low=max(0.0, min(coverage - slack, 1.0 - 3.0 / n)),
    )


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """What is known of how complete a list is.

    Attributes
    ----------
    counts : Counts
    searches, converged : int
        Searches made, and those that ended at a stationary point.
    last_new : int
        Searches made when the newest class was filed.
    overall : Richness
    by_index : tuple of Richness
    curve : tuple of (searches, classes by index)
        Accumulation, batch by batch.
    given : int
        Classes that a given start reached; the estimates are of the others.
    """

    counts: Counts
    searches: int
    converged: int
    last_new: int
    overall: Richness
    by_index: tuple[Richness, ...]
    curve: tuple[tuple[int, tuple[int, ...]], ...]
    given: int = 0


def completeness(
    points: Sequence[StationaryPoint],
    tallies: Sequence[int],
    searches: int,
    converged: int,
    last_new: int,
    curve: Sequence[tuple[int, tuple[int, ...]]],
    *,
    coercive: bool = True,
    given: Sequence[bool] = (),
) -> Completeness:
    """The account of a list `points` whose classes were drawn `tallies` times, some of them `given`."""
    known = tuple(given) or (False,) * len(points)
    counts = Counts.of(points, coercive)
    return Completeness(
        counts=counts,
        searches=searches,
        converged=converged,
        last_new=last_new,
        overall=richness(tallies, known),
        by_index=tuple(
            richness(
                [t for p, t in zip(points, tallies, strict=True) if p.index == k],
                [g for p, g in zip(points, known, strict=True) if p.index == k],
            )
            for k in range(len(counts.classes))
        ),
        curve=tuple(curve),
        given=sum(known),
    )
