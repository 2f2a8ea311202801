"""What a search works with: its problem, its known points or regions, its witnesses, and compiled programs."""

from __future__ import annotations

from dataclasses import dataclass

from symland.rigor.enumeration.emit import CompiledLanes, NumpyLanes
from symland.rigor.enumeration.known import KnownPoints
from symland.rigor.enumeration.problem import ReducedProblem
from symland.rigor.enumeration.regions import Regions
from symland.rigor.enumeration.slots import LaneProgram, NamedEngine
from symland.rigor.enumeration.witnesses import Witnesses

__all__ = ["Search", "ready"]


def ready(name: str, program: LaneProgram, compiled: bool) -> NamedEngine:
    """A program as an engine, compiled or over NumPy arrays."""
    rows = program.inputs.size
    run = CompiledLanes(name, program, rows) if compiled else NumpyLanes(program, rows)
    return NamedEngine(name=name, program=program, run=run)


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What every step of a search needs: the problem, the known points as holders and as witnesses.

    It travels to other processes, which compile the programs for themselves.
    """

    problem: ReducedProblem
    known: KnownPoints
    witnesses: Witnesses
    compiled: bool = True
    regions: Regions | None = None

    @property
    def holder(self) -> KnownPoints | Regions:
        """What may hold boxes: cubes of known points, or over a slab of penalties regions around branches."""
        return self.known if self.regions is None else self.regions

    @staticmethod
    def of(problem: ReducedProblem, known: KnownPoints, compiled: bool = True) -> Search:
        """A search at one penalty."""
        return Search(problem=problem, known=known, witnesses=Witnesses.of(problem, known), compiled=compiled)
