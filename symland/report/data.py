"""What a report says, collected from a database alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from symland.errors import DatabaseError
from symland.landscape.database import Database
from symland.landscape.tree import DisconnectivityTree
from symland.landscape.unfold import unfold
from symland.records import Descent, Pathway, StationaryPoint, Verdict
from symland.spec import LandscapeSpec
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import SymmetryGroup

__all__ = ["ClassRow", "IndexRow", "ReportData", "collect"]

MOST_COPIES = 3000
"""Labelled minima up to which the unfolded tree is drawn."""


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class in the table.

    Attributes
    ----------
    number, index, orbit_size : int
    loss : float
    enclosure : (lower, upper) texts, or None
        Certified bounds of the loss.
    existence, uniqueness, index_verdict : Verdict
    precision : int or None
        Bits at which the claims were decided.
    digits : int or None
        Certified decimal places of the refined parameters.
    residual : str or None
        Bound of |grad|_inf at the refined point.
    softest : (lower, upper) texts, or None
        Certified bounds of the eigenvalue nearest zero.
    inside : str or None
        Hidden widths at which the class is irreducible, and the number of the class there where it is known.
    """

    number: int
    index: int
    orbit_size: int
    loss: float
    enclosure: tuple[str, str] | None
    existence: Verdict
    uniqueness: Verdict
    index_verdict: Verdict
    precision: int | None
    digits: int | None
    residual: str | None
    softest: tuple[str, str] | None
    inside: str | None

    @property
    def verdict(self) -> Verdict:
        """Existence, uniqueness and index together."""
        return Verdict.all(self.existence, self.uniqueness, self.index_verdict)


@dataclass(frozen=True, kw_only=True)
class IndexRow:
    """Classes and labelled copies of one index."""

    index: int
    classes: int
    copies: int
    certified: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportData:
    """Everything a report says.

    Attributes
    ----------
    spec : LandscapeSpec
    group : SymmetryGroup
    points, pathways : as stored
    classes : tuple of ClassRow
    refined : refined points by class number
    tree, copies_tree : DisconnectivityTree or None
        Of classes, and of labelled copies where there are not too many and pathways say which they join.
    embedding, embedding_rows : the account of the extension, and one record for each class; empty where there is none
    proofs : records of theorems
    program : digest and decided statements of the derivation program
    completeness, connections, distinctness, enumeration : accounts of the list of classes; empty where there is none
    map : the embedding map of several widths; empty where there is none
    versions, seconds, plan : what ran, how long, from which seed
    """

    spec: LandscapeSpec
    group: SymmetryGroup
    points: tuple[StationaryPoint, ...]
    pathways: tuple[Pathway, ...]
    classes: tuple[ClassRow, ...]
    refined: Mapping[int, Mapping[str, Any]]
    tree: DisconnectivityTree | None
    copies_tree: DisconnectivityTree | None
    embedding: Mapping[str, Any] = field(default_factory=dict)
    embedding_rows: Sequence[Mapping[str, Any]] = ()
    proofs: Sequence[Mapping[str, Any]] = ()
    program: Mapping[str, Any] = field(default_factory=dict)
    completeness: Mapping[str, Any] = field(default_factory=dict)
    connections: Mapping[str, Any] = field(default_factory=dict)
    distinctness: Mapping[str, Any] = field(default_factory=dict)
    enumeration: Mapping[str, Any] = field(default_factory=dict)
    map: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_index(self) -> tuple[IndexRow, ...]:
        """Counts by index, from 0 to the highest found."""
        rows = []
        for index in range(max((row.index for row in self.classes), default=-1) + 1):
            members = [row for row in self.classes if row.index == index]
            rows.append(
                IndexRow(
                    index=index,
                    classes=len(members),
                    copies=sum(row.orbit_size for row in members),
                    certified=sum(row.verdict is Verdict.CERTIFIED for row in members),
                )
            )
        return tuple(rows)

    @property
    def degenerate(self) -> int:
        """Classes with a Hessian singular to the tolerance."""
        return sum(point.nullity > 0 for point in self.points)

    @property
    def coercive(self) -> bool:
        """Whether the penalty makes the loss grow to infinity with theta, so that the Morse sum of all points is 1."""
        return self.spec.coercive

    @property
    def morse_sum(self) -> int:
        """Sum of (-1)^index over all labelled copies."""
        return sum((-1) ** (row.index % 2) * row.orbit_size for row in self.classes)

    @property
    def theorems(self) -> tuple[Mapping[str, Any], ...]:
        """The stored proofs, and the embedding's own proof where it is not one of them."""
        out = list(self.proofs)
        own = self.embedding.get("proof")
        if own and all(own.get("identifier") != proof.get("identifier") for proof in out):
            out.append(own)
        return tuple(out)


