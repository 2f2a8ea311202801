"""The certificate: what is claimed about one stationary point, in exact text, and its JSON form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from symland.errors import CertificateError, SymlandError
from symland.records import Verdict
from symland.rigor.decimals import parse_decimal
from symland.rigor.gauge import gauge_sets
from symland.spec import LandscapeSpec

__all__ = ["FORMAT", "SLICE_FORMAT", "Certificate", "Claims", "certificate_schema"]

FORMAT = "symland-certificate/1"

SLICE_FORMAT = "symland-certificate/2"
"""Of a certificate modulo the gauge: its file names the sets of parameters whose sums are 0 in the slice."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What is said about the stationary point in the cube.

    Where there is a gauge (`symland.rigor.gauge`) the cube is met with the slice: the point lies in both, and is the
    only one in both. Every stationary point is carried into the slice by the gauge, so it is unique modulo the gauge.

    Attributes
    ----------
    existence, uniqueness : Verdict
        A stationary point lies in the inclusion cube; it is the only one in the uniqueness cube.
    index_verdict : Verdict
    index : int or None
        Number of negative eigenvalues of the Hessian at the point, and all over the uniqueness cube.
    loss : (lower, upper) texts or None
    eigenvalues : (lower, upper) texts of each eigenvalue at the point, ascending with multiplicity; or empty
        Those of the gauge are ("0", "0").
    """

    existence: Verdict
    uniqueness: Verdict
    index_verdict: Verdict
    index: int | None
    loss: tuple[str, str] | None
    eigenvalues: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A stationary point that exists, is unique in a cube, and whose index and loss are enclosed; or why not.

    Attributes
    ----------
    spec : LandscapeSpec
    midpoint : P decimal texts
        Exact.
    inclusion_radius, uniqueness_radius : str or None
        Exact half edges of two cubes around the midpoint; Krawczyk's test holds on both.
    claims : Claims
    precision : int
        Bits at which the claims were decided.
    reason : str
        Why something is undecided; empty otherwise.
    opinions : tuple of (method, index) pairs
        The index by other methods, where they were asked for and decided. They are not part of the file.
    """

    spec: LandscapeSpec
    midpoint: tuple[str, ...]
    inclusion_radius: str | None
    uniqueness_radius: str | None
    claims: Claims
    precision: int
    reason: str = ""
    opinions: tuple[tuple[str, int], ...] = ()

    operator = "krawczyk"

    def __post_init__(self) -> None:
        if len(self.midpoint) != self.spec.n_parameters:
            raise CertificateError(
                f"a midpoint of {len(self.midpoint)} numbers for {self.spec.n_parameters} parameters; give one for each"
            )
        held = self.claims
        if (held.existence is Verdict.CERTIFIED) != (self.inclusion_radius is not None):
            raise CertificateError("a certified existence goes with an inclusion radius; give both or neither")
        if (held.uniqueness is Verdict.CERTIFIED) != (self.uniqueness_radius is not None):
            raise CertificateError("a certified uniqueness goes with a uniqueness radius; give both or neither")
        if (held.index_verdict is Verdict.CERTIFIED) != (held.index is not None):
            raise CertificateError("a certified index goes with its value; give both or neither")
        if held.index is not None and not 0 <= held.index <= len(self.midpoint):
            raise CertificateError(f"index {held.index} in dimension {len(self.midpoint)}")
        for text in self.midpoint:
            parse_decimal(text)
        radii = [parse_decimal(r) for r in (self.inclusion_radius, self.uniqueness_radius) if r is not None]
        if radii != sorted(radii) or any(r <= 0 for r in radii):
            raise CertificateError("radii must be positive, and the cube of uniqueness not the smaller one")
        for low, high in (*held.eigenvalues, *(() if held.loss is None else (held.loss,))):
            if parse_decimal(low) > parse_decimal(high):
                raise CertificateError(f"bounds {low[:20]} and {high[:20]} are not in order")

    @property
    def gauge(self) -> tuple[tuple[int, ...], ...]:
        """Sets of parameters whose sums are 0 at the point: one number added to all of a set changes nothing."""
        return gauge_sets(self.spec)

    @property
    def existence(self) -> Verdict:
        return self.claims.existence

    @property
    def uniqueness(self) -> Verdict:
        return self.claims.uniqueness

    @property
    def index_verdict(self) -> Verdict:
        return self.claims.index_verdict

    @property
    def index(self) -> int | None:
        """Number of negative eigenvalues, or None while undecided."""
        return self.claims.index

    @property
    def loss(self) -> tuple[str, str] | None:
        """(lower, upper) bounds of the loss, rounded outward."""
        return self.claims.loss

    @property
    def eigenvalues(self) -> tuple[tuple[str, str], ...]:
        """(lower, upper) bounds of each eigenvalue, ascending, rounded outward."""
        return self.claims.eigenvalues

    @property
    def verdict(self) -> Verdict:
        """Existence, uniqueness and index together."""
        return Verdict.all(self.claims.existence, self.claims.uniqueness, self.claims.index_verdict)

    def to_dict(self) -> dict[str, Any]:
        """JSON values in the published schema; see `certificate_schema`."""
        held = self.claims
        body: dict[str, Any] = {
            "format": SLICE_FORMAT if self.gauge else FORMAT,
            "spec": self.spec.canonical(),
            "spec_digest": self.spec.digest,
            "operator": self.operator,
            "precision_bits": self.precision,
            "midpoint": list(self.midpoint),
            "inclusion_radius": self.inclusion_radius,
            "uniqueness_radius": self.uniqueness_radius,
            "claims": {
                "existence": held.existence.value,
                "uniqueness": held.uniqueness.value,
                "index": {"verdict": held.index_verdict.value, "value": held.index},
                "loss": None if held.loss is None else list(held.loss),
                "eigenvalues": [list(pair) for pair in held.eigenvalues],
            },
            "reason": self.reason,
        }
        if self.gauge:
            body["gauge"] = [list(places) for places in self.gauge]
        body["seal"] = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        return body

    def to_json(self) -> str:
        """The text of a certificate file."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Certificate:
        """The certificate that `to_dict` wrote. Nothing is verified here: that is for `check_certificate`.

        Raises
        ------
        CertificateError
            If a part is missing or of another form.
        """
        try:
            spec = LandscapeSpec.from_canonical(values["spec"])
            sets = [list(places) for places in gauge_sets(spec)]
            known = values["format"] == (SLICE_FORMAT if sets else FORMAT) and values.get("gauge", []) == sets
            claims = values["claims"]
            # Before there was a slice nothing could be certified where there is a gauge.
            known = known or (values["format"] == FORMAT and claims["existence"] != Verdict.CERTIFIED.value)
            if values["spec_digest"] != spec.digest or not known:
                raise CertificateError("the specification's digest or the format differs; read the file with `check`")
            loss = claims["loss"]
            return cls(
                spec=spec,
                midpoint=tuple(map(str, values["midpoint"])),
                inclusion_radius=values["inclusion_radius"],
                uniqueness_radius=values["uniqueness_radius"],
                claims=Claims(
                    existence=Verdict(claims["existence"]),
                    uniqueness=Verdict(claims["uniqueness"]),
                    index_verdict=Verdict(claims["index"]["verdict"]),
                    index=claims["index"]["value"],
                    loss=None if loss is None else (str(loss[0]), str(loss[1])),
                    eigenvalues=tuple((str(a), str(b)) for a, b in claims["eigenvalues"]),
                ),
                precision=int(values["precision_bits"]),
                reason=str(values["reason"]),
            )
        except CertificateError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, SymlandError) as error:
            raise CertificateError(f"not a certificate ({type(error).__name__}: {error}); see its schema") from None


def certificate_schema() -> dict[str, Any]:
    """The JSON schema of a certificate file."""
    text = resources.files("symland.rigor").joinpath("certificate.schema.json").read_bytes()
    schema: dict[str, Any] = json.loads(text)
    return schema
