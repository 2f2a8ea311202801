"""Question: how many stationary points are there for every penalty of a range?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.answer_types.follow import Follow, Interval
from symland.analysis.question import QUIET, Question, Setting
from symland.errors import SpecError
from symland.exact import parse_exact
from symland.records import Verdict
from symland.tables import Cell, Column, Table
from symland.tex import text_tex

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape
    from symland.rigor.enumeration.pitchfork_region import Event
    from symland.rigor.enumeration.ranges import RangeProgress, RangeResult
    from symland.rigor.enumeration.stretches import Stretch
    from symland.spec import LandscapeSpec

__all__ = ["QUESTION", "CertainFold", "OpenSlab", "Penalties", "PenaltiesOptions", "adopt", "ends_of", "prove_range"]

DIGITS = 30
"""Significant digits of a fold's penalty."""

UNBOUNDED = "inf"
"""The text of an upper end that is none."""


class CertainFold(msgspec.Struct, frozen=True, kw_only=True):
    """A fold or a pitchfork (`kind`): its penalty, of which `digits` significant digits are proved, the lower index of
    the points that meet, and whether the two of the fold, or the pair of the pitchfork, exist below it."""

    kind: str
    value: str
    digits: int
    certified: bool
    index: int
    below: bool


class OpenSlab(msgspec.Struct, frozen=True, kw_only=True):
    """Penalties for which nothing is proved, and the boxes that are left there."""

    low: str
    high: str
    boxes: int


class Penalties(msgspec.Struct, frozen=True, kw_only=True):
    """What is proved of all penalties of a range.

    Attributes
    ----------
    low, high : str
        The range; "inf" where it has no upper end.
    intervals : tuple of Interval
        From below: between two events, classes and labelled copies for every penalty.
    events : tuple of CertainFold
        From above.
    open : tuple of OpenSlab
    theorem : str
        That speaks of the penalties from `theorem_from` upwards; empty where none was needed.
    slabs, regions : int
        Intervals of lambda that were searched, and regions around branches over them.
    boxes : int
        Of margins and states that were examined.
    seconds : float
    digest : str
    """

    verdict: Verdict
    low: str
    high: str
    intervals: tuple[Interval, ...]
    events: tuple[CertainFold, ...]
    open: tuple[OpenSlab, ...]
    theorem: str
    theorem_from: str
    slabs: int
    regions: int
    boxes: int
    seconds: float
    digest: str


@dataclass(frozen=True, kw_only=True)
class PenaltiesOptions:
    """The range."""

    from_: Annotated[str, "The least penalty of the range (that of the landscape if not given)."] = ""
    to: Annotated[str, "The largest; inf for all above, where a theorem speaks of them."] = UNBOUNDED