def collect(database: Database) -> ReportData:
    """Read a database.

    Raises
    ------
    DatabaseError
        If it cannot be read.
    """
    points, pathways = tuple(database.points()), tuple(database.pathways())
    descents = database.descents()
    certificates, refined = database.certificates(), database.refined()
    group = find_symmetry(database.spec)
    analyses, meta = database.analyses(), database.meta()
    inside = {label["class"]: _inside(label) for label in analyses.get("labels", ())}
    return ReportData(
        spec=database.spec,
        group=group,
        points=points,
        pathways=pathways,
        classes=tuple(
            _class_row(n, point, certificates.get(n), refined.get(n), inside.get(n)) for n, point in enumerate(points)
        ),
        refined=refined,
        tree=DisconnectivityTree.of_classes(points, pathways, descents) if any(p.index == 0 for p in points) else None,
        copies_tree=_copies_tree(points, pathways, descents, group),
        embedding=analyses.get("embedding", {}),
        embedding_rows=database.embedding(),
        proofs=database.proofs(),
        program=analyses.get("program", {}),
        completeness=analyses.get("completeness", {}),
        connections=analyses.get("connections", {}),
        distinctness=analyses.get("distinctness", {}),
        enumeration=analyses.get("enumeration", {}),
        map=analyses.get("map", {}),
        versions=meta.get("versions", {}),
        seconds=meta.get("seconds", {}),
        plan=meta.get("plan", {}),
    )


def _inside(label: Mapping[str, Any]) -> str:
    width = ", ".join(map(str, label["width"]))
    return width if label["narrow_class"] is None else f"{width}: {label['narrow_class']}"


def _class_row(
    number: int,
    point: StationaryPoint,
    certificate: Mapping[str, Any] | None,
    refined: Mapping[str, Any] | None,
    inside: str | None,
) -> ClassRow:
    claims = (certificate or {}).get("claims", {})
    undecided = Verdict.UNDECIDED.value
    index = claims.get("index") or {}
    eigenvalues = claims.get("eigenvalues") or ()
    softest = min(eigenvalues, key=lambda pair: abs(Fraction(pair[0]) + Fraction(pair[1])), default=None)
    return ClassRow(
        number=number,
        index=point.index if index.get("value") is None else index["value"],
        orbit_size=point.orbit_size,
        loss=point.loss,
        enclosure=_pair(claims.get("loss")),
        existence=Verdict(claims.get("existence", undecided)),
        uniqueness=Verdict(claims.get("uniqueness", undecided)),
        index_verdict=Verdict(index.get("verdict", undecided)),
        precision=(certificate or {}).get("precision_bits"),
        digits=(refined or {}).get("digits"),
        residual=(refined or {}).get("residual"),
        softest=_pair(softest),
        inside=inside,
    )


def _pair(values: Sequence[str] | None) -> tuple[str, str] | None:
    return (values[0], values[1]) if values else None


def _copies_tree(
    points: Sequence[StationaryPoint],
    pathways: Sequence[Pathway],
    descents: Sequence[Descent],
    group: SymmetryGroup,
) -> DisconnectivityTree | None:
    copies = sum(point.orbit_size for point in points if point.index == 0)
    if not pathways or copies > MOST_COPIES:
        return None
    try:
        return DisconnectivityTree.of_copies(points, unfold(points, pathways, group, descents=descents))
    except DatabaseError:
        # Pathways without group elements, or too many connections: the collapsed tree is drawn alone.
        return None
