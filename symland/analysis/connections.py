"""Question: which minima do the transition states join, and does a way lead from every one to every other?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Question, Setting
from symland.records import Outcome, Verdict

if TYPE_CHECKING:
    from symland.explore.pathways import Connections as Found
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "Connections", "ConnectionsOptions", "LostBranch", "connections_of"]


class LostBranch(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """A branch of a transition state that did not arrive anywhere; the outcome says why."""

    number: int
    sign: int
    outcome: str


class Connections(msgspec.Struct, frozen=True, kw_only=True):
    """How a list of classes hangs together.

    Attributes
    ----------
    pathways, on_saddles, descents : int
        Pathways, those of them that end on a saddle, and descents from such saddles.
    lost : tuple of LostBranch
    components : int
        Parts into which the minima fall.
    on_families : int
        Branches that end on a family of stationary points or run away to infinity: they arrive, but at no class.
    """

    pathways: int
    lost: tuple[LostBranch, ...] = ()
    on_saddles: int = 0
    descents: int = 0
    components: int = 1
    on_families: int = 0


@dataclass(frozen=True, kw_only=True)
class ConnectionsOptions:
    """How hard to try."""

    attempts: Annotated[int, "Double-ended searches between minima that stay apart, at most."] = 20


@final
class _Connections(Question[ConnectionsOptions, Connections]):
    name: ClassVar[str] = "connections"
    help: ClassVar[str] = "Follow every transition state down both sides; count what does not arrive."
    options: ClassVar[type] = ConnectionsOptions
    answer: ClassVar[type] = Connections
    paragraph: ClassVar[str] = "pathways"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: ConnectionsOptions, setting: Setting = QUIET
    ) -> Connections:
        from symland.explore import bridge
        from symland.kernels import compile_kernel

        points = landscape.explored().points
        return connections_of(
            bridge(compile_kernel(landscape.spec), landscape.group, points, attempts=options.attempts)
        )

    def sentence(self, answer: Connections) -> str:
        parts = (
            "no part"
            if not answer.components
            else "one connected part"
            if answer.components == 1
            else f"{answer.components} parts that NO pathway joins"
        )
        lost = f"; {len(answer.lost)} branches of transition states did not arrive anywhere" if answer.lost else ""
        lost += f"; {answer.on_families} end on families or go to infinity" if answer.on_families else ""
        saddles = f", of which {answer.on_saddles} end on saddles" if answer.on_saddles else ""
        saddles += f"; {answer.descents} descents from saddles of index 2 or more" if answer.descents else ""
        return f"{answer.pathways} pathway{'' if answer.pathways == 1 else 's'}{saddles}; minima in {parts}{lost}."

    def verdict(self, answer: Connections) -> Verdict:
        return Verdict.UNDECIDED if answer.lost else Verdict.CERTIFIED


def connections_of(found: Found) -> Connections:
    """The answer that pathways give."""
    from symland.explore import components

    parts = components(found)
    elsewhere = (Outcome.DEGENERATE, Outcome.DIVERGED)
    return Connections(
        pathways=len(found.pathways),
        lost=tuple(
            LostBranch(number=b.transition_state, sign=b.sign, outcome=b.outcome.value)
            for b in found.lost
            if b.outcome not in elsewhere
        ),
        on_saddles=sum(found.ends_on_saddle(path) for path in found.pathways),
        descents=len(found.descents),
        components=len({int(root) for root, point in zip(parts, found.points, strict=True) if point.index == 0}),
        on_families=sum(branch.outcome in elsewhere for branch in found.lost),
    )


QUESTION = _Connections()
