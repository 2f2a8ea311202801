"""Chains at one temperature by replica exchange, and how much they are worth.

The effective sample size of M chains of N draws is M N / (1 + 2 sum_k rho_k), with rho_k the correlation at lag k from
all chains, summed over Geyer's initial positive pairs; R-hat compares halves of chains (Gelman et al., Bayesian Data
Analysis, 3rd ed., section 11.4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from symland.analysis.sampling.evidence import APART, Effort, Number
from symland.analysis.sampling.exchange import Exchange, exchange, integrate
from symland.analysis.sampling.sampled import cooling_path, temper
from symland.analysis.sampling.target import target_of
from symland.errors import SpecError
from symland.records import FloatArray

if TYPE_CHECKING:
    from symland.spec import LandscapeSpec

__all__ = ["Chains", "Level", "Sample", "effective_size", "inference_data", "r_hat", "sample"]


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One level of the ladder: couplings of loss and penalty, acceptance of moves, exchange with the next level."""

    loss_coupling: float
    penalty_coupling: float
    step: float
    acceptance: float
    exchange: float | None
    energy: float


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What replica exchange says at one temperature.

    Attributes
    ----------
    chains, draws : int
    energy : Number
        Mean E.
    ess, r_hat : float
        Of E over all chains.
    log_z, integrated : Number
        By sequential Monte Carlo and by thermodynamic integration along the ladder.
    agree : bool
        Whether they differ by less than three standard errors.
    round_trips : int
        From the Gaussian to the temperature and back, over all ladders.
    levels : tuple of Level
    """

    name: str
    parameters: int
    temperature: float
    chains: int
    draws: int
    energy: Number
    ess: float
    r_hat: float
    log_z: Number
    integrated: Number
    agree: bool
    round_trips: int
    levels: tuple[Level, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """theta (chain, draw, P) on one fundamental domain, E (chain, draw), and what the ladders saw."""

    theta: FloatArray
    energy: FloatArray
    seen: Exchange


def sample(
    spec: LandscapeSpec,
    temperature: float,
    effort: Effort,
    progress: Callable[[str, int, int], None] = lambda note, done, total: None,
) -> tuple[Sample, Chains]:
    """Chains at a temperature; each ladder of replica exchange gives one."""
    from symland.kernels import compile_kernel
    from symland.symbolic.symmetry import find_symmetry

    target = target_of(spec, compile_kernel(spec), find_symmetry(spec))
    corners, before = cooling_path([temperature])
    found = temper(target, corners, samples=effort.samples, runs=effort.runs, seed=effort.seed, progress=progress)
    progress("replica exchange", 0, effort.sweeps)
    rng = np.random.default_rng(np.random.SeedSequence(effort.seed).spawn(effort.runs + 2)[-1])
    ladder, starts = found.schedule, found.points
    seen = exchange(
        target,
        ladder,
        starts,
        ladders=effort.ladders,
        sweeps=effort.sweeps,
        rng=rng,
        progress=lambda share: progress("replica exchange", round(share * effort.sweeps), effort.sweeps),
    )
    integral = integrate(target, ladder, seen)[0][before]
    every = seen.loss + seen.penalty
    energy = np.ascontiguousarray(every[:, -1].T)
    size = effective_size(energy)
    mean, error = float(energy.mean()), float(energy.std(ddof=1) / np.sqrt(size))
    smc = found.stops[before].log_z
    levels = tuple(
        Level(
            loss_coupling=float(ladder.levels.b[k]),
            penalty_coupling=float(ladder.levels.a[k]),
            step=float(ladder.levels.step[k]),
            acceptance=float(seen.acceptance[k]),
            exchange=float(seen.exchanges[k]) if k < len(seen.exchanges) else None,
            energy=float(every[:, k].mean()),
        )
        for k in range(len(ladder.levels))
    )
    answer = Sample(
        name=spec.name,
        parameters=spec.n_parameters,
        temperature=temperature,
        chains=energy.shape[0],
        draws=energy.shape[1],
        energy=Number(value=mean, error=error, lower=mean - 1.96 * error, upper=mean + 1.96 * error),
        ess=size,
        r_hat=r_hat(energy),
        log_z=Number.of(smc),
        integrated=Number.of(integral),
        agree=abs(smc.value - integral.value) <= APART * float(np.hypot(smc.error, integral.error)),
        round_trips=seen.round_trips,
        levels=levels,
    )
    return answer, Chains(theta=seen.samples, energy=energy, seen=seen)


def effective_size(draws: FloatArray) -> float:
    """Effective number of independent draws among chains (M, N) of one number; M N of a constant."""
    chains, count = draws.shape
    centred = draws - draws.mean(axis=1, keepdims=True)
    padded = np.fft.rfft(centred, n=2 * count, axis=1)
    auto = np.fft.irfft(np.abs(padded) ** 2, n=2 * count, axis=1)[:, :count] / count
    within = auto[:, 0].mean() * count / (count - 1)
    between = draws.mean(axis=1).var(ddof=1) if chains > 1 else 0.0
    total = within * (count - 1) / count + between
    if not total > 0:
        return float(chains * count)
    rho = 1 - (within - auto.mean(axis=0) * count / (count - 1)) / total
    rho[0] = 1.0
    pairs = rho[: count - count % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0] if negative.size else len(pairs)])
    return float(min(chains * count, chains * count / max(2 * pairs.sum() - 1, 1 / (chains * count))))


def r_hat(draws: FloatArray) -> float:
    """R-hat of chains (M, N), each cut in halves; 1 of a constant."""
    half = draws.shape[1] // 2
    parts = np.concatenate([draws[:, :half], draws[:, -half:]])
    within = parts.var(axis=1, ddof=1).mean()
    between = parts.mean(axis=1).var(ddof=1)
    return float(np.sqrt((within * (half - 1) / half + between) / within)) if within > 0 else 1.0


def inference_data(answer: Sample, chains: Chains) -> Any:
    """The chains as ArviZ's container: `theta` and `lp` = -E / T.

    Raises
    ------
    SpecError
        If ArviZ is not installed.
    """
    try:
        arviz = import_module("arviz")
    except ImportError:
        raise SpecError.at("-o", "ArviZ is not installed", "install arviz, or write to a file ending in .npz") from None
    groups = {"posterior": {"theta": chains.theta}, "sample_stats": {"lp": -chains.energy / answer.temperature}}
    # From version 1 on the groups come in one dictionary.
    if int(arviz.__version__.partition(".")[0]) >= 1:
        return arviz.from_dict(groups)
    return arviz.from_dict(**groups)
