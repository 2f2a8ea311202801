"""What an atlas shows, as JSON values: numbers are those of the database, digit for digit."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symland.analysis import QUESTIONS
from symland.analysis.answers import read_answers
from symland.codec import plain
from symland.errors import DatabaseError
from symland.exact import exact_text
from symland.expression import Node, parse_activation
from symland.landscape.database import Database
from symland.landscape.landscape import Landscape
from symland.landscape.tree import DisconnectivityTree
from symland.landscape.unfold import Copy
from symland.records import Verdict

__all__ = ["MOST_COPIES", "atlas_data"]

MOST_COPIES = 600
"""Labelled minima up to which the tree of copies is shown beside that of classes."""

LIVE = ("map", "follow")
"""Answers whose own values the page draws."""


def atlas_data(databases: Sequence[Database], *, figures: bool = True) -> dict[str, Any]:
    """The JSON values of a page: one entry for each database.

    Raises
    ------
    DatabaseError
        If a database holds no classes.
    """
    return {"format": "symland-atlas/1", "landscapes": [_landscape(database, figures) for database in databases]}


def _landscape(database: Database, figures: bool) -> dict[str, Any]:
    landscape = database.landscape().explored()
    spec, account = landscape.spec, landscape.account
    answers = read_answers(database)
    labels = {c.number: c.label for c in answers["labels"].classes} if "labels" in answers else {}
    return {
        "name": spec.name,
        "file": database.path.name,
        "spec": spec.canonical(),
        "digest": spec.digest,
        "penalty": exact_text(spec.penalty),
        "penalty_value": float(spec.penalty),
        "data": spec.data.name,
        "inputs": [[float(cell) for cell in row] for row in spec.data.inputs],
        "activation": _tree_of(parse_activation(spec.activation)),
        "blocks": [
            {"kind": b.kind, "layer": b.layer, "offset": b.offset, "shape": list(b.shape)} for b in spec.layout.blocks
        ],
        "parameters": list(spec.layout.names()),
        "wording": account.wording,
        "counts": list(account.counts.classes),
        "copies": list(account.counts.copies),
        "morse_sum": account.counts.morse_sum,
        "morse": account.counts.morse.value,
        "no_test": account.counts.no_test,
        "complete": account.complete.value,
        "classes": [_class(landscape, number, labels.get(number)) for number in range(len(landscape))],
        "pathways": [
            {"transition_state": p.transition_state, "minus": p.minus, "plus": p.plus} for p in landscape.pathways
        ],
        "trees": _trees(landscape),
        "answers": [_answer(landscape, answers, q, figures) for q in QUESTIONS if q.name in answers],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _class(landscape: Landscape, number: int, label: str | None) -> dict[str, Any]:
    point = landscape.points[number]
    certificate, refined = landscape.certificates.get(number), landscape.refined.get(number)
    return {
        "number": number,
        "index": point.index,
        "nullity": point.nullity,
        "outcome": point.outcome.name.lower(),
        "orbit": str(point.orbit_size),
        "loss": point.loss,
        "loss_text": repr(point.loss),
        "enclosure": landscape.enclosure(number),
        "gradient_norm": point.gradient_norm,
        "spectrum": [_number(w) for w in point.spectrum],
        "theta": [_number(t) for t in point.theta],
        "certified": landscape.account.certified[number],
        "label": label,
        "refined": None if refined is None else {"digits": refined.digits, "residual": refined.residual},
        "certificate": None
        if certificate is None
        else {
            "existence": certificate.existence.value,
            "uniqueness": certificate.uniqueness.value,
            "index": certificate.index_verdict.value,
            "inclusion_radius": certificate.inclusion_radius,
            "uniqueness_radius": certificate.uniqueness_radius,
            "eigenvalues": [list(pair) for pair in certificate.eigenvalues],
            "precision": certificate.precision,
            "seal": certificate.to_dict()["seal"],
            "reason": certificate.reason,
        },
    }


def _trees(landscape: Landscape) -> list[dict[str, Any]]:
    """The tree of classes, and that of labelled copies where it is not too large."""
    if not landscape.minima:
        return []
    found = [_tree("classes", landscape.tree())]
    copies = sum(landscape.points[n].orbit_size for n in landscape.minima)
    if landscape.pathways and copies <= MOST_COPIES:
        try:
            found.append(_tree("copies", DisconnectivityTree.of_copies(landscape.points, landscape.unfolded())))
        except DatabaseError:
            # Pathways that do not say which copies they join: the tree of classes stands alone.
            return found
    return found


def _tree(name: str, tree: DisconnectivityTree) -> dict[str, Any]:
    places = tree.positions()
    parents = tree.parents()

    def leaf(minimum: Any) -> int | None:
        return minimum.number if isinstance(minimum, Copy) else minimum

    return {
        "name": name,
        "nodes": [
            {
                "x": float(x),
                "loss": node.loss,
                "parent": parents.get(place),
                "minimum": leaf(node.minimum),
                "transition_states": list(node.transition_states),
            }
            for place, (x, node) in enumerate(zip(np.asarray(places).tolist(), tree.nodes, strict=True))
        ],
    }


def _answer(landscape: Landscape, answers: dict[str, Any], question: Any, figures: bool) -> dict[str, Any]:
    answer = answers[question.name]
    verdict = question.verdict(answer)
    return {
        "name": question.name,
        "help": question.help,
        "title": question.section or question.name,
        "sentence": question.sentence(answer),
        "verdict": verdict.value if isinstance(verdict, Verdict) else None,
        "tables": [
            {"title": table.title, "heads": table.heads, "rows": table.texts()} for table in question.tables(answer)
        ],
        "figures": [
            {"name": name, "svg": _svg(picture.figure)}
            for name, picture in (question.figures(answer, landscape).items() if figures else ())
        ],
        "values": plain(answer) if question.name in LIVE else None,
    }


def _svg(figure: Any) -> str:
    """The figure as an SVG element, without the lines that an HTML page has no use for."""
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :].replace("\n", " ")


def _tree_of(node: Node) -> list[Any]:
    """A syntax tree as JSON: ["z"], ["number", x] or [operation, part, ...]."""
    match node:
        case ("z",):
            return ["z"]
        case ("number", Fraction() as value):
            return ["number", float(value)]
    return [node[0], *(_tree_of(part) for part in node[1:])]
