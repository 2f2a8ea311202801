"""A study: landscapes on a grid of widths, penalties, data sets, shares of wrong labels, and positions of one input.

Every cell has fixed neighbours whose points are tried first: the next narrower width (zero extension, T5, and split
nodes, T6), the next larger penalty and the position before. They depend on the grid alone, so the lists depend neither
on the order in which the user wrote the grid nor on where a run was cut off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import msgspec
import numpy as np

from symland.datasets import BUILTIN_DATA, Dataset, builtin_data
from symland.errors import SpecError
from symland.exact import exact_text, parse_exact
from symland.families.positions import Positions, parse_positions
from symland.spec import LandscapeSpec
from symland.tables import Column, Table

__all__ = ["Cell", "Grid", "Place", "Study", "flipped", "parse_shares", "parse_widths", "plain_text", "study_table"]

MOST_CELLS = 10_000
"""Cells of one grid."""

_RANGE = re.compile(r"(\d{1,6})\s*\.\.\s*(\d{1,6})")


def plain_text(value: Fraction) -> str:
    """A rational as short decimal text where that is exact, else as a ratio: "0.001", "1e-06", "1/3"."""
    text = f"{float(value):g}"
    return text if Fraction(text) == value else exact_text(value)


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths of one hidden layer from "1..4" or "1,2,4", ascending.

    Raises
    ------
    SpecError
    """
    found: set[int] = set()
    for part in (part.strip() for part in text.split(",")):
        if match := _RANGE.fullmatch(part):
            low, high = int(match[1]), int(match[2])
            if high - low >= MOST_CELLS:
                raise SpecError.at("--hidden", f"{part!r} is {high - low + 1} widths", f"give at most {MOST_CELLS}")
            span = range(low, high + 1)
        elif part.isdecimal() and len(part) < 7:
            span = range(int(part), int(part) + 1)
        else:
            span = range(0)
        if not span or span[0] < 1:
            raise SpecError.at("--hidden", f"{part!r} is no width or range of widths", "write such as 1..4 or 1,2,4")
        found |= set(span)
    return tuple(sorted(found))


def parse_shares(text: str) -> tuple[Fraction, ...]:
    """Shares of wrong labels from "0,0.1,1", ascending.

    Raises
    ------
    SpecError
        If one is not between 0 and 1.
    """
    shares = [parse_exact(part, "--flip") for part in text.split(",")]
    for share in shares:
        if not 0 <= share <= 1:
            raise SpecError.at("--flip", f"{plain_text(share)} is no share", "write numbers from 0 to 1, such as 0,0.1")
    return tuple(sorted(set(shares)))


