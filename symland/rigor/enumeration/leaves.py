"""The leaves of a proof: cells of (P, gamma), which tile the first box, each with the reason why it is closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
import numpy.typing as npt

from symland.errors import CertificateError
from symland.rigor.enumeration.known import NOBODY
from symland.rigor.enumeration.problem import Doubles

__all__ = ["SEVERAL", "Leaf", "Leaves", "Reason"]

SEVERAL = -2
"""In place of a class: points of different classes were."""


class Reason(Enum):
    """Why a cell is closed."""

    JOINT = "joint"
    """Every choice in it was followed to the end, and none holds a solution."""
    KNOWN = "known"
    """The same, and what is left lies in the uniqueness boxes of known points."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Leaf:
    """One closed cell: its box (2, D + 1), why it closed, and the class that was met in it, NOBODY or SEVERAL."""

    cell: Doubles
    reason: Reason
    held_by: int

    def __post_init__(self) -> None:
        if self.reason is Reason.KNOWN and self.held_by == NOBODY:
            raise CertificateError("a leaf that known points closed names the class")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Leaves:
    """All leaves, in an order of their own, whoever examined what first.

    Attributes
    ----------
    cells : (n, 2, D + 1) lower and upper ends of P and gamma
    reasons : (n,) places in ``Reason``
    held_by : (n,) classes, by their places in the list that was given; NOBODY, or SEVERAL
    """

    cells: Doubles
    reasons: npt.NDArray[np.intp]
    held_by: npt.NDArray[np.intp]

    def __post_init__(self) -> None:
        for array in (self.cells, self.reasons, self.held_by):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.cells)

    @staticmethod
    def of(leaves: Iterable[Leaf], samples: int) -> Leaves:
        """Sort and pack."""
        places = {reason: place for place, reason in enumerate(Reason)}
        rows = sorted((*leaf.cell.ravel().tolist(), places[leaf.reason], leaf.held_by) for leaf in leaves)
        table = np.array(rows, dtype=np.float64).reshape(-1, 2 * (samples + 1) + 2)
        return Leaves(
            cells=table[:, :-2].reshape(-1, 2, samples + 1).copy(),
            reasons=table[:, -2].astype(np.intp),
            held_by=table[:, -1].astype(np.intp),
        )

    def reason(self, number: int) -> Reason:
        """Why a cell closed."""
        return tuple(Reason)[self.reasons[number]]

    def ends(self) -> Doubles:
        """Rows P lo, gamma lo, P hi, gamma hi, one a leaf."""
        return self.cells.reshape(len(self), -1)

    def content(self) -> bytes:
        """What a digest speaks of."""
        return self.cells.tobytes() + self.reasons.tobytes() + self.held_by.tobytes()
