"""What a database holds, in the words of a user."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from symland.analysis import find_question
from symland.analysis.answers import read_answers
from symland.landscape.account import Counts
from symland.landscape.database import Database
from symland.landscape.landscape import Landscape

__all__ = ["counted", "spaced", "summary", "versions"]

SHOWN = ("completeness", "families", "connections", "enumeration")
"""Answers that the summary holds whole, under their own names; None where a question was not asked."""


def spaced(counts: Iterable[int]) -> str:
    """Counts by index, such as "5 12 7"."""
    return " ".join(map(str, counts))


def counted(counts: Counts) -> str:
    """Counts by index, and the Morse sum where it is a test."""
    morse = f", Morse sum {counts.morse_sum}" if counts.no_test is None else ""
    return f"classes by index {spaced(counts.classes) or 'none'}{morse}"


def _loss_bounds(landscape: Landscape, number: int) -> tuple[float | None, float | None]:
    """The loss enclosure as floats rounded outward; None without a certificate."""
    bounds = landscape.enclosure(number)
    if bounds is None:
        return None, None
    lower, upper = map(float, bounds)
    return math.nextafter(lower, -math.inf), math.nextafter(upper, math.inf)


def summary(database: Database) -> dict[str, Any]:
    """What the database holds, as JSON values; a loss that no certificate bounds has the bounds null."""
    landscape, answers = database.landscape(), read_answers(database)
    account = landscape.account
    counts = account.counts
    rows = []
    for number, (point, certified) in enumerate(zip(landscape.points, account.certified, strict=True)):
        lower, upper = _loss_bounds(landscape, number)
        rows.append(
            {
                "index": point.index,
                "loss": point.loss,
                "loss_lower": lower,
                "loss_upper": upper,
                "orbit": point.orbit_size,
                "certified": certified,
            }
        )
    whole = {name: question.document(answers[name]) for name in answers if (question := find_question(name))}
    return {
        "schema": "symland-landscape/1",
        "spec": database.spec.canonical(),
        "name": database.spec.name,
        "digest": database.spec.digest,
        "classes": rows,
        "standing": account.wording,
        "counts": list(counts.classes),
        "copies": list(counts.copies),
        "morse_sum": counts.morse_sum,
        "morse": counts.morse.value,
        "morse_why": counts.no_test,
        "degenerate": counts.degenerate,
        "distinct": None if landscape.evidence.distinctness is None else account.distinct.value,
        **{name: whole.get(name) for name in SHOWN},
        "answers": {name: question.sentence(answers[name]) for name in answers if (question := find_question(name))},
        "seconds": database.meta().get("seconds", {}),
    }


def versions() -> dict[str, str]:
    """Versions of the package and of what its results rest on."""
    names = ("symland", "sympy", "mpmath", "python-flint", "numpy", "scipy", "llvmlite")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
