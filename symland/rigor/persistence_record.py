"""What a persistence certificate holds, and the text of its file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from symland.spec import LandscapeSpec

__all__ = ["FORMAT", "Persistence", "persistence_schema"]

FORMAT = "symland-persistence/2"


@dataclass(frozen=True, kw_only=True)
class Persistence:
    """A certificate that a stationary point stays for all data sets in a ball.

    Attributes
    ----------
    spec : LandscapeSpec
    midpoint : P decimal texts
    moving : pairs (sample, input)
        The inputs that may move; all others stay.
    branch : pairs (numbers of moving inputs, P texts)
        c_m: the monomial that is the product of these deltas, sorted, and its coefficients.
    basis : P rows of P texts
        V.
    radius : str
        eps, in the units of the inputs, in the max norm.
    box : P decimal texts
        r.
    index : int
    loss : (lower, upper) texts
        Bounds of the loss of the point all over the ball.
    labels : bool
        Whether every training label is right all over the ball.
    """

    spec: LandscapeSpec
    midpoint: tuple[str, ...]
    moving: tuple[tuple[int, int], ...]
    branch: tuple[tuple[tuple[int, ...], tuple[str, ...]], ...]
    basis: tuple[tuple[str, ...], ...]
    radius: str
    box: tuple[str, ...]
    index: int
    loss: tuple[str, str]
    labels: bool

    def to_json(self) -> str:
        """The text of a certificate file, in the published schema; see `persistence_schema`."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "spec": self.spec.canonical(),
            "spec_digest": self.spec.digest,
            "midpoint": list(self.midpoint),
            "moving": [list(pair) for pair in self.moving],
            "branch": [[list(key), list(row)] for key, row in self.branch],
            "basis": [list(row) for row in self.basis],
            "radius": self.radius,
            "box": list(self.box),
            "index": self.index,
            "loss": list(self.loss),
            "labels": self.labels,
        }
        body["seal"] = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        return json.dumps(body, indent=1) + "\n"


def persistence_schema() -> dict[str, Any]:
    """The JSON schema of a certificate file of this kind."""
    text = resources.files("symland.rigor").joinpath("persistence.schema.json").read_bytes()
    schema: dict[str, Any] = json.loads(text)
    return schema