def flipped(spec: LandscapeSpec, share: Fraction, seed: int) -> LandscapeSpec:
    """The question with wrong labels at a share of its samples.

    round(share D) samples are the first of a random order; each takes one of the other labels. The order and the new
    labels depend on the seed alone, so a larger share makes all the labels wrong that a smaller one does.

    Raises
    ------
    SpecError
        If the targets are no labels.
    """
    if not share:
        return spec
    data = spec.data
    if not data.labels:
        raise SpecError.at("--flip", "the targets are numbers", "give data with labels, or leave --flip out")
    draw = np.random.default_rng([seed, data.n_samples])
    order = draw.permutation(data.n_samples)
    classes = max(spec.n_outputs, 2)
    shifts = draw.integers(1, classes, size=data.n_samples)
    labels = list(data.labels)
    for place in order[: round(share * data.n_samples)].tolist():
        labels[place] = (labels[place] + int(shifts[place])) % classes
    return spec.with_(data=replace(data, labels=tuple(labels)))


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """Where a cell stands: number of the data set, share of wrong labels, number of the position, width, -penalty.

    Places sort into the order in which cells are run: from narrow to wide, and from large penalties to small.
    """

    data: int
    flip: Fraction
    position: int
    hidden: int
    minus_penalty: Fraction

    @property
    def penalty(self) -> Fraction:
        return -self.minus_penalty


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The cells of a study: one data set, width, penalty and share of wrong labels each.

    Attributes
    ----------
    base : LandscapeSpec
        What the cells have in common.
    inputs : tuple of Dataset
        In order of their names.
    widths : tuple of int
        Ascending.
    penalties : tuple of Fraction
        Descending.
    flips : tuple of Fraction
        Ascending.
    seed : int
    positions : Positions or None
        Of one input that moves.
    """

    base: LandscapeSpec
    inputs: tuple[Dataset, ...]
    widths: tuple[int, ...]
    penalties: tuple[Fraction, ...]
    flips: tuple[Fraction, ...] = (Fraction(0),)
    seed: int = 0
    positions: Positions | None = None

    @classmethod
    def of(
        cls,
        base: LandscapeSpec,
        *,
        hidden: str | None = None,
        penalty: str | None = None,
        inputs: str | None = None,
        flip: str | None = None,
        move: str | None = None,
        seed: int = 0,
    ) -> Grid:
        """A grid from texts such as "1..4", "1e-1,1e-2", "xor,xor-pm", "0,0.1" and "3,0=0..1:11".

        What is not given stays as it is.

        Raises
        ------
        SpecError
        """
        if len(base.hidden) != 1:
            raise SpecError.at("network.hidden", f"{len(base.hidden)} hidden layers", "a study takes networks of one")
        if seed < 0:
            raise SpecError.at("--seed", f"{seed}", "write 0 or more")
        penalties = [base.penalty] if penalty is None else [parse_exact(p, "--penalty") for p in penalty.split(",")]
        if min(penalties) <= 0:
            raise SpecError.at("--penalty", f"{min(penalties)}", "write positive ones: at 0 the loss has no minimum")
        grid = cls(
            base=base,
            inputs=(base.data,) if inputs is None else _named(inputs, not base.data.values),
            widths=base.hidden if hidden is None else parse_widths(hidden),
            penalties=tuple(sorted(set(penalties), reverse=True)),
            flips=(Fraction(0),) if flip is None else parse_shares(flip),
            seed=seed,
            positions=None if move is None else parse_positions(move),
        )
        if grid.positions is not None:
            for data in grid.inputs:
                grid.positions.need(data)
        count = len(grid.inputs) * len(grid.widths) * len(grid.penalties) * len(grid.flips) * grid.n_positions
        if count > MOST_CELLS:
            raise SpecError.at("--hidden", f"a grid of {count} cells", f"ask for at most {MOST_CELLS}")
        for place in grid.places():
            grid.spec(place)
        return grid

    @property
    def n_positions(self) -> int:
        """Positions of the input that moves; 1 where none does."""
        return 1 if self.positions is None else len(self.positions.values)

    def places(self) -> tuple[Place, ...]:
        """All cells, in the order in which they are run."""
        return tuple(
            sorted(
                Place(data=d, flip=flip, position=position, hidden=width, minus_penalty=-penalty)
                for d, flip, position, width, penalty in product(
                    range(len(self.inputs)), self.flips, range(self.n_positions), self.widths, self.penalties
                )
            )
        )

    def spec(self, place: Place) -> LandscapeSpec:
        """The question of a cell."""
        data = self.inputs[place.data]
        outputs = self.base.outputs if data is self.base.data else 0
        if self.positions is not None:
            data = self.positions.moved(data, place.position)
        clean = self.base.with_(
            name=data.name, data=data, outputs=outputs, hidden=(place.hidden,), penalty=place.penalty
        )
        return flipped(clean, place.flip, self.seed)

    def neighbours(self, place: Place) -> tuple[Place, ...]:
        """The cells tried first: of the next narrower width, the next larger penalty, and the position before."""
        out = []
        if (column := self.widths.index(place.hidden)) > 0:
            out.append(replace(place, hidden=self.widths[column - 1]))
        if (row := self.penalties.index(place.penalty)) > 0:
            out.append(replace(place, minus_penalty=-self.penalties[row - 1]))
        if place.position > 0:
            out.append(replace(place, position=place.position - 1))
        return tuple(out)

    def name(self, place: Place) -> str:
        """The name of a cell's file, without its end."""
        data = re.sub(r"[^A-Za-z0-9-]", "-", self.inputs[place.data].name)
        parts = [f"{place.data}-{data}" if len(self.inputs) > 1 else data, f"h{place.hidden}"]
        parts.append(f"l{plain_text(place.penalty).replace('/', 'over')}")
        if len(self.flips) > 1 or place.flip:
            parts.append(f"f{plain_text(place.flip).replace('/', 'over')}")
        if self.positions is not None:
            parts.append(f"x{plain_text(self.positions.values[place.position]).replace('/', 'over')}")
        return "_".join(parts)

    def document(self) -> dict[str, Any]:
        """The grid as JSON values: two grids with equal ones have equal cells."""
        return {
            "cells": {self.name(place): self.spec(place).digest for place in self.places()},
            "seed": self.seed,
        }


