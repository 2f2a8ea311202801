"""Saved points: certificates that a user names, in a wider network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from symland.analysis.answer_types.embedding import Embedding
from symland.analysis.extended_points import certified_cubes, check_embedding
from symland.errors import CertificateError
from symland.listener import SILENCE, Listener
from symland.pipeline.opened import read_saved
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.check import check_certificate
from symland.rigor.decimals import parse_decimal
from symland.spec import LandscapeSpec

__all__ = ["embed_saved", "read_certificates"]


def read_certificates(files: Sequence[Path]) -> tuple[LandscapeSpec, list[Certificate]]:
    """Certificates of points of one network, each checked from its specification alone.

    Raises
    ------
    CertificateError
        If one cannot be read, does not hold, or is about another network.
    """
    made: list[Certificate] = []
    for file in files:
        text = read_saved(file)
        result = check_certificate(text)
        if result.verdict is not Verdict.CERTIFIED:
            raise CertificateError(f"{file}: {result.verdict.value}, {result.reason}; give a certificate that holds")
        made.append(Certificate.from_dict(json.loads(text)))
        if made[-1].spec.digest != made[0].spec.digest:
            raise CertificateError(f"{file}: another network than that of {files[0]}; embed it by itself")
    return made[0].spec, made


def embed_saved(
    spec: LandscapeSpec,
    made: Sequence[Certificate],
    *,
    layer: int = 1,
    nodes: int = 1,
    listener: Listener = SILENCE,
) -> Embedding:
    """The embedding of saved points, on their certificates' cubes; nothing is stored."""
    return check_embedding(
        spec,
        [[float(parse_decimal(text)) for text in certificate.midpoint] for certificate in made],
        layer=layer,
        nodes=nodes,
        boxes=certified_cubes(made),
        progress=lambda done, total: listener.advance("points", done, total),
    )
