"""The landscape of one specification: the noun of the package, of which every question is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from symland.errors import DatabaseError
from symland.landscape.account import Account
from symland.landscape.evidence import Evidence
from symland.layout import widths_text
from symland.records import Descent, FloatArray, Pathway, StationaryPoint, Verdict
from symland.tables import Column, Table, html_table

if TYPE_CHECKING:
    import networkx as nx

    from symland.landscape.tree import DisconnectivityTree
    from symland.landscape.unfold import Unfolded
    from symland.rigor.certificate import Certificate
    from symland.rigor.refine import RefinedPoint
    from symland.spec import LandscapeSpec
    from symland.symmetry import SymmetryGroup

__all__ = ["Landscape"]

ROWS_SHOWN = 40
"""Classes in the table of a notebook."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Landscape:
    """Stationary points of a network's loss, up to its symmetry, and what is known of them.

    Attributes
    ----------
    spec : LandscapeSpec
    points : tuple of StationaryPoint
        One representative of each class; class n is `points[n]`.
    pathways : tuple of Pathway
        Transition states with the two ends of their branches.
    descents : tuple of Descent
        What lies downhill of saddles on which branches ended.
    refined : mapping of class numbers to RefinedPoint
    certificates : mapping of class numbers to Certificate
    evidence : Evidence
        What was found out about the list as a whole.
    partial : str
        Why the list is known to lack classes, such as an import that holds only some indices; empty where it may be
        complete.
    """

    spec: LandscapeSpec
    points: tuple[StationaryPoint, ...]
    pathways: tuple[Pathway, ...] = ()
    descents: tuple[Descent, ...] = ()
    refined: Mapping[int, RefinedPoint] = field(default_factory=dict)
    certificates: Mapping[int, Certificate] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    partial: str = ""

    def __post_init__(self) -> None:
        for name in ("points", "pathways", "descents"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("refined", "certificates"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for number, point in enumerate(self.points):
            if point.theta.size != self.spec.n_parameters:
                raise DatabaseError(
                    f"class {number} has {point.theta.size} parameters, the specification has "
                    f"{self.spec.n_parameters}; give the points of this network"
                )

    # -- queries --------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.points)

    def of_index(self, index: int) -> tuple[int, ...]:
        """Numbers of the classes of one index, by loss."""
        numbers = (n for n, p in enumerate(self.points) if p.index == index)
        return tuple(sorted(numbers, key=lambda n: (self.points[n].loss, n)))

    @property
    def minima(self) -> tuple[int, ...]:
        """Numbers of the minima, the lowest first."""
        return self.of_index(0)

    @property
    def transition_states(self) -> tuple[int, ...]:
        """Numbers of the transition states, the lowest first."""
        return self.of_index(1)

    def point(self, number: int) -> StationaryPoint:
        """The class of a number.

        Raises
        ------
        DatabaseError
            If there is none.
        """
        if not 0 <= number < len(self.points):
            raise DatabaseError(f"class {number} of {len(self.points)}; count from 0, as `symland show` does")
        return self.points[number]

    def find(self, theta: FloatArray) -> int | None:
        """The number of the class whose orbit holds a parameter vector (P,), or None."""
        return next(
            (n for n, point in enumerate(self.points) if self.group.match(theta, point.theta) is not None), None
        )

    def explored(self) -> Landscape:
        """This landscape.

        Raises
        ------
        DatabaseError
            If it was not searched yet. A searched one may hold no class: only families, or ways to infinity.
        """
        if not self.points and self.evidence.families is None:
            raise DatabaseError(f"{self.spec.name}: no classes yet; run `symland explore` first")
        return self

    @cached_property
    def group(self) -> SymmetryGroup:
        """The symmetry group of the loss."""
        from symland.symbolic.symmetry import find_symmetry

        return find_symmetry(self.spec)

    @cached_property
    def account(self) -> Account:
        """Counts, the Morse test, what is certified, and whether the list is complete."""
        return Account.of(self.spec, self.points, self.certificates, self.evidence, self.partial)

    def network(self) -> nx.MultiGraph:
        """The transition network of classes."""
        from symland.landscape.network import transition_network

        return transition_network(self.points, self.pathways, self.descents)

    def tree(self) -> DisconnectivityTree:
        """The disconnectivity graph of classes."""
        from symland.landscape.tree import DisconnectivityTree

        return DisconnectivityTree.of_classes(self.points, self.pathways, self.descents)

    def unfolded(self) -> Unfolded:
        """The network of labelled copies.

        Raises
        ------
        DatabaseError
            If pathways carry no group elements, or there are too many copies.
        """
        from symland.landscape.unfold import unfold

        return unfold(self.points, self.pathways, self.group, descents=self.descents)

    # -- reading --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        counts = " ".join(map(str, self.account.counts.classes)) or "none"
        return (
            f"<Landscape {self.spec.name}: hidden {widths_text(self.spec.hidden)}, lambda {self.spec.penalty}; "
            f"classes by index {counts}; {self.account.wording}>"
        )

    def rows(self) -> list[dict[str, Any]]:
        """One record for each class: class, index, loss, copies, certified."""
        return [
            {"class": n, "index": p.index, "loss": p.loss, "copies": p.orbit_size, "certified": held}
            for n, (p, held) in enumerate(zip(self.points, self.account.certified, strict=True))
        ]

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        rows = self.rows()
        names = ("class", "index", "loss", "copies", "certified")
        table = Table(
            name="classes",
            title=repr(self)[1:-1],
            columns=tuple(Column(name=name, digits=12) for name in names),
            rows=tuple(tuple(row[name] for name in names) for row in rows[:ROWS_SHOWN]),
        )
        rest = f"<p>and {len(rows) - ROWS_SHOWN} more</p>" if len(rows) > ROWS_SHOWN else ""
        return html_table(table) + rest

    def enclosure(self, number: int) -> tuple[str, str] | None:
        """The certified bounds (lower, upper) of the loss of a class as decimal texts, or None."""
        certificate = self.certificates.get(number)
        if certificate is None or certificate.existence is not Verdict.CERTIFIED:
            return None
        return certificate.loss
