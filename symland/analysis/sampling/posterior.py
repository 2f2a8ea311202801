"""Predictions at a temperature: networks drawn from exp(-E / T) on some samples, judged on others.

The Gibbs error is the mean error of single networks, the Bayes error that of the mean of their predicted probabilities
(or outputs). As T falls both go over into those of the lowest minimum; as T rises the prior takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from symland.analysis.sampling.evidence import CLEAR, Effort, Number
from symland.analysis.sampling.sampled import cooling_path, mean_over_runs
from symland.analysis.sampling.smc import pilot, run
from symland.analysis.sampling.target import target_of
from symland.datasets import Dataset
from symland.errors import SpecError
from symland.program.floats import NumpyAlgebra
from symland.program.lower import lower
from symland.records import FloatArray
from symland.spec import LandscapeSpec
from symland.symbolic.activation import Z, derive_activation

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["Posterior", "PosteriorRow", "outputs_of", "posterior", "split"]


class PosteriorRow(msgspec.Struct, frozen=True, kw_only=True):
    """Errors at one temperature: shares of wrong labels, or mean squares where targets are numbers.

    Attributes
    ----------
    train_loss : Number
        Mean loss of single networks on the samples that were fitted, with the penalty.
    gibbs, bayes : Number
        Test error of single networks, and of the averaged prediction.
    """

    temperature: float
    train_loss: Number
    gibbs: Number
    bayes: Number


class Posterior(msgspec.Struct, frozen=True, kw_only=True):
    """Test error against temperature.

    Attributes
    ----------
    best : float
        The temperature of the smallest Bayes error; of several, the lowest.
    decided : bool
        Whether the errors are small beside the fall from the worst to the best.
    interior : bool
        Whether the best is better than both the coldest and the hottest by more than two standard errors.
    """

    name: str
    fitted: int
    tested: int
    rows: tuple[PosteriorRow, ...]
    best: float
    decided: bool
    interior: bool


def split(spec: LandscapeSpec, share: Fraction, seed: int) -> tuple[LandscapeSpec, Dataset]:
    """The specification with some samples kept back, and those; labels keep their shares.

    Raises
    ------
    SpecError
        If nothing would be left on one side.
    """
    data, rng = spec.data, np.random.default_rng(seed)
    labels = np.array(data.labels or (0,) * data.n_samples)
    held: list[int] = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        held += members[: round(share * len(members))].tolist()
    kept = [d for d in range(data.n_samples) if d not in set(held)]
    if not held or not kept or (data.labels and len(set(labels[kept])) < len(set(labels))):
        raise SpecError.at("--holdout", f"{share} of {data.n_samples} samples leaves one side empty", "write 1/3")
    return spec.with_(data=_some(data, kept)), _some(data, held)


def _some(data: Dataset, places: Sequence[int]) -> Dataset:
    chosen = sorted(places)
    return Dataset(
        name=data.name,
        inputs=tuple(data.inputs[d] for d in chosen),
        labels=tuple(data.labels[d] for d in chosen) if data.labels else (),
        values=tuple(data.values[d] for d in chosen) if data.values else (),
    )


def outputs_of(spec: LandscapeSpec, theta: FloatArray, inputs: FloatArray) -> FloatArray:
    """Outputs (n, D, K) of networks theta (n, P) at inputs (D, n_0)."""
    sigma = lower("activation", [Z], derive_activation(spec.activation).jet[:1])
    signal = np.broadcast_to(inputs, (len(theta), *inputs.shape))
    for layer in range(1, spec.layout.n_layers + 1):
        weight, bias = spec.layout.weight(layer), spec.layout.biases(layer)
        signal = signal @ np.swapaxes(weight.of(theta), 1, 2)
        if bias is not None:
            signal = signal + bias.of(theta)[:, None, :]
        if layer < spec.layout.n_layers:
            (signal,) = NumpyAlgebra().apply(sigma, [signal])
    return signal


def _errors(spec: LandscapeSpec, theta: FloatArray, test: Dataset) -> tuple[float, float]:
    """(Gibbs, Bayes) on the samples kept back."""
    inputs = np.array([[float(x) for x in row] for row in test.inputs])
    z = outputs_of(spec, theta, inputs)
    if spec.data.values:
        targets = np.array([[float(x) for x in row] for row in test.values])
        single = ((z - targets) ** 2).sum(axis=2).mean()
        return float(single), float(((z.mean(axis=0) - targets) ** 2).sum(axis=1).mean())
    labels = np.array(test.labels)
    if spec.n_outputs == 1:
        # ell(z, 1) = ln(1 + exp(-z)).
        z = np.concatenate([np.zeros_like(z), z], axis=2)
    shares = np.exp(z - z.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    single = (shares.argmax(axis=2) != labels).mean()
    return float(single), float((shares.mean(axis=0).argmax(axis=1) != labels).mean())


def posterior(
    spec: LandscapeSpec,
    test: Dataset,
    temperatures: Sequence[float],
    effort: Effort,
    progress: Callable[[str, int, int], None] = lambda note, done, total: None,
) -> Posterior:
    """Errors at ascending temperatures on samples that were kept back from `spec`."""
    from symland.kernels import compile_kernel
    from symland.symbolic.symmetry import find_symmetry

    target = target_of(spec, compile_kernel(spec), find_symmetry(spec))
    corners, before = cooling_path(list(temperatures[::-1]))
    first, *seeds = np.random.SeedSequence(effort.seed).spawn(effort.runs + 1)
    progress("pilot run", 0, effort.runs)
    schedule, _ = pilot(target, corners, effort.samples, np.random.default_rng(first))
    stops = schedule.stops[before:]
    seen: dict[int, list[tuple[float, float, float]]] = {k: [] for k in stops}
    for number, own in enumerate(seeds):
        progress("independent runs", number, effort.runs)
        kept: dict[int, FloatArray] = {}

        def watch(k: int, theta: FloatArray, kept: dict[int, FloatArray] = kept) -> None:
            if k in seen:
                kept[k] = theta

        done = run(target, schedule, effort.samples, np.random.default_rng(own), watch)
        for k, theta in kept.items():
            seen[k].append((float(done.energy[k]), *_errors(spec, theta, test)))
    rows = []
    for t, k in zip(temperatures, stops[::-1], strict=True):
        loss, gibbs, bayes = (Number.of(mean_over_runs(column)) for column in zip(*seen[k], strict=True))
        rows.append(PosteriorRow(temperature=t, train_loss=loss, gibbs=gibbs, bayes=bayes))
    best = min(rows, key=lambda row: (row.bayes.value, row.temperature))
    worst = max(rows, key=lambda row: row.bayes.value)
    return Posterior(
        name=spec.name,
        fitted=spec.n_samples,
        tested=test.n_samples,
        rows=tuple(rows),
        best=best.temperature,
        decided=_above(worst, best),
        interior=_above(rows[0], best) and _above(rows[-1], best),
    )


def _above(row: PosteriorRow, best: PosteriorRow) -> bool:
    """Whether the Bayes error is above that of another row by more than two standard errors of the difference."""
    error = float(np.hypot(row.bayes.error, best.bayes.error))
    return row.bayes.value - best.bayes.value > CLEAR * error
