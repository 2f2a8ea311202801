"""What the question `follow` computes with: the range, the diagram, its events certified, and the answer's records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import log
from typing import Any

import numpy as np
from flint import arb

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
from symland.analysis.question import Setting
from symland.errors import DatabaseError, SpecError
from symland.exact import need_float64, parse_exact
from symland.explore import explore
from symland.families.diagram import Diagram, Event, Kind
from symland.families.extended import PENALTY, Certified, Parameter, Problem, certify_event, certify_tie, text_of
from symland.families.family import Family, PenaltyFamily
from symland.families.line import DataFamily, common_group, parse_moves
from symland.families.maxwell import Tie, ties
from symland.families.persisting import Persisting
from symland.families.trace import Curve, End
from symland.families.tubes import Tube, prove_curve
from symland.families.writing import event_values, tube_values
from symland.landscape.account import Counts
from symland.landscape.landscape import Landscape
from symland.program.balls import working_precision
from symland.records import FloatArray, Outcome, Verdict
from symland.rigor.decimals import exact_decimal, outward_texts
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["follow_penalty"]

HIGHEST = 1.0
"""Penalty up to which branches are followed where no end is given, or ten times that of the landscape."""

LOWEST = "1e-6"
"""Penalty down to which branches are followed where no end is given."""

BEYOND = 1e-9
"""How far beyond its ends a range is followed, in units of ln lambda or t."""

SAME_PLACE = 1e-9
"""Middles of intervals that differ by less, in units of ln lambda or t, are one."""

LOWEST_EIGENVALUES = 6
"""Eigenvalues that are kept of each station of a branch."""

MOST_DIGITS = 1000
"""Digits of an event that can be asked for."""

RANGE_SLACK = 1e-14
"""What a range is written shorter than a tube proves it, in units of ln lambda: readers may round in another way."""

READER = 8
"""How many times wider the ball of an end of such a range may be for a reader."""

RANGE_DIGITS = 24
"""Decimal places of the ends of a range that a tube proves."""

SHOWN_DIGITS = 20
"""Significant digits of losses and parameters of a network."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Range:
    """What is followed: a family, its symmetries, the exact problem, where it starts, and the ends asked for."""

    name: str
    family: Family
    group: SymmetryGroup
    problem: Problem
    start: float
    low: float
    high: float
    texts: tuple[str, ...]
    open: bool


def _choose(landscape: Landscape, options: FollowOptions) -> _Range:
    spec = landscape.spec
    if not options.move:
        family = PenaltyFamily(spec)
        texts = (options.from_ or LOWEST, options.to)
        low, high = _penalties(texts, float(spec.penalty))
        return _Range(
            name="lambda",
            family=family,
            group=landscape.group,
            problem=Problem(spec=spec),
            start=log(float(spec.penalty)),
            low=low,
            high=high,
            texts=texts,
            open=not options.to,
        )
    PenaltyFamily.need(spec)
    line = parse_moves(spec, options.move)
    texts = (options.from_ or "0", options.to or "1")
    exact = [parse_exact(text, name) for text, name in zip(texts, ("--from", "--to"), strict=True)]
    for value, name in zip(exact, ("--from", "--to"), strict=True):
        need_float64(value, name)
    ends = [float(value) for value in exact]
    if not (0 <= min(ends) < max(ends) <= 1):
        raise SpecError.at(
            "--from, --to", " and ".join(texts), "write two numbers from 0 to 1: --move goes from t = 0 to 1"
        )
    return _Range(
        name="t",
        family=DataFamily(line),
        group=common_group(line),
        problem=Problem(spec=spec, parameter=Parameter(name="x", cells=line.cells)),
        start=0.0,
        low=min(ends),
        high=max(ends),
        texts=texts,
        open=False,
    )


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
    chosen = _choose(landscape, options)
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
    new = _search(diagram, options, setting)
    events = sorted((e for e in diagram.events if low <= e.mu <= high), key=lambda e: -e.mu)
    proofs = [
        certify_event(chosen.problem, chosen.group, e, chosen.family.parameter(e.mu), options.digits) for e in events
    ]
    setting.listener.advance(f"{sum(p is not None for p in proofs)} of {len(events)} events certified")
    followed = tuple(_event(chosen, diagram, e, p, options.digits) for e, p in zip(events, proofs, strict=True))
    tubes = _tubes(chosen, diagram, options, setting)
    intervals = _intervals(diagram, events, followed, chosen, tubes)
    setting.listener.advance(f"{len(intervals)} intervals")
    level = tuple(_maxwell(diagram, chosen.problem, t, options.digits) for t in ties(diagram) if low <= t.mu <= high)
    return Follow(
        parameter=chosen.name,
        low=intervals[0].low,
        high=intervals[-1].high,
        events=followed,
        maxwell=level,
        intervals=intervals,
        branches=tuple(_branch(diagram, k, start, landscape, tubes) for k in range(len(diagram.curves))),
        found_anew=new,
        verdict=_verdict(followed, intervals, tubes),
    )


