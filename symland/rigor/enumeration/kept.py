"""Pieces of a range and proved slabs as JSON values, from which an interrupted run goes on.

Doubles keep all their bits. Of an event only the point is kept; it is proved again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, final

from symland.errors import CertificateError
from symland.rigor.enumeration.packing import packed, unpacked
from symland.rigor.enumeration.pitchfork_region import Event, find_event
from symland.rigor.enumeration.problem import Doubles, ReducedProblem
from symland.rigor.enumeration.regions import Kind, Region

__all__ = ["Piece", "Slab", "Work", "size_of"]


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
    tasks : tables of choices to examine.
    fold, level : the fold that it is around, and the place of its width in the list of those that are tried.
    held : regions over wider slabs that held boxes on the way here: their points are among those of this slab.
    regions : those that its search knows; None before it begins.
    waiting : tables of those that wait for a narrower slab.
    met : numbers of the regions that held boxes.
    boxes : choices examined so far.
    given : the tables that it began with, where it is around a fold.
    """

    low: Fraction
    high: Fraction
    tasks: list[Doubles]
    fold: Event | None = None
    level: int = 0
    held: tuple[Region, ...] = ()
    regions: tuple[Region, ...] | None = None
    waiting: list[Doubles] = field(default_factory=list)
    met: frozenset[int] = frozenset()
    boxes: int = 0
    given: list[Doubles] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """How far a range is: what waits, what is proved, what is left open for good, and choices examined."""

    stack: list[Piece]
    slabs: list[Slab] = field(default_factory=list)
    open: list[tuple[Fraction, Fraction, int]] = field(default_factory=list)
    boxes: int = 0

    def as_it_is(self) -> Work:
        """A copy, in which a slab that is taken from the stack stays on it."""
        return replace(self, stack=[*self.stack], slabs=[*self.slabs], open=[*self.open])

    def saved(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "stack": [_piece_values(p) for p in self.stack],
            "slabs": [_slab_values(s) for s in self.slabs],
            "open": [[str(a), str(b), n] for a, b, n in self.open],
            "boxes": self.boxes,
        }

    @staticmethod
    def restored(problem: ReducedProblem, values: dict[str, Any]) -> Work:
        """What `saved` wrote.

        Raises
        ------
        CertificateError
            If an event is no longer found.
        """
        return Work(
            stack=[_piece(problem, v) for v in values["stack"]],
            slabs=[_slab(problem, v) for v in values["slabs"]],
            open=[(Fraction(a), Fraction(b), n) for a, b, n in values["open"]],
            boxes=values["boxes"],
        )


def size_of(tables: Iterable[Doubles]) -> int:
    """How many choices tables hold."""
    return sum(table.shape[1] for table in tables)


def _region_values(regions: Iterable[Region]) -> list[Any]:
    return [
        [
            *(packed(a) for a in (r.centre, r.frame, r.reach, r.bend, *r.box)),
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
        centre, frame, reach, bend, low, high = (unpacked(part) for part in row[:6])
        found.append(
            Region(
                centre=centre,
                frame=frame,
                reach=reach,
                bend=bend,
                box=(low, high),
                index=row[6],
                opens_down=row[7],
                copies=row[8],
                pair=row[9],
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
        "tasks": [packed(t) for t in piece.tasks],
        "fold": _fold_values(piece.fold),
        "level": piece.level,
        "held": _region_values(piece.held),
        "regions": None if piece.regions is None else _region_values(piece.regions),
        "waiting": [packed(t) for t in piece.waiting],
        "met": sorted(piece.met),
        "boxes": piece.boxes,
        "given": [packed(t) for t in piece.given],
    }


def _piece(problem: ReducedProblem, values: dict[str, Any]) -> Piece:
    return Piece(
        low=Fraction(values["low"]),
        high=Fraction(values["high"]),
        tasks=[unpacked(t) for t in values["tasks"]],
        fold=_fold(problem, values["fold"]),
        level=values["level"],
        held=_regions(values["held"]),
        regions=None if values["regions"] is None else _regions(values["regions"]),
        waiting=[unpacked(t) for t in values["waiting"]],
        met=frozenset(values["met"]),
        boxes=values["boxes"],
        given=[unpacked(t) for t in values["given"]],
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