@final
class _Penalties(Question[PenaltiesOptions, Penalties]):
    name: ClassVar[str] = "penalties"
    version: ClassVar[int] = 2
    help: ClassVar[str] = "Prove how many stationary points there are for every penalty of a range."
    options: ClassVar[type] = PenaltiesOptions
    answer: ClassVar[type] = Penalties
    outlives: ClassVar[bool] = True
    resumable: ClassVar[bool] = True
    section: ClassVar[str] = "How many stationary points there are for every penalty"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: PenaltiesOptions, setting: Setting = QUIET
    ) -> Penalties:
        result = prove_range(landscape, options, setting)
        return _answer(result, _exact_text(result.low), UNBOUNDED if result.high is None else _exact_text(result.high))

    def verdict(self, answer: Penalties) -> Verdict:
        return answer.verdict

    def sentence(self, answer: Penalties) -> str:
        span = f"from lambda = {answer.low} to {answer.high}"
        if answer.verdict is not Verdict.CERTIFIED:
            return (
                f"The number of stationary points is proved on {len(answer.intervals)} intervals {span}; "
                f"{len(answer.open)} slabs are open."
            )
        parts = [
            f"{' '.join(map(str, i.counts))} between {_short(i.low)} and {_short(i.high)}" for i in answer.intervals
        ]
        return (
            f"For every penalty {span} the number of stationary points is proved; classes by index: "
            f"{'; '.join(reversed(parts))}."
        )

    def claim(self, answer: Penalties) -> str:
        if answer.verdict is not Verdict.CERTIFIED:
            return ""
        lines = [
            rf"for ${_bounds(i)}$ there are {sum(i.counts)} classes, by index {', '.join(map(str, i.counts))}"
            rf" ({', '.join(map(str, i.copies))} labelled copies)"
            for i in reversed(answer.intervals)
        ]
        return (
            r"For \emph{every} penalty $\lambda$ of the range, the stationary points of the loss of these data and "
            f"this network are, up to symmetry: {'; '.join(lines)}. All are nondegenerate, but one at each fold and "
            "each pitchfork."
        )

    def tables(self, answer: Penalties) -> tuple[Table, ...]:
        rows: list[tuple[Cell, ...]] = [
            (
                _short(i.low),
                _short(i.high),
                " ".join(map(str, i.counts)),
                " ".join(map(str, i.copies)),
                i.morse_sum,
                i.proved,
            )
            for i in reversed(answer.intervals)
        ]
        heads = ("above", "below", "classes by index", "copies by index", "Morse sum", "proved")
        folds: list[tuple[Cell, ...]] = [(e.kind, e.value, e.digits, e.index, e.below) for e in answer.events]
        found = [
            Table(
                name="penalties",
                title="Stationary points for every penalty",
                columns=tuple(Column(name=n) for n in heads),
                rows=tuple(rows),
            )
        ]
        if folds:
            names = ("kind", "lambda", "digits", "index", "two points below")
            found.append(
                Table(
                    name="folds",
                    title="Folds and pitchforks",
                    columns=tuple(Column(name=n) for n in names),
                    rows=tuple(folds),
                )
            )
        if answer.open:
            left: list[tuple[Cell, ...]] = [(_short(s.low), _short(s.high), s.boxes) for s in answer.open]
            columns = ("from", "to", "boxes left")
            found.append(
                Table(name="open", title="Open", columns=tuple(Column(name=n) for n in columns), rows=tuple(left))
            )
        return tuple(found)

    def latex(self, answer: Penalties, landscape: Landscape) -> str:
        claim = self.claim(answer)
        text = super().latex(answer, landscape)
        return text if not claim else rf"{text}" + "\n\n" + claim + "\n\n" + text_tex(_how(answer))


def ends_of(options: PenaltiesOptions, spec: LandscapeSpec) -> tuple[Fraction, Fraction | None]:
    """The ends of the range asked for; None where it has no upper end.

    Raises
    ------
    SpecError
        For a range that is none.
    """
    low = parse_exact(options.from_, "--penalty-from") if options.from_ else spec.penalty
    high = None if options.to == UNBOUNDED else parse_exact(options.to, "--penalty-to")
    if low <= 0 or (high is not None and high <= low):
        raise SpecError.at(
            "--penalty-from, --penalty-to",
            f"{options.from_ or spec.penalty} to {options.to}",
            "write two numbers, 0 < from < to; to may be inf",
        )
    return low, high


def prove_range(landscape: Landscape, options: PenaltiesOptions, setting: Setting) -> RangeResult:
    """Prove how many points there are for every penalty of a range, from where an interrupted run stopped.

    Raises
    ------
    SpecError
        For a range that is none, and a network that cannot be enumerated.
    """
    from symland.rigor.enumeration.ranges import enumerate_range

    spec = landscape.spec
    low, high = ends_of(options, spec)

    def told(state: RangeProgress) -> None:
        setting.listener.advance(
            f"{100 * state.share:.1f} % of ln lambda proved in {state.proved} slabs, {state.waiting} waiting, "
            f"{state.open} open"
        )

    setting.listener.advance("following branches through the range")
    return enumerate_range(
        spec,
        low,
        high,
        budget_seconds=setting.budget,
        progress=told,
        clock=setting.clock,
        state=setting.state,
        keep=setting.keep,
    )