def _penalties(texts: tuple[str, str], penalty: float) -> tuple[float, float]:
    """ln of the two ends."""
    ends = []
    for name, text in zip(("--from", "--to"), texts, strict=True):
        if not text:
            continue
        value = parse_exact(text, name)
        need_float64(value, name)
        if not value > 0:
            raise SpecError.at(
                name, f"{text} is not above 0", "write a positive penalty such as 1e-4: at 0 the loss has no minimum"
            )
        ends.append(log(float(value)))
    if len(ends) < 2:
        ends.append(max(log(HIGHEST), log(10 * penalty), ends[0] + 1.0))
    if ends[0] == ends[1]:
        raise SpecError.at("--to", texts[1], "write another end than --from: the range is empty")
    return min(ends), max(ends)


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


def _search(diagram: Diagram, options: FollowOptions, setting: Setting) -> int:
    """Search anew between events until a whole round finds nothing, from where an interrupted run stopped."""
    if not options.searches:
        return 0
    done: list[float] = []
    total = 0
    request = {"move": list(options.move or ()), "searches": options.searches, "bounds": list(diagram.bounds)}
    state = setting.state if isinstance(setting.state, dict) and setting.state.get("request") == request else None
    looked: list[dict[str, Any]] = list(state["looked"]) if state else []

    def look(mu: float, known: FloatArray) -> Sequence[FloatArray]:
        for past in looked:
            if abs(past["mu"] - mu) < SAME_PLACE:
                return [np.array(theta) for theta in past["new"]]
        given = known if len(known) else None
        found = explore(diagram.family.at(mu), diagram.group, given=given, max_searches=options.searches)
        points = [p.theta for p in found.points if p.outcome is Outcome.CONVERGED]
        new = [p for p in points if not any(diagram.group.match(p, other) is not None for other in known)]
        looked.append({"mu": mu, "new": [p.tolist() for p in new]})
        setting.keep({"request": request, "looked": list(looked)})
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


def _value_texts(proof: Certified | None, mu: float, diagram: Diagram, digits: int) -> tuple[str, int]:
    if proof is None:
        return repr(diagram.family.parameter(mu)), 0
    return text_of(proof.value, digits)


def _bounds(x: arb) -> tuple[str, str]:
    with working_precision(128):
        return outward_texts(x, SHOWN_DIGITS)


def _event(chosen: _Range, diagram: Diagram, event: Event, proof: Certified | None, digits: int) -> FollowedEvent:
    value, sure = _value_texts(proof, event.mu, diagram, digits)
    loss = repr(float(diagram.family.value(event.theta[None], np.array([event.mu]))[0]))
    theta = tuple(exact_decimal(float(x)) for x in event.theta)
    if proof is not None:
        with working_precision(256):
            loss = text_of(proof.loss, min(digits, SHOWN_DIGITS))[0]
            theta = tuple(text_of(x, SHOWN_DIGITS)[0] if not x.contains(0) else "0" for x in proof.theta)
    element = event.broken
    return FollowedEvent(
        kind=event.kind.value,
        value=value,
        digits=sure,
        certified=proof is not None,
        loss=loss,
        index=event.index if proof is None else proof.index,
        classes=_meetings(diagram, event),
        dead_nodes=_dead_nodes(diagram, event),
        broken="" if element is None else f"data {element.data}, places {element.places}, signs {element.signs}",
        degree=None if proof is None else _bounds(proof.degree),
        transversal=None if proof is None else _bounds(proof.transversal),
        theta=theta,
        certificate=_certificate(chosen, event, proof),
    )


def _copies(diagram: Diagram, elements: int) -> int:
    return diagram.group.formal_order // elements


