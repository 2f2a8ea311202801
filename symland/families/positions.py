"""Positions of one input of the data: the same question with that input moved to each of some exact values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from symland.datasets import Dataset
from symland.errors import SpecError
from symland.exact import need_float64, parse_exact

__all__ = ["Positions", "need_input", "parse_positions"]

MOST_POSITIONS = 10_000
"""Positions of one study."""

ADVICE = "write ROW,COLUMN=FIRST..LAST:COUNT such as 3,0=0..1:11, or ROW,COLUMN=VALUES such as 3,0=0,1/2,1"

_MOVE = re.compile(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*=(.*)", re.DOTALL)
_RANGE = re.compile(r"(.+?)\.\.(.+):\s*(\d{1,6})\s*")


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Where one input stands: sample and input, counted from 0, and its values, ascending."""

    row: int
    column: int
    values: tuple[Fraction, ...]

    def moved(self, data: Dataset, number: int) -> Dataset:
        """Data with the input at one of the values."""
        rows = [list(row) for row in data.inputs]
        rows[self.row][self.column] = self.values[number]
        return replace(data, inputs=tuple(map(tuple, rows)))

    def need(self, data: Dataset) -> None:
        """Refuse data without that input.

        Raises
        ------
        SpecError
        """
        what = f"{self.row},{self.column} is outside of the data {data.name!r}"
        need_input(data, self.row, self.column, what)


def need_input(data: Dataset, row: int, column: int, what: str) -> None:
    """Refuse a row or column, counted from 0, that the data lack; `what` says so.

    Raises
    ------
    SpecError
    """
    rows, columns = len(data.inputs), len(data.inputs[0])
    if row >= rows or column >= columns:
        advice = f"write a row from 0 to {rows - 1} and a column from 0 to {columns - 1}"
        raise SpecError.at("--move", what, advice)


def parse_positions(text: str) -> Positions:
    """Positions from "3,0=0..1:11", which is 11 values from 0 to 1 in equal steps, or from "3,0=0,1/2,1".

    Raises
    ------
    SpecError
        With one line, for another form, less than two positions, or too many.
    """
    match = _MOVE.fullmatch(text)
    if not match:
        raise SpecError.at("--move", repr(text[:40]), ADVICE)
    values = sorted(set(_values(match[3].strip(), text)))
    if len(values) < 2:
        raise SpecError.at("--move", f"{text[:40]!r} is one position", "write two or more, such as 3,0=0..1:11")
    for value in values:
        need_float64(value, "--move")
    return Positions(row=int(match[1]), column=int(match[2]), values=tuple(values))


def _values(values: str, text: str) -> Sequence[Fraction]:
    if ".." not in values:
        if ":" in values or not values:
            raise SpecError.at("--move", repr(text[:40]), ADVICE)
        return [parse_exact(part.strip(), "--move") for part in values.split(",")]
    match = _RANGE.fullmatch(values)
    if not match:
        raise SpecError.at("--move", repr(text[:40]), ADVICE)
    first, last = (parse_exact(match[k].strip(), "--move") for k in (1, 2))
    count = int(match[3])
    if not 2 <= count <= MOST_POSITIONS:
        raise SpecError.at("--move", f"{count} positions", f"write 2 to {MOST_POSITIONS}")
    return [first + (last - first) * k / (count - 1) for k in range(count)]
