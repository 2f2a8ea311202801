"""Chains of proved pieces as JSON values, from which an interrupted run goes on. Doubles keep all their bits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from symland.families.pieces import Chain, Link
from symland.families.trace import Curve
from symland.records import FloatArray
from symland.rigor.tube import Amplitude, Block, Chart, Graph, Piece, Proof, Segment
from symland.spec import LandscapeSpec

__all__ = ["chain_values", "curve_key", "read_chain"]


def curve_key(curve: Curve) -> str:
    """What a chain is about: the same stations have the same pieces."""
    places = np.array([np.append(s.theta, s.mu) for s in curve.stations])
    return hashlib.sha256(places.tobytes() + repr([curve.elements, curve.first, curve.last]).encode()).hexdigest()


def chain_values(chain: Chain) -> dict[str, Any]:
    """JSON values."""
    return {"links": [None if link is None else _link_values(link) for link in chain.links], "gaps": [*chain.gaps]}


def read_chain(spec: LandscapeSpec, values: dict[str, Any]) -> Chain:
    """What `chain_values` wrote."""
    links = tuple(None if v is None else _link(spec, v) for v in values["links"])
    return Chain(links=links, gaps=tuple(values["gaps"]))


def _link_values(link: Link) -> dict[str, Any]:
    piece, chart = link.proof.piece, link.proof.piece.chart
    return {
        "to_point": link.to_point,
        "basis": chart.basis,
        "mirror": chart.mirror.tolist(),
        "length": chart.length,
        **({"start": chart.start} if isinstance(chart, Graph) else {"across": chart.across}),
        "table": piece.table.tolist(),
        "blocks": [[b.rows, None if b.border is None else b.border.tolist()] for b in piece.blocks],
        "rho": piece.rho,
        "reach": piece.reach,
        "radius": link.proof.radius,
        "unique": link.proof.unique,
        "segments": [[s.low, s.high, s.rising, s.index] for s in link.proof.segments],
    }


def _link(spec: LandscapeSpec, values: dict[str, Any]) -> Link:
    basis, mirror, length = values["basis"], _array(values["mirror"]), values["length"]
    chart: Chart
    if "start" in values:
        chart = Graph(basis=basis, mirror=mirror, start=values["start"], length=length)
    else:
        chart = Amplitude(basis=basis, across=values["across"], mirror=mirror, length=length)
    piece = Piece(
        chart=chart,
        table=_array(values["table"]),
        blocks=tuple(Block(rows=rows, border=None if b is None else _array(b)) for rows, b in values["blocks"]),
        rho=values["rho"],
        reach=values["reach"],
    )
    proof = Proof(
        spec=spec,
        piece=piece,
        radius=values["radius"],
        unique=values["unique"],
        segments=tuple(Segment(low=a, high=b, rising=up, index=k) for a, b, up, k in values["segments"]),
    )
    return Link(proof=proof, to_point=values["to_point"])


def _array(values: Any) -> FloatArray:
    return np.array(values, dtype=np.float64)