def _named(text: str, classify: bool) -> tuple[Dataset, ...]:
    names = sorted({part.strip() for part in text.split(",")})
    for name in names:
        if name not in BUILTIN_DATA:
            raise SpecError.at("--inputs", f"{name!r} is not built in", f"write some of {', '.join(BUILTIN_DATA)}")
    return tuple(builtin_data(name, classify) for name in names)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one landscape of a study holds.

    Attributes
    ----------
    hidden : int
    penalty : str
        lambda as exact text.
    data : str
        Name of the data set.
    flip : float
        Share of wrong labels that was asked for.
    counts, copies : tuple of int
        Classes and labelled copies by index.
    ratio : float or None
        Transition states over minima, in classes.
    morse_sum : int
        Sum of (-1)^index over the copies.
    morse : bool or None
        Whether it is 1; None where it need not be.
    satisfied : bool
        Whether the rules for stopping were met.
    irreducible : int
        Classes that extend no narrower network.
    lowest : float or None
        Loss of the lowest minimum.
    auc : float or None
        Mean over the minima of the area under the ROC curve of the test data.
    searches : int
    file : str
        Its database.
    position : str or None
        Where the input stands that moves, as exact text; None where none does.
    coverage : float or None
        Estimated probability (Good and Turing) that the next search ends in a class of the list.
    """

    hidden: int
    penalty: str
    data: str
    flip: float
    counts: tuple[int, ...]
    copies: tuple[int, ...]
    ratio: float | None
    morse_sum: int
    morse: bool | None
    satisfied: bool
    irreducible: int
    lowest: float | None
    auc: float | None
    searches: int
    file: str
    position: str | None = None
    coverage: float | None = None


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of a grid that are done, in the order of the grid.

    Attributes
    ----------
    cells : tuple of Cell
    total : int
        Number of all cells of the grid.
    unfinished : tuple of Cell
        Cells that the budget cut off: what was found so far.
    moved : (row, column) or None
        The input that moves.
    """

    cells: tuple[Cell, ...]
    total: int
    unfinished: tuple[Cell, ...] = ()
    moved: tuple[int, int] | None = None


def _count(counts: Sequence[int], index: int) -> int:
    return counts[index] if index < len(counts) else 0


def study_table(study: Study, cells: Sequence[Cell] | None = None) -> Table:
    """The quantities of a study, a row for each of its cells or of those given."""
    found = study.cells if cells is None else cells
    several = len({cell.data for cell in found}) > 1
    noisy = any(cell.flip for cell in found)
    tested = any(cell.auc is not None for cell in found)
    # What is estimated is shown where a search was cut off.
    covered = any(not cell.satisfied for cell in found)
    moved = study.moved
    columns = [
        *([Column(name=f"x[{moved[0]},{moved[1]}]", tex=f"$x_{{{moved[0]},{moved[1]}}}$")] if moved else []),
        Column(name="hidden", tex=r"$N_h$"),
        Column(name="lambda", tex=r"$\lambda$"),
        *([Column(name="data")] if several else []),
        *([Column(name="wrong labels", digits=4)] if noisy else []),
        Column(name="minima"),
        Column(name="TS"),
        Column(name="higher"),
        Column(name="TS/minima", digits=4),
        Column(name="copies"),
        Column(name="Morse sum"),
        Column(name="irreducible"),
        Column(name="lowest loss", digits=9),
        *([Column(name="AUC", digits=4)] if tested else []),
        *([Column(name="searches"), Column(name="coverage", digits=4)] if covered else []),
    ]
    rows = tuple(
        (
            *([cell.position] if moved else []),
            cell.hidden,
            cell.penalty,
            *([cell.data] if several else []),
            *([cell.flip] if noisy else []),
            _count(cell.counts, 0),
            _count(cell.counts, 1),
            sum(cell.counts[2:]),
            cell.ratio,
            sum(cell.copies),
            cell.morse_sum,
            cell.irreducible,
            cell.lowest,
            *([cell.auc] if tested else []),
            *([cell.searches, cell.coverage] if covered else []),
        )
        for cell in found
    )
    title = "Stationary points of the grid, in classes" if cells is None else "Cells that are not finished, so far"
    return Table(name="study", title=title, columns=tuple(columns), rows=rows)
