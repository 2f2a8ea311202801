"""What a lane program takes and gives, by name: a table of lanes has one row for each number of a lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, final

import numpy as np

from symland.errors import CertificateError
from symland.rigor.enumeration.emit import Lanes
from symland.rigor.enumeration.lanes import Lane

__all__ = ["ONE", "LaneProgram", "NamedEngine", "Slots"]

ONE = 0
"""A single row, read as one lane and not as a list of one."""


@final
class Slots:
    """Names of the rows of a table of lanes, in their order: `Slots(pull=4, bias=ONE)` has five."""

    def __init__(self, **rows: int) -> None:
        self.rows = rows
        starts = np.cumsum([0, *(n or 1 for n in rows.values())]).tolist()
        self.size: int = starts[-1]
        self._places: dict[str, Any] = {
            name: slice(start, start + n) if n else start
            for (name, n), start in zip(rows.items(), starts, strict=False)
        }

    def read(self, lanes: Sequence[Any] | Lanes) -> SimpleNamespace:
        """The rows by name: parts of a list, or views of an array (rows, n)."""
        return SimpleNamespace(**{name: lanes[place] for name, place in self._places.items()})

    def pack(self, **named: Lanes) -> Lanes:
        """One table (size, n) of arrays (rows, n), or (n,) for a single row.

        Raises
        ------
        ValueError
            If a name or a number of rows is another.
        """
        parts = [named[name] if n else named[name][np.newaxis] for name, n in self.rows.items()]
        if len(named) != len(parts) or [len(p) for p in parts] != [n or 1 for n in self.rows.values()]:
            raise ValueError(f"rows { ({k: v.shape for k, v in named.items()}) } came for {self.rows}")
        return np.concatenate(parts)

    def write(self, **named: Sequence[Lane] | Lane) -> list[Lane]:
        """The rows of a straight-line text in their order."""
        if set(named) != set(self.rows):
            raise ValueError(f"rows {sorted(named)} came for {sorted(self.rows)}")
        out: list[Lane] = []
        for name, n in self.rows.items():
            part: Any = named[name]
            out += part if n else [part]
        if len(out) != self.size:
            raise ValueError(f"{len(out)} rows came for {self.size}")
        return out


@final
@dataclass(frozen=True, kw_only=True)
class LaneProgram:
    """A straight-line text over lanes with named rows; called with a list of lanes it gives a list of lanes."""

    inputs: Slots
    outputs: Slots
    text: Callable[[SimpleNamespace], list[Lane]]

    def __call__(self, lanes: Sequence[Lane]) -> list[Lane]:
        return self.text(self.inputs.read(lanes))


@final
@dataclass(frozen=True, kw_only=True)
class NamedEngine:
    """A lane program that runs: a table of lanes to arrays by name.

    Raises
    ------
    CertificateError
        After an overflow: a NaN bounds nothing, so that no box may end with it.
    """

    name: str
    program: LaneProgram
    run: Callable[[Lanes], Lanes]

    def __call__(self, lanes: Lanes) -> SimpleNamespace:
        out = self.run(lanes)
        if np.isnan(out).any():
            raise CertificateError(
                f"the arithmetic of the step {self.name!r} overflows: the numbers of this question are beyond double "
                "precision; scale the inputs"
            )
        return self.program.outputs.read(out)
