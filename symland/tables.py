"""Tables as values: rows of typed cells that read the same at a terminal and in LaTeX.

What a number *is* decides how it is printed. A certified number is an `Enclosed`, a sampled one a `Sampled`; a float is
an estimate. Nobody can print one as the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from math import isfinite

from symland.records import Verdict
from symland.tex import decimal_tex, enclosure_tex, mixed_tex, scientific_tex, text_tex, verdict_tex

__all__ = ["Cell", "Column", "Enclosed", "Sampled", "Table", "html_table", "longtable"]


@dataclass(frozen=True, kw_only=True)
class Enclosed:
    """A number that is proved to lie between two decimal or rational texts."""

    lower: str
    upper: str


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """An estimate from samples, with its standard error and the effective number of samples."""

    value: float
    error: float
    ess: float


MOST_COLUMNS = 8
"""Columns beyond which a table is set smaller, so that it keeps within the page."""

Cell = str | int | float | Fraction | Verdict | Enclosed | Sampled | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its head at the terminal and in LaTeX, and how floats in it are written.

    Attributes
    ----------
    name : str
    tex : str
        LaTeX of the head; the escaped name by default.
    places : int or None
        Fixed decimal places in LaTeX; otherwise `digits` figures in scientific form.
    digits : int
        Figures of a float.
    """

    name: str
    tex: str = ""
    places: int | None = None
    digits: int = 6

    @property
    def head(self) -> str:
        """The head in LaTeX."""
        return self.tex or text_tex(self.name)

    def text(self, cell: Cell) -> str:
        """A cell at the terminal."""
        match cell:
            case None:
                return "-"
            case Verdict():
                return cell.value
            case bool():
                return "yes" if cell else "no"
            case float():
                return f"{cell:.{max(self.digits, (self.places or 0) + 2)}g}"
            case Enclosed(lower=lower, upper=upper):
                return f"[{lower}, {upper}]"
            case Sampled(value=value, error=error, ess=ess):
                return f"{value:.{self.digits}g} +- {error:.2g} (ESS {ess:.0f})"
        return str(cell)

    def latex(self, cell: Cell) -> str:
        """A cell in LaTeX."""
        match cell:
            case None:
                return "--"
            case Verdict():
                return verdict_tex(cell)
            case bool():
                return "yes" if cell else "no"
            case int():
                return f"${cell}$" if cell < 0 else str(cell)
            case float():
                if not isfinite(cell):
                    return r"$\infty$"
                return (
                    f"${scientific_tex(cell, self.digits) if self.places is None else decimal_tex(cell, self.places)}$"
                )
            case Fraction():
                return f"${cell}$"
            case Enclosed(lower=lower, upper=upper):
                return (
                    f"${enclosure_tex(lower, upper)}$"
                    if self.places is None
                    else f"${enclosure_tex(lower, upper, self.places)}$"
                )
            case Sampled(value=value, error=error):
                return rf"${scientific_tex(value, self.digits)} \pm {scientific_tex(error, 2)}$"
        return mixed_tex(cell)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells under named columns.

    Attributes
    ----------
    name : str
        Of its label and file: letters, digits and hyphens.
    title : str
        One line above it at the terminal.
    columns : tuple of Column
    rows : tuple of rows of cells, one for each column
    caption : str
        LaTeX.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(row)} cells under {len(self.columns)} columns")
        if not re.fullmatch(r"[a-z0-9-]+", self.name):
            raise ValueError(f"table name {self.name!r}: write lower-case letters, digits and hyphens")

    @property
    def heads(self) -> list[str]:
        """The heads at the terminal."""
        return [column.name for column in self.columns]

    def texts(self) -> list[list[str]]:
        """The rows at the terminal."""
        return [[column.text(cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]


def html_table(table: Table) -> str:
    """A table as HTML, as it reads at the terminal."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.heads)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.texts())
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def longtable(table: Table) -> str:
    """A table that may run over pages, as LaTeX. Needs booktabs, longtable, amssymb."""
    numeric = [all(isinstance(row[k], int | float | None) for row in table.rows) for k in range(len(table.columns))]
    form = "".join("r" if number else "l" for number in numeric)
    many = len(table.columns) > MOST_COLUMNS
    size, gap = (r"\scriptsize", "2.5pt") if many else (r"\footnotesize", "4pt")
    head = " & ".join(column.head for column in table.columns)
    body = "\n".join(
        " & ".join(column.latex(cell) for column, cell in zip(table.columns, row, strict=True)) + r" \\"
        for row in table.rows
    )
    caption = table.caption or text_tex(table.title)
    return "\n".join(
        [
            "{" + size,
            rf"\setlength{{\tabcolsep}}{{{gap}}}",
            rf"\begin{{longtable}}{{{form}}}",
            rf"\caption{{{caption}}}\label{{tab:{table.name}}}\\",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endlastfoot",
            body,
            r"\end{longtable}}",
        ]
    )