def _meetings(diagram: Diagram, event: Event) -> tuple[Meeting, ...]:
    """The sheets that meet: those of the curve on which the event was found, and the branches that leave it."""
    group = diagram.group
    found = []
    for number, curve in enumerate(diagram.curves):
        if len(curve.elements) == len(event.elements) and _passes(diagram, curve, event):
            copies = _copies(diagram, len(curve.elements))
            found += [Meeting(branch=number, index=k, copies=copies) for k in (event.before, event.after)]
            break
    if event.kind is Kind.FOLD:
        return tuple(found)
    for number, curve in enumerate(diagram.curves):
        for how, near, end in (
            (curve.first, curve.stations[1], curve.stations[0]),
            (curve.last, curve.stations[-2], curve.stations[-1]),
        ):
            same = how is End.MERGED and abs(end.mu - event.mu) < 1e-4
            if same and group.match(end.theta, event.theta, 1e-3) is not None:
                found.append(Meeting(branch=number, index=near.index, copies=_copies(diagram, len(curve.elements))))
    return tuple(found)


def _passes(diagram: Diagram, curve: Curve, event: Event) -> bool:
    """Whether a curve goes through the point of an event, up to symmetry."""
    reach = 0.2
    for a, b in pairwise(curve.stations):
        if min(abs(a.mu - event.mu), abs(b.mu - event.mu)) > reach:
            continue
        turn = (a.tangent[-1] > 0) != (b.tangent[-1] > 0)
        if (a.index, b.index) not in ((event.before, event.after), (event.after, event.before)):
            continue
        if turn != (event.kind is Kind.FOLD):
            continue
        size = float(np.linalg.norm(np.append(b.theta - a.theta, b.mu - a.mu)))
        if min(abs(a.mu - event.mu), abs(b.mu - event.mu)) > 2 * size:
            continue
        if diagram.group.match(a.theta, event.theta, size) is not None:
            return True
    return False


def _dead_nodes(diagram: Diagram, event: Event) -> int:
    """Hidden nodes of one layer that have no incoming and outgoing weights at the event and gain some along it."""
    if event.kind is Kind.FOLD:
        return 0
    layout, dead = diagram.group.layout, 0
    for layer, width in enumerate(layout.widths[1:-1], start=1):
        into, out = layout.weight(layer), layout.weight(layer + 1)
        for node in range(width):
            columns = node + out.shape[1] * np.arange(out.shape[0]) + out.offset
            rows = into.offset + node * into.shape[1] + np.arange(into.shape[1])
            places = np.concatenate([rows, columns])
            still = float(np.abs(event.theta[places]).max()) < 1e-6
            dead += still and float(np.abs(event.direction[places]).max()) > 1e-3
    return dead


def _intervals(
    diagram: Diagram,
    events: Sequence[Event],
    followed: Sequence[FollowedEvent],
    chosen: _Range,
    tubes: Sequence[Tube],
) -> tuple[Interval, ...]:
    """From below: counts in the middle of each interval, and what the tubes prove for all of it."""
    persisting = Persisting(diagram, [tube.sheets() for tube in tubes]) if tubes else None
    texts = {e.mu: f.value for e, f in zip(events, followed, strict=True)}
    places = sorted({chosen.low, *texts, chosen.high})
    names = [_end_text(chosen, mu, texts) for mu in places]
    found = []
    for (low, high), (below, above) in zip(pairwise(places), pairwise(names), strict=True):
        counts = Counts.of([h.point for h in diagram.points_at(0.5 * (low + high))])
        # Above the last event an open end stands for every larger penalty.
        open_end = high == chosen.high and chosen.open and counts.classes == (1,)
        found.append(
            Interval(
                low=below,
                high="inf" if open_end else above,
                counts=counts.classes,
                copies=counts.copies,
                morse_sum=counts.morse_sum,
                proved=False,
                **_at_least(persisting, low, high, below, above),
            )
        )
    return tuple(found)


def _at_least(persisting: Persisting | None, low: float, high: float, below: str, above: str) -> dict[str, Any]:
    """The fields of an interval that the tubes give."""
    found = persisting.between(low, high) if persisting is not None else None
    if found is None:
        return {}
    with working_precision(128):
        first = max(Fraction(_inward(found.low, found.high)[0]), Fraction(below))
        last = min(Fraction(_inward(found.low, found.high)[1]), Fraction(above))
    texts = [exact_decimal(x) for x in (first, last)]
    return {"at_least": found.classes, "copies_at_least": found.copies, "certified": (texts[0], texts[1])}


def _inward(low: arb, high: arb) -> tuple[str, str]:
    """Texts of two penalties inside of the range of mu between two balls."""
    inside = [RANGE_SLACK + READER * x.rad() for x in (low, high)]
    first, last = (low.mid() + inside[0]).exp(), (high.mid() - inside[1]).exp()
    return outward_texts(first, RANGE_DIGITS)[1], outward_texts(last, RANGE_DIGITS)[0]


