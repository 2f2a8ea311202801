"""The certificate of a complete enumeration: question, points, and the tree of cells with the reason of each leaf."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from symland.errors import CertificateError
from symland.records import Verdict
from symland.rigor.enumeration.bounds import first_cell
from symland.rigor.enumeration.drive import EnumerationResult
from symland.rigor.enumeration.known import NOBODY
from symland.rigor.enumeration.leaves import SEVERAL, Leaves
from symland.rigor.enumeration.problem import Doubles, reduced_problem
from symland.spec import LandscapeSpec

__all__ = ["FORMAT", "certificate_text", "enumeration_schema"]

FORMAT = "symland-enumeration/1"

Integers = npt.NDArray[np.intp]


def certificate_text(spec: LandscapeSpec, result: EnumerationResult) -> str:
    """The text of a certificate file, for the result of a complete enumeration.

    Points are written in reduced coordinates U_1, v_1, ..., U_N, v_N, g, as doubles in hexadecimal text.

    Raises
    ------
    CertificateError
        If the enumeration is not complete, or its leaves are no tree.
    """
    if result.verdict is not Verdict.CERTIFIED:
        raise CertificateError("the enumeration is not complete; only a complete one has a certificate")
    box = first_cell(reduced_problem(spec))
    places = {c.number: place for place, c in enumerate(result.classes)}
    tree = _tree(box, result.leaves, places) if result.theorem is None else ["theorem"]
    body: dict[str, Any] = {
        "format": FORMAT,
        "spec": spec.canonical(),
        "spec_digest": spec.digest,
        "by": result.theorem or "boxes",
        "points": [[float(x).hex() for x in (*c.centre.ravel(), c.bias)] for c in result.classes],
        "box": [[low.hex(), high.hex()] for low, high in zip(*box.tolist(), strict=True)],
        "tree": tree,
    }
    seal = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return json.dumps({**body, "seal": seal}, separators=(",", ":")) + "\n"


def _tree(box: Doubles, leaves: Leaves, places: dict[int, int]) -> list[Any]:
    """Rows in preorder: [axis, middle], or the reason of a leaf and the class that was met in it."""
    rows: list[Any] = []
    waiting = [(box, np.arange(len(leaves)))]
    while waiting:
        cell, inside = waiting.pop()
        if len(inside) == 1 and np.array_equal(leaves.cells[inside[0]], cell):
            rows.append(_leaf(leaves, int(inside[0]), places))
            continue
        axis, middle, lower, upper = _cut(leaves, inside)
        rows.append([axis, middle.hex()])
        halves = cell.copy(), cell.copy()
        halves[0][1, axis] = halves[1][0, axis] = middle
        waiting += [(halves[1], upper), (halves[0], lower)]
    return rows


def _leaf(leaves: Leaves, number: int, places: dict[int, int]) -> str:
    held, reason = int(leaves.held_by[number]), leaves.reason(number).value
    met = "" if held == NOBODY else " several" if held == SEVERAL else f" {places[held]}"
    return reason + met


def _cut(leaves: Leaves, inside: Integers) -> tuple[int, float, Integers, Integers]:
    """An axis and a place that no leaf straddles, and the leaves on either side."""
    for axis in range(leaves.cells.shape[2]):
        order = inside[np.argsort(leaves.cells[inside, 0, axis], kind="stable")]
        ends = np.maximum.accumulate(leaves.cells[order, 1, axis])[:-1]
        cuts = np.flatnonzero(ends <= leaves.cells[order[1:], 0, axis])
        if len(cuts):
            cut = int(cuts[np.argmin(np.abs(cuts - len(order) / 2))])
            return axis, float(ends[cut]), order[: cut + 1], order[cut + 1 :]
    raise CertificateError("the leaves of the enumeration do not tile their box; report the specification")


def enumeration_schema() -> dict[str, Any]:
    """The JSON schema of a certificate of an enumeration."""
    text = resources.files("symland.rigor").joinpath("enumeration.schema.json").read_bytes()
    schema: dict[str, Any] = json.loads(text)
    return schema
