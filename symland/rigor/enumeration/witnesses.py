"""Known solutions as witnesses against the search: a step that loses one is wrong, whatever it claims.

A solution that Arb has proved lies in a tiny box of (P, gamma) and of the states (U, v) of its nodes.  Where a table
of choices holds that box whole, nobody may answer that it holds no solution, and what is left of it must still meet the
box.  This needs no knowledge of why the search believes what it says.

A finished search must also have *met* its list: the fundamental domain of the symmetries holds at least one copy of
each class, and the box in which that copy lies can only have been closed by that class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, ctx

from symland.errors import CertificateError
from symland.rigor.enumeration.known import EXISTENCE_RADIUS, PRECISION, KnownPoints, residuals
from symland.rigor.enumeration.problem import Doubles, ReducedProblem, fundamental_orders

__all__ = ["Ends", "Witness", "WitnessLost", "Witnesses", "inside", "meets"]

Ends = Doubles | tuple[Doubles, Doubles]
"""Lower and upper ends."""


class WitnessLost(CertificateError):
    """A step of the search dropped a proved solution: the search is wrong and proves nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Witness:
    """One proved solution in the labelling of its copy.

    Attributes
    ----------
    copies : frozenset of int
        Copies of known points that are this same solution.
    number : int
        Of its class.
    box : (2, D + 1) ends of (P, gamma)
    nodes : (2, D + 1 + m + 1, n) ends of (P, gamma, U, v) of its non-zero nodes
    due : bool
        Whether it lies in the interior of the fundamental domain, so that the search must meet it.
    possible : bool
        Whether it may lie in the fundamental domain at all.
    """

    copies: frozenset[int]
    number: int
    box: Doubles
    nodes: Doubles
    due: bool
    possible: bool


def _ends(x: arb) -> tuple[float, float]:
    """Doubles around a ball."""
    return float(np.nextafter(float(x.lower()), -np.inf)), float(np.nextafter(float(x.upper()), np.inf))


@dataclass(frozen=True, kw_only=True, eq=False)
class Witnesses:
    """All copies of the known points that may lie in the fundamental domain."""

    all: tuple[Witness, ...]

    @staticmethod
    def of(problem: ReducedProblem, known: KnownPoints) -> Witnesses:
        """The witnesses that a list gives."""
        orders, found, taken = fundamental_orders(problem.group), list[Witness](), set[int]()
        ctx.prec = PRECISION
        for copy in range(len(known.centres)):
            if copy in taken:
                continue
            same = known.same_as(copy)
            taken |= same
            radius = arb(0, EXISTENCE_RADIUS)
            centre, bias = known.centres[copy], float(known.biases[copy])
            z = [arb(float(x)) + (radius if x else 0) for x in centre.ravel()] + [arb(bias) + radius]
            pulls = residuals(problem, z)
            sizes = [sign * p for sign, p in zip(problem.labels, pulls, strict=True)]
            box = np.array([_ends(p) for p in [*pulls, z[-1]]]).T
            m1 = problem.inputs + 1
            states = [z[j * m1 : (j + 1) * m1] for j in range(problem.nodes)]
            alive = [np.array([_ends(x) for x in state]).T for state in states if bool(state[-1] > 0)]
            nodes = [np.concatenate([box, state], axis=1) for state in alive]
            found.append(
                Witness(
                    copies=frozenset(same),
                    number=int(known.numbers[copy]),
                    box=box,
                    nodes=np.stack(nodes, axis=2) if nodes else np.empty((2, box.shape[1] + m1, 0)),
                    due=all(bool(sizes[big] > sizes[small]) for big, small in orders),
                    possible=not any(bool(sizes[big] < sizes[small]) for big, small in orders),
                )
            )
        return Witnesses(all=tuple(w for w in found if w.possible))

    def unmet(self, met: Iterable[int]) -> tuple[int, ...]:
        """Numbers of the classes that a finished search should have met and did not, by the copies that it met."""
        seen = set(met)
        wanting = {w.number for w in self.all if w.due and not w.copies & seen}
        reached = {w.number for w in self.all if w.copies & seen}
        return tuple(sorted(wanting | ({w.number for w in self.all} - reached)))


def lost(step: str, witness: Witness) -> None:
    """Say which step lost which class.

    Raises
    ------
    WitnessLost
    """
    raise WitnessLost(
        f"the step {step!r} of the search drops point {witness.number} of the list, which Arb proved: the search is "
        "wrong and proves nothing; report the question"
    )


def inside(box: Ends, outer: Ends) -> Any:
    """Whether boxes (rows, ...), by their ends, lie in others."""
    return ((outer[0] <= box[0]) & (box[1] <= outer[1])).all(axis=0)


def meets(box: Ends, outer: Ends) -> Any:
    """Whether they meet."""
    return ((outer[0] <= box[1]) & (box[0] <= outer[1])).all(axis=0)
