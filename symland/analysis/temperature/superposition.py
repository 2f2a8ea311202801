"""The harmonic superposition: the partition function as a sum over minima, in logarithms.

With n_a copies of a minimum a, its loss E_a, and the eigenvalues h_i of its Hessian in P parameters,

    Z(T) = sum_a n_a exp(-E_a / T) prod_i (2 pi T / h_i)^{1/2}                (Wales, Energy Landscapes, 2003, ch. 7).

Its terms Z_a give the occupations p_a = Z_a / Z, the mean energy U = sum_a p_a E_a + P T / 2, the heat capacity
C = P / 2 + var_p(E) / T^2 and the entropy S = ln Z + U / T. Two classes are equally occupied at

    T = (E_b - E_a) / (ln(n_b / n_a) - (ln det H_b - ln det H_a) / 2).

The next term of each minimum multiplies Z_a by 1 + c_a T + O(T^2), with derivatives in coordinates in which H = 1:

    c = -1/8 sum_ij E_iijj + 1/8 sum_j (sum_i E_iij)^2 + 1/12 sum_ijk E_ijk^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import log, pi
from typing import TYPE_CHECKING

import numpy as np

from symland.errors import DatabaseError
from symland.landscape.network import log_det
from symland.records import FloatArray, read_only

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["Basins", "Thermal", "anharmonic", "basins_of", "crossovers", "log_sum", "superpose"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Basins:
    """Minima as the superposition sees them.

    Attributes
    ----------
    classes : tuple of int
    losses, log_dets, copies : (m,) float64
        E_a, ln det H_a, n_a.
    size : int
        P.
    """

    classes: tuple[int, ...]
    losses: FloatArray
    log_dets: FloatArray
    copies: FloatArray
    size: int

    def __post_init__(self) -> None:
        for name in ("losses", "log_dets", "copies"):
            object.__setattr__(self, name, read_only(getattr(self, name), 1))

    def log_terms(self, temperature: float) -> FloatArray:
        """ln Z_a, (m,)."""
        flat = 0.5 * self.size * log(2 * pi * temperature)
        return np.log(self.copies) - self.losses / temperature + flat - self.log_dets / 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Thermal:
    """The superposition at one temperature; heat capacity and entropy in units of Boltzmann's constant."""

    temperature: float
    log_z: float
    energy: float
    heat_capacity: float
    entropy: float
    occupations: FloatArray


def basins_of(landscape: Landscape) -> Basins:
    """The minima of a landscape.

    Raises
    ------
    DatabaseError
        If the density cannot be normalised, or there is no minimum, or one is degenerate.
    """
    spec = landscape.spec
    if not spec.coercive:
        raise DatabaseError(
            f"{spec.name}: exp(-E / T) has no finite integral, since the penalty does not make the loss grow in every "
            "direction; use a positive penalty on all parameters"
        )
    landscape.explored()
    flat = [n for n, p in enumerate(landscape.points) if p.nullity and p.index == 0]
    if flat:
        raise DatabaseError(
            f"class {flat[0]} has a singular Hessian and so no harmonic term; change the penalty a little"
        )
    numbers = landscape.minima
    if not numbers:
        raise DatabaseError(f"{spec.name}: no minimum is known; search longer")
    points = [landscape.points[n] for n in numbers]
    return Basins(
        classes=numbers,
        losses=np.array([p.loss for p in points]),
        log_dets=np.array([log_det(p) for p in points]),
        copies=np.array([float(p.orbit_size) for p in points]),
        size=spec.n_parameters,
    )


def log_sum(terms: FloatArray) -> float:
    """ln sum exp, without overflow; minus infinity of nothing."""
    top = terms.max(initial=-np.inf)
    return float(top if not np.isfinite(top) else top + np.log(np.exp(terms - top).sum()))


def superpose(basins: Basins, temperature: float) -> Thermal:
    """The superposition at a temperature."""
    terms = basins.log_terms(temperature)
    log_z = log_sum(terms)
    shares = np.exp(terms - log_z)
    # Losses above the lowest one: their variance does not lose digits to a common offset.
    lowest = basins.losses.min()
    above = basins.losses - lowest
    mean = float(shares @ above)
    energy = lowest + mean + basins.size * temperature / 2
    return Thermal(
        temperature=temperature,
        log_z=log_z,
        energy=float(energy),
        heat_capacity=float(basins.size / 2 + shares @ ((above - mean) / temperature) ** 2),
        entropy=float(log_z + energy / temperature),
        occupations=shares,
    )


def crossovers(basins: Basins) -> tuple[tuple[int, int, float], ...]:
    """(lower class, higher class, temperature) of every pair that is equally occupied somewhere, by temperature."""
    found = []
    entropy = np.log(basins.copies) - basins.log_dets / 2
    for a, b in combinations(np.argsort(basins.losses, kind="stable").tolist(), 2):
        gain = entropy[b] - entropy[a]
        rise = basins.losses[b] - basins.losses[a]
        if gain > 0 and rise > 0:
            found.append((basins.classes[a], basins.classes[b], float(rise / gain)))
    return tuple(sorted(found, key=lambda entry: entry[2]))


def anharmonic(landscape: Landscape, classes: tuple[int, ...]) -> FloatArray:
    """The coefficient c of each class's next term, (m,), in units of 1 / loss."""
    from symland.kernels import compile_kernel
    from symland.program.taylor import hessian_series

    spec = landscape.spec
    hessians = compile_kernel(spec, engine="numpy", cache=False, verify=False).hessian(
        np.array([landscape.points[n].theta for n in classes])
    )
    out = np.empty(len(classes))
    for place, (number, hessian) in enumerate(zip(classes, hessians, strict=True)):
        curvature, vectors = np.linalg.eigh(hessian)
        # Rows w_i = v_i / sqrt(h_i), in which the Hessian is 1.
        scaled = (vectors / np.sqrt(curvature)).T
        theta = np.tile(landscape.points[number].theta, (len(scaled), 1))
        third, fourth = hessian_series(spec, theta, scaled)
        cubic = np.einsum("jpq,ip,kq->jik", third, scaled, scaled, optimize=True)
        quartic = np.einsum("jpq,ip,iq->", fourth, scaled, scaled, optimize=True)
        traces = np.einsum("jii->j", cubic)
        out[place] = -quartic / 8 + traces @ traces / 8 + (cubic**2).sum() / 12
    return out
