"""What happens at an event: the branches that meet, and the nodes that come to life."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from symland.analysis.answer_types.follow import Meeting
from symland.families.diagram import Diagram, Event, Kind
from symland.families.trace import Curve, End

__all__ = ["born_nodes", "copies_of", "meetings_of"]


def copies_of(diagram: Diagram, elements: int) -> int:
    return diagram.group.formal_order // elements


def meetings_of(diagram: Diagram, event: Event) -> tuple[Meeting, ...]:
    """The sheets that meet: those of the curve on which the event was found, and the branches that leave it."""
    group = diagram.group
    found = []
    for number, curve in enumerate(diagram.curves):
        if len(curve.elements) == len(event.elements) and _passes(diagram, curve, event):
            copies = copies_of(diagram, len(curve.elements))
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
                found.append(Meeting(branch=number, index=near.index, copies=copies_of(diagram, len(curve.elements))))
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


def born_nodes(diagram: Diagram, event: Event) -> int:
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
