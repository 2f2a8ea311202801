"""Certified events and tubes as JSON values: what a checker in `symland.rigor` proves again from the question alone."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

from flint import arb

from symland.families.diagram import Diagram, Event, Kind
from symland.families.extended import Certified
from symland.families.spaces import blocks, exact_basis
from symland.families.trace import Curve
from symland.families.tubes import Span, Tube
from symland.program.balls import working_precision
from symland.records import FloatArray
from symland.rigor.check_event import FORMAT
from symland.rigor.decimals import exact_decimal, nearest_text, outward_texts, parse_decimal, short_above
from symland.rigor.tube import Graph
from symland.spec import LandscapeSpec
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["TUBE_FORMAT", "event_values", "tube_values"]

TUBE_FORMAT = "symland-tube/1"

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
    return _sealed(values)


def _sealed(values: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return {**values, "seal": hashlib.sha256(text.encode()).hexdigest()}


def tube_values(diagram: Diagram, curve: Curve, tube: Tube) -> dict[str, Any] | None:
    """The tube of a branch; None where nothing of it is proved. Its numbers are float64 in their shortest text."""
    if not tube.runs:
        return None
    spec = tube.runs[0][0].proof.spec
    return _sealed(
        {
            "format": TUBE_FORMAT,
            "spec": spec.canonical(),
            "elements": [_element(diagram.group, e) for e in curve.elements],
            "basis": exact_basis(diagram.group, curve.elements),
            "blocks": blocks(diagram.group, curve.elements),
            "runs": [[_span(span) for span in run] for run in tube.runs],
        }
    )


def _texts(numbers: FloatArray) -> list[str]:
    return [repr(float(x)) for x in numbers]


def _span(span: Span) -> dict[str, Any]:
    proof = span.proof
    piece, chart = proof.piece, proof.piece.chart
    values: dict[str, Any] = {"kind": "graph", "mirror": _texts(chart.mirror), "length": repr(chart.length)}
    if isinstance(chart, Graph):
        values["start"] = repr(chart.start)
    else:
        values |= {"kind": "amplitude", "inside": chart.basis, "across": chart.across}
    return values | {
        "table": [_texts(row) for row in piece.table],
        "borders": [None if b.border is None else _texts(b.border) for b in piece.blocks],
        "rho": repr(piece.rho),
        "radius": repr(proof.radius),
        "unique": repr(proof.unique),
        "enter": repr(float(span.enter.mid())),
        "leave": repr(float(span.leave.mid())),
        "segments": [
            {"low": repr(s.low), "high": repr(s.high), "rising": s.rising, "index": s.index} for s in proof.segments
        ],
    }


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
