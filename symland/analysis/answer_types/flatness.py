"""Options and answer: how wide minima are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from symland.tables import Enclosed

__all__ = ["DEFENSIVE", "ClassFlatness", "Flatness", "FlatnessOptions", "LocalEnergy", "LocalEntropy", "tested_pairs"]


DEFENSIVE = 0.1
"""Share of the samples that are drawn from the perturbation's own distribution."""


class LocalEntropy(msgspec.Struct, frozen=True, kw_only=True):
    """Phi(sigma, T) = ln of the mean of exp(-(E(w + d) - E(w)) / T) over d ~ N(0, sigma^2 I).

    Attributes
    ----------
    sigma, temperature : float
    laplace : float
        -1/2 sum_i ln(1 + h_i sigma^2 / T), exact for a quadratic loss; None where some h_i is so negative that the mean
        of the quadratic form does not exist.
    sampled : float or None
        By importance sampling; None where the effective sample size is below a tenth of the samples.
    error : float or None
        Standard error.
    ess : float
        Effective sample size as a share of the samples.
    errors : float or None
        The same with the number of training errors for the loss: ln of the mean of exp(-(errors(w + d) - errors(w)) /
        (D T)), from plain perturbations; None where their effective sample size is below a tenth.
    errors_error : float or None
        Its standard error.
    errors_ess : float or None
        Its effective sample size as a share of its samples; None for a regression.
    """

    sigma: float
    temperature: float
    laplace: float | None
    sampled: float | None
    error: float | None
    ess: float
    errors: float | None
    errors_error: float | None
    errors_ess: float | None


class LocalEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Mean share of training errors after w -> w (1 + r z), z ~ N(0, I), with its standard error."""

    r: float
    share: float
    error: float


class ClassFlatness(msgspec.Struct, frozen=True, kw_only=True):
    """The width of one minimum.

    Attributes
    ----------
    number : int
    loss : float
    trace, max_eigenvalue, log_det : float
        Of the Hessian.
    trace_enclosure, max_enclosure, log_det_enclosure : Enclosed or None
        From the certificate.
    scaled_trace, scaled_max, scaled_log_det : float or None
        The same of |theta|^2 H / (P E), which does not change when weights and loss are measured in other units.
    effective_dimension : float
        sum_i h_i / (h_i + 2 lambda), which has no unit.
    effective_enclosure : Enclosed or None
        Its bounds from the certificate.
    basin : float or None
        ln of the volume of {E < E_min + height} in the quadratic form.
    local_entropy : tuple of LocalEntropy
    local_energy : tuple of LocalEnergy
        Of minima without training errors; empty for others.
    training_errors : int or None
        None for a regression.
    minimum_margin, mean_stability : float or None
        Of the samples' margins (logit of the label less the largest other), divided by |W_out|.
    test_error : float or None
        Share of wrong labels in the test set.
    """

    number: int = msgspec.field(name="class")
    loss: float
    trace: float
    max_eigenvalue: float
    log_det: float
    trace_enclosure: Enclosed | None
    max_enclosure: Enclosed | None
    log_det_enclosure: Enclosed | None
    scaled_trace: float | None
    scaled_max: float | None
    scaled_log_det: float | None
    effective_dimension: float
    effective_enclosure: Enclosed | None
    basin: float | None
    local_entropy: tuple[LocalEntropy, ...]
    local_energy: tuple[LocalEnergy, ...]
    training_errors: int | None
    minimum_margin: float | None
    mean_stability: float | None
    test_error: float | None = None


class Flatness(msgspec.Struct, frozen=True, kw_only=True):
    """How wide the minima are.

    Attributes
    ----------
    classes : tuple of ClassFlatness
        Minima, the lowest first.
    samples : int
        Of each importance-sampled number.
    overlap : float or None
        Share of the minima of the lowest cross-entropy (the lower half) that have the fewest training errors of all.
    wide_overlap : float or None
        Share of the same minima that are in the half that is widest in the number of errors: by ln of the mean of
        exp(-errors(w + d) / (D T)) at the widest perturbation at which it was sampled at all minima.
    correlation : float or None
        Spearman's rank correlation of local entropy (widest sigma with a sampled value) and test error.
    correlation_low, correlation_high : float or None
        Its bootstrap interval at 95 %.
    """

    classes: tuple[ClassFlatness, ...]
    samples: int
    overlap: float | None
    wide_overlap: float | None
    correlation: float | None
    correlation_low: float | None
    correlation_high: float | None


@dataclass(frozen=True, kw_only=True)
class FlatnessOptions:
    """Where and how hard to look."""

    sigma: Annotated[str, "Standard deviations of the perturbation, in units of theta: 0.03,0.1,0.3."] = "0.03,0.1,0.3"
    temperature: Annotated[str, "Temperatures, in units of the loss: 0.01,0.1."] = "0.01,0.1"
    samples: Annotated[int, "Perturbations of each sampled number."] = 20_000
    height: Annotated[float, "Height of the basin whose volume is given, in units of the loss."] = 1e-3
    test: Annotated[str, "A CSV file of test samples with the columns of the data; empty for none."] = ""
    seed: Annotated[int, "Makes it repeatable."] = 0


def tested_pairs(classes: Sequence[ClassFlatness]) -> list[tuple[float, float]]:
    """Local entropy and test error of every minimum, at the last sigma and T at which all of them were sampled."""
    tested = [c for c in classes if c.test_error is not None]
    for place in reversed(range(min((len(c.local_entropy) for c in tested), default=0))):
        pairs = [(c.local_entropy[place].sampled, c.test_error) for c in tested]
        held = [(phi, wrong) for phi, wrong in pairs if phi is not None and wrong is not None]
        if len(held) == len(pairs):
            return held
    return []
