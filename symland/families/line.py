"""A straight line between two data sets: some cells of the inputs move, x(t) = x + t (x' - x), t in [0, 1].

The gradient's derivative in t comes from the derivation program over dual numbers, the moved cells being x + t d with
the slope d: one more direction of the same program, never a second derivation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, final

import numpy as np

from symland.errors import SpecError
from symland.exact import need_float64, parse_exact
from symland.explore.protocol import Kernel
from symland.families.positions import need_input
from symland.kernels import compile_kernel
from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.dual import Dual, DualAlgebra
from symland.program.floats import NumpyAlgebra
from symland.records import FloatArray
from symland.spec import LandscapeSpec
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import SymmetryGroup

__all__ = ["DataFamily", "Line", "common_group", "parse_moves"]

GENERIC = Fraction(382, 997)
"""A t that no symmetry of single members of the line is made for."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """The exact inputs of every sample, and how far each cell moves by t = 1."""

    spec: LandscapeSpec
    moves: tuple[tuple[int, int, Fraction], ...]

    @cached_property
    def cells(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """(start, slope) of every cell, row-major."""
        ends = {(row, column): value for row, column, value in self.moves}
        return tuple(
            (cell, ends.get((d, k), cell) - cell)
            for d, row in enumerate(self.spec.data.inputs)
            for k, cell in enumerate(row)
        )

    def at(self, t: Fraction) -> LandscapeSpec:
        """The question at t."""
        width = self.spec.n_inputs
        flat = [start + t * slope for start, slope in self.cells]
        rows = tuple(tuple(flat[d : d + width]) for d in range(0, len(flat), width))
        return self.spec.with_(data=replace(self.spec.data, inputs=rows))


def parse_moves(spec: LandscapeSpec, texts: Sequence[str]) -> Line:
    """The line that texts such as "3,0=1/2" say: row and column of an input, counted from 0, and where it goes.

    Raises
    ------
    SpecError
        With one line, for another form, or a cell that the data lack.
    """
    moves: dict[tuple[int, int], Fraction] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        row, comma, column = place.partition(",")
        if not (equals and comma and row.strip().isdecimal() and column.strip().isdecimal()):
            raise SpecError.at("--move", repr(text[:40]), "write ROW,COLUMN=NUMBER such as 3,0=1/2, counted from 0")
        d, k = int(row), int(column)
        need_input(spec.data, d, k, f"{text[:40]!r} is outside of the data")
        moves[d, k] = parse_exact(value.strip(), "--move")
        need_float64(moves[d, k], "--move")
    line = Line(spec=spec, moves=tuple((d, k, value) for (d, k), value in sorted(moves.items())))
    if not any(slope for _, slope in line.cells):
        raise SpecError.at("--move", ", ".join(texts)[:40], "write another value than the present one: nothing moves")
    return line


def common_group(line: Line) -> SymmetryGroup:
    """The symmetries that every loss of the line has: those of a generic member.

    A symmetry that matches samples at a generic t matches the same ones at every t, for the cells are affine in t; the
    two ends are looked at as well.
    """
    group = find_symmetry(line.at(GENERIC))
    ends = [set(find_symmetry(line.at(Fraction(t))).data_automorphisms) for t in (0, 1)]
    kept = tuple(a for a in group.data_automorphisms if all(a in end for end in ends))
    return replace(group, data_automorphisms=kept)


@final
class DataFamily:
    """The losses of a line of data sets, with mu = t."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.n_parameters = line.spec.n_parameters
        self._bound = compile_kernel(line.spec, runtime_data=True)
        self._value = build_program(line.spec, ("value",))
        self._gradient = build_program(line.spec, ("gradient",))
        self._hessian = build_program(line.spec, ("hessian",))
        self._plain = NumpyAlgebra()
        self._dual: DualAlgebra[FloatArray] = DualAlgebra(self._plain)
        self._cells = [(float(start), float(slope)) for start, slope in line.cells]

    def _data(self, mu: FloatArray) -> list[FloatArray]:
        return [start + mu * slope for start, slope in self._cells]

    def derivatives(self, theta: FloatArray, mu: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Gradient, Hessian and d gradient / d t."""
        n, zero = len(theta), np.zeros(len(theta))
        points = list(np.ascontiguousarray(theta.T))
        plain = self._data(mu)
        moved: list[Any] = [Dual(x, zero + s if s else None) for x, (_, s) in zip(plain, self._cells, strict=True)]
        bent = run(self._gradient, self._dual, [Dual(p) for p in points], {"x": moved})
        out = run(self._hessian, self._plain, points, {"x": plain})
        gradient = np.stack([g.a + zero for g in bent.gradient], axis=-1)
        slope = np.stack([zero if g.b is None else g.b + zero for g in bent.gradient], axis=-1)
        hessian = np.stack([np.stack([h + zero for h in row], axis=-1) for row in out.hessian], axis=1)
        return gradient, hessian.reshape(n, self.n_parameters, self.n_parameters), slope

    def value(self, theta: FloatArray, mu: FloatArray) -> FloatArray:
        """Losses."""
        found = run(self._value, self._plain, list(np.ascontiguousarray(theta.T)), {"x": self._data(mu)}).value
        assert found is not None
        return np.asarray(found + np.zeros(len(theta)))

    def at(self, mu: float) -> Kernel:
        """The loss at one t."""
        return self._bound.bind(self.line.at(Fraction(mu)))

    def parameter(self, mu: float) -> float:
        """t."""
        return mu

    def coordinate(self, parameter: float) -> float:
        """t."""
        return parameter
