"""Steps that ask what a landscape has to do with those of wider and narrower networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flint import arb

from symland.analysis.embedding import EmbeddingReport, check_embedding
from symland.analysis.embedding_map import EmbeddingMap, Landscape, embedding_map
from symland.analysis.pruning import ClassLabel, label_classes
from symland.errors import CertificateError, DatabaseError
from symland.landscape.database import Database
from symland.pipeline.listener import SILENCE, Listener
from symland.pipeline.summary import certificates, classes
from symland.program.balls import working_precision
from symland.records import StationaryPoint, Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.check import check_certificate
from symland.rigor.decimals import parse_decimal
from symland.rigor.krawczyk import cube
from symland.spec import LandscapeSpec
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import SymmetryGroup

__all__ = ["embed_into", "embed_saved", "label_into", "map_into", "read_certificates"]

CUBE_BITS = 256
"""Bits of the balls that hold a certificate's cube."""


def embed_into(database: Database, *, layer: int = 1, nodes: int = 1, listener: Listener = SILENCE) -> EmbeddingReport:
    """Prove and check the extension of every class by zero nodes.

    Where every class is certified, the check is made on the certificates' cubes, each of which holds its point.
    """
    made = certificates(database)
    report = check_embedding(
        database.spec,
        classes(database),
        layer=layer,
        nodes=nodes,
        boxes=_cubes(made.get(number) for number in range(len(database.points()))),
        progress=lambda done, total: listener.advance("classes", done, total),
    )
    record = report.to_dict()
    database.put_embedding(record.pop("points"))
    database.put_analysis("embedding", record)
    return report


def read_certificates(files: Sequence[Path]) -> tuple[LandscapeSpec, list[Certificate]]:
    """Certificates of points of one network, each checked from its specification alone.

    Raises
    ------
    CertificateError
        If one cannot be read, does not hold, or is about another network.
    """
    made: list[Certificate] = []
    for file in files:
        try:
            text = file.read_bytes()
        except OSError as error:
            raise CertificateError(f"{file}: cannot be read ({error.strerror}); give certificate files") from None
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
) -> EmbeddingReport:
    """`embed_into` for saved points, on their certificates' cubes; nothing is stored."""
    return check_embedding(
        spec,
        [[float(parse_decimal(text)) for text in certificate.midpoint] for certificate in made],
        layer=layer,
        nodes=nodes,
        boxes=_cubes(made),
        progress=lambda done, total: listener.advance("points", done, total),
    )


def _cubes(made: Iterable[Certificate | None]) -> list[list[arb]] | None:
    """The inclusion cubes of the certificates, or None where one is missing."""
    cubes = []
    with working_precision(CUBE_BITS):
        for certificate in made:
            if certificate is None or certificate.inclusion_radius is None:
                return None
            midpoint = [arb(parse_decimal(text)) for text in certificate.midpoint]
            cubes.append(cube(midpoint, arb(parse_decimal(certificate.inclusion_radius))))
    return cubes


def label_into(database: Database, narrower: Sequence[Database] = ()) -> tuple[ClassLabel, ...]:
    """Label every class: irreducible, or the extension of a class of a narrower network; store the labels."""
    known: Mapping[tuple[int, ...], tuple[Sequence[StationaryPoint], SymmetryGroup]] = {
        other.spec.hidden: (classes(other), find_symmetry(other.spec)) for other in narrower
    }
    labels = label_classes(database.spec, classes(database), known)
    database.put_analysis("labels", [label.to_dict() for label in labels])
    return labels


def map_into(databases: Sequence[Database], *, listener: Listener = SILENCE) -> EmbeddingMap:
    """Embed each landscape into the next wider one; every database keeps the map, for its report.

    Raises
    ------
    DatabaseError
        If fewer than two databases are given.
    SpecError
        If their networks are not of one hidden layer and widths n, n + 1, ...
    """
    if len(databases) < 2:
        raise DatabaseError(f"{len(databases)} databases; give at least 2, by width")
    landscapes = [
        Landscape(spec=database.spec, points=tuple(classes(database)), group=find_symmetry(database.spec))
        for database in databases
    ]
    found = embedding_map(landscapes, progress=lambda done, total: listener.advance("classes", done, total))
    for database in databases:
        database.put_analysis("map", found.to_dict())
    return found
