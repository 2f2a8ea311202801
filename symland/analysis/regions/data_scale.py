"""The loss of a data set as a function of a factor k of the output layer, and the density of samples at the boundary.

Let m_dj = z_y - z_j be the margins of sample d, of label y, against each other label j. With the output layer times k,

    L(k) = mean_d ln(1 + sum_j e^(-k m_dj)),    L'(k) = -mean_d sum_j m_dj p_dj,   p_dj the probability of label j.

L is convex. A sample far from every boundary adds nothing at large k; near one, only the nearest label j counts. Let
m_d be the margin against it. For either sign

    -m / (1 + e^(k m)) = max(0, -m) - |m| / (1 + e^(k |m|)),

so with w = mean_d max(0, -m_d), what wrong samples are wrong by, and 2 rho samples per unit of |m| near 0, as a share
of all,

    L'(k) = w - 2 rho int_0^oo u / (1 + e^(k u)) du = w - rho pi^2 / (6 k^2).

Without wrong samples that is the law of separable data. With them L' has a zero at k = (rho pi^2 / (6 w))^(1/2), and
with a penalty Lambda k^2 at the positive root of 2 Lambda k^3 + w k^2 = rho pi^2 / 6, of which there is one.

The density needs no bandwidth of its own: sigma' integrates to 1, and the network's own probability is 1 / k wide. So

    rho(k) = mean_d k sigma'(k m_d),     rho = rho(1);     per unit of length: mean_d |grad m_d| sigma'(m_d),

the latter by the coarea formula. Samples that fall at random, N on average, scatter L' about the law: its variance is
(2 rho / N) int_0^oo (u / (1 + e^(k u)))^2 du, and int_0^oo (u / (1 + e^u))^2 du = 3 zeta(3) / 2 - pi^2 / 6. In units of
rho pi^2 / (6 k^2) that is SCATTER^2 k s, where s = 1 / (N rho) is the spacing of samples. Samples at equal distances s,
the first at s / 2, add (k s)^2 / (4 pi^2), in the leading order of Euler and Maclaurin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import pi, sqrt

import numpy as np
from flint import arb
from scipy.optimize import brentq

from symland.analysis.regions.margins import Margins
from symland.analysis.regions.network import Network
from symland.program.balls import exact_ball, working_precision
from symland.records import FloatArray, Verdict

__all__ = ["SCATTER", "OutputScale", "law_scale", "law_slope"]

BITS = 192
"""Working precision."""

ZETA_3 = 1.2020569031595942
"""sum n^-3."""

SCATTER = 12 / pi**2 * sqrt((1.5 * ZETA_3 - pi**2 / 6) / 2)
"""Relative standard deviation of the slope over random samples, in units of sqrt(k s); 0.342."""

NARROWEST, WIDEST = 1e-14, 1e-3
"""Relative width of the enclosure of a best factor: what is tried first, and last."""

LARGEST_FACTOR = 2.0**60
"""Beyond it no best factor is sought."""


def law_slope(density: float, wrong_by: float, k: float) -> float:
    """w - rho pi^2 / (6 k^2)."""
    return wrong_by - density * pi**2 / (6 * k * k)


def law_scale(density: float, wrong_by: float, penalty: float) -> float | None:
    """The positive root of 2 Lambda k^3 + w k^2 = rho pi^2 / 6; None where neither w nor the penalty holds k back."""
    right = density * pi**2 / 6
    if not penalty:
        return sqrt(right / wrong_by) if wrong_by else None
    alone = (right / (2 * penalty)) ** (1 / 3)
    # The left side increases, is below the right one at 0, and not below it at the root without w.
    return float(brentq(lambda k: 2 * penalty * k**3 + wrong_by * k * k - right, 0.0, alone * (1 + 1e-9), rtol=1e-14))


@dataclass(frozen=True, kw_only=True)
class Best:
    """Where L(k) + penalty k^2 is least: CERTIFIED with both ends, or REFUTED where there is no such k > 0."""

    verdict: Verdict
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)

    @property
    def ball(self) -> arb:
        return exact_ball(self.low).union(exact_ball(self.high))


class OutputScale:
    """The data's loss along the factor of the output layer.

    Parameters
    ----------
    network : Network
    inputs : D points, exact
    labels : D ints

    Attributes
    ----------
    margins : (D, K - 1)
        z_y - z_j, in float64.
    nearest : (D,)
        The least of each row.
    lengths : (D,)
        |grad m_d| by the input.
    wrong : int
        Samples whose nearest margin is not proved positive.
    wrong_by : float
        w: mean of max(0, -m_d).
    """

    def __init__(self, network: Network, inputs: Sequence[Sequence[Fraction]], labels: Sequence[int]) -> None:
        with working_precision(BITS):
            over = Margins(network)
            self._rows: list[list[arb]] = []
            self._nearest: list[arb] = []
            lengths = []
            for x, y in zip(inputs, labels, strict=True):
                found, slopes = over.over([(c, c) for c in x])
                rivals = sorted((j for j in range(network.labels) if j != y), key=lambda j: float(found[y, j]))
                self._rows.append([found[y, j] for j in rivals])
                least = found[y, rivals[0]]
                for j in rivals[1:]:
                    least = least.min(found[y, j])
                self._nearest.append(least)
                lengths.append(float(np.linalg.norm([float(g) for g in slopes[y, rivals[0]]])))
        self.margins: FloatArray = np.array([[float(m) for m in row] for row in self._rows])
        self.nearest: FloatArray = self.margins.min(axis=1)
        self.lengths: FloatArray = np.array(lengths)
        self.wrong = sum(not m > 0 for m in self._nearest)
        self.wrong_by = float(np.maximum(0, -self.nearest).mean())

    def slope(self, k: Fraction) -> arb:
        """L'(k), enclosed."""
        with working_precision(BITS):
            factor, total = exact_ball(k), arb(0)
            for row in self._rows:
                raised = [(-factor * m).exp() for m in row]
                total += sum((m * e for m, e in zip(row, raised, strict=True)), arb(0)) / (1 + sum(raised, arb(0)))
            return -total / len(self._rows)

    def density(self, k: Fraction) -> arb:
        """rho(k), enclosed."""
        with working_precision(BITS):
            factor = exact_ball(k)
            return factor / 4 * sum(((factor * m / 2).sech() ** 2 for m in self._nearest), arb(0)) / len(self._nearest)

    def density_length(self) -> float:
        """rho per unit of length across the boundary, at factor 1."""
        return float(np.mean(self.lengths / (4 * np.cosh(np.clip(self.nearest / 2, -300, 300)) ** 2)))

    def best(self, penalty: Fraction) -> Best:
        """The zero of L'(k) + 2 penalty k, which increases with k."""
        with working_precision(BITS):
            start = self.slope(Fraction(0))
            if start >= 0:
                return Best(verdict=Verdict.REFUTED)
            if not penalty and not self.wrong:
                # L' < 0 for every k, since every margin is positive.
                return Best(verdict=Verdict.REFUTED)
        guess = self._guess(float(penalty))
        if not start < 0 or guess is None:
            return Best(verdict=Verdict.UNDECIDED)
        width = NARROWEST
        while width <= WIDEST:
            low, high = (Fraction(guess * (1 + side * width)) for side in (-1, 1))
            with working_precision(BITS):
                below, above = (self.slope(k) + 2 * exact_ball(penalty * k) for k in (low, high))
                if below < 0 and above > 0:
                    return Best(verdict=Verdict.CERTIFIED, low=low, high=high)
            width *= 10
        return Best(verdict=Verdict.UNDECIDED)

    def softness(self, k: float, penalty: float) -> float:
        """|d ln k / d ln rho| of the law's root, near k: 1/3 by the penalty alone, 1/2 by wrong samples alone."""
        by_penalty, by_wrong = 2 * penalty * k**3, self.wrong_by * k * k
        return (by_penalty + by_wrong) / (3 * by_penalty + 2 * by_wrong)

    def _guess(self, penalty: float) -> float | None:
        def force(k: float) -> float:
            powers = -k * self.margins
            top = np.maximum(powers.max(axis=1, keepdims=True), 0)
            raised = np.exp(powers - top)
            shares = raised / (np.exp(-top) + raised.sum(axis=1, keepdims=True))
            return float(2 * penalty * k - (shares * self.margins).sum(axis=1).mean())

        high = 1.0
        while force(high) <= 0:
            high *= 2
            if high > LARGEST_FACTOR:
                return None
        return float(brentq(force, 0.0, high, xtol=1e-300, rtol=1e-14)) if force(0.0) < 0 else None
