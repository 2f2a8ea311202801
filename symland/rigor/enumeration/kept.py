"""Pieces of a range and proved slabs as JSON values, from which an interrupted run goes on.

Doubles keep all their bits. Of an event only the point is kept; it is proved again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, final

import numpy as np
import numpy.typing as npt

from symland.errors import CertificateError
from symland.rigor.enumeration.pitchfork_region import Event, find_event
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.regions import Kind, Region
from symland.rigor.enumeration.search import Counters, Task

__all__ = ["Piece", "Slab", "Work"]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Slab:
    """A proved slab: all solutions lie in these regions, for every penalty from low to high."""

    low: Fraction
    high: Fraction
    regions: tuple[Region, ...]
    fold: Event | None
    boxes: int


@dataclass(slots=True)
class Piece:
    """A slab that waits, or whose search was interrupted.

    Attributes
    ----------
    low, high : its ends.
    tasks : boxes to examine.
    fold, level : the fold that it is around, and the place of its width in the list of those that are tried.
    held : regions over wider slabs that held boxes on the way here: their points are among those of this slab.
    regions : those that its search knows; None before it begins.
    waiting : boxes that were left as too narrow.
    met : numbers of the regions that held boxes.
    boxes : examined so far.
    given : the tasks that it began with, where it is around a fold.
    """

    low: Fraction
    high: Fraction
    tasks: list[Task]
    fold: Event | None = None
    level: int = 0
    held: tuple[Region, ...] = ()
    regions: tuple[Region, ...] | None = None
    waiting: list[Task] = field(default_factory=list)
    met: frozenset[int] = frozenset()
    boxes: int = 0
    given: list[Task] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """How far a range is: what waits, what is proved, what is left open for good, and the work done."""

    stack: list[Piece]
    slabs: list[Slab] = field(default_factory=list)
    open: list[tuple[Fraction, Fraction, int]] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)

    def saved(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "stack": [_piece_values(p) for p in self.stack],
            "slabs": [_slab_values(s) for s in self.slabs],
            "open": [[str(a), str(b), n] for a, b, n in self.open],
            "counters": [self.counters.pull_boxes, self.counters.node_boxes],
        }

    @staticmethod
    def restored(problem: ReducedProblem, values: dict[str, Any]) -> Work:
        """What `saved` wrote.

        Raises
        ------
        CertificateError
            If an event is no longer found.
        """
        boxes, nodes = values["counters"]
        return Work(
            stack=[_piece(problem, v) for v in values["stack"]],
            slabs=[_slab(problem, v) for v in values["slabs"]],
            open=[(Fraction(a), Fraction(b), n) for a, b, n in values["open"]],
            counters=Counters(pull_boxes=boxes, node_boxes=nodes),
        )


def _array_values(array: npt.NDArray[np.float64]) -> list[Any]:
    return [list(array.shape), array.ravel().tolist()]


def _array(values: list[Any]) -> Doubles:
    return np.array(values[1], dtype=np.float64).reshape(values[0])


def _task_values(tasks: Iterable[Task]) -> list[Any]:
    return [[_array_values(t.pull), _array_values(t.nodes), _array_values(t.cell)] for t in tasks]


def _tasks(values: Iterable[Any]) -> list[Task]:
    return [Task(_array(pull), _array(nodes), _array(cell)) for pull, nodes, cell in values]


def _region_values(regions: Iterable[Region]) -> list[Any]:
    return [
        [
            *(_array_values(a) for a in (r.centre, r.frame, r.reach, *r.box)),
            r.index,
            r.opens_down,
            r.copies,
            r.pair,
        ]
        for r in regions
    ]


def _regions(values: Iterable[Any]) -> tuple[Region, ...]:
    found = []
    for row in values:
        centre, frame, reach, low, high = (_array(part) for part in row[:5])
        found.append(
            Region(
                centre=centre,
                frame=frame,
                reach=reach,
                box=(low, high),
                index=row[5],
                opens_down=row[6],
                copies=row[7],
                pair=row[8],
            )
        )
    return tuple(found)


def _fold_values(fold: Event | None) -> Any:
    return None if fold is None else [fold.z.tolist(), float(fold.penalty), fold.kind.value]


def _fold(problem: ReducedProblem, values: Sequence[Any] | None) -> Event | None:
    if values is None:
        return None
    fold = find_event(problem.at(Fraction(values[1])), values[0], Kind(values[2]))
    if fold is None:
        raise CertificateError("the kept state of the range has an event that is not found again; ask afresh")
    return fold


def _piece_values(piece: Piece) -> dict[str, Any]:
    return {
        "low": str(piece.low),
        "high": str(piece.high),
        "tasks": _task_values(piece.tasks),
        "fold": _fold_values(piece.fold),
        "level": piece.level,
        "held": _region_values(piece.held),
        "regions": None if piece.regions is None else _region_values(piece.regions),
        "waiting": _task_values(piece.waiting),
        "met": sorted(piece.met),
        "boxes": piece.boxes,
        "given": _task_values(piece.given),
    }


def _piece(problem: ReducedProblem, values: dict[str, Any]) -> Piece:
    return Piece(
        low=Fraction(values["low"]),
        high=Fraction(values["high"]),
        tasks=_tasks(values["tasks"]),
        fold=_fold(problem, values["fold"]),
        level=values["level"],
        held=_regions(values["held"]),
        regions=None if values["regions"] is None else _regions(values["regions"]),
        waiting=_tasks(values["waiting"]),
        met=frozenset(values["met"]),
        boxes=values["boxes"],
        given=_tasks(values["given"]),
    )


def _slab_values(slab: Slab) -> dict[str, Any]:
    return {
        "low": str(slab.low),
        "high": str(slab.high),
        "regions": _region_values(slab.regions),
        "fold": _fold_values(slab.fold),
        "boxes": slab.boxes,
    }


def _slab(problem: ReducedProblem, values: dict[str, Any]) -> Slab:
    return Slab(
        low=Fraction(values["low"]),
        high=Fraction(values["high"]),
        regions=_regions(values["regions"]),
        fold=_fold(problem, values["fold"]),
        boxes=values["boxes"],
    )
