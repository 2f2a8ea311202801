"""What a database holds, in the words of a user."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from symland.errors import DatabaseError
from symland.explore.coverage import classes_by_index, copies_by_index, euler_sum, morse_inequalities
from symland.landscape.database import Database
from symland.records import StationaryPoint, Verdict
from symland.rigor.certificate import Certificate
from symland.spec import LandscapeSpec

__all__ = ["certificates", "classes", "is_certified", "spaced", "summary", "versions"]


def spaced(counts: Iterable[int]) -> str:
    """Counts by index, such as "5 12 7"."""
    return " ".join(map(str, counts))


def classes(database: Database) -> list[StationaryPoint]:
    """The classes of a database.

    Raises
    ------
    DatabaseError
        If there are none yet.
    """
    points = database.points()
    if not points:
        raise DatabaseError(f"{database.path}: no classes yet; run `symland explore` on it first")
    return points


def certificates(database: Database) -> dict[int, Certificate]:
    """The certificates of a database, by class."""
    return {number: Certificate.from_dict(record) for number, record in database.certificates().items()}


def is_certified(point: StationaryPoint, certificate: Certificate | None) -> bool:
    """Whether existence, uniqueness and index are certified, the index being the one that the spectrum showed."""
    if certificate is None:
        return False
    return certificate.verdict is Verdict.CERTIFIED and certificate.index == point.index


def _loss_bounds(point: StationaryPoint, certificate: Certificate | None) -> tuple[float, float]:
    """The loss enclosure as floats rounded outward; without a certificate, all that is known."""
    if certificate is None or certificate.loss is None:
        return -math.inf, math.inf
    lower, upper = map(float, certificate.loss)
    return math.nextafter(lower, -math.inf), math.nextafter(upper, math.inf)


def summary(database: Database) -> dict[str, Any]:
    """What the database holds, as JSON values; a loss that no certificate bounds has the bounds null."""
    points, made = database.points(), certificates(database)
    rows = []
    for number, point in enumerate(points):
        lower, upper = _loss_bounds(point, made.get(number))
        rows.append(
            {
                "index": point.index,
                "loss": point.loss,
                "loss_lower": lower if math.isfinite(lower) else None,
                "loss_upper": upper if math.isfinite(upper) else None,
                "orbit": point.orbit_size,
                "certified": is_certified(point, made.get(number)),
            }
        )
    why = _no_test(database.spec, points)
    return {
        "spec": database.spec.canonical(),
        "digest": database.spec.digest,
        "classes": rows,
        "counts": list(classes_by_index(points)),
        "copies": list(copies_by_index(points)),
        "morse_sum": euler_sum(points),
        "morse": "undecided" if why else _morse(points).value,
        "morse_why": why,
        "distinct": database.analyses().get("distinctness", {}).get("verdict"),
        "connections": database.analyses().get("connections"),
        "completeness": database.analyses().get("completeness"),
        "enumeration": database.analyses().get("enumeration"),
        "seconds": database.meta().get("seconds", {}),
    }


def _no_test(spec: LandscapeSpec, points: Sequence[StationaryPoint]) -> str | None:
    """Why the Morse sum of a complete list need not be 1; None where it must."""
    if not spec.coercive:
        return "the penalty does not make the loss grow in every direction"
    if any(point.nullity for point in points):
        return "points with a singular Hessian have no index"
    return None


def _morse(points: Sequence[StationaryPoint]) -> Verdict:
    """REFUTED where the sum or an inequality shows that points are missing; a list is never certified by them."""
    kept = all(v is not Verdict.REFUTED for v in morse_inequalities(copies_by_index(points)))
    return Verdict.UNDECIDED if kept and (euler_sum(points) == 1 or not points) else Verdict.REFUTED


def versions() -> dict[str, str]:
    """Versions of the package and of what its results rest on."""
    names = ("symland", "sympy", "mpmath", "python-flint", "numpy", "scipy", "llvmlite")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
