"""Question: how do the classes change with the penalty? Branches, events, and counts in every interval."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, final

from symland.analysis.answer_types.follow import (
    Branch,
    Follow,
    FollowedEvent,
    FollowOptions,
    Interval,
    Maxwell,
    Meeting,
    Proved,
)
from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.records import Verdict
from symland.tables import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.analysis.penalties import Penalties
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "Branch", "Follow", "FollowOptions", "FollowedEvent", "Interval", "Maxwell", "Meeting", "Proved"]


@final
class _Follow(Question[FollowOptions, Follow]):
    name: ClassVar[str] = "follow"
    help: ClassVar[str] = "Follow every class in the penalty: branches, folds, pitchforks, and counts between them."
    options: ClassVar[type] = FollowOptions
    answer: ClassVar[type] = Follow
    version: ClassVar[int] = 3
    verb: ClassVar[bool] = True
    resumable: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    learns_from: ClassVar[tuple[str, ...]] = ("penalties",)
    section: ClassVar[str] = "How the landscape changes with the penalty"

    def ask(self, landscape: Landscape, *others: Landscape, options: FollowOptions, setting: Setting = QUIET) -> Follow:
        from symland.analysis.branches.drive import follow_penalty

        return follow_penalty(landscape, options, setting)

    def learn(self, answer: Follow, other: Penalties) -> Follow:
        from symland.analysis.penalties import adopt

        return adopt(answer, other)

    def verdict(self, answer: Follow) -> Verdict:
        return answer.verdict

    def sentence(self, answer: Follow) -> str:
        held = sum(event.certified for event in answer.events)
        whole = answer.intervals[-1]
        text = (
            f"From {answer.parameter} = {answer.low} to {answer.high} there are {len(answer.events)} events, "
            f"{held} of them certified; {len(answer.branches)} branches were followed"
        )
        if answer.events:
            text += f", and above {answer.parameter} = {float(answer.events[0].value):.10g} the classes by index are "
            text += " ".join(map(str, whole.counts))
        return f"{text}. {_monotone(answer)}{_first(answer)}{_persisting(answer)}"

    def tables(self, answer: Follow) -> tuple[Table, ...]:
        tubes = any(b.pieces for b in answer.branches)
        names = ("kind", answer.parameter, "certified", "loss", "index", "classes by index that meet", "dead nodes")
        events: list[tuple[Cell, ...]] = [
            (
                e.kind,
                e.value[: _SHOWN + 2],
                e.certified,
                e.loss[: _SHOWN + 2],
                e.index,
                ", ".join(f"branch {m.branch}: index {m.index} ({m.copies} copies)" for m in e.classes),
                e.dead_nodes,
            )
            for e in answer.events
        ]
        rows: list[tuple[Cell, ...]] = [
            (
                i.low[: _SHOWN + 2],
                i.high[: _SHOWN + 2],
                " ".join(map(str, i.counts)),
                " ".join(map(str, i.copies)),
                i.morse_sum,
                i.proved,
                *([" ".join(map(str, i.at_least))] if tubes else []),
            )
            for i in reversed(answer.intervals)
        ]
        heads = ["above", "below", "classes by index", "copies by index", "Morse sum", "proved"]
        heads += ["at least, proved"] if tubes else []
        found = [
            Table(
                name="events",
                title="Events, from above",
                columns=tuple(Column(name=n) for n in names),
                rows=tuple(events),
            ),
            Table(
                name="intervals",
                title="Between the events",
                columns=tuple(Column(name=n) for n in heads),
                rows=tuple(rows),
            ),
        ]
        if tubes:
            ranges: list[tuple[Cell, ...]] = [
                (k, b.pieces, p.index, b.copies, p.low[: _SHOWN + 2], p.high[: _SHOWN + 2])
                for k, b in enumerate(answer.branches)
                for p in b.proved
            ]
            parts = ("branch", "pieces of its tube", "index", "copies", "from", "to")
            found.append(
                Table(
                    name="tubes",
                    title="Proved: one stationary point of this index for every parameter",
                    columns=tuple(Column(name=n) for n in parts),
                    rows=tuple(ranges),
                )
            )
        if answer.maxwell:
            ties: list[tuple[Cell, ...]] = [
                (m.value[: _SHOWN + 2], m.certified, m.loss[: _SHOWN + 2], _pair(m), m.lowest) for m in answer.maxwell
            ]
            columns = (answer.parameter, "certified", "loss", "branches", "lowest of all")
            found.append(
                Table(
                    name="maxwell",
                    title="Minima of equal loss",
                    columns=tuple(Column(name=n) for n in columns),
                    rows=tuple(ties),
                )
            )
        return tuple(found)

    def figures(self, answer: Follow, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures.bifurcation import branch_figure, diagram_figure, staircase_figure

        lines = [(b.parameter, b.loss, b.index) for b in answer.branches]
        marks = [(float(e.value), float(e.loss), e.kind) for e in answer.events]
        steps = [(float(i.low), float(i.high), i.counts) for i in answer.intervals]
        # The branch on which the index changes most often shows most.
        shown = max(answer.branches, key=lambda b: sum(x != y for x, y in pairwise(b.index)))
        return {
            "branch": Picture(
                figure=branch_figure(shown.parameter, shown.lowest, answer.parameter),
                caption="The lowest eigenvalues of the Hessian along one branch; one that passes zero is an event.",
            ),
            "bifurcation": Picture(
                figure=diagram_figure(lines, marks, answer.parameter, [b.certified for b in answer.branches]),
                caption=r"Loss of every class against $\lambda$; full lines are minima, marks are events"
                + (", bands are proved." if any(b.pieces for b in answer.branches) else "."),
            ),
            "staircase": Picture(
                figure=staircase_figure(steps, answer.parameter),
                caption=r"Classes of every index against $\lambda$.",
            ),
        }


_SHOWN = 17
"""Characters of a number in a table."""


def _pair(tie: Maxwell) -> str:
    return " and ".join(str(m.branch) for m in tie.classes)


def _first(answer: Follow) -> str:
    """Which classes meet first as the data move away from the given ones."""
    if answer.parameter != "t" or not answer.events:
        return ""
    event = min(answer.events, key=lambda e: float(e.value))
    branches = sorted({m.branch for m in event.classes})
    met = sorted({n for b in branches for n in answer.branches[b].classes})
    whose = f" on the branches of classes {', '.join(map(str, met))}" if met else ""
    return f" The first event from t = {answer.low} is a {event.kind} at {float(event.value):.10g}{whose}."


def _persisting(answer: Follow) -> str:
    """What the tubes prove."""
    if not any(b.pieces for b in answer.branches):
        return ""
    whole = sum(i.certified is not None and i.at_least == i.counts for i in answer.intervals)
    gaps = sum(len(b.gaps) for b in answer.branches)
    text = (
        f" {sum(b.pieces for b in answer.branches)} pieces of tubes prove branches; in {whole} of "
        f"{len(answer.intervals)} intervals all classes that were counted exist for every {answer.parameter}"
    )
    return f"{text}; {gaps} gaps." if gaps else f"{text}."


def _monotone(answer: Follow) -> str:
    """Whether the number of minima falls as the parameter grows, as found."""
    totals = [sum(i.counts) for i in answer.intervals]
    rises = [i.low for i, a, b in zip(answer.intervals[1:], totals, totals[1:], strict=False) if b > a]
    if not rises:
        return f"The number of classes never grows with {answer.parameter}."
    places = ", ".join(f"{float(x):.6g}" for x in rises)
    return f"The number of classes is not monotone: it grows with {answer.parameter} at {places}."


QUESTION = _Follow()
