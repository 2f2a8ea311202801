"""The bifurcation diagram of a landscape, searched anew between its events, with its tubes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symland.analysis.answer_types.follow import Follow, FollowOptions
from symland.analysis.branches.chosen import Chosen, choose
from symland.analysis.branches.records import branch_record, event_record, interval_records, maxwell_record, verdict_of
from symland.analysis.question import Setting
from symland.errors import DatabaseError, SpecError
from symland.explore import explore
from symland.families.covering import cover
from symland.families.diagram import Diagram
from symland.families.extended import certify_event
from symland.families.maxwell import ties
from symland.families.tubes import Tube
from symland.landscape.landscape import Landscape
from symland.records import FloatArray, Outcome, Verdict
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["follow_penalty"]

BEYOND = 1e-9
"""How far beyond its ends a range is followed, in units of ln lambda or t."""

SAME_PLACE = 1e-9
"""Middles of intervals that differ by less, in units of ln lambda or t, are one."""

MOST_DIGITS = 1000
"""Digits of an event that can be asked for."""


def _starts(landscape: Landscape, group: SymmetryGroup) -> list[FloatArray]:
    """Representatives of the classes under a smaller group: images under the data automorphisms that it lacks."""
    whole = landscape.group
    found = [p.theta for p in landscape.points]
    if len(group.data_automorphisms) == len(whole.data_automorphisms):
        return found
    still = whole.identity
    turned: list[FloatArray] = []
    for theta in found:
        for number in range(len(whole.data_automorphisms)):
            element = GroupElement(data=number, places=still.places, signs=still.signs)
            image = whole.apply(element, theta)
            if not any(group.match(image, other) is not None for other in turned):
                turned.append(image)
    return turned


def follow_penalty(landscape: Landscape, options: FollowOptions, setting: Setting) -> Follow:
    """The bifurcation diagram in the penalty, or along a line of data sets.

    Raises
    ------
    SpecError, DatabaseError
        With one line, for a range that is none and a list that is known not to be complete.
    """
    spec = landscape.explored().spec
    chosen = choose(landscape, options)
    low, high, start = chosen.low, chosen.high, chosen.start
    if not 1 <= options.digits <= MOST_DIGITS:
        raise SpecError.at("--digits", str(options.digits), f"write 1 to {MOST_DIGITS}")
    if options.searches < 0:
        raise SpecError.at("--searches", str(options.searches), "write 0 or more")
    _need_complete(landscape)
    # A branch that ends within the bounds by a rounding would not be seen at them.
    bounds = (min(low, start) - BEYOND, max(high, start) + BEYOND)
    diagram = Diagram(family=chosen.family, group=chosen.group, bounds=bounds)
    diagram.add_points(_starts(landscape, chosen.group), start)
    setting.listener.advance(f"{len(diagram.curves)} branches, {len(diagram.events)} events")
    missed = [h for h in diagram.points_at(start) if landscape.find(h.point.theta) is None]
    if missed:
        raise DatabaseError(
            f"{spec.name}: the list lacks a class of loss {missed[0].point.loss:.10g} that a branch leads to; "
            "run `symland explore` again until it is complete"
        )
    kept = _Kept.of(diagram, options, setting)
    new = _search(diagram, options, setting, kept)
    events = sorted((e for e in diagram.events if low <= e.mu <= high), key=lambda e: -e.mu)
    proofs = [
        certify_event(chosen.problem, chosen.group, e, chosen.family.parameter(e.mu), options.digits) for e in events
    ]
    setting.listener.advance(f"{sum(p is not None for p in proofs)} of {len(events)} events certified")
    followed = tuple(event_record(chosen, diagram, e, p, options.digits) for e, p in zip(events, proofs, strict=True))
    tubes = _tubes(chosen, diagram, options, setting, kept)
    intervals = interval_records(diagram, events, followed, chosen, tubes)
    setting.listener.advance(f"{len(intervals)} intervals")
    level = [t for t in ties(diagram) if low <= t.mu <= high]
    return Follow(
        parameter=chosen.name,
        low=intervals[0].low,
        high=intervals[-1].high,
        events=followed,
        maxwell=tuple(maxwell_record(diagram, chosen.problem, t, options.digits) for t in level),
        intervals=intervals,
        branches=tuple(branch_record(diagram, k, start, landscape, tubes) for k in range(len(diagram.curves))),
        found_anew=new,
        verdict=verdict_of(followed, intervals, tubes),
    )


def _need_complete(landscape: Landscape) -> None:
    counts = landscape.account.counts
    spec = landscape.spec
    if landscape.partial:
        raise DatabaseError(f"{spec.name}: {landscape.partial}; run `symland explore` first")
    if any(p.outcome is Outcome.DEGENERATE for p in landscape.points):
        raise DatabaseError(f"{spec.name}: a class is degenerate at lambda = {spec.penalty}; explore another penalty")
    if counts.morse is Verdict.REFUTED:
        raise DatabaseError(
            f"{spec.name}: the list is not complete (Morse sum {counts.morse_sum}, not 1); run `symland explore` again"
        )


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What an interrupted run goes on from: points found anew between events, and the pieces of covered curves."""

    setting: Setting
    request: dict[str, Any]
    looked: list[dict[str, Any]]
    tubes: dict[str, Any]

    @staticmethod
    def of(diagram: Diagram, options: FollowOptions, setting: Setting) -> _Kept:
        request = {"move": list(options.move or ()), "searches": options.searches, "bounds": list(diagram.bounds)}
        state = setting.state if isinstance(setting.state, dict) and setting.state.get("request") == request else {}
        return _Kept(
            setting=setting,
            request=request,
            looked=list(state.get("looked", ())),
            tubes=dict(state.get("tubes", {})),
        )

    def keep(self) -> None:
        self.setting.keep({"request": self.request, "looked": list(self.looked), "tubes": dict(self.tubes)})