def _tubes(chosen: _Range, diagram: Diagram, options: FollowOptions, setting: Setting) -> list[Tube]:
    """The tubes of all branches, where they are asked for."""
    if not options.tubes:
        return []
    if chosen.problem.parameter is not PENALTY:
        raise SpecError.at("--tubes", "with --move", "leave one of them out: tubes are made of branches in the penalty")
    found = []
    for number, curve in enumerate(diagram.curves):
        setting.listener.advance(f"tube of branch {number}", number, len(diagram.curves))
        found.append(prove_curve(diagram, chosen.problem.spec, curve))
    return found


def _end_text(chosen: _Range, mu: float, texts: dict[float, str]) -> str:
    if mu in texts:
        return texts[mu]
    for text in filter(None, chosen.texts):
        if chosen.family.coordinate(float(parse_exact(text, "--from"))) == mu:
            return text
    return f"{chosen.family.parameter(mu):.10g}"


def _certificate(chosen: _Range, event: Event, proof: Certified | None) -> dict[str, Any] | None:
    """The published form, which is one of events in the penalty."""
    if proof is None or chosen.problem.parameter is not PENALTY:
        return None
    return event_values(chosen.problem.spec, chosen.group, event, proof)


def _maxwell(diagram: Diagram, problem: Problem, tie: Tie, digits: int) -> Maxwell:
    curves = [diagram.curves[b] for b, _ in (tie.first, tie.second)]
    proof = certify_tie(
        problem,
        diagram.group,
        (tie.first[1], tie.second[1]),
        (curves[0].elements, curves[1].elements),
        diagram.family.parameter(tie.mu),
        digits,
    )
    value, sure = (repr(diagram.family.parameter(tie.mu)), 0) if proof is None else text_of(proof[0], digits)
    loss = repr(tie.loss) if proof is None else text_of(proof[1], min(digits, SHOWN_DIGITS))[0]
    return Maxwell(
        value=value,
        digits=sure,
        certified=proof is not None,
        loss=loss,
        classes=tuple(
            Meeting(branch=b, index=0, copies=_copies(diagram, len(c.elements)))
            for (b, _), c in zip((tie.first, tie.second), curves, strict=True)
        ),
        lowest=tie.lowest,
    )


def _branch(diagram: Diagram, number: int, start: float, landscape: Landscape, tubes: Sequence[Tube]) -> Branch:
    curve = diagram.curves[number]
    theta, mu = np.array([s.theta for s in curve.stations]), np.array([s.mu for s in curve.stations])
    spectra = np.linalg.eigvalsh(diagram.family.derivatives(theta, mu)[1])
    held = [landscape.find(h.point.theta) for h in diagram.points_at(start) if h.branch == number]
    return Branch(
        isotropy=len(curve.elements),
        copies=_copies(diagram, len(curve.elements)),
        classes=tuple(sorted(n for n in held if n is not None)),
        start=curve.first.value,
        end=curve.last.value,
        parameter=tuple(diagram.family.parameter(float(x)) for x in mu),
        loss=tuple(diagram.family.value(theta, mu).tolist()),
        norm=tuple(np.linalg.norm(theta, axis=1).tolist()),
        index=tuple(s.index for s in curve.stations),
        lowest=tuple(map(tuple, spectra[:, :LOWEST_EIGENVALUES].tolist())),
        **(_proof(diagram, curve, tubes[number]) if tubes else {}),
    )


def _proof(diagram: Diagram, curve: Curve, tube: Tube) -> dict[str, Any]:
    """The fields of a branch that its tube gives."""
    sheets = tube.sheets()
    with working_precision(128):
        ranges = [_inward(s.low, s.high) for s in sheets]
    return {
        "pieces": tube.pieces,
        "proved": tuple(Proved(low=a, high=b, index=s.index) for (a, b), s in zip(ranges, sheets, strict=True)),
        "gaps": tube.gaps,
        "certified": tuple(
            any(s.low < at.mu and s.high > at.mu and s.index == at.index for s in sheets) for at in curve.stations
        ),
        "tube": tube_values(diagram, curve, tube),
    }


def _verdict(events: Sequence[FollowedEvent], intervals: Sequence[Interval], tubes: Sequence[Tube]) -> Verdict:
    if any(i.morse_sum != 1 for i in intervals):
        return Verdict.REFUTED
    held = all(e.certified for e in events) and not any(tube.gaps for tube in tubes)
    return Verdict.CERTIFIED if held else Verdict.UNDECIDED
