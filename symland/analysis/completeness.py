"""Question: how was the list searched for, and what do the searches say about classes that were not seen?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.question import QUIET, NoOptions, Picture, Question, Setting
from symland.errors import DatabaseError
from symland.landscape.evidence import Completeness
from symland.records import Verdict
from symland.tables import Cell, Column, Table
from symland.tex import text_tex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION"]

SHORTEST_CURVE = 4
"""Points of an accumulation curve that is drawn."""


@final
class _Completeness(Question[NoOptions, Completeness]):
    name: ClassVar[str] = "completeness"
    help: ClassVar[str] = "Estimate from the searches made how many classes were not seen."
    answer: ClassVar[type] = Completeness
    outlives: ClassVar[bool] = True
    paragraph: ClassVar[str] = "counts"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: NoOptions, setting: Setting = QUIET
    ) -> Completeness:
        found = landscape.evidence.completeness
        if found is None:
            raise DatabaseError(f"{landscape.spec.name}: no search was made; run `symland explore` first")
        return found

    def sentence(self, answer: Completeness) -> str:
        low, estimate, high = (_count(x) for x in answer.estimate)
        ended = "the stop rules held" if answer.satisfied else "they were ended before the stop rules held"
        if not any(r.observed for r in answer.by_index):
            return f"{answer.searches} searches found no isolated stationary point; {ended}."
        holes = f" The list has holes: {'; '.join(answer.holes)}." if answer.holes else ""
        started = f" {answer.given} classes were reached from given starts; the estimate is of the others."
        return (
            f"In {answer.searches} searches the last new class came in number {answer.last_new}; {ended}. "
            f"Chao's estimate of the number of classes is {estimate} ({low} to {high} at 95 %)."
            + (started if answer.given else "")
            + holes
        )

    def tables(self, answer: Completeness) -> tuple[Table, ...]:
        names = ("index", "classes found", "at least", "estimate", "at most", "finds", "coverage")
        rows: list[tuple[Cell, ...]] = []
        for index, r in enumerate(answer.by_index):
            low, estimate, high = (_count(x) for x in r.estimate)
            rows.append((index, r.observed, low, estimate, high, r.draws, r.coverage))
        title = f"{answer.searches} searches; estimated classes, 95 %"
        return (
            Table(name="completeness", title=title, columns=tuple(Column(name=n) for n in names), rows=tuple(rows)),
        )

    def verdict(self, answer: Completeness) -> Verdict:
        return Verdict.CERTIFIED if answer.satisfied else Verdict.UNDECIDED

    def latex(self, answer: Completeness, landscape: Landscape) -> str:
        return text_tex(self.sentence(answer))

    def figures(self, answer: Completeness, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures import completeness_figure

        if len(answer.curve) < SHORTEST_CURVE or not any(r.observed for r in answer.by_index):
            return {}
        caption = "Classes found against searches made, by index."
        return {"completeness": Picture(figure=completeness_figure(answer.curve), caption=caption)}


def _count(number: float | None) -> str:
    return "inf" if number is None else f"{number:.1f}"


QUESTION = _Completeness()
