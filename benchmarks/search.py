"""Who finds which stationary points of the XOR network, at what cost: symland beside the peers that are installed.

Run `python -m benchmarks.search [--hidden 2] [--penalty 1e-3]`. topsearch explores the loss through the compiled
kernel that symland uses; GMIN, OPTIM and PATHSAMPLE, which come with pylfl, have a potential of their own. The seconds
are CPU, those of programs that a tool starts included, with one thread for linear algebra. What a tool found is
polished by Newton's method, filed at the index that its spectrum shows, and grouped up to symmetry, so that copies do
not count twice and index-2 points do not pass for transition states.
"""

from __future__ import annotations

import os

# Before NumPy comes: idle threads of its linear algebra spin, and would count as work of the tool.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lfl import run_pylfl
from symland.explore import Catalogue, explore
from symland.explore.newton import newton
from symland.explore.starts import free_space
from symland.kernels import CompiledKernel, compile_kernel
from symland.landscape.account import Counts
from symland.spec import LandscapeSpec, load_spec
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import SymmetryGroup

BOX = 8.0
"""Half the width of the box that tools which need one search in."""


class Counted:
    """A kernel that counts the points at which derivatives are asked for."""

    def __init__(self, kernel: CompiledKernel) -> None:
        self.kernel, self.n_parameters = kernel, kernel.n_parameters
        self.gradients = self.hessians = 0

    def value(self, theta: np.ndarray) -> np.ndarray:
        return self.kernel.value(theta)

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        self.gradients += len(theta)
        return self.kernel.gradient(theta)

    def value_gradient(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.gradients += len(theta)
        return self.kernel.value_gradient(theta)

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        self.hessians += len(theta)
        return self.kernel.hessian(theta)

    def value_gradient_hessian(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.gradients += len(theta)
        self.hessians += len(theta)
        return self.kernel.value_gradient_hessian(theta)


def run_symland(kernel: Counted, group: SymmetryGroup, spec: LandscapeSpec) -> np.ndarray:
    """All that the default rules ask for, every index."""
    return np.array([point.theta for point in explore(kernel, group).points])


def run_topsearch(kernel: Counted, group: SymmetryGroup, spec: LandscapeSpec) -> np.ndarray:
    """Basin hopping, then bands between neighbouring minima, as its own examples do."""
    from topsearch.data.coordinates import StandardCoordinates
    from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
    from topsearch.global_optimisation.basin_hopping import BasinHopping
    from topsearch.global_optimisation.perturbations import StandardPerturbation
    from topsearch.potentials.potential import Potential
    from topsearch.sampling.exploration import NetworkSampling
    from topsearch.similarity.similarity import StandardSimilarity
    from topsearch.transition_states.hybrid_eigenvector_following import HybridEigenvectorFollowing
    from topsearch.transition_states.nudged_elastic_band import NudgedElasticBand

    class Loss(Potential):  # type: ignore[misc]
        def function(self, position: np.ndarray) -> float:
            return float(kernel.value(position[None])[0])

        def gradient(self, position: np.ndarray, displacement: float = 0.0) -> np.ndarray:
            return kernel.gradient(position[None])[0]

        def function_gradient(self, position: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = kernel.value_gradient(position[None])
            return float(value[0]), gradient[0]

        def hessian(self, position: np.ndarray, displacement: float = 0.0) -> np.ndarray:
            return kernel.hessian(position[None])[0]

    size = kernel.n_parameters
    loss, network = Loss(), KineticTransitionNetwork()
    coords = StandardCoordinates(ndim=size, bounds=[(-BOX, BOX)] * size)
    similarity = StandardSimilarity(distance_criterion=1e-2, energy_criterion=1e-6)
    hopping = BasinHopping(
        ktn=network, potential=loss, similarity=similarity, step_taking=StandardPerturbation(max_displacement=4.0)
    )
    single = HybridEigenvectorFollowing(potential=loss, ts_conv_crit=1e-6, ts_steps=100, pushoff=1e-2)
    double = NudgedElasticBand(
        potential=loss, force_constant=50.0, image_density=10.0, max_images=30, neb_conv_crit=1e-2
    )
    sampling = NetworkSampling(network, coords, hopping, single, double, similarity)
    sampling.get_minima(coords, 200, 1e-6, 100.0)
    sampling.get_transition_states("ClosestEnumeration", 4)
    points = [network.get_minimum_coords(k) for k in range(network.n_minima)]
    points += [network.get_ts_coords(i, j) for i, j, *_ in network.G.edges]
    return np.array(points)


def run_wales(kernel: Counted, group: SymmetryGroup, spec: LandscapeSpec) -> np.ndarray:
    """GMIN, OPTIM and PATHSAMPLE."""
    return run_pylfl(spec)


TOOLS: dict[str, tuple[str, Callable[[Counted, SymmetryGroup, LandscapeSpec], np.ndarray]]] = {
    "symland": ("symland", run_symland),
    "topsearch": ("topsearch", run_topsearch),
    "GMIN, OPTIM, PATHSAMPLE": ("pylfl", run_wales),
}


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(tool: str, hidden: int, penalty: str) -> dict[str, Any]:
    """CPU seconds, evaluations, and classes by index of what a tool found."""
    spec = load_spec("xor", hidden=(hidden,), penalty=penalty)
    kernel, group = Counted(compile_kernel(spec)), find_symmetry(spec)
    kernel.value_gradient_hessian(np.zeros((1, kernel.n_parameters)))
    kernel.gradients = kernel.hessians = 0
    np.random.seed(0)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        # Some tools write log files where they stand.
        os.chdir(scratch)
        start = cpu_seconds()
        try:
            points = TOOLS[tool][1](kernel, group, spec)
        finally:
            os.chdir(here)
        seconds = cpu_seconds() - start
    row = {"tool": tool, "seconds": seconds, "gradients": kernel.gradients, "hessians": kernel.hessians}
    space = free_space(kernel, group)
    ends, converged = newton(space, space.lower(points))
    catalogue = Catalogue(kernel, group)
    catalogue.add(space.lift(ends[converged]))
    return row | {"classes": Counts.of(catalogue.points).classes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=2)
    parser.add_argument("--penalty", default="1e-3")
    options = parser.parse_args()
    out = sys.stdout
    out.write("| tool | classes by index | CPU s | gradients | Hessians |\n|---|---|---|---|---|\n")
    for tool, (module, _) in TOOLS.items():
        if find_spec(module) is None:
            out.write(f"| {tool} | not installed | | | |\n")
            continue
        row = measure(tool, options.hidden, options.penalty)
        counts = " ".join(map(str, row["classes"]))
        # A tool with a potential of its own never asks the kernel.
        calls = [str(row[key]) if row["gradients"] else "-" for key in ("gradients", "hessians")]
        out.write(f"| {tool} | {counts} | {row['seconds']:.1f} | {' | '.join(calls)} |\n")
        out.flush()


if __name__ == "__main__":
    main()