def _search(diagram: Diagram, options: FollowOptions, setting: Setting, kept: _Kept) -> int:
    """Search anew between events until a whole round finds nothing, from where an interrupted run stopped."""
    if not options.searches:
        return 0
    done: list[float] = []
    total = 0

    def look(mu: float, known: FloatArray) -> Sequence[FloatArray]:
        for past in kept.looked:
            if abs(past["mu"] - mu) < SAME_PLACE:
                return [np.array(theta) for theta in past["new"]]
        given = known if len(known) else None
        found = explore(diagram.family.at(mu), diagram.group, given=given, max_searches=options.searches)
        points = [p.theta for p in found.points if p.outcome is Outcome.CONVERGED]
        new = [p for p in points if not any(diagram.group.match(p, other) is not None for other in known)]
        kept.looked.append({"mu": mu, "new": [p.tolist() for p in new]})
        kept.keep()
        return new

    while True:
        gaps = [g for g in diagram.gaps() if not any(g[0] < mu < g[1] for mu in done)]
        if not gaps:
            return total
        for number, (low, high) in enumerate(gaps):
            middle = 0.5 * (low + high)
            known = diagram.points_at(middle)
            new = diagram.add_points(look(middle, np.array([h.point.theta for h in known])), middle)
            total += new
            done.append(middle)
            setting.listener.advance(
                f"searched anew at {diagram.family.parameter(middle):.4g}: {new} new", number + 1, len(gaps)
            )


def _tubes(chosen: Chosen, diagram: Diagram, options: FollowOptions, setting: Setting, kept: _Kept) -> list[Tube]:
    """The tubes of all branches, where they are asked for."""
    if not options.tubes:
        return []

    def keep(key: str, values: dict[str, Any]) -> None:
        kept.tubes[key] = values
        kept.keep()

    return cover(
        chosen.problem.spec,
        diagram.group,
        diagram.curves,
        kept=kept.tubes,
        keep=keep,
        told=lambda done: setting.listener.advance("tubes of branches", done, len(diagram.curves)),
        executor=setting.executor,
    )
