"""The number of stationary points for every penalty of a range, slab by slab.

A slab is a closed interval of penalties. The box search runs on it with lambda an interval: what it closes holds no
solution for any penalty of the slab, and what is left must lie in regions around branches
(:mod:`symland.rigor.enumeration.regions`), each of which says how many points it holds. Boxes that are too narrow for
the width of the slab wait, and are handed to both halves of it: so most of space is searched once for a wide slab, and
narrow slabs see only the neighbourhood of the branches.

A slab with a fold or a pitchfork (:mod:`symland.rigor.enumeration.pitchfork_region`) has a region around it. Above or
below the event's penalty all of its points are nondegenerate, so that classes and copies do not change up to the end of
the slab, which it shares with a slab of tubes: their counts are those at this end.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from symland.errors import CertificateError, SpecError
from symland.records import Verdict
from symland.rigor.enumeration.atlas import Atlas, look
from symland.rigor.enumeration.by_theorem import first_penalty, origin_alone
from symland.rigor.enumeration.choices import first_choices
from symland.rigor.enumeration.kept import Piece, Slab, Work, size_of
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.rigor.enumeration.slabs import advance
from symland.rigor.enumeration.stretches import Stretch, covers, stretches_of
from symland.spec import LandscapeSpec

__all__ = ["RangeProgress", "RangeResult", "enumerate_range"]

KEEP_SECONDS = 30.0
"""Between two states kept while a range is searched."""
STATE_FORM = 5
"""Of a state's layout."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class RangeResult:
    """What was proved.

    Attributes
    ----------
    verdict : CERTIFIED when the stretches cover the range.
    low, high : the range; high is None where it has no upper end.
    stretches : from above; only where proved.
    slabs : from above; the proved ones.
    open : slabs that are not proved, and how many boxes are left in each.
    theorem : the theorem that covers what lies above ``theorem_from``, if it was used.
    """

    verdict: Verdict
    low: Fraction
    high: Fraction | None
    stretches: tuple[Stretch, ...]
    slabs: tuple[Slab, ...]
    open: tuple[tuple[Fraction, Fraction, int], ...]
    theorem: str | None
    theorem_from: Fraction | None
    boxes: int
    seconds: float
    digest: str


@dataclass(frozen=True, kw_only=True)
class RangeProgress:
    """How far a range is: slabs proved, waiting and open, and the share of ln lambda that is proved."""

    proved: int
    waiting: int
    open: int
    share: float


def enumerate_range(
    spec: LandscapeSpec,
    low: Fraction,
    high: Fraction | None,
    *,
    clock: Callable[[], float],
    budget_seconds: float = math.inf,
    progress: Callable[[RangeProgress], None] | None = None,
    state: Any = None,
    keep: Callable[[dict[str, Any]], None] | None = None,
) -> RangeResult:
    """Prove how many stationary points there are for every penalty from low to high; high None is infinity.

    Parameters
    ----------
    state : what `keep` was given by an earlier run; that of another question or range is left aside.
    keep : called with a state from which to go on, every KEEP_SECONDS, on Ctrl-C and at the end; JSON values only.

    Raises
    ------
    SpecError
        If the network is not of the kind that can be enumerated, or the range is none.
    CertificateError
        If a search loses a branch that is proved.
    """
    problem = reduced_problem(spec)
    if not low > 0 or (high is not None and not low < high):
        raise SpecError.at("--penalty-from, --penalty-to", f"{low} to {high}", "write two penalties, 0 < from < to")
    started = clock()
    above = first_penalty(problem)
    if high is None and above is None:
        raise SpecError.at("--penalty-to", "inf", "no theorem speaks of large penalties here; write a number")
    theorem = None
    top = high
    if above is not None and (high is None or high > above):
        proof = origin_alone(spec.with_(penalty=str(max(above, low))))
        if proof.verdict is Verdict.CERTIFIED:
            theorem, top = proof.theorem, max(above, low)
    if top is None:
        raise CertificateError("the theorem for large penalties is not decided; write a number for --penalty-to")
    work = Work(stack=[])
    if low < top:
        request = {"form": STATE_FORM, "data": _data_key(problem), "low": str(low), "top": str(top)}
        if isinstance(state, dict) and state.get("request") == request:
            work = Work.restored(problem, state["work"])
        else:
            work.stack.append(Piece(low, top, [first_choices(problem.slab(low, top))]))
        atlas = look(spec, problem, low, top) if work.stack else Atlas(problem)
        until, kept = started + budget_seconds, clock()
        while work.stack and clock() <= until:
            before = work.as_it_is()
            try:
                advance(atlas, problem, work, clock, min(until, kept + KEEP_SECONDS))
            except KeyboardInterrupt:
                if keep is not None:
                    keep({"request": request, "work": before.saved()})
                raise
            if clock() >= kept + KEEP_SECONDS:
                if keep is not None:
                    keep({"request": request, "work": work.saved()})
                kept = clock()
            if progress is not None:
                done = sum(math.log(s.high / s.low) for s in work.slabs) / math.log(top / low)
                progress(
                    RangeProgress(proved=len(work.slabs), waiting=len(work.stack), open=len(work.open), share=done)
                )
        if keep is not None:
            keep({"request": request, "work": work.saved()})
    slabs = sorted(work.slabs, key=lambda s: -s.low)
    left = sorted([*work.open, *((p.low, p.high, size_of([*p.tasks, *p.waiting])) for p in work.stack)], reverse=True)
    complete = not left and covers(slabs, low, top)
    text = repr([spec.digest, str(low), str(high), theorem, [(str(s.low), str(s.high), s.boxes) for s in slabs]])
    return RangeResult(
        verdict=Verdict.CERTIFIED if complete else Verdict.UNDECIDED,
        low=low,
        high=high,
        stretches=stretches_of(slabs, top if theorem else None, high),
        slabs=tuple(slabs),
        open=tuple(left),
        theorem=theorem,
        theorem_from=top if theorem else None,
        boxes=work.boxes,
        seconds=clock() - started,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _data_key(problem: ReducedProblem) -> str:
    """What a state is about, whatever the penalty of the specification."""
    return hashlib.sha256(repr([problem.design, problem.labels, problem.nodes]).encode()).hexdigest()
