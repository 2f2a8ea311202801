"""The answer of the question `follow`, record by record."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import arb

from symland.analysis.answer_types.follow import Branch, FollowedEvent, Interval, Maxwell, Meeting, Proved
from symland.analysis.branches.chosen import Chosen
from symland.analysis.branches.meetings import born_nodes, copies_of, meetings_of
from symland.exact import parse_exact
from symland.families.diagram import Diagram, Event
from symland.families.extended import PENALTY, Certified, Problem, certify_tie, text_of
from symland.families.maxwell import Tie
from symland.families.persisting import Persisting
from symland.families.trace import Curve
from symland.families.tubes import Tube
from symland.families.writing import event_values, tube_values
from symland.landscape.account import Counts
from symland.landscape.landscape import Landscape
from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor.decimals import exact_decimal, outward_texts

__all__ = ["branch_record", "event_record", "interval_records", "maxwell_record", "verdict_of"]

LOWEST_EIGENVALUES = 6
"""Eigenvalues that are kept of each station of a branch."""

RANGE_SLACK = 1e-14
"""What a range is written shorter than a tube proves it, in units of ln lambda: readers may round in another way."""

READER = 8
"""How many times wider the ball of an end of such a range may be for a reader."""

RANGE_DIGITS = 24
"""Decimal places of the ends of a range that a tube proves."""

SHOWN_DIGITS = 20
"""Significant digits of losses and parameters of a network."""


def _value_texts(proof: Certified | None, mu: float, diagram: Diagram, digits: int) -> tuple[str, int]:
    if proof is None:
        return repr(diagram.family.parameter(mu)), 0
    return text_of(proof.value, digits)


def _bounds(x: arb) -> tuple[str, str]:
    with working_precision(128):
        return outward_texts(x, SHOWN_DIGITS)


def event_record(chosen: Chosen, diagram: Diagram, event: Event, proof: Certified | None, digits: int) -> FollowedEvent:
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
        classes=meetings_of(diagram, event),
        dead_nodes=born_nodes(diagram, event),
        broken="" if element is None else f"data {element.data}, places {element.places}, signs {element.signs}",
        degree=None if proof is None else _bounds(proof.degree),
        transversal=None if proof is None else _bounds(proof.transversal),
        theta=theta,
        certificate=_certificate(chosen, event, proof),
    )


def interval_records(
    diagram: Diagram,
    events: Sequence[Event],
    followed: Sequence[FollowedEvent],
    chosen: Chosen,
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


def _end_text(chosen: Chosen, mu: float, texts: dict[float, str]) -> str:
    if mu in texts:
        return texts[mu]
    for text in filter(None, chosen.texts):
        if chosen.family.coordinate(float(parse_exact(text, "--from"))) == mu:
            return text
    return f"{chosen.family.parameter(mu):.10g}"


def _certificate(chosen: Chosen, event: Event, proof: Certified | None) -> dict[str, Any] | None:
    """The published form, which is one of events in the penalty."""
    if proof is None or chosen.problem.parameter is not PENALTY:
        return None
    return event_values(chosen.problem.spec, chosen.group, event, proof)


def maxwell_record(diagram: Diagram, problem: Problem, tie: Tie, digits: int) -> Maxwell:
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
            Meeting(branch=b, index=0, copies=copies_of(diagram, len(c.elements)))
            for (b, _), c in zip((tie.first, tie.second), curves, strict=True)
        ),
        lowest=tie.lowest,
    )


def branch_record(diagram: Diagram, number: int, start: float, landscape: Landscape, tubes: Sequence[Tube]) -> Branch:
    curve = diagram.curves[number]
    theta, mu = np.array([s.theta for s in curve.stations]), np.array([s.mu for s in curve.stations])
    spectra = np.linalg.eigvalsh(diagram.family.derivatives(theta, mu)[1])
    held = [landscape.find(h.point.theta) for h in diagram.points_at(start) if h.branch == number]
    return Branch(
        isotropy=len(curve.elements),
        copies=copies_of(diagram, len(curve.elements)),
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


def verdict_of(events: Sequence[FollowedEvent], intervals: Sequence[Interval], tubes: Sequence[Tube]) -> Verdict:
    if any(i.morse_sum != 1 for i in intervals):
        return Verdict.REFUTED
    held = all(e.certified for e in events) and not any(tube.gaps for tube in tubes)
    return Verdict.CERTIFIED if held else Verdict.UNDECIDED
