"""What a report says, collected from a database alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from symland.analysis import labels
from symland.analysis.answers import read_answers
from symland.errors import DatabaseError
from symland.landscape.account import Account
from symland.landscape.database import Database
from symland.landscape.landscape import Landscape
from symland.landscape.tree import DisconnectivityTree
from symland.records import Pathway, StationaryPoint, Verdict
from symland.rigor.gauge import gauge_sets
from symland.spec import LandscapeSpec
from symland.symmetry import SymmetryGroup

__all__ = ["ClassRow", "ReportData", "collect"]

MOST_COPIES = 3000
"""Labelled minima up to which the unfolded tree is drawn."""


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class in the table.

    Attributes
    ----------
    number, index, orbit_size : int
    loss : float
    certified : bool
        As the account has it.
    enclosure : (lower, upper) texts, or None
        Certified bounds of the loss.
    existence, uniqueness, index_verdict : Verdict
    inclusion_radius, uniqueness_radius : texts or None
    digits : int or None
        Certified decimal places of the refined parameters.
    residual : str or None
        Bound of |grad|_inf at the refined point.
    softest : (lower, upper) texts, or None
        Certified bounds of the eigenvalue nearest zero, the 2 lambda of the gauge directions left out (T3).
    inside : str or None
        Hidden widths at which the class is irreducible, and the number of the class there where it is known.
    """

    number: int
    index: int
    orbit_size: int
    loss: float
    certified: bool
    enclosure: tuple[str, str] | None
    existence: Verdict
    uniqueness: Verdict
    index_verdict: Verdict
    inclusion_radius: str | None
    uniqueness_radius: str | None
    precision: int | None
    digits: int | None
    residual: str | None
    softest: tuple[str, str] | None
    inside: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportData:
    """Everything a report says.

    Attributes
    ----------
    landscape : Landscape
    answers : typed answers by the names of their questions
    tree, copies_tree : DisconnectivityTree or None
        Of classes, and of labelled copies where there are not too many and pathways say which they join.
    proofs : records of theorems
    versions, seconds, plan : what ran, how long, from which seed
    """

    landscape: Landscape
    answers: Mapping[str, Any]
    tree: DisconnectivityTree | None
    copies_tree: DisconnectivityTree | None
    proofs: Sequence[Mapping[str, Any]] = ()
    versions: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> LandscapeSpec:
        """The question."""
        return self.landscape.spec

    @property
    def group(self) -> SymmetryGroup:
        """The symmetry group of the loss."""
        return self.landscape.group

    @property
    def points(self) -> tuple[StationaryPoint, ...]:
        """The classes."""
        return self.landscape.points

    @property
    def pathways(self) -> tuple[Pathway, ...]:
        """The pathways."""
        return self.landscape.pathways

    @property
    def account(self) -> Account:
        """What may be said of the list."""
        return self.landscape.account

    @cached_property
    def classes(self) -> tuple[ClassRow, ...]:
        """One row for each class."""
        named = self.answers.get(labels.QUESTION.name)
        inside = {} if named is None else {label.number: _inside(label) for label in named.classes}
        return tuple(_class_row(self.landscape, n, inside.get(n)) for n in range(len(self.points)))

    @property
    def certified_by_index(self) -> tuple[int, ...]:
        """Certified classes of each index."""
        rows = self.classes
        return tuple(
            sum(row.certified for row in rows if row.index == k) for k in range(len(self.account.counts.classes))
        )

    @property
    def theorems(self) -> tuple[Mapping[str, Any], ...]:
        """The stored proofs, and those that answers carry where they are not among them."""
        out = list(self.proofs)
        for answer in self.answers.values():
            own = getattr(answer, "proof", None)
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
    landscape, meta = database.landscape(), database.meta()
    return ReportData(
        landscape=landscape,
        answers=read_answers(database),
        tree=landscape.tree() if landscape.minima else None,
        copies_tree=_copies_tree(landscape),
        proofs=database.proofs(),
        versions=meta.get("versions", {}),
        seconds=meta.get("seconds", {}),
        plan=meta.get("plan", {}),
    )


def _inside(label: labels.ClassLabel) -> str:
    width = ", ".join(map(str, label.width))
    return width if label.narrow_class is None else f"{width}: {label.narrow_class}"


def _class_row(landscape: Landscape, number: int, inside: str | None) -> ClassRow:
    point, certificate = landscape.points[number], landscape.certificates.get(number)
    refined = landscape.refined.get(number)
    eigenvalues = () if certificate is None else _off_gauge(landscape, certificate.eigenvalues)
    return ClassRow(
        number=number,
        index=point.index,
        orbit_size=point.orbit_size,
        loss=point.loss,
        certified=landscape.account.certified[number],
        enclosure=landscape.enclosure(number),
        existence=Verdict.UNDECIDED if certificate is None else certificate.existence,
        uniqueness=Verdict.UNDECIDED if certificate is None else certificate.uniqueness,
        index_verdict=_index_verdict(landscape, number),
        inclusion_radius=None if certificate is None else certificate.inclusion_radius,
        uniqueness_radius=None if certificate is None else certificate.uniqueness_radius,
        precision=None if certificate is None else certificate.precision,
        digits=None if refined is None else refined.digits,
        residual=None if refined is None else refined.residual,
        softest=min(eigenvalues, key=lambda pair: abs(Fraction(pair[0]) + Fraction(pair[1])), default=None),
        inside=inside,
    )


def _off_gauge(landscape: Landscape, eigenvalues: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The enclosures without those of the gauge directions: zeros where no penalty holds them, else around 2 lambda."""
    free = len(gauge_sets(landscape.spec))
    ours = [Fraction(0)] * free + [2 * landscape.spec.penalty] * (landscape.group.gauge.shape[1] - free)
    left = list[tuple[str, str]]()
    for low, high in eigenvalues:
        mine = next((value for value in ours if Fraction(low) <= value <= Fraction(high)), None)
        if mine is None:
            left.append((low, high))
        else:
            ours.remove(mine)
    return left


def _index_verdict(landscape: Landscape, number: int) -> Verdict:
    """Whether the index that the table states is the certified one."""
    certificate = landscape.certificates.get(number)
    if certificate is None or certificate.index is None:
        return Verdict.UNDECIDED
    return certificate.index_verdict if certificate.index == landscape.points[number].index else Verdict.REFUTED


def _copies_tree(landscape: Landscape) -> DisconnectivityTree | None:
    copies = sum(landscape.points[n].orbit_size for n in landscape.minima)
    if not landscape.pathways or copies > MOST_COPIES:
        return None
    try:
        return DisconnectivityTree.of_copies(landscape.points, landscape.unfolded())
    except DatabaseError:
        # Pathways without group elements, or too many connections: the collapsed tree is drawn alone.
        return None
