"""A certified event as JSON values: what `symland.rigor.check_event` proves again from the question alone."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

from flint import arb

from symland.families.diagram import Event, Kind
from symland.families.extended import Certified
from symland.program.balls import working_precision
from symland.rigor.check_event import FORMAT
from symland.rigor.decimals import exact_decimal, nearest_text, outward_texts, parse_decimal, short_above
from symland.spec import LandscapeSpec
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["event_values"]

SLACK = 4
"""The radius written, in units of the one proved: it leaves room for a reader whose enclosures are wider."""

SHOWN_PLACES = 18
"""Decimal places of the two numbers that exclude a degenerate event."""


def event_values(spec: LandscapeSpec, group: SymmetryGroup, event: Event, proof: Certified) -> dict[str, Any] | None:
    """The certificate of an event; None for a kind that has no published form."""
    if event.kind not in (Kind.FOLD, Kind.PITCHFORK):
        return None
    with working_precision(proof.bits):
        places = int(0.30103 * proof.bits) + 3
        radius = short_above(proof.radius * SLACK)
        centre = [nearest_text(x, places) for x in proof.centre]
        around = arb(parse_decimal(centre[-1])) + arb(0, 1) * arb(parse_decimal(radius)) * 2
        value = outward_texts(around, places + 2)
        degree = outward_texts(proof.degree, SHOWN_PLACES)
        transversal = outward_texts(proof.transversal, SHOWN_PLACES)
    d, elements = len(proof.inside), list(event.elements)
    values: dict[str, Any] = {
        "format": FORMAT,
        "spec": spec.canonical(),
        "kind": event.kind.value,
        "elements": [_element(group, e) for e in elements],
        "kept": [elements.index(e) for e in event.kept],
        "inside": proof.inside,
        "across": proof.across,
        "row": [exact_decimal(x) for x in proof.row],
        "z": centre[:d],
        "w": centre[d:-1],
        "penalty": centre[-1],
        "radius": str(Fraction(radius)) if "e" not in radius else radius,
        "value": list(value),
        "index": proof.index,
        "degree": list(degree),
        "transversal": list(transversal),
    }
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return {**values, "seal": hashlib.sha256(text.encode()).hexdigest()}


def _element(group: SymmetryGroup, element: GroupElement) -> dict[str, Any]:
    data = group.data_automorphisms[element.data]
    return {
        "inputs": list(data.inputs),
        "input_signs": list(data.input_signs),
        "outputs": list(data.outputs),
        "output_signs": list(data.output_signs),
        "places": [list(p) for p in element.places],
        "signs": [list(s) for s in element.signs],
    }
