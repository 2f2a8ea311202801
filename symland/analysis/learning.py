"""Question: what is the local learning coefficient at every minimum, where it is known exactly?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Question, Setting
from symland.errors import DatabaseError, SpecError
from symland.records import Verdict
from symland.tables import Cell, Column, Sampled, Table

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "Learning", "LearningOptions", "LearningPoint", "SampledCoefficient"]


class SampledCoefficient(msgspec.Struct, frozen=True, kw_only=True):
    """(<L> - L*) / T from independent runs, and its standard error."""

    value: float
    error: float
    ess: float


class LearningPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A minimum, or a family of them.

    Attributes
    ----------
    number : int
        Of the class, or of the family in the list of families.
    family : bool
    loss : float
    parameters, rank, dimension : int
        P, the rank of the Hessian, and the dimension of the set of minima around the point.
    lower, upper : Fraction
        rank / 2 and (P - dimension) / 2: the coefficient of a minimum lies between.
    coefficient : Fraction or None
        Where both are one, and the family is one non-degenerate manifold. Elsewhere a family whose Hessian has no
        negative eigenvalue need not consist of minima.
    proved : bool
        Whether rank and dimension are: the class is certified.
    sampled : SampledCoefficient or None
    """

    number: int
    family: bool
    loss: float
    parameters: int
    rank: int
    dimension: int
    lower: Fraction
    upper: Fraction
    coefficient: Fraction | None
    proved: bool
    sampled: SampledCoefficient | None


class Learning(msgspec.Struct, frozen=True, kw_only=True):
    """Learning coefficients of all minima of a landscape."""

    points: tuple[LearningPoint, ...]
    temperature: float
    width: float


@dataclass(frozen=True, kw_only=True)
class LearningOptions:
    """Whether and how a sampler is held against the exact values."""

    samples: Annotated[int, "Particles of each run of the sampler; 0 leaves it out."] = 0
    runs: Annotated[int, "Independent runs, from which the standard error comes."] = 6
    temperature: Annotated[float, "T of the sampler, small beside the curvatures times the width squared."] = 1e-7
    width: Annotated[float, "Standard deviation of the Gaussian that keeps the sampler near, in units of theta."] = 0.05
    seed: Annotated[int, "Makes the sampler repeatable."] = 0


@final
class _Learning(Question[LearningOptions, Learning]):
    name: ClassVar[str] = "learning-coefficient"
    help: ClassVar[str] = "The local learning coefficient of every minimum and family of minima, exact where it can be."
    options: ClassVar[type] = LearningOptions
    answer: ClassVar[type] = Learning
    verb: ClassVar[bool] = True
    section: ClassVar[str] = "Local learning coefficients"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: LearningOptions, setting: Setting = QUIET
    ) -> Learning:
        landscape.explored()
        if options.samples:
            from symland.analysis.sampling.sampled import check_effort

            check_effort(options.samples, options.runs)
        if not (options.temperature > 0 and options.width > 0):
            raise SpecError.at("--width", "temperature and width must be positive", "write such as 1e-7 and 0.05")
        from symland.rigor.gauge import gauge_sets

        size, certified, gauge = (
            landscape.spec.n_parameters,
            landscape.account.certified,
            len(gauge_sets(landscape.spec)),
        )
        found = []
        for n in landscape.minima:
            point = landscape.points[n]
            rank = size - point.nullity
            # A class is a flat along the gauge that no penalty holds.
            found.append((n, False, point.loss, rank, gauge, point.theta, certified[n], True))
        known = landscape.evidence.families
        for n, family in enumerate(() if known is None else known.families):
            if family.index == 0:
                rank = size - len(family.directions)
                smooth = family.morse_bott and not family.singular
                found.append((n, True, family.loss, rank, family.dimension, family.theta, False, smooth))
        if not found:
            raise DatabaseError(f"{landscape.spec.name}: no minimum and no family of minima is known; search longer")
        points = []
        for done, (n, is_family, loss, rank, dimension, theta, proved, smooth) in enumerate(found):
            setting.listener.advance("minima", done, len(found))
            low, high = Fraction(rank, 2), Fraction(size - dimension, 2)
            points.append(
                LearningPoint(
                    number=n,
                    family=is_family,
                    loss=loss,
                    parameters=size,
                    rank=rank,
                    dimension=dimension,
                    lower=low,
                    upper=high,
                    coefficient=low if low == high and smooth else None,
                    proved=proved,
                    sampled=_sample(landscape, theta, options) if options.samples else None,
                )
            )
        return Learning(points=tuple(points), temperature=options.temperature, width=options.width)

    def sentence(self, answer: Learning) -> str:
        exact = [p for p in answer.points if p.coefficient is not None]
        values = ", ".join(str(v) for v in sorted({p.coefficient for p in exact if p.coefficient is not None}))
        text = f"Of {len(answer.points)} minima and families of minima {len(exact)} have an exact learning coefficient"
        text += f": {values}." if exact else "."
        off = [p for p in answer.points if _missed(p)]
        if off:
            text += f" The sampler misses it at {len(off)}: lower the temperature, or it is trapped."
        return text

    def tables(self, answer: Learning) -> tuple[Table, ...]:
        names = ("minimum", "loss", "P", "rank", "dimension", "coefficient", "proved", "sampled")
        rows: list[tuple[Cell, ...]] = [
            (
                f"family {p.number}" if p.family else f"class {p.number}",
                p.loss,
                p.parameters,
                p.rank,
                p.dimension,
                _words(p),
                p.proved,
                None if p.sampled is None else Sampled(value=p.sampled.value, error=p.sampled.error, ess=p.sampled.ess),
            )
            for p in answer.points
        ]
        columns = tuple(Column(name=n) for n in names)
        title = "Local learning coefficients"
        return (Table(name="learning-coefficient", title=title, columns=columns, rows=tuple(rows)),)

    def verdict(self, answer: Learning) -> Verdict:
        if any(_missed(p) for p in answer.points):
            return Verdict.UNDECIDED
        exact = all(p.coefficient is not None for p in answer.points)
        return Verdict.CERTIFIED if exact else Verdict.UNDECIDED


def _words(point: LearningPoint) -> str:
    if point.coefficient is not None:
        return str(point.coefficient)
    between = str(point.lower) if point.lower == point.upper else f"{point.lower} to {point.upper}"
    return f"{between} if these are minima"


def _missed(point: LearningPoint) -> bool:
    """Whether the sampler's value lies outside the bounds by more than four standard errors and one per cent."""
    seen = point.sampled
    if seen is None:
        return False
    slack = 4 * seen.error + 0.01 * float(point.upper)
    return not float(point.lower) - slack <= seen.value <= float(point.upper) + slack


def _sample(landscape: Landscape, theta: object, options: LearningOptions) -> SampledCoefficient:
    import numpy as np

    from symland.analysis.sampling.local import sampled_coefficient
    from symland.kernels import compile_kernel

    found, ess = sampled_coefficient(
        compile_kernel(landscape.spec),
        np.asarray(theta, dtype=np.float64),
        temperature=options.temperature,
        width=options.width,
        samples=options.samples,
        runs=options.runs,
        seed=options.seed,
    )
    return SampledCoefficient(value=found.value, error=found.error, ess=ess)


QUESTION = _Learning()
