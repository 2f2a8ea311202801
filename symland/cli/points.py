"""Saved points: a certificate, or JSON with a specification and parameters."""

from __future__ import annotations

from pathlib import Path

from symland.errors import SpecError
from symland.spec import LandscapeSpec

__all__ = ["read_point"]

LONGEST_FILE = 10_000_000
"""Bytes of a saved point."""


def read_point(path: Path) -> tuple[LandscapeSpec, list[float]]:
    """The specification and the parameters that a file holds."""
    import json

    from symland.rigor.decimals import parse_decimal

    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_FILE)
    except OSError as error:
        raise SpecError.at(str(path), f"cannot be read ({error.strerror})", "give a saved point") from None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    advice = 'give a certificate, or JSON with "spec" and "theta"'
    if not isinstance(values, dict) or not isinstance(values.get("spec"), dict):
        raise SpecError.at(str(path), "no saved point", advice)
    theta = values.get("theta", values.get("midpoint"))
    if not isinstance(theta, list):
        raise SpecError.at(str(path), "no list of parameters", advice)
    numbers = []
    for place, value in enumerate(theta):
        try:
            numbers.append(float(parse_decimal(value)) if isinstance(value, str) else float(value))
        except (TypeError, ValueError, ArithmeticError, SpecError):
            raise SpecError.at(f"theta[{place}]", f"{value!r} is not a finite number", "give finite weights") from None
    return LandscapeSpec.from_canonical(values["spec"], path.stem), numbers
