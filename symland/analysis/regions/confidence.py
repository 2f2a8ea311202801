"""Areas of labels and of confidence in a box, enclosed; and how they change when weights are scaled.

A label k is confident where its probability exceeds 1 - a: where sum_{j != k} exp(z_j - z_k) < a / (1 - a). For one
logistic unit of weight norm w the rest is a band of width 2 logit(1 - a) / w.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import log

import numpy as np
from flint import arb

from symland.analysis.regions.gradients import Classifier
from symland.analysis.regions.margins import Margins
from symland.analysis.regions.network import Network
from symland.program.balls import exact_ball
from symland.records import FloatArray

__all__ = ["Areas", "areas", "band_width", "scaled_shares"]

LEVELS = {1: 12, 2: 7, 3: 4}
"""Halvings of the box; 2 in higher dimensions."""

Enclosure = tuple[Fraction, Fraction]
Areas = tuple[list[Enclosure], list[Enclosure], Enclosure]


def areas(network: Network, box: tuple[tuple[Fraction, Fraction], ...], level: Fraction) -> Areas:
    """Enclosed areas (volumes) in a box: of each label, of each label with confidence, and of the band without."""
    margins, n, labels = Margins(network), len(box), range(network.labels)
    odds = exact_ball(level / (1 - level))
    low_label, low_sure = [Fraction(0) for _ in labels], [Fraction(0) for _ in labels]
    high_label, high_sure = list(low_label), list(low_sure)
    band_low = band_high = Fraction(0)
    last = LEVELS.get(n, 2)
    stack = [(0, tuple(box))]
    while stack:
        depth, cell = stack.pop()
        found, _ = margins.over(cell)
        possible = [k for k in labels if not any(j != k and found[k, j] < 0 for j in labels)]
        sums = {k: sum(((-found[k, j]).exp() for j in labels if j != k), arb(0)) for k in labels}
        sure = next((k for k in labels if sums[k] < odds), None)
        never = all(sums[k] > odds for k in labels)
        if depth < last and not (sure is not None or (never and len(possible) == 1)):
            halves = [((a, (a + b) / 2), ((a + b) / 2, b)) for a, b in cell]
            stack += [(depth + 1, part) for part in product(*halves)]
            continue
        size = _volume(cell)
        for k in possible:
            high_label[k] += size
            if all(found[k, j] > 0 for j in labels if j != k):
                low_label[k] += size
        if sure is not None:
            low_sure[sure] += size
            high_sure[sure] += size
            continue
        for k in possible:
            if not sums[k] > odds:
                high_sure[k] += size
        band_high += size
        if never:
            band_low += size
    return (
        list(zip(low_label, high_label, strict=True)),
        list(zip(low_sure, high_sure, strict=True)),
        (band_low, band_high),
    )


def _volume(cell: tuple[tuple[Fraction, Fraction], ...]) -> Fraction:
    size = Fraction(1)
    for low, high in cell:
        size *= high - low
    return size


def band_width(norm: float, level: Fraction) -> float:
    """2 logit(1 - a) / k: the width of the band of one logistic unit."""
    a = float(level)
    return 2 * log((1 - a) / a) / norm


def scaled_shares(network: Network, points: FloatArray, level: float, factor: float, part: str) -> float:
    """The share of points (m, n) without confidence when a part of the network is multiplied.

    Parameters
    ----------
    part : str
        "all", "biases", or "layer 1", "layer 2", ... for the weights and biases of one layer.
    """
    layers = len(network.weights)
    exact = Fraction(factor)
    one, scaled = [Fraction(1)] * layers, [exact] * layers
    if part == "all":
        changed = network.scaled(scaled, scaled)
    elif part == "biases":
        changed = network.scaled(one, scaled)
    else:
        chosen = [exact if f"layer {k + 1}" == part else Fraction(1) for k in range(layers)]
        changed = network.scaled(chosen, chosen)
    probabilities = Classifier(changed).probabilities(points)
    return float(np.mean(probabilities.max(axis=1) <= 1 - level))
