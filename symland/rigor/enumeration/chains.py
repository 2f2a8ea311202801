"""Sheets in a row: from a point outwards along x, as far as what is to be proved holds, and the region about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np

from symland.rigor.enumeration.problem import Doubles
from symland.rigor.enumeration.sheets import INSIDE, JOINT, ORDER, Frame, Sheet, Steepness, sheet_at

__all__ = ["BENDS", "Chain", "Part", "chains"]

THICK = (0.08, 0.057, 0.04, 0.028, 0.02, 0.014, 0.01, 0.007, 0.005, 0.0035, 0.0025, 0.00125)
"""Thicknesses of sheets that are tried, in weights."""
LONGEST = 0.2
"""Half length rho of a sheet that is tried first, in weights."""
GROWN = 1.3
"""How much longer than the one before it a sheet is tried."""
SHRUNK = (1.0, 0.7, 0.4)
"""Parts of the length that is likely to do that are tried."""
MOST = 16
"""Sheets on one side."""
NEAR = (0.0, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0)
"""Ends of the parts in x of half of the first sheet that are looked at by themselves: near a point g_x may be small."""
PARTS = 10
"""Such parts of the others."""
BENDS = 6
"""Coefficients of the polynomials q(x) that a region follows."""
SHARES = (1.0, 0.75, 0.5, 0.35, 0.25)
"""Of the reach of a chain that are tried as X."""
LEAST = 0.55
"""Least Y of a region, in units of the thickness of its sheets: more than one half, so that they lie inside of it."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A part low <= e_1 <= high of a sheet; ``end`` is the x of its outer end."""

    sheet: Sheet
    low: float
    high: float
    end: float

    def sign(self, order: int, by_kappa: int = 0) -> int:
        """The sign of a derivative of g over the part and the slab; 0 where it is open."""
        return self.sheet.sign(self.low, self.high, order, by_kappa)


@dataclass(slots=True)
class Chain:
    """Sheets of one thickness about a point, the first about x = 0."""

    frame: Frame
    thick: float
    sheets: list[Sheet]

    def outwards(self, side: int) -> Iterator[Part]:
        """Parts from x = 0 on, to the right or to the left, as far as there are sheets."""
        sheet, ends = self.sheets[0], [side * INSIDE * share for share in NEAR]
        for _ in range(MOST):
            for a, b in pairwise(ends):
                yield Part(sheet=sheet, low=min(a, b), high=max(a, b), end=sheet.x + b * sheet.rho)
            edge, y = sheet.x + side * INSIDE * sheet.rho, sheet.at(side * INSIDE)
            following = _longest(self.frame, edge, side, self.thick, y, GROWN * sheet.rho)
            if following is None:
                return
            sheet, ends = following, np.linspace(-side * INSIDE, side * INSIDE, PARTS + 1).tolist()
            self.sheets.append(sheet)

    def sign_at(self, x: float) -> int:
        """The sign of g at an x that sheets reach, for all kappa; 0 where it is open."""
        sheet = min(self.sheets, key=lambda s: abs(x - s.x) / s.rho)
        e = (x - sheet.x) / sheet.rho
        return sheet.sign(e, e, 0) if abs(e) <= INSIDE + JOINT else 0

    def around(
        self, reach: float, holds: Callable[[float], bool], parity: Sequence[int] | None = None
    ) -> tuple[float, float, Doubles] | None:
        """X, Y and q, coefficients (n - 1, BENDS): |x| <= X, |y - q(x)| <= Y lies in the sheets and about them.

        X is the largest of those that are tried, from a reach of the sheets down, at which something holds. With a
        parity q_i(-x) = parity_i q_i(x); the sheets are then those to the right, and their images.
        """
        for share in SHARES:
            wide = share * reach
            if not wide or not holds(wide):
                return None
            used = [s for s in self.sheets if abs(s.x) - INSIDE * s.rho < wide]
            bend = self._bend(used, wide, parity)
            away = max(s.distance(bend) for s in used)
            if self.thick - away > LEAST * self.thick:
                return wide, self.thick - away, bend
        return None

    def _bend(self, used: Sequence[Sheet], wide: float, parity: Sequence[int] | None) -> Doubles:
        """Polynomials near y at the middle of the slab."""
        e = np.linspace(-INSIDE, INSIDE, 2 * ORDER + 1)
        x = np.concatenate([s.x + s.rho * e for s in used])
        y = np.concatenate([s.along(e) for s in used])
        bend = np.zeros((y.shape[1], BENDS))
        for i in range(y.shape[1]):
            powers = np.array([k for k in range(BENDS) if parity is None or (-1) ** k == parity[i]])
            scaled = (x[:, None] / wide) ** powers
            bend[i, powers] = np.linalg.lstsq(scaled, y[:, i], rcond=None)[0] / wide**powers
        return bend


def chains(frame: Frame) -> Iterator[Chain]:
    """Chains about x = 0, from the thickest down, that leave room for a region about their first sheet."""
    nothing = np.zeros(frame.across.shape[1])
    steep = Steepness.at(frame, 0.0, nothing)
    for thick in THICK:
        if steep is None or steep.length(thick) < thick:
            continue
        first = _longest(frame, 0.0, 0, thick, nothing, LONGEST)
        chain = None if first is None else Chain(frame, thick, [first])
        if chain is not None and chain.around(INSIDE * chain.sheets[0].rho, lambda _: True) is not None:
            yield chain


def _longest(frame: Frame, edge: float, side: int, thick: float, y: Doubles, most: float) -> Sheet | None:
    """The longest sheet that begins at an edge, or is about it where side is 0."""
    width, steep = np.full(len(y), thick), Steepness.at(frame, edge, y)
    rho = 0.0 if steep is None else min(steep.length(thick), most, LONGEST)
    for length in (share * rho for share in SHRUNK if rho >= thick):
        found = sheet_at(frame, edge + side * INSIDE * length, length, width, y)
        if found is not None:
            return found
    return None