def _how(answer: Penalties) -> str:
    text = (
        f"Proved by a box search with lambda an interval: {answer.slabs} slabs, {answer.boxes} boxes of margins and "
        f"states, {answer.regions} regions around branches."
    )
    if answer.theorem:
        text += f" From lambda = {answer.theorem_from} upwards {answer.theorem} says that the origin is alone."
    return text


def _short(text: str) -> str:
    return text[:19]


def _bounds(interval: Interval) -> str:
    low = rf"{_short(interval.low)} < \lambda"
    return low if interval.high == UNBOUNDED else rf"{low} < {_short(interval.high)}"


def _exact_text(value: Fraction) -> str:
    """A decimal where there is one, else a ratio."""
    from symland.rigor.decimals import exact_decimal

    if Fraction(repr(float(value))) == value:
        return repr(float(value))
    return exact_decimal(float(value)) if Fraction(float(value)) == value else f"{value.numerator}/{value.denominator}"


def _fold_text(fold: Event) -> tuple[str, int]:
    from symland.rigor.enumeration.regions import penalty_text

    return penalty_text(fold, DIGITS)


def _end(value: Fraction | Event | None) -> str:
    if value is None:
        return UNBOUNDED
    return _exact_text(value) if isinstance(value, Fraction) else _fold_text(value)[0]


def _interval(stretch: Stretch) -> Interval:
    return Interval(
        low=_end(stretch.low),
        high=_end(stretch.high),
        counts=stretch.counts,
        copies=stretch.copies,
        morse_sum=sum((-1) ** k * n for k, n in enumerate(stretch.copies)),
        proved=True,
    )


def _answer(result: RangeResult, low: str, high: str) -> Penalties:
    events = []
    for slab in result.slabs:
        if slab.fold is not None:
            value, digits = _fold_text(slab.fold)
            region = next(r for r in slab.regions if r.opens_down is not None)
            events.append(
                CertainFold(
                    kind=slab.fold.kind.value,
                    value=value,
                    digits=digits,
                    certified=True,
                    index=region.index,
                    below=bool(region.opens_down),
                )
            )
    return Penalties(
        verdict=result.verdict,
        low=low,
        high=high,
        intervals=tuple(_interval(s) for s in reversed(result.stretches)),
        events=tuple(events),
        open=tuple(OpenSlab(low=_exact_text(a), high=_exact_text(b), boxes=n) for a, b, n in result.open),
        theorem=result.theorem or "",
        theorem_from="" if result.theorem_from is None else _exact_text(result.theorem_from),
        slabs=len(result.slabs),
        regions=sum(len(s.regions) for s in result.slabs),
        boxes=result.boxes,
        seconds=round(result.seconds, 3),
        digest=result.digest,
    )


def adopt(followed: Follow, proved: Penalties) -> Follow:
    """What was followed, with `proved` set where an interval lies within one that is proved, with the same counts."""

    def value(text: str) -> float:
        return float("inf") if text == UNBOUNDED else float(Fraction(text))

    def within(a: Interval, b: Interval) -> bool:
        # Ends that are the same fold agree to all digits of a double.
        slack = 1e-12
        low, high = value(b.low) * (1 - slack) <= value(a.low), value(a.high) <= value(b.high) * (1 + slack)
        return low and high and (a.counts, a.copies) == (b.counts, b.copies)

    if followed.parameter != "lambda":
        return followed
    intervals = tuple(
        msgspec.structs.replace(i, proved=i.proved or any(within(i, p) for p in proved.intervals))
        for i in followed.intervals
    )
    return msgspec.structs.replace(followed, intervals=intervals)


QUESTION = _Penalties()
