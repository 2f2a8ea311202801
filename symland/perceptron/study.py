"""Instances with all their solutions, and where learning rules end among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import Protocol

import msgspec
import numpy as np

from symland.errors import SpecError
from symland.perceptron.counting import LARGEST_SIZE, Signs, Solutions, committee_solutions, perceptron_solutions
from symland.perceptron.messages import focusing, reinforced
from symland.perceptron.solvers import anneal, replicated, sbpi

__all__ = ["SOLVERS", "Instance", "PerceptronStudy", "SolverFound", "study"]

TYPICAL = 50
"""Solutions drawn at random whose surroundings are averaged for the typical one."""

NEAR = 5
"""Hamming distance within which solutions are counted."""


class Solver(Protocol):
    """A rule that looks for weights that solve patterns, of a perceptron or of a committee; None if it finds none."""

    def __call__(self, patterns: Signs, rng: np.random.Generator, /, *, units: int = 1) -> Signs | None: ...


SOLVERS: Mapping[str, Solver] = {
    "annealing": anneal,
    "sbpi": sbpi,
    "replicated": replicated,
    "reinforced-bp": reinforced,
    "focusing-bp": focusing,
}
"""Rules by name."""


class SolverFound(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule found in one instance: solutions within `NEAR` of where it ended, None where it found none."""

    solver: str
    near: int | None


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One random set of patterns.

    Attributes
    ----------
    seed, solutions : int
    isolated, clusters : int
        Solutions without a neighbour by one flip; parts that hang together by single flips.
    typical_near : float or None
        Mean number of solutions within `NEAR` of a solution drawn at random.
    found : tuple of SolverFound
    """

    seed: int
    solutions: int
    isolated: int
    clusters: int
    typical_near: float | None
    found: tuple[SolverFound, ...]


class PerceptronStudy(msgspec.Struct, frozen=True, kw_only=True):
    """Random instances of one size.

    Attributes
    ----------
    size, patterns, units : int
        N weights, P patterns; one unit, or three of a committee.
    instances : tuple of Instance
    p_solvable, p_error : float
        Share of the instances with a solution, and its standard error.
    annealed : float
        The mean number of solutions over all instances of this size, 2^(N - P): exact for the perceptron.
    local_entropy : mapping of rule to tuple of float or None
        (1/N) ln of the mean number of solutions at the Hamming distances 0, ..., N from where the rule ended, over the
        instances that it solved; "typical" is around solutions drawn at random. None where there is none.
    solved : mapping of rule to share of the solvable instances
    """

    size: int
    patterns: int
    units: int
    instances: tuple[Instance, ...]
    p_solvable: float
    p_error: float
    annealed: float
    local_entropy: dict[str, tuple[float | None, ...]]
    solved: dict[str, float]


def study(
    size: int,
    patterns: int,
    instances: int,
    *,
    units: int = 1,
    solvers: tuple[str, ...] = tuple(SOLVERS),
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PerceptronStudy:
    """Count all solutions of random instances, and place what each rule finds among them.

    Raises
    ------
    SpecError
        If a number is out of range or a rule is not known.
    """
    if instances < 1:
        raise SpecError.at("--instances", f"{instances}", "write 1 or more")
    if not 0 <= patterns <= 60:
        raise SpecError.at("--patterns", f"{patterns}", "write 0 to 60")
    if units not in (1, 3):
        raise SpecError.at("--units", f"{units}", "write 1 for a perceptron, 3 for a tree committee")
    if size > LARGEST_SIZE:
        raise SpecError.at("--size", f"{size} weights", f"write at most {LARGEST_SIZE}, whose solutions can be counted")
    for name in solvers:
        if name not in SOLVERS:
            raise SpecError.at("--solver", f"{name!r}", f"write some of {', '.join(SOLVERS)}")
    found: list[Instance] = []
    profiles: dict[str, list[np.ndarray]] = {name: [] for name in ("typical", *solvers)}
    for number in range(instances):
        rng = np.random.default_rng([seed, number])
        xi: Signs = rng.choice(np.array([-1, 1], dtype=np.int8), size=(patterns, size))
        all_of_them = perceptron_solutions(xi) if units == 1 else committee_solutions(xi)
        found.append(_instance(number, xi, units, all_of_them, solvers, rng, profiles))
        progress(number + 1, instances)
    share = sum(i.solutions > 0 for i in found) / instances
    solvable = [i for i in found if i.solutions]
    return PerceptronStudy(
        size=size,
        patterns=patterns,
        units=units,
        instances=tuple(found),
        p_solvable=share,
        p_error=float(np.sqrt(share * (1 - share) / instances)),
        annealed=2.0 ** (size - patterns),
        local_entropy={name: _entropy(curves, size) for name, curves in profiles.items() if curves},
        solved={
            name: sum(any(f.solver == name and f.near is not None for f in i.found) for i in solvable)
            / max(1, len(solvable))
            for name in solvers
        },
    )


def _instance(
    number: int,
    xi: Signs,
    units: int,
    held: Solutions,
    solvers: tuple[str, ...],
    rng: np.random.Generator,
    profiles: dict[str, list[np.ndarray]],
) -> Instance:
    typical = None
    if held.count:
        drawn = [held.profile(int(code)) for code in rng.choice(held.codes, size=TYPICAL)]
        profiles["typical"].append(np.mean(drawn, axis=0))
        typical = float(np.mean([profile[: NEAR + 1].sum() for profile in drawn]))
    ends: list[SolverFound] = []
    for name in solvers if held.count else ():
        weights = SOLVERS[name](xi, rng, units=units)
        near = None
        if weights is not None:
            code = int(((weights > 0).astype(np.int64) << np.arange(len(weights))).sum())
            profile = held.profile(code)
            if not profile[0]:
                raise AssertionError(f"{name} claims a solution that is not in the complete list")
            profiles[name].append(profile.astype(np.float64))
            near = int(profile[: NEAR + 1].sum())
        ends.append(SolverFound(solver=name, near=near))
    return Instance(
        seed=number,
        solutions=held.count,
        isolated=held.isolated,
        clusters=held.clusters,
        typical_near=typical,
        found=tuple(ends),
    )


def _entropy(curves: list[np.ndarray], size: int) -> tuple[float | None, ...]:
    return tuple(None if n <= 0 else log(n) / size for n in np.mean(curves, axis=0).tolist())
