"""Data sets in exact rationals: built in, inline, or from CSV text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from itertools import product

from symland.errors import SpecError
from symland.exact import need_float64, parse_exact

__all__ = ["BUILTIN_DATA", "Dataset", "builtin_data", "make_data", "parse_csv"]

BUILTIN_DATA = ("xor", "xor-pm", "parity3", "iris")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Samples (x_d, y_d), exact.

    Attributes
    ----------
    name : str
    inputs : tuple of D tuples of n_0 Fractions
    labels : tuple of D ints
        Classes, for classification; empty for regression.
    values : tuple of D tuples of Fractions
        Targets, for regression; empty for classification.
    """

    name: str
    inputs: tuple[tuple[Fraction, ...], ...]
    labels: tuple[int, ...] = ()
    values: tuple[tuple[Fraction, ...], ...] = ()

    @property
    def targets(self) -> tuple[int, ...] | tuple[tuple[Fraction, ...], ...]:
        """The labels, or the values."""
        return self.labels or self.values

    def __post_init__(self) -> None:
        if not self.inputs:
            raise SpecError.at("data.inputs", "the data set is empty", "give at least one sample")
        targets = self.targets
        if len(targets) != len(self.inputs):
            raise SpecError.at(
                "data.targets",
                f"{len(targets)} targets for {len(self.inputs)} inputs",
                "give one target for each input",
            )
        _same_width(self.inputs, "data.inputs")
        _same_width(self.values, "data.targets")
        for path, rows in (("data.inputs", self.inputs), ("data.targets", self.values)):
            for d, row in enumerate(rows):
                for k, cell in enumerate(row):
                    need_float64(cell, f"{path}[{d}][{k}]")

    @property
    def n_samples(self) -> int:
        return len(self.inputs)


def _same_width(rows: Sequence[Sequence[Fraction]], path: str) -> None:
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]) or not row:
            raise SpecError.at(
                f"{path}[{number}]",
                f"{len(row)} numbers where the first row has {len(rows[0])}",
                "give rows of one length, at least 1",
            )


def make_data(
    name: str, inputs: Sequence[Sequence[str | int]], targets: Sequence[int | str | Sequence[str | int]], classify: bool
) -> Dataset:
    """A data set from exact texts.

    Parameters
    ----------
    inputs : D rows of n_0 texts or integers
    targets : D labels (classification), or D numbers or rows of numbers (regression)
    classify : bool
        Whether the loss takes labels.
    """
    rows = tuple(
        tuple(parse_exact(cell, f"data.inputs[{d}][{k}]") for k, cell in enumerate(row)) for d, row in enumerate(inputs)
    )
    if classify:
        return Dataset(
            name=name, inputs=rows, labels=tuple(_label(t, f"data.targets[{d}]") for d, t in enumerate(targets))
        )
    values = []
    for d, target in enumerate(targets):
        cells = [target] if isinstance(target, str | int) else target
        values.append(tuple(parse_exact(cell, f"data.targets[{d}][{i}]") for i, cell in enumerate(cells)))
    return Dataset(name=name, inputs=rows, values=tuple(values))


def _label(value: object, path: str) -> int:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SpecError.at(path, f"{value!r} is not a label", "write a class as an integer 0, 1, 2, ...")
    return value


def parse_csv(text: str, name: str, classify: bool, path: str = "data.csv") -> Dataset:
    """A data set from CSV text with a header line.

    The column `label` (classification) or the columns whose names begin with `target` (regression) are the targets;
    every other column is an input.
    """
    table = [row for row in csv.reader(io.StringIO(text)) if row]
    if not table:
        raise SpecError.at(path, "the file is empty", "give a header line and one line per sample")
    header = [cell.strip() for cell in table[0]]
    twice = next((cell for k, cell in enumerate(header) if cell in header[:k]), None)
    if twice is not None:
        raise SpecError.at(path, f"two columns are named {twice[:60]!r}", "give each column a name of its own")
    wanted = [k for k, cell in enumerate(header) if (cell == "label" if classify else cell.startswith("target"))]
    if not wanted or len(wanted) == len(header):
        need = "one column named label" if classify else "columns whose names begin with target"
        raise SpecError.at(
            path, f"the header is {','.join(header)[:60]!r}", f"give {need}, and at least one input column"
        )
    inputs, targets = [], []
    for number, row in enumerate(table[1:], start=2):
        if len(row) != len(header):
            raise SpecError.at(f"{path} line {number}", f"{len(row)} cells", f"give {len(header)}, as in the header")
        where = [f"{path} line {number} column {cell}" for cell in header]
        cells = [row[k] for k in wanted]
        targets.append(
            _label(cells[0], where[wanted[0]]) if classify else tuple(parse_exact(row[k], where[k]) for k in wanted)
        )
        inputs.append(tuple(parse_exact(row[k], where[k]) for k in range(len(header)) if k not in wanted))
    if classify:
        return Dataset(name=name, inputs=tuple(inputs), labels=tuple(targets))  # type: ignore[arg-type]
    return Dataset(name=name, inputs=tuple(inputs), values=tuple(targets))  # type: ignore[arg-type]


def builtin_data(name: str, classify: bool) -> Dataset:
    """A data set by name.

    xor : inputs {0,1}^2, class 1 iff x1 != x2. xor-pm : the same with 0 written as -1.
    parity3 : inputs {0,1}^3, class 1 iff an odd number of ones. iris : Fisher's 150 flowers, 4 inputs in cm, 3 classes.
    """
    if name not in BUILTIN_DATA:
        raise SpecError.at(
            "data.name", f"{name!r} is not built in", f"write one of {', '.join(BUILTIN_DATA)}, or give inputs or csv"
        )
    if name == "iris":
        text = resources.files("symland").joinpath("data/iris.csv").read_text(encoding="utf-8")
        if not classify:
            raise SpecError.at("data.name", "iris has labels", "use the loss softmax")
        return parse_csv(text, "iris", classify=True)
    low = -1 if name == "xor-pm" else 0
    bits = 3 if name == "parity3" else 2
    corners = list(product((0, 1), repeat=bits))
    inputs = tuple(tuple(Fraction(1 if bit else low) for bit in corner) for corner in corners)
    labels = tuple(sum(corner) % 2 for corner in corners)
    if classify:
        return Dataset(name=name, inputs=inputs, labels=labels)
    return Dataset(name=name, inputs=inputs, values=tuple((Fraction(label),) for label in labels))
