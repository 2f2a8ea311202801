"""The queue of a search at one penalty: what waits, what came of the rest, and how both are kept and taken up again."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symland.errors import CertificateError
from symland.rigor.enumeration.choices import Followed, first_choices
from symland.rigor.enumeration.known import KnownPoints
from symland.rigor.enumeration.packing import packed, unpacked
from symland.rigor.enumeration.problem import Doubles
from symland.rigor.enumeration.search import Search
from symland.spec import LandscapeSpec

__all__ = ["STATE", "Queue", "Weighted", "points_key"]

Weighted = tuple[Doubles, float]
"""A table of choices with its share of the search tree."""

STATE = 4
"""Layout of a kept state. Those before are of another search."""


@dataclass(slots=True)
class Queue:
    """Tables of choices, those that are out for examination, and what came of others.

    Attributes
    ----------
    undecided : tables of choices too small to go on
    marks : residuals (n, D) at which choices were examined, see `Followed`
    share : share of the search tree that is closed
    examined : choices
    met : copies of known points that held choices
    """

    tables: list[Weighted]
    undecided: list[Doubles] = field(default_factory=list)
    marks: list[Doubles] = field(default_factory=list)
    share: float = 0.0
    examined: int = 0
    met: set[int] = field(default_factory=set)
    out: dict[Future[list[Followed]], list[Weighted]] = field(default_factory=dict)

    @staticmethod
    def first(search: Search) -> Queue:
        """Everything is to be done."""
        return Queue([(first_choices(search.problem), 1.0)])

    def waiting(self) -> list[Weighted]:
        """All that is not done, the batches that are out included."""
        return [*self.tables, *(entry for batch in self.out.values() for entry in batch)]

    def receive(self, future: Future[list[Followed]]) -> None:
        """Put what is left of the tables of a batch in their place; an interruption leaves the queue as it was."""
        results, batch = future.result(), self.out[future]
        pairs = list(zip(batch, results, strict=True))
        following = [(part, weight / len(result.left)) for (_, weight), result in pairs for part in result.left]
        self.undecided += [result.waiting for _, result in pairs if result.waiting.shape[1]]
        self.share += sum(weight for (_, weight), result in pairs if not result.left)
        self.marks += [result.marks for result in results]
        self.examined += sum(result.examined for result in results)
        self.met.update(*(result.copies for result in results))
        self.tables += following
        del self.out[future]

    def places(self, samples: int) -> Doubles:
        """All marks (n, D), in an order of their own."""
        every = np.concatenate([np.empty((0, samples)), *self.marks])
        return every[np.lexsort(every.T)]

    def saved(self, spec: LandscapeSpec, known: KnownPoints) -> dict[str, Any]:
        """JSON values; doubles survive exactly."""
        order = sorted(self.met)
        return {
            "layout": STATE,
            "spec": spec.digest,
            "known": points_key(known),
            "tables": [[packed(table), weight] for table, weight in self.waiting()],
            "undecided": [packed(table) for table in self.undecided],
            "met": [[known.centres[k].tolist(), float(known.biases[k])] for k in order],
            "marks": [packed(part) for part in self.marks],
            "share": self.share,
            "examined": self.examined,
        }

    @staticmethod
    def restored(search: Search, spec: LandscapeSpec, state: dict[str, Any]) -> Queue:
        """Take up what ``saved`` kept; boxes left undecided go back to the queue, since a longer list may hold them.

        Raises
        ------
        CertificateError
            If the state belongs to another question, rests on other points, or is of an earlier search.
        """
        known = search.known
        if state.get("layout") != STATE:
            raise CertificateError("the saved enumeration is of another version of the search; start it afresh")
        if state.get("spec") != spec.digest:
            raise CertificateError("the saved enumeration belongs to another specification; start it afresh")
        present = {json.dumps(key) for key in points_key(known)}
        before = [json.dumps(key) for key in state["known"]]
        if any(key not in present for key in before):
            raise CertificateError(
                "the saved enumeration rests on points that are not in this list; start it afresh or add them"
            )
        copies = [[centre.tolist(), float(b)] for centre, b in zip(known.centres, known.biases, strict=True)]
        return Queue(
            tables=[
                *((unpacked(table), 0.0) for table in state["undecided"]),
                *((unpacked(table), weight) for table, weight in state["tables"]),
            ],
            marks=[unpacked(part) for part in state["marks"]],
            share=state["share"],
            examined=state["examined"],
            met={k for entry in state["met"] for k, copy in enumerate(copies) if copy == entry},
        )


def points_key(known: KnownPoints) -> list[Any]:
    """JSON values that say which points, and in which cubes each is the only one."""
    return [[c.centre.tolist(), c.bias, c.radius] for c in known.classes]
