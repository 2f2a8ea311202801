"""The leading-order energy of a layer behind the first, with the layers before it held where they are.

Layer l sees the signals h_d of layer l - 1. A node with input weights w (its bias last) that reaches output i with the
weight a_i adds a_i sigma(w . (h_d, 1)) to it. So to first order in a and to leading order in w the loss changes by

    -(sigma^(k)(0) / k!) a . F_k(w),     F_k(w) = mean_d(-e_d (w . (h_d, 1))^k),

the energy of the first layer with h_d in the place of x_d. It stands on what h_d is: h_d is small itself, of the order
of the weights before it, and turns as they turn. No energy of the data alone decides a later layer; that of given
weights does.

How a node reaches the outputs depends on what is behind it.

- The last hidden layer reaches them by the output weights.
- With residual connections h_l = h_{l-1} + sigma(W_l h_{l-1} + b_l) every layer reaches them by the output weights,
  as what later layers add to it is of higher order.
- Without them, and with multiplicity 1, it reaches them by a product of weight matrices: F stays, its factor is small.
- Without them, and with p >= 2, later layers multiply the signals of different nodes: nodes are not decoupled.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from mpmath import mp, mpf, workdps

from symland.analysis.condensation.energy import Energy, Vectors, leading_energy
from symland.analysis.condensation.forms import moment_form
from symland.analysis.condensation.multiplicity import Multiplicity
from symland.errors import SpecError
from symland.program.digits import DigitsAlgebra
from symland.program.ir import Formula
from symland.program.lower import lower
from symland.records import FloatArray
from symland.spec import LandscapeSpec
from symland.symbolic.activation import Z, derive_activation

__all__ = ["check_residual", "hidden_signals", "layer_energy", "lowered_activation"]

SIGNAL_DIGITS = 50
"""Decimal digits to which the signals of hidden layers are computed; the prediction is exact for these numbers."""


TOLD_APART = Fraction(1, 10**40)
"""A sum of terms counts as different from 0 where it is above this share of the sum of their absolute values."""


@cache
def lowered_activation(text: str, derivatives: int = 0) -> Formula:
    """sigma, and sigma' where it is asked for, as a formula of one number."""
    return lower("sigma", [Z], derive_activation(text).jet[: 1 + derivatives])


def check_residual(spec: LandscapeSpec) -> None:
    """Residual connections need hidden layers of one width.

    Raises
    ------
    SpecError
        If there is one hidden layer, or the widths differ.
    """
    if len(spec.hidden) < 2 or len(set(spec.hidden)) > 1:
        raise SpecError.at(
            "--residual",
            f"hidden layers of width {', '.join(map(str, spec.hidden))} cannot be added",
            "give two or more hidden layers of one width, such as --hidden 8,8",
        )


def hidden_signals(spec: LandscapeSpec, theta: FloatArray, layer: int, *, residual: bool = False) -> Vectors:
    """The inputs of a hidden layer, counted from 1, for every sample: rationals within 10^-50 of them, relatively.

    Parameters
    ----------
    theta : (P,) float64
        Taken exactly as it stands.
    """
    algebra, sigma, layout = DigitsAlgebra(), lowered_activation(spec.activation), spec.layout
    found = []
    with workdps(SIGNAL_DIGITS):
        blocks = []
        for before in range(1, layer):
            bias = layout.biases(before)
            weight = [[mpf(float(v)) for v in row] for row in layout.weight(before).of(theta)]
            blocks.append((weight, [mpf(0)] * len(weight) if bias is None else [mpf(float(v)) for v in bias.of(theta)]))
        for x in spec.data.inputs:
            signal = [mpf(v.numerator) / v.denominator for v in x]
            for number, (weight, biases) in enumerate(blocks):
                inner = [mp.fdot(row, signal) + b for row, b in zip(weight, biases, strict=True)]
                added = [algebra.apply(sigma, [s])[0] for s in inner]
                signal = [s + v for s, v in zip(signal, added, strict=True)] if residual and number else added
            found.append(tuple(_exact(v) for v in signal))
    return tuple(found)


def _exact(value: mpf) -> Fraction:
    """The binary number that an mpf is."""
    if not mp.isfinite(value):
        raise SpecError.at("--at", "a hidden signal is not finite", "give smaller weights")
    sign, mantissa, exponent, _ = value._mpf_
    number = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -number if sign else number


def layer_energy(
    spec: LandscapeSpec, multiplicity: Multiplicity, theta: FloatArray, layer: int, *, residual: bool = False
) -> tuple[Energy, str]:
    """F_k of a hidden layer with the layers before it at theta, and why k differs from p, or an empty text.

    Raises
    ------
    SpecError
        If F_k vanishes at every order up to the highest that is looked at, or cannot be told from 0.
    """
    signals = hidden_signals(spec, theta, layer, residual=residual)
    energy, reason = leading_energy(spec, multiplicity, signals)
    for moments, part in zip(energy.moments, energy.parts, strict=True):
        # Each coefficient against its sum of absolute terms, of which rounding has a share of about 10^-50 each.
        sizes = moment_form([[abs(v) for v in x] for x in energy.vectors], [abs(m) for m in moments], energy.order)
        if all(abs(value) <= TOLD_APART * sizes[key] for key, value in part.items()):
            what = f"T_{energy.order} of layer {layer} cannot be told from 0 at these weights"
            raise SpecError.at("--at", what, "give other weights")
    return energy, reason
