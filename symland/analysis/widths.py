"""How wide a minimum is: from its spectrum, and by sampling around it.

Local entropy is sampled from the mixture of the perturbation's own distribution p = N(0, sigma^2 I) and the Gaussian q
that is best for a quadratic loss, N(0, (I / sigma^2 + H / T)^-1), each sample weighted by
p(d) exp(-dE(d) / T) / (p(d) / 10 + 9 q(d) / 10): its weights are bounded wherever those of p alone are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lgamma, log, pi
from typing import TYPE_CHECKING

import numpy as np
from flint import arb
from scipy.special import logsumexp
from scipy.stats import spearmanr

from symland.analysis.answer_types.flatness import (
    DEFENSIVE,
    ClassFlatness,
    Flatness,
    LocalEnergy,
    LocalEntropy,
    tested_pairs,
)
from symland.analysis.response.decisions import as_array, decisions, outputs_at
from symland.analysis.response.held_out import parse_test_set
from symland.datasets import Dataset
from symland.errors import SpecError
from symland.kernels import compile_kernel
from symland.program.balls import exact_ball, working_precision
from symland.records import FloatArray
from symland.spec import LandscapeSpec, read_text
from symland.tables import Enclosed

if TYPE_CHECKING:
    from symland.kernels import CompiledKernel
    from symland.landscape.landscape import Landscape
    from symland.rigor.certificate import Certificate

__all__ = ["LEAST_ESS", "basin_volume", "laplace_entropy", "margins", "measure", "sampled_entropy"]

LEAST_ESS = 0.1
"""Effective sample size, as a share of the samples, below which a sampled number is not given."""

RADII = (0.1, 0.3, 1.0)
"""Sizes r of the relative perturbation of the local energy."""

ENERGY_DRAWS = 500
"""Perturbations of each local energy."""

CHUNK = 4096
"""Points that are evaluated together."""

BOOTSTRAPS = 2000
"""Resamplings of the minima for the interval of the rank correlation."""

FEWEST_RANKED = 4
"""Minima from which a rank correlation is given."""

PRECISION = 192
"""Bits of the enclosures."""


def measure(
    landscape: Landscape,
    *,
    sigmas: Sequence[float],
    temperatures: Sequence[float],
    samples: int,
    height: float,
    test: str,
    seed: int,
    progress: Callable[[int, int], None],
) -> Flatness:
    """The widths of all minima of a landscape.

    Raises
    ------
    SpecError
        If a number is out of range, or the test set does not fit.
    """
    if samples < 100:
        raise SpecError.at("--samples", f"{samples}", "write 100 or more")
    if not height > 0:
        raise SpecError.at("--height", f"{height}", "write a number above 0")
    spec, rng = landscape.spec, np.random.default_rng(seed)
    held_out = _test_set(spec, test)
    kernel = compile_kernel(spec)
    minima = [n for n in landscape.minima if not landscape.points[n].nullity]
    found = []
    for place, number in enumerate(minima):
        found.append(_class(landscape, number, kernel, sigmas, temperatures, samples, height, held_out, rng))
        progress(place + 1, len(minima))
    correlation = _correlation(found, rng)
    return Flatness(
        classes=tuple(found),
        samples=samples,
        overlap=_overlap(found),
        wide_overlap=_wide_overlap(found, spec.n_samples),
        correlation=correlation[0] if correlation else None,
        correlation_low=correlation[1] if correlation else None,
        correlation_high=correlation[2] if correlation else None,
    )


def _class(
    landscape: Landscape,
    number: int,
    kernel: CompiledKernel,
    sigmas: Sequence[float],
    temperatures: Sequence[float],
    samples: int,
    height: float,
    held_out: Dataset | None,
    rng: np.random.Generator,
) -> ClassFlatness:
    spec, point = landscape.spec, landscape.points[number]
    theta, curvature = point.theta, kernel.hessian(point.theta[None])[0]
    values, p = np.linalg.eigvalsh(curvature), spec.n_parameters
    penalty = 2 * float(spec.penalty)
    labelled = not spec.data.values
    own = margins(spec, theta[None], spec.data)[0] if labelled else None
    errors = None if own is None else int((own <= 0).sum())
    scale = float(np.linalg.norm(spec.layout.weight(spec.layout.n_layers).of(theta)))
    entropies = tuple(
        sampled_entropy(kernel, theta, curvature, sigma, temperature, samples, rng, labelled=labelled)
        for sigma in sigmas
        for temperature in temperatures
    )
    trace, largest, log_det, dimension = _enclosed(landscape.certificates.get(number))
    unit = float(theta @ theta) / (p * point.loss) if point.loss > 0 else 0.0
    return ClassFlatness(
        number=number,
        loss=point.loss,
        trace=float(values.sum()),
        max_eigenvalue=float(values.max()),
        log_det=float(np.log(values).sum()),
        trace_enclosure=trace,
        max_enclosure=largest,
        log_det_enclosure=log_det,
        scaled_trace=float(values.sum()) * unit if unit else None,
        scaled_max=float(values.max()) * unit if unit else None,
        scaled_log_det=float(np.log(values).sum()) + p * log(unit) if unit else None,
        effective_dimension=float((values / (values + penalty)).sum()),
        effective_enclosure=dimension,
        basin=basin_volume(values, height),
        local_entropy=entropies,
        local_energy=() if errors != 0 else tuple(_local_energy(spec, theta, r, rng) for r in RADII),
        training_errors=errors,
        minimum_margin=None if own is None or scale == 0 else float(own.min() / scale),
        mean_stability=None if own is None or scale == 0 else float(own.mean() / scale),
        test_error=None if held_out is None else float((margins(spec, theta[None], held_out)[0] <= 0).mean()),
    )


def basin_volume(eigenvalues: FloatArray, height: float) -> float:
    """ln of the volume of {d : d^T H d / 2 < height}, (2 pi height)^(P/2) / (Gamma(P/2 + 1) sqrt det H)."""
    half = len(eigenvalues) / 2
    return half * log(2 * pi * height) - lgamma(half + 1) - float(np.log(eigenvalues).sum()) / 2


def laplace_entropy(eigenvalues: FloatArray, sigma: float, temperature: float) -> float | None:
    """-1/2 sum ln(1 + h_i sigma^2 / T); None where a factor is not positive."""
    factors = 1 + eigenvalues * sigma**2 / temperature
    return float(-np.log(factors).sum() / 2) if (factors > 0).all() else None


def sampled_entropy(
    kernel: CompiledKernel,
    theta: FloatArray,
    curvature: FloatArray,
    sigma: float,
    temperature: float,
    samples: int,
    rng: np.random.Generator,
    *,
    labelled: bool = False,
) -> LocalEntropy:
    """Phi(sigma, T) by the Laplace form and by importance sampling, with standard error and effective sample size."""
    values, vectors = np.linalg.eigh(curvature)
    precision = 1 / sigma**2 + np.maximum(values, 0.0) / temperature
    plain = round(DEFENSIVE * samples)
    draws = rng.normal(size=(samples, theta.size))
    draws[:plain] *= sigma
    draws[plain:] = (draws[plain:] / np.sqrt(precision)) @ vectors.T
    own = -0.5 * (draws**2).sum(axis=1) / sigma**2 - theta.size * log(sigma)
    turned = draws @ vectors
    best = -0.5 * (turned**2 * precision).sum(axis=1) + 0.5 * np.log(precision).sum()
    share = plain / samples
    proposal = np.logaddexp(own + log(share), best + log(1 - share))
    rise = _values(kernel, theta + draws) - kernel.value(theta[None])[0]
    weights = own - rise / temperature - proposal
    sampled, error, ess = _log_mean(weights)
    errors: tuple[float | None, float | None, float | None] = (None, None, None)
    if labelled:
        errors = _error_entropy(kernel.spec, theta, draws[:plain], temperature)
    return LocalEntropy(
        sigma=sigma,
        temperature=temperature,
        laplace=laplace_entropy(values, sigma, temperature),
        sampled=sampled,
        error=error,
        ess=ess,
        errors=errors[0],
        errors_error=errors[1],
        errors_ess=errors[2],
    )


def _log_mean(log_weights: FloatArray) -> tuple[float | None, float | None, float]:
    """ln of the mean weight, its standard error (delta method), and ESS as a share; None for both if the ESS is low."""
    count = len(log_weights)
    total = float(logsumexp(log_weights))
    ess = float(np.exp(2 * total - logsumexp(2 * log_weights)) / count)
    if not ess >= LEAST_ESS:
        return None, None, ess
    relative = np.exp(log_weights - total) * count
    return total - log(count), float(relative.std(ddof=1) / np.sqrt(count)), ess


def _error_entropy(
    spec: LandscapeSpec, theta: FloatArray, draws: FloatArray, temperature: float
) -> tuple[float | None, float | None, float]:
    """Local entropy of the share of training errors, over plain perturbations.

    Where no draw changed the errors the sample shows no spread; the standard error is then that of one draw.
    """
    before = float((margins(spec, theta[None], spec.data) <= 0).mean())
    after = np.concatenate(
        [(margins(spec, theta + part, spec.data) <= 0).mean(axis=1) for part in _chunks(draws, spec.n_samples)]
    )
    value, error, ess = _log_mean(-(after - before) / temperature)
    return value, None if error is None else max(error, 1 / len(draws)), ess


def _local_energy(spec: LandscapeSpec, theta: FloatArray, r: float, rng: np.random.Generator) -> LocalEnergy:
    moved = theta * (1 + r * rng.normal(size=(ENERGY_DRAWS, theta.size)))
    wrong = (margins(spec, moved, spec.data) <= 0).mean(axis=1)
    return LocalEnergy(r=r, share=float(wrong.mean()), error=float(wrong.std(ddof=1) / np.sqrt(ENERGY_DRAWS)))


def _values(kernel: CompiledKernel, theta: FloatArray) -> FloatArray:
    return np.concatenate([kernel.value(theta[k : k + CHUNK]) for k in range(0, len(theta), CHUNK)])


def _chunks(theta: FloatArray, samples: int) -> list[FloatArray]:
    step = max(1, CHUNK * 64 // max(64, samples))
    return [theta[k : k + step] for k in range(0, len(theta), step)]


def margins(spec: LandscapeSpec, theta: FloatArray, data: Dataset) -> FloatArray:
    """Margins (n, D): the output of the label less the largest other; a sample without a positive one is an error."""
    return decisions(outputs_at(spec, theta, as_array(data)), data.labels)[1]


def _enclosed(certificate: Certificate | None) -> tuple[Enclosed | None, ...]:
    """Trace, largest eigenvalue, ln det and effective dimension between the certified eigenvalues.

    h / (h + 2 lambda) rises with h > 0, so that the bounds of the eigenvalues give those of the sum.
    """
    if certificate is None or not certificate.eigenvalues:
        return None, None, None, None
    low, high = ([Fraction(pair[side]) for pair in certificate.eigenvalues] for side in (0, 1))
    trace = Enclosed(lower=_text(sum(low, Fraction(0)), -1), upper=_text(sum(high, Fraction(0)), 1))
    largest = Enclosed(lower=_text(low[-1], -1), upper=_text(high[-1], 1))
    if low[0] <= 0:
        return trace, largest, None, None
    twice = 2 * certificate.spec.penalty
    shares = [sum((h / (h + twice) for h in side), Fraction(0)) for side in (low, high)]
    dimension = Enclosed(lower=_text(shares[0], -1), upper=_text(shares[1], 1))
    with working_precision(PRECISION):
        ends = [sum((exact_ball(v).log() for v in side), arb(0)) for side in (low, high)]
        bounds = ends[0].lower(), ends[1].upper()
        texts = [_text(_exact(x), side) for x, side in zip(bounds, (-1, 1), strict=True)]
    return trace, largest, Enclosed(lower=texts[0], upper=texts[1]), dimension


def _exact(ball: arb) -> Fraction:
    """The midpoint of a ball."""
    mantissa, exponent = ball.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _text(value: Fraction, side: int, places: int = 12) -> str:
    """A decimal text on the safe side of a number."""
    scaled = value * 10**places
    whole = scaled.numerator // scaled.denominator
    if side > 0 and whole != scaled:
        whole += 1
    sign, digits = "-" if whole < 0 else "", str(abs(whole)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _overlap(found: Sequence[ClassFlatness]) -> float | None:
    """Share of the minima in the lower half of the cross-entropy that have the fewest errors of all."""
    counted = [c for c in found if c.training_errors is not None]
    if not counted:
        return None
    fewest = min(c.training_errors or 0 for c in counted)
    lower = sorted(counted, key=lambda c: c.loss)[: max(1, len(counted) // 2)]
    return sum(c.training_errors == fewest for c in lower) / len(lower)


def _wide_overlap(found: Sequence[ClassFlatness], samples: int) -> float | None:
    """Share of the minima in the lower half of the cross-entropy that are in the wider half of the error loss."""
    half = len(found) // 2
    for place in reversed(range(min((len(c.local_entropy) for c in found), default=0)) if half else ()):
        widths = []
        for c in found:
            entropy = c.local_entropy[place]
            if entropy.errors is not None and c.training_errors is not None:
                widths.append(entropy.errors - c.training_errors / (samples * entropy.temperature))
        if len(widths) == len(found):
            wide = set(np.argsort(-np.array(widths), kind="stable")[:half].tolist())
            low = np.argsort([c.loss for c in found], kind="stable")[:half].tolist()
            return sum(k in wide for k in low) / half
    return None


def _correlation(found: Sequence[ClassFlatness], rng: np.random.Generator) -> tuple[float, float, float] | None:
    """Spearman's correlation of local entropy at the widest common sigma with the test error, and its interval."""
    table = np.array(tested_pairs(found), dtype=np.float64).reshape(-1, 2)
    if len(table) < FEWEST_RANKED or np.ptp(table, axis=0).min() == 0:
        return None
    drawn = []
    for _ in range(BOOTSTRAPS):
        part = table[rng.integers(len(table), size=len(table))]
        if np.ptp(part, axis=0).min() > 0:
            drawn.append(float(spearmanr(part[:, 0], part[:, 1])[0]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(spearmanr(table[:, 0], table[:, 1])[0]), float(low), float(high)


def _test_set(spec: LandscapeSpec, name: str) -> Dataset | None:
    if not name:
        return None
    if spec.data.values:
        raise SpecError.at("--test", "test error of a regression", "leave it out: widths take labels")
    return parse_test_set(read_text(name), name, spec)
