"""True certificates, and changed ones whose digests fit."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from symland.rigor.certify import certify
from symland.rigor.refine import refine
from tests.rigor.points import xor, xor_points

__all__ = ["certificates", "redigested", "sealed"]


@cache
def certificates() -> tuple[dict[str, Any], ...]:
    """Certificates of refined points and of float64 points, of two landscapes."""
    out = []
    for hidden, penalty, digits in ((1, "1e-2", 50), (2, "1e-3", 30)):
        spec = xor(hidden, penalty)
        # Not the origin, which stays stationary whatever the activation, and in every small cube.
        for theta in [t for t in xor_points(hidden, penalty) if any(t)][:5]:
            out.append(certify(spec, refine(spec, theta, digits)).to_dict())
            out.append(certify(spec, theta).to_dict())
    return tuple(out)


def sealed(values: dict[str, Any]) -> dict[str, Any]:
    """The values with digests that fit them, as a liar would write them."""
    body = {key: value for key, value in values.items() if key != "seal"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return {**body, "seal": hashlib.sha256(text.encode()).hexdigest()}


def redigested(values: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(values["spec"], sort_keys=True, separators=(",", ":"))
    return sealed({**values, "spec_digest": hashlib.sha256(text.encode()).hexdigest()})
