"""The landscapes of narrow networks inside those of wide ones, width by width, and the balance of their Morse sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import comb
from typing import Any

from symland.analysis.embedding import EmbeddingReport, check_embedding
from symland.analysis.pruning import ClassLabel, label_classes
from symland.errors import SpecError
from symland.records import StationaryPoint, Verdict
from symland.spec import LandscapeSpec
from symland.symmetry import SymmetryGroup

__all__ = ["EmbeddingMap", "Landscape", "MapClass", "MapLink", "MorseBalance", "embedding_map"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Landscape:
    """All stationary points known of one network."""

    spec: LandscapeSpec
    points: tuple[StationaryPoint, ...]
    group: SymmetryGroup


@dataclass(frozen=True, kw_only=True)
class MapClass:
    """One class of one width."""

    width: int
    number: int
    loss: float
    index: int
    orbit_size: int
    label: ClassLabel


@dataclass(frozen=True, kw_only=True)
class MapLink:
    """Class `start` of `width` is class `end` of `width + 1`, or of no class listed there; `rise` is the gain of index.

    `escape` is the class of `width + 1` that its escape direction leads down to, if it has one that is listed.
    """

    width: int
    start: int
    end: int | None
    rise: int
    escape: int | None
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class MorseBalance:
    """Signed labelled copies at one width, from its own list and from the irreducible classes of all widths.

    Theorem T7-Morse: both are 1 where the lists are complete and nothing is degenerate.

    Attributes
    ----------
    width : int
    own : int
        sum (-1)^index orbit over the width's own list.
    gaining, keeping : int
        The same over its irreducible classes whose zero extension does, or does not, gain an index.
    predicted : int
        sum_r C(m, r) (keeping_r + (-1)^(m - r) gaining_r).
    """

    width: int
    own: int
    gaining: int
    keeping: int
    predicted: int


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingMap:
    """Classes of every width and the links between them."""

    widths: tuple[int, ...]
    classes: tuple[MapClass, ...]
    links: tuple[MapLink, ...]
    balance: tuple[MorseBalance, ...]
    reports: tuple[EmbeddingReport, ...]

    def column(self, width: int) -> tuple[MapClass, ...]:
        """The classes of one width."""
        return tuple(c for c in self.classes if c.width == width)

    @property
    def complete(self) -> bool:
        """Whether every embedded class was found in the wider network's own list."""
        return all(link.end is not None for link in self.links)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "widths": list(self.widths),
            "classes": [
                {
                    "width": c.width,
                    "number": c.number,
                    "loss": c.loss,
                    "index": c.index,
                    "orbit": c.orbit_size,
                    "label": str(c.label),
                    "irreducible": c.label.irreducible,
                }
                for c in self.classes
            ],
            "links": [
                {
                    "width": k.width,
                    "start": k.start,
                    "end": k.end,
                    "rise": k.rise,
                    "escape": k.escape,
                    "verdict": k.verdict.value,
                }
                for k in self.links
            ],
            "morse": [
                {
                    "width": b.width,
                    "own": b.own,
                    "keeping": b.keeping,
                    "gaining": b.gaining,
                    "predicted": b.predicted,
                }
                for b in self.balance
            ],
        }


def embedding_map(
    landscapes: Sequence[Landscape], *, escapes: bool = True, progress: Callable[[int, int], None] | None = None
) -> EmbeddingMap:
    """Embed each landscape into the next, for networks of one hidden layer of widths n, n + 1, ...

    Raises
    ------
    SpecError
        If the networks differ in more than their width, or the widths do not follow one another.
    """
    narrow = landscapes[0].spec
    for earlier, later in pairwise(landscapes):
        if later.spec.digest != earlier.spec.with_(hidden=(earlier.spec.hidden[0] + 1,)).digest:
            raise SpecError.at("landscapes", "two that are not one width apart", "give widths n, n + 1, ... in order")
    known = {land.spec.hidden: (land.points, land.group) for land in landscapes}
    classes: list[MapClass] = []
    links: list[MapLink] = []
    reports: list[EmbeddingReport] = []
    for number, land in enumerate(landscapes):
        width = land.spec.hidden[0]
        following = landscapes[number + 1] if number + 1 < len(landscapes) else None
        labels = label_classes(land.spec, land.points, {k: v for k, v in known.items() if k < land.spec.hidden})
        classes += [
            MapClass(
                width=width,
                number=k,
                loss=point.loss,
                index=point.index,
                orbit_size=point.orbit_size,
                label=label,
            )
            for k, (point, label) in enumerate(zip(land.points, labels, strict=True))
        ]
        report = check_embedding(
            land.spec,
            land.points,
            wide_points=following.points if following else (),
            wide_group=following.group if following else None,
            escapes=escapes and following is not None,
        )
        reports.append(report)
        if following is not None:
            links += [
                MapLink(
                    width=width,
                    start=point.number,
                    end=point.wide_class,
                    rise=point.prediction.rise,
                    escape=point.escape.wide_class if point.escape else None,
                    verdict=Verdict.all(point.stationary, point.index_holds),
                )
                for point in report.points
            ]
        if progress:
            progress(number + 1, len(landscapes))
    return EmbeddingMap(
        widths=tuple(land.spec.hidden[0] for land in landscapes),
        classes=tuple(classes),
        links=tuple(links),
        balance=_balance(narrow.hidden[0], classes, reports),
        reports=tuple(reports),
    )


def _balance(first: int, classes: Sequence[MapClass], reports: Sequence[EmbeddingReport]) -> tuple[MorseBalance, ...]:
    # Classes of the first width that extend still narrower ones count at their own width, the origin at width 0.
    rise = {
        (report.extension.narrow.hidden[0], point.number): point.prediction.rise
        for report in reports
        for point in report.points
    }
    signed: dict[int, list[int]] = {}
    for c in classes:
        home = sum(c.label.width)
        if c.label.irreducible or (c.width == first and home < first):
            parts = signed.setdefault(home, [0, 0])
            value = (-1) ** c.index * c.orbit_size
            gains = rise[c.width, c.number] % 2
            if home < first:
                # At width `first` it carries the signs and the places of the zero nodes that it already has.
                value = value * (-1) ** (gains * (first - home)) // comb(first, home)
            parts[gains] += value
    out = []
    for m in sorted({c.width for c in classes}):
        keeping, gaining = signed.get(m, [0, 0])
        predicted = sum(
            comb(m, r) * (kept + (-1) ** (m - r) * gained) for r, (kept, gained) in signed.items() if r <= m
        )
        own = sum((-1) ** c.index * c.orbit_size for c in classes if c.width == m)
        out.append(MorseBalance(width=m, own=own, keeping=keeping, gaining=gaining, predicted=predicted))
    return tuple(out)
