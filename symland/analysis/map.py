"""Question: which class of each network lies inside which class of the next wider one?

The landscapes of narrow networks lie inside those of wide ones, width by width, and their Morse sums balance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import msgspec

from symland.analysis.question import QUIET, Picture, Question, Setting
from symland.errors import DatabaseError, SpecError
from symland.records import Verdict
from symland.tables import Column, Table

if TYPE_CHECKING:
    from symland.analysis.answer_types.embedding import Embedding
    from symland.analysis.answer_types.labels import ClassLabel
    from symland.landscape.landscape import Landscape

__all__ = ["QUESTION", "EmbeddingMap", "MapClass", "MapLink", "MapOptions", "MorseBalance", "embedding_map"]


class MapClass(msgspec.Struct, frozen=True, kw_only=True, rename={"orbit_size": "orbit"}):
    """One class of one width, and its label."""

    width: int
    number: int
    loss: float
    index: int
    orbit_size: int
    label: str
    irreducible: bool


class MapLink(msgspec.Struct, frozen=True, kw_only=True):
    """Class `start` of `width` is class `end` of `width + 1`, or of no class listed there; `rise` is the gain of index.

    `escape` is the class of `width + 1` that its escape direction leads down to, if it has one that is listed.
    """

    width: int
    start: int
    end: int | None
    rise: int
    escape: int | None
    verdict: Verdict


class MorseBalance(msgspec.Struct, frozen=True, kw_only=True):
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
    keeping: int
    gaining: int
    predicted: int


class EmbeddingMap(msgspec.Struct, frozen=True, kw_only=True):
    """Classes of every width and the links between them."""

    widths: tuple[int, ...]
    classes: tuple[MapClass, ...]
    links: tuple[MapLink, ...]
    morse: tuple[MorseBalance, ...]

    def column(self, width: int) -> tuple[MapClass, ...]:
        """The classes of one width."""
        return tuple(c for c in self.classes if c.width == width)

    @property
    def complete(self) -> bool:
        """Whether every embedded class was found in the wider network's own list."""
        return all(link.end is not None for link in self.links)


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """What is followed."""

    escapes: Annotated[bool, "Follow the escape directions of embedded classes downhill."] = True


@final
class _Map(Question[MapOptions, EmbeddingMap]):
    name: ClassVar[str] = "map"
    help: ClassVar[str] = "Show which class of each network lies inside which class of the next wider one."
    options: ClassVar[type] = MapOptions
    answer: ClassVar[type] = EmbeddingMap
    others: ClassVar[str] = "the next wider networks, in order"
    section: ClassVar[str] = "All widths"

    def ask(
        self, landscape: Landscape, *others: Landscape, options: MapOptions, setting: Setting = QUIET
    ) -> EmbeddingMap:
        if not others:
            raise DatabaseError("1 database; give at least 2, by width")
        return embedding_map(
            [landscape, *others],
            escapes=options.escapes,
            progress=lambda done, total: setting.listener.advance("widths", done, total),
        )

    def sentence(self, answer: EmbeddingMap) -> str:
        widths = ", ".join(map(str, answer.widths))
        missing = sum(link.end is None for link in answer.links)
        found = (
            "every embedded class was found in the wider network's own list"
            if not missing
            else f"{missing} embedded classes are MISSING from the wider network's own list"
        )
        return f"The landscapes of {widths} hidden nodes were compared class by class: {found}."

    def tables(self, answer: EmbeddingMap) -> tuple[Table, ...]:
        links = {(link.width, link.start): link for link in answer.links}
        rows = []
        for c in answer.classes:
            link = links.get((c.width, c.number))
            end = None if link is None else "missing" if link.end is None else str(link.end)
            rest = (end, f"+{link.rise}", link.escape, link.verdict) if link else (None, None, None, None)
            label = c.label.replace(f"irreducible at width {c.width}", "irreducible")
            rows.append((c.width, c.number, c.loss, c.index, c.orbit_size, label, *rest))
        columns = (
            Column(name="width", tex="$N_h$"),
            Column(name="class"),
            Column(name="loss", places=8, digits=10),
            Column(name="index"),
            Column(name="copies"),
            Column(name="what it is"),
            Column(name="class at the next width", tex="next"),
            Column(name="rise"),
            Column(name="escapes to"),
            Column(name="verdict", tex="~"),
        )
        caption = (
            "Embedding map: each class of each width, what it is, its number at the next width, by how much its "
            "index rises "
            "there, the class to which the escape direction leads, and whether stationarity and index were decided."
        )
        balance = (
            Column(name="width", tex="$N_h$"),
            Column(name="keeping", tex="$k$"),
            Column(name="gaining", tex="$g$"),
            Column(name="predicted"),
            Column(name="own list"),
        )
        law = (
            "Irreducible classes whose extension keeps the index ($k_r$) or raises it ($g_r$) fix the signed number of "
            r"copies at every width: $\sum_r \binom{m}{r} \bigl(k_r + (-1)^{m-r} g_r\bigr)$ at width $m$, which "
            r"is 1 where "
            "the lists are complete and nothing is degenerate."
        )
        return (
            Table(name="map", title="Embedding map", columns=columns, rows=tuple(rows), caption=caption),
            Table(
                name="morse-balance",
                title="Balance of the Morse sums",
                columns=balance,
                rows=tuple((b.width, b.keeping, b.gaining, b.predicted, b.own) for b in answer.morse),
                caption=law,
            ),
        )

    def figures(self, answer: EmbeddingMap, landscape: Landscape) -> Mapping[str, Picture]:
        from symland.figures import embedding_figure, map_columns

        caption = (
            "The small landscapes inside the large ones: every class keeps its loss (lines; dashed where its "
            "index rises). "
            "Arrows lead from embedded minima down their escape directions."
        )
        return {"map": Picture(figure=embedding_figure(*map_columns(answer)), caption=caption)}

    def verdict(self, answer: EmbeddingMap) -> Verdict:
        return Verdict.CERTIFIED if answer.complete else Verdict.REFUTED


