"""Options and answer: how the scale of the output weights follows the density of the samples near the boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from symland.records import Verdict
from symland.tables import Enclosed

__all__ = ["BestScale", "ScaleRow", "WeightScale", "WeightScaleOptions"]


class ScaleRow(msgspec.Struct, frozen=True, kw_only=True):
    """The data at one factor k of the output layer.

    Attributes
    ----------
    factor : float
        k, exactly.
    slope : Enclosed
        dL/dk of the data.
    law : float
        w - rho pi^2 / (6 k^2) with the density at factor 1.
    ratio : float
        (w - slope) in units of rho pi^2 / (6 k^2): 1 where the law holds.
    density : float
        rho(k), by the kernel that is 1/k wide.
    local_ratio : float or None
        The same with the density at this k; None where that is 0.
    crowding : float
        k times the spacing of samples; the law needs it well below 1.
    scatter : float
        Standard deviation of the ratio for random samples, `SCATTER` sqrt(crowding).
    gradient : float
        Norm of the gradient of the data's loss by all parameters, the output layer multiplied by k.
    gradient_all : float
        The same, all parameters multiplied by k.
    """

    factor: float
    slope: Enclosed
    law: float
    ratio: float
    density: float
    local_ratio: float | None
    crowding: float
    scatter: float
    gradient: float
    gradient_all: float


class BestScale(msgspec.Struct, frozen=True, kw_only=True):
    """The best factor of the output layer at one penalty.

    Attributes
    ----------
    penalty : str
    k_star : Enclosed or None
        Where L(k) + lambda k^2 |output|^2 is least; None where there is no such k > 0, or none was enclosed.
    k_law : float or None
        The root of 2 lambda |output|^2 k^3 + w k^2 = rho pi^2 / 6: (rho pi^2 / (12 lambda |output|^2))^(1/3) where no
        sample is wrong, (rho pi^2 / (6 w))^(1/2) without a penalty; None where there is no root.
    ratio : float or None
        k* / k_law.
    crowding, scatter : float or None
        At k*; the scatter is that of the ratio, a third to a half of that of the slope.
    verdict : Verdict
        CERTIFIED where k* is enclosed, REFUTED where it is proved that there is none.
    """

    penalty: str
    k_star: Enclosed | None
    k_law: float | None
    ratio: float | None
    crowding: float | None
    scatter: float | None
    verdict: Verdict


class WeightScale(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """The law of weight scale, measured on a network's own data.

    Attributes
    ----------
    number : int or None
        Class, or None for a saved point.
    samples : int
    wrong : int
        Samples whose margin is not positive.
    wrong_by : float
        w: what they are wrong by, max(0, -margin) in the mean over all samples.
    density : Enclosed
        rho: samples per unit of the margin at the boundary, as a share of all; mean of sigma'(margin).
    density_length : float
        The same per unit of length across the boundary; mean of |grad margin| sigma'(margin).
    slope_across : float
        Their ratio: the slope of the margin across the boundary.
    spacing : float
        1 / (samples rho), in units of the margin.
    nearest : float
        The least |margin|.
    output_norm : float
        |output|: norm of the penalised parameters of the output layer.
    rows : tuple of ScaleRow
    holds : (low, high) or None
        The longest run of factors at which the ratio is within `tolerance` of 1; None where it is below an octave.
    tolerance : float
    best : tuple of BestScale
    verdict : Verdict
        CERTIFIED where every best factor is enclosed, or proved not to exist.
    """

    number: int | None
    samples: int
    wrong: int
    wrong_by: float
    density: Enclosed
    density_length: float
    slope_across: float
    spacing: float
    nearest: float
    output_norm: float
    rows: tuple[ScaleRow, ...]
    holds: tuple[float, float] | None
    tolerance: float
    best: tuple[BestScale, ...]
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class WeightScaleOptions:
    """Which class, and at which penalties."""

    number: Annotated[int | None, "Class to look at; the lowest minimum by default."] = None
    penalty: Annotated[
        str | None, "Penalties joined by commas; by default the landscape's own, and a 10th, 100th and 1000th of it."
    ] = None
