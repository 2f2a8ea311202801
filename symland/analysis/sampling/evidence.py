"""The evidence of a network: ln of the mean likelihood under its prior, for widths and penalties.

With D samples and T = 1 / D, exp(-E / T) is the likelihood exp(-sum_d ell_d) times exp(-lambda |theta|^2 / T), a
Gaussian prior of standard deviation s = (T / 2 lambda)^{1/2} without its norm. So

    ln evidence = ln Z(T) - (P / 2) ln(pi T / lambda),    Z(T) = integral of exp(-E / T).

Two estimates: sequential Monte Carlo multiplies mean weights, thermodynamic integration adds mean energies
along a ladder of replicas. The Laplace value is the harmonic superposition of the minima of a database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import log, pi, sqrt
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from symland.analysis.sampling.exchange import exchange, integrate, thicken
from symland.analysis.sampling.sampled import cooling_path, temper
from symland.analysis.sampling.smc import Estimate
from symland.analysis.sampling.target import Target, target_of
from symland.analysis.temperature.superposition import basins_of, superpose
from symland.errors import SpecError

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape
    from symland.spec import LandscapeSpec

__all__ = ["Effort", "Evidence", "EvidenceRow", "Number", "evidence_of", "penalty_of_sd", "select"]

LADDER_PARTS = 2
"""Rungs of the ladder for each level of the sampler's schedule."""

NEWTON_STEPS = 200
"""Steps to the minimum of the model without hidden nodes."""

APART = 3.0
"""Standard errors by which the two estimates may differ."""

CLEAR = 2.0
"""Standard errors by which the best evidence must lead to be called the best."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate, its standard error, and the interval that should cover it at 95 %."""

    value: float
    error: float
    lower: float
    upper: float

    @classmethod
    def of(cls, found: Estimate, shift: float = 0.0) -> Number:
        """An estimate with a constant added."""
        return cls(value=found.value + shift, error=found.error, lower=found.lower + shift, upper=found.upper + shift)


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model.

    Attributes
    ----------
    hidden : int
        Hidden nodes; 0 is the model with output biases alone.
    penalty : str
        lambda, exact.
    sd : float
        Of the prior.
    log_evidence : Number
        By sequential Monte Carlo.
    integrated : Number
        By thermodynamic integration.
    laplace : float or None
        The harmonic superposition; None where no database holds this network.
    agree : bool
        Whether the two differ by less than three standard errors of their difference.
    round_trips, exchange, acceptance, ess
        How well they moved: round trips of replicas, the worst exchange rate, mean acceptance, effective samples.
    """

    hidden: int
    penalty: str
    parameters: int
    temperature: float
    sd: float
    log_evidence: Number
    integrated: Number
    laplace: float | None
    agree: bool
    round_trips: int
    exchange: float
    acceptance: float
    ess: float


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Models and which one the data prefer.

    Attributes
    ----------
    best : int
        The row of the largest evidence.
    lead : float
        By how much it leads the next one, in units of ln Z; 0 for a single model.
    lead_error : float
    decided : bool
        Whether the lead is clear and all estimates agree.
    """

    name: str
    samples: int
    rows: tuple[EvidenceRow, ...]
    best: int
    lead: float
    lead_error: float
    decided: bool


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """Particles and runs of sequential Monte Carlo, ladders and sweeps of replica exchange, and the seed."""

    samples: int = 512
    runs: int = 8
    ladders: int = 32
    sweeps: int = 300
    seed: int = 0


