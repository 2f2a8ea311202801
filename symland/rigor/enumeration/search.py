"""What a search works with: its compiled programs, its tasks and their results, its known points, its counters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from functools import lru_cache

import numpy as np

from symland.machine.llvm import Passes
from symland.rigor.enumeration.emit import CompiledLanes, NumpyLanes
from symland.rigor.enumeration.known import KnownPoints
from symland.rigor.enumeration.node import Design, affine_program, contract_program, zero_program
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.pulls import combination_program, energy_program, first_box, meeting_program, slab_rows
from symland.rigor.enumeration.regions import Regions
from symland.rigor.enumeration.slots import LaneProgram, NamedEngine
from symland.rigor.enumeration.witnesses import Witnesses

ANY_SLAB = (Fraction(1), Fraction(2))
"""The slab in whose name the programs of all slabs are compiled."""


@dataclass(frozen=True, kw_only=True)
class Engines:
    """The lane programs of one problem, ready to run."""

    contract: NamedEngine
    zero: NamedEngine
    affine: NamedEngine
    meet: NamedEngine
    combine: NamedEngine
    energy: NamedEngine


def ready(programs: dict[str, LaneProgram], compiled: bool, passes: Passes = Passes.MANY) -> dict[str, NamedEngine]:
    """Programs by name as engines by name, compiled or over NumPy arrays."""
    return {
        name: NamedEngine(
            name=name,
            program=program,
            run=CompiledLanes(name, program, program.inputs.size, passes)
            if compiled
            else NumpyLanes(program, program.inputs.size),
        )
        for name, program in programs.items()
    }


@lru_cache(maxsize=32)
def _node_engines(design: Design, compiled: bool) -> dict[str, NamedEngine]:
    """The programs of one node know the inputs only, and are the longest to compile."""
    programs = {
        "contract": contract_program(design),
        "zero": zero_program(design),
        "affine": affine_program(design),
    }
    return ready(programs, compiled)


def engines(problem: ReducedProblem, compiled: bool = True) -> Engines:
    """The programs, compiled or over NumPy arrays; those of a slab take its ends as numbers."""
    if problem.upper is None:
        return _engines(problem, compiled)
    made = _engines(problem.slab(*ANY_SLAB), compiled)
    rows = slab_rows(problem)
    return replace(
        made,
        meet=replace(made.meet, slab=rows),
        combine=replace(made.combine, slab=rows),
        energy=replace(made.energy, slab=rows),
    )


@lru_cache(maxsize=32)
def _engines(problem: ReducedProblem, compiled: bool) -> Engines:
    programs = {
        "meet": meeting_program(problem),
        "combine": combination_program(problem),
        "energy": energy_program(problem),
    }
    return Engines(**_node_engines(problem.design, compiled), **ready(programs, compiled))


@dataclass(slots=True)
class Task:
    """A box of (P, gamma), shape (2, D + 1), with the node boxes (2, D + 1 + m + 1, n) of every non-zero node state.

    The rows of a node box are P, gamma, U, v: each node carries the residuals under which it may stand.  ``cell`` is
    the box before anything was contracted away: cells are halved where boxes are, and tile the first one.  ``met`` are
    copies of known points whose uniqueness boxes held what was taken away on the way here.
    """

    pull: Doubles
    nodes: Doubles
    cell: Doubles
    met: frozenset[int] = frozenset()


class Reason(Enum):
    """Why a box is closed."""

    RESIDUALS = "residuals"
    """Energy, symmetry and balance leave no residuals."""
    LOGITS = "logits"
    """No choice of nodes gives the logits of its residuals."""
    JOINT = "joint"
    """Every choice of nodes was followed to the end, and none holds a solution."""
    KNOWN = "known"
    """The same, and what is left lies in the uniqueness boxes of known points."""


@dataclass(frozen=True, kw_only=True)
class Closed:
    """A box that holds no unknown solution; ``copies`` are those of known points that were met in it."""

    reason: Reason
    copies: frozenset[int] = frozenset()


@dataclass(slots=True)
class Counters:
    """Work done: residual boxes, node boxes contracted, choices of nodes, picks of the joint search."""

    pull_boxes: int = 0
    node_boxes: int = 0
    combinations: int = 0
    picks: int = 0
    closed: dict[str, int] = field(default_factory=dict)

    def close(self, reason: str, count: int = 1) -> None:
        self.closed[reason] = self.closed.get(reason, 0) + count

    def add(self, other: Counters) -> None:
        self.pull_boxes += other.pull_boxes
        self.node_boxes += other.node_boxes
        self.combinations += other.combinations
        self.picks += other.picks
        for reason, count in other.closed.items():
            self.close(reason, count)


@dataclass(slots=True)
class Survivors:
    """What a task still allows: the hull (2, D + 1) of (P, gamma), the nodes in use, how many choices of them, and the
    copies of known points that held what it no longer allows."""

    pull: Doubles
    nodes: Doubles
    size: int
    copies: frozenset[int] = frozenset()


Result = Survivors | Task | Closed
"""What an examination leaves of a task: survivors, the task where it has too many choices, or nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What every step of a search needs: the problem, its programs, the known points as holders and as witnesses.

    It travels to other processes, which compile the programs for themselves.
    """

    problem: ReducedProblem
    known: KnownPoints
    witnesses: Witnesses
    compiled: bool = True
    counters: Counters = field(default_factory=Counters)
    regions: Regions | None = None

    @property
    def holder(self) -> KnownPoints | Regions:
        """What may hold boxes: cubes of known points, or over a slab of penalties regions around branches."""
        return self.known if self.regions is None else self.regions

    @staticmethod
    def of(problem: ReducedProblem, known: KnownPoints, compiled: bool = True) -> Search:
        """A search with counters at zero."""
        return Search(problem=problem, known=known, witnesses=Witnesses.of(problem, known), compiled=compiled)

    @property
    def engine(self) -> Engines:
        """The compiled programs; a process makes them once."""
        return engines(self.problem, self.compiled)


def first_cell(problem: ReducedProblem) -> Doubles:
    """A box (2, D + 1) of (P, gamma) which holds every solution."""
    pull, state = first_box(problem)
    return np.concatenate([pull, [[-state[1, -1]], [state[1, -1]]]], axis=1)


def first_task(problem: ReducedProblem) -> Task:
    """Everything."""
    _, state = first_box(problem)
    whole = first_cell(problem)
    return Task(whole, np.concatenate([whole, state], axis=1)[:, :, None], whole)
