"""Heat capacity and occupations of the minima against temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from symland.figures.style import empty_figure, styled

__all__ = ["error_figure", "heat_figure", "occupation_figure", "replica_figure"]


@styled
def heat_figure(
    temperatures: Sequence[float],
    heat: Sequence[float],
    sampled: Sequence[tuple[float, float]],
    parameters: int,
    *,
    height: float = 2.6,
) -> Figure:
    """The heat capacity in units of Boltzmann's constant, sampled values, and P / 2, that of one harmonic well."""
    figure = empty_figure(height)
    axes = figure.add_subplot(xlabel="temperature $T$", ylabel="heat capacity $C$", xscale="log")
    axes.axhline(parameters / 2, color="0.7", linewidth=0.8)
    axes.plot(temperatures, heat, label="superposition")
    if sampled:
        axes.plot(*zip(*sampled, strict=True), "o", markersize=3.5, label="sampler")
        axes.legend()
    return figure


@styled
def occupation_figure(
    temperatures: Sequence[float],
    occupations: Sequence[Sequence[float]],
    classes: Sequence[int],
    *,
    height: float = 2.8,
) -> Figure:
    """The occupation of each class of minima."""
    figure = empty_figure(height)
    axes = figure.add_subplot(xlabel="temperature $T$", ylabel="occupation")
    for place, number in enumerate(classes):
        axes.semilogx(temperatures, [row[place] for row in occupations], label=f"class {number}")
    axes.set_ylim(-0.03, 1.03)
    axes.legend(fontsize=8)
    return figure


@styled
def error_figure(
    temperatures: Sequence[float],
    single: Sequence[tuple[float, float]],
    mean: Sequence[tuple[float, float]],
    *,
    height: float = 2.8,
) -> Figure:
    """Test error against temperature, of single networks and of their mean, with standard errors."""
    figure = empty_figure(height)
    axes = figure.add_subplot(xlabel="temperature $T$", ylabel="test error", xscale="log")
    for values, label in ((single, "one network"), (mean, "mean of the networks")):
        axes.errorbar(
            temperatures, [v for v, _ in values], yerr=[e for _, e in values], fmt="o-", markersize=3, label=label
        )
    axes.legend()
    return figure


MOST_REPLICAS = 6
"""Replicas whose paths are drawn."""


@styled
def replica_figure(path: np.ndarray, *, height: float = 2.8) -> Figure:
    """The levels (sweeps, replicas) at which some replicas stand; level 0 is the Gaussian."""
    figure = empty_figure(height)
    axes = figure.add_subplot(xlabel="sweep", ylabel="level")
    chosen = np.unique(np.linspace(0, path.shape[1] - 1, MOST_REPLICAS).astype(int))
    for replica in chosen:
        axes.plot(path[:, replica], linewidth=0.7)
    axes.set_ylim(-0.5, path.shape[1] - 0.5)
    return figure