def evidence_of(
    spec: LandscapeSpec,
    hidden: int,
    temperature: float,
    effort: Effort,
    landscape: Landscape | None = None,
    progress: Callable[[str, int, int], None] = lambda note, done, total: None,
) -> EvidenceRow:
    """The evidence of one width at the penalty of a specification.

    Parameters
    ----------
    spec : LandscapeSpec
        Its width is that of the network, 1 for the model without hidden nodes.
    hidden : int
    landscape : Landscape or None
        Its minima give the Laplace value.
    """
    target, laplace = _target(spec, hidden, temperature)
    if landscape is not None and hidden:
        laplace = superpose(basins_of(landscape), temperature).log_z
    corners, before = cooling_path([temperature])
    found = temper(target, corners, samples=effort.samples, runs=effort.runs, seed=effort.seed, progress=progress)
    smc = found.stops[before]
    progress("replica exchange", 0, 1)
    ladder, starts = thicken(found.schedule, found.points, LADDER_PARTS)
    rng = np.random.default_rng(np.random.SeedSequence(effort.seed).spawn(effort.runs + 2)[-1])
    seen = exchange(target, ladder, starts, ladders=effort.ladders, sweeps=effort.sweeps, rng=rng)
    integral = integrate(target, ladder, seen)[0][before]
    prior = -0.5 * target.size * log(pi * temperature / target.penalty)
    apart = abs(smc.log_z.value - integral.value)
    return EvidenceRow(
        hidden=hidden,
        penalty=str(spec.penalty),
        parameters=target.size,
        temperature=temperature,
        sd=sqrt(temperature / (2 * target.penalty)),
        log_evidence=Number.of(smc.log_z, prior),
        integrated=Number.of(integral, prior),
        laplace=None if laplace is None else laplace + prior,
        agree=apart <= APART * sqrt(smc.log_z.error**2 + integral.error**2),
        round_trips=seen.round_trips,
        exchange=float(seen.exchanges.min(initial=1.0)),
        acceptance=float(seen.acceptance.mean()),
        ess=smc.ess,
    )


def _target(spec: LandscapeSpec, hidden: int, temperature: float) -> tuple[Target, float | None]:
    """What is sampled; for no hidden nodes also the Laplace value of its one minimum."""
    from symland.kernels import compile_kernel
    from symland.symbolic.symmetry import find_symmetry

    kernel = compile_kernel(spec)
    if hidden:
        return target_of(spec, kernel, find_symmetry(spec)), None
    from symland.explore.protocol import Restriction

    bias = spec.layout.biases(spec.layout.n_layers)
    if bias is None:
        raise SpecError.at("--hidden", "0 hidden nodes without biases leave no parameter", "start from 1")
    basis = np.zeros((spec.n_parameters, bias.size))
    basis[bias.offset + np.arange(bias.size), np.arange(bias.size)] = 1.0
    outputs = Restriction(kernel=kernel, basis=basis)
    target = target_of(spec, outputs, None)
    # With all weights zero the outputs are the biases, whatever sigma is, and the loss is convex in them. Newton's
    # steps are of length 1 at most.
    y = np.zeros((1, bias.size))
    for _ in range(NEWTON_STEPS):
        _, slope, hessian = outputs.value_gradient_hessian(y)
        step = np.linalg.solve(hessian[0], slope[0])
        y = y - step / max(1.0, float(np.linalg.norm(step)))
    loss, _, hessian = outputs.value_gradient_hessian(y)
    log_det = float(np.linalg.slogdet(hessian[0])[1])
    harmonic = -float(loss[0]) / temperature + 0.5 * (bias.size * log(2 * pi * temperature) - log_det)
    return target, harmonic


def select(name: str, samples: int, rows: Sequence[EvidenceRow]) -> Evidence:
    """Which model leads, and whether the errors let one say so."""
    order = sorted(range(len(rows)), key=lambda k: -rows[k].log_evidence.value)
    best = order[0]
    lead, error = 0.0, 0.0
    if len(rows) > 1:
        first, second = rows[best].log_evidence, rows[order[1]].log_evidence
        lead, error = first.value - second.value, sqrt(first.error**2 + second.error**2)
    decided = all(row.agree for row in rows) and (len(rows) == 1 or lead > CLEAR * error)
    return Evidence(
        name=name, samples=samples, rows=tuple(rows), best=best, lead=lead, lead_error=error, decided=decided
    )


def penalty_of_sd(sd: Fraction, temperature: Fraction) -> Fraction:
    """lambda = T / (2 sd^2), whose prior at T has this standard deviation."""
    return temperature / (2 * sd**2)
