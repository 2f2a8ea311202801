"""Ranges of penalties put together by hand, and the data about which two rooms of tests know the answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from symland.records import Verdict
from symland.rigor.enumeration.kept import Slab
from symland.rigor.enumeration.ranges import RangeResult
from symland.rigor.enumeration.stretches import stretches_of
from symland.spec import parse_spec

PAIR = parse_spec(
    """
[network]
hidden = [1]
activation = "tanh"
outputs = 2
[data]
inputs = [["-1"], ["1"]]
targets = [0, 1]
[loss]
kind = "softmax"
penalty = "1/4"
""",
    "pair",
    lambda file: "",
)
"""Two samples, -1 and 1, of two classes: the origin loses its stability at lambda = 2^(-3/2), by hand."""


def proved_range(slabs: Sequence[Slab]) -> RangeResult:
    """The result of slabs from above, as if a search had closed them: the checker must not rest on it."""
    return RangeResult(
        verdict=Verdict.CERTIFIED,
        low=slabs[-1].low,
        high=slabs[0].high,
        stretches=stretches_of(slabs, None, slabs[0].high),
        slabs=tuple(slabs),
        open=(),
        theorem=None,
        theorem_from=None,
        boxes=1,
        seconds=0.0,
        digest="",
    )


def sealed(values: dict[str, Any]) -> str:
    """The text of a certificate with a seal that fits."""
    body = {k: v for k, v in values.items() if k != "seal"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**body, "seal": hashlib.sha256(text).hexdigest()})