QUESTION = _Map()


def embedding_map(
    landscapes: Sequence[Landscape], *, escapes: bool = True, progress: Callable[[int, int], None] | None = None
) -> EmbeddingMap:
    """Embed each landscape into the next, for networks of one hidden layer of widths n, n + 1, ...

    Raises
    ------
    SpecError
        If the networks differ in more than their width, or the widths do not follow one another.
    """
    from symland.analysis.extended_points import check_embedding
    from symland.analysis.pruning import label_classes

    for earlier, later in pairwise(landscapes):
        if later.spec.with_(hidden=earlier.spec.hidden).digest != earlier.spec.digest:
            what = "two that differ in more than the width"
            raise SpecError.at(
                "landscapes", what, "give the same data, loss, penalty and activation at widths n, n + 1"
            )
        if later.spec.hidden != (earlier.spec.hidden[0] + 1,):
            raise SpecError.at("landscapes", "two that are not one width apart", "give widths n, n + 1, ... in order")
    classes: list[MapClass] = []
    labels: list[tuple[ClassLabel, ...]] = []
    links: list[MapLink] = []
    embeddings: list[Embedding] = []
    for number, land in enumerate(landscapes):
        width = land.spec.hidden[0]
        following = landscapes[number + 1] if number + 1 < len(landscapes) else None
        labels.append(label_classes(land, *landscapes[:number]))
        classes += [
            MapClass(
                width=width,
                number=k,
                loss=point.loss,
                index=point.index,
                orbit_size=point.orbit_size,
                label=label.label,
                irreducible=label.irreducible,
            )
            for k, (point, label) in enumerate(zip(land.points, labels[-1], strict=True))
        ]
        embedding = check_embedding(
            land.spec,
            land.points,
            wide=following,
            escapes=escapes and following is not None,
        )
        embeddings.append(embedding)
        if following is not None:
            links += [
                MapLink(
                    width=width,
                    start=point.number,
                    end=point.wide_class,
                    rise=point.rise,
                    escape=point.escape.wide_class if point.escape else None,
                    verdict=point.verdict,
                )
                for point in embedding.points
            ]
        if progress:
            progress(number + 1, len(landscapes))
    return EmbeddingMap(
        widths=tuple(land.spec.hidden[0] for land in landscapes),
        classes=tuple(classes),
        links=tuple(links),
        morse=_balance(landscapes[0].spec.hidden[0], classes, [x for part in labels for x in part], embeddings),
    )


def _balance(
    first: int, classes: Sequence[MapClass], labels: Sequence[ClassLabel], embeddings: Sequence[Embedding]
) -> tuple[MorseBalance, ...]:
    # Classes of the first width that extend still narrower ones count at their own width, the origin at width 0.
    rise = {(embedding.hidden[0], point.number): point.rise for embedding in embeddings for point in embedding.points}
    signed: dict[int, list[int]] = {}
    for c, label in zip(classes, labels, strict=True):
        home = sum(label.width)
        if label.irreducible or (c.width == first and home < first):
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
