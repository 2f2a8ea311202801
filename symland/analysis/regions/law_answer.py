"""The law of weight scale as records: one row for each penalty."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from flint import arb

from symland.analysis.regions.scale_law import finite_scale, scale_law
from symland.errors import SpecError
from symland.exact import parse_exact
from symland.tables import Column, Enclosed, Table

__all__ = ["LawRow", "ScaleLaw", "enclosed", "law_table", "laws"]

DIGITS = 15
"""Of enclosures, before they are rounded outwards."""


class LawRow(msgspec.Struct, frozen=True, kw_only=True):
    """The law at one penalty.

    Attributes
    ----------
    penalty : str
    k_law : float
        k0 = (rho pi^2 / (12 lambda))^(1/3).
    k_star : Enclosed
        The exact scale.
    lower, upper : float
        The proved bounds k0 (1 - bound)^(1/3) and k0, to rounding; 0 where the bound on the departure exceeds 1.
    departure : Enclosed
        delta(k*) = 1 - (k* / k0)^3.
    bound : float
        (12 / pi^2) (k* + 1) e^(-k*).
    finite : float
        The scale of equally spaced samples.
    """

    penalty: str
    k_law: float
    k_star: Enclosed
    lower: float
    upper: float
    departure: Enclosed
    bound: float
    finite: float


class ScaleLaw(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by penalty, at one density of samples, with so many finite samples."""

    density: str
    samples: int
    rows: tuple[LawRow, ...]


def laws(penalties: Sequence[str], density: str, samples: int) -> ScaleLaw:
    """The law at penalties given as exact texts.

    Raises
    ------
    SpecError
        If a number cannot be read or is not positive, or the number of samples is odd or below 2.
    """
    if samples < 2 or samples % 2 or samples > 10**6:
        raise SpecError.at("--samples", f"{samples} samples", "give an even number from 2 to 1000000")
    rho = parse_exact(density, "--density")
    rows = []
    for text in penalties:
        penalty = parse_exact(text, "--penalty")
        law = scale_law(penalty, rho)
        k0, bound = float(law.k0.mid()), float(law.bound.mid())
        rows.append(
            LawRow(
                penalty=text,
                k_law=k0,
                k_star=enclosed(law.k_star),
                lower=k0 * max(0.0, 1 - bound) ** (1 / 3),
                upper=k0,
                departure=enclosed(law.departure),
                bound=bound,
                finite=finite_scale(float(penalty), float(rho), samples),
            )
        )
    return ScaleLaw(density=density, samples=samples, rows=tuple(rows))


def enclosed(ball: arb) -> Enclosed:
    """Decimal bounds that hold the ball."""
    lower, upper = (end.str(DIGITS, radius=False) for end in (ball.lower(), ball.upper()))
    # A decimal of 15 figures is within 1e-14 of the end, in relative size.
    slack = Decimal("2e-14")
    low, high = Decimal(lower), Decimal(upper)
    return Enclosed(lower=f"{low - abs(low) * slack:.15g}", upper=f"{high + abs(high) * slack:.15g}")


def law_table(answer: ScaleLaw) -> Table:
    """The law's table."""
    return Table(
        name="scale-law",
        title=f"Weight scale at density {answer.density}",
        columns=(
            Column(name="penalty"),
            Column(name="k0", digits=8),
            Column(name="k*"),
            Column(name="lower bound", digits=8),
            Column(name="departure"),
            Column(name=f"k* of {answer.samples} samples", digits=8),
        ),
        rows=tuple((r.penalty, r.k_law, r.k_star, r.lower, r.departure, r.finite) for r in answer.rows),
    )
