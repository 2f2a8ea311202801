"""Question: how do the classes change with the penalty? Branches, events, and counts in every interval."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.records import Verdict
from symland.tables import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "Branch", "Follow", "FollowOptions", "FollowedEvent", "Interval", "Maxwell", "Meeting"]


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """One of the sheets that meet at an event: its branch, its index there, and its labelled copies."""

    branch: int
    index: int
    copies: int


class FollowedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter at which the Hessian of a class is singular.

    Attributes
    ----------
    kind : str
        "fold", "pitchfork", "transcritical" or "unknown".
    value : str
        The parameter, of which `digits` significant digits are proved.
    certified : bool
        Whether the event is proved to exist, to be the only one in a box around it, and not to be degenerate.
    loss : str
    index : int
        Negative eigenvalues at the event; the vanishing ones are not counted.
    classes : tuple of Meeting
    dead_nodes : int
        Hidden nodes without weight at the event that live on the new branch: a node is born or dies there.
    broken : str
        The symmetry that the new branch lacks; empty at a fold.
    degree, transversal : tuple of two texts or None
        Enclosures of the numbers that say that the event is not degenerate: D^3E[v, v, v] and v . dgrad/dlambda at a
        fold; the reduced fourth derivative and the slope of the critical eigenvalue at a pitchfork. |v| = 1.
    theta : tuple of text
        The parameters of the network there.
    certificate : JSON values or None
        In the format symland-event/1, which `symland check` proves again.
    """

    kind: str
    value: str
    digits: int
    certified: bool
    loss: str
    index: int
    classes: tuple[Meeting, ...]
    dead_nodes: int
    broken: str
    degree: tuple[str, str] | None
    transversal: tuple[str, str] | None
    theta: tuple[str, ...]
    certificate: dict[str, Any] | None


class Maxwell(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter at which two minima have one loss; `lowest` where no minimum is lower."""

    value: str
    digits: int
    certified: bool
    loss: str
    classes: tuple[Meeting, ...]
    lowest: bool


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Between two events: classes and labelled copies by index. `high` is "inf" above the last event."""

    low: str
    high: str
    counts: tuple[int, ...]
    copies: tuple[int, ...]
    morse_sum: int
    proved: bool


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One branch, in the order in which it was followed.

    Attributes
    ----------
    isotropy : int
        Elements of the symmetry group that fix its points.
    copies : int
    classes : tuple of int
        The classes of the landscape that lie on it.
    start, end : str
        How its two ends came about.
    parameter, loss, norm : tuple of float
        At its stations: the parameter, the loss and |theta|_2.
    index : tuple of int
    lowest : tuple of tuples of float
        The lowest eigenvalues of the Hessian at each station, ascending.
    """

    isotropy: int
    copies: int
    classes: tuple[int, ...]
    start: str
    end: str
    parameter: tuple[float, ...]
    loss: tuple[float, ...]
    norm: tuple[float, ...]
    index: tuple[int, ...]
    lowest: tuple[tuple[float, ...], ...]


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """The bifurcation diagram over a range of a parameter."""

    parameter: str
    low: str
    high: str
    events: tuple[FollowedEvent, ...]
    maxwell: tuple[Maxwell, ...]
    intervals: tuple[Interval, ...]
    branches: tuple[Branch, ...]
    found_anew: int
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class FollowOptions:
    """In which parameter, over which range, and how exactly."""

    from_: Annotated[str, "One end of the range of the penalty (1e-6 if not given), or of t with --move (0)."] = ""
    to: Annotated[str, "The other end (1, or ten times the penalty of the landscape; 1 for t)."] = ""
    move: Annotated[
        list[str] | None, "ROW,COLUMN=NUMBER: follow an input to another value, t from 0 to 1; may be repeated."
    ] = None
    digits: Annotated[int, "Significant digits of the events."] = 20
    searches: Annotated[int, "Searches in each interval between events for families that are not joined to others."] = 1


@final
class _Follow(Question[FollowOptions, Follow]):
    name: ClassVar[str] = "follow"
    help: ClassVar[str] = "Follow every class in the penalty: branches, folds, pitchforks, and counts between them."
    options: ClassVar[type] = FollowOptions
    answer: ClassVar[type] = Follow
    version: ClassVar[int] = 2
    verb: ClassVar[bool] = True
    resumable: ClassVar[bool] = True
    section: ClassVar[str] = "How the landscape changes with the penalty"

    def ask(self, landscape: Landscape, *others: Landscape, options: FollowOptions, setting: Setting = QUIET) -> Follow:
        from symland.analysis.branches import follow_penalty

        return follow_penalty(landscape, options, setting)

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
        return f"{text}. {_monotone(answer)}"

    def tables(self, answer: Follow) -> tuple[Table, ...]:
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
            )
            for i in reversed(answer.intervals)
        ]
        heads = ("above", "below", "classes by index", "copies by index", "Morse sum", "proved")
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
                figure=diagram_figure(lines, marks, answer.parameter),
                caption=r"Loss of every class against $\lambda$; full lines are minima, marks are events.",
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


def _monotone(answer: Follow) -> str:
    """Whether the number of minima falls as the parameter grows, as found."""
    totals = [sum(i.counts) for i in answer.intervals]
    rises = [i.low for i, a, b in zip(answer.intervals[1:], totals, totals[1:], strict=False) if b > a]
    if not rises:
        return f"The number of classes never grows with {answer.parameter}."
    places = ", ".join(f"{float(x):.6g}" for x in rises)
    return f"The number of classes is not monotone: it grows with {answer.parameter} at {places}."


QUESTION = _Follow()
