"""The certificate of a range of penalties: question, slabs with the points in their middles, events, and counts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from symland.errors import CertificateError
from symland.records import Verdict
from symland.rigor.enumeration.kept import Slab
from symland.rigor.enumeration.ranges import RangeResult
from symland.rigor.enumeration.regions import penalty_text
from symland.spec import LandscapeSpec

__all__ = ["FORMAT", "range_text"]

FORMAT = "symland-range/1"
DIGITS = 30
"""Significant digits of a fold's penalty."""


def range_text(spec: LandscapeSpec, result: RangeResult) -> str:
    """The text of a certificate file, for a range that is proved.

    Points are written in reduced coordinates U_1, v_1, ..., U_N, v_N, g, as doubles in hexadecimal text; ends of slabs
    as exact ratios. From ``theorem_from`` upwards the prover used a theorem.

    Raises
    ------
    CertificateError
        If the range is not proved.
    """
    if result.verdict is not Verdict.CERTIFIED:
        raise CertificateError("the range is not proved; only a proved one has a certificate")
    body: dict[str, Any] = {
        "format": FORMAT,
        "spec": spec.canonical(),
        "spec_digest": spec.digest,
        "low": str(result.low),
        "high": "inf" if result.high is None else str(result.high),
        "theorem_from": "" if result.theorem_from is None else str(result.theorem_from),
        "slabs": [_slab(s) for s in result.slabs],
        "intervals": [[list(s.counts), list(s.copies)] for s in result.stretches],
    }
    seal = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return json.dumps({**body, "seal": seal}, separators=(",", ":")) + "\n"


def _slab(slab: Slab) -> dict[str, Any]:
    fold = None
    if slab.fold is not None:
        region = next(r for r in slab.regions if r.opens_down is not None)
        fold = {
            "z": [float(x).hex() for x in slab.fold.z],
            "value": penalty_text(slab.fold, DIGITS)[0],
            "index": region.index,
            "below": bool(region.opens_down),
            **({} if region.pair is None else {"pair": region.pair}),
        }
    return {
        "low": str(slab.low),
        "high": str(slab.high),
        "points": [[float(x).hex() for x in r.centre] for r in slab.regions if r.opens_down is None],
        "fold": fold,
    }
