"""The queue of a search: tasks that wait, what came of others, and how both are kept and taken up again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from symland.errors import CertificateError
from symland.rigor.enumeration.known import KnownPoints
from symland.rigor.enumeration.leaves import NOBODY, SEVERAL, Leaf
from symland.rigor.enumeration.packing import packed, unpacked
from symland.rigor.enumeration.search import Closed, Counters, Result, Search, Survivors, Task, first_task
from symland.rigor.enumeration.splitting import followers
from symland.rigor.enumeration.witnesses import keep
from symland.spec import LandscapeSpec

__all__ = ["STATE", "Examined", "Queue", "Weighted", "points_key"]

Weighted = tuple[Task, float]
"""A task with its share of the search tree."""
Examined = tuple[list[Result], Counters]

STATE = 3
"""Layout of a kept state. Those of layout 1 are of a search that could be wrong, so they are not taken up."""


@dataclass(slots=True)
class Queue:
    """Tasks, those that are out for examination, and what came of others; ``met`` are copies of known points."""

    tasks: list[Weighted]
    undecided: list[Task] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    share: float = 0.0
    counters: Counters = field(default_factory=Counters)
    met: set[int] = field(default_factory=set)
    out: dict[Future[Examined], list[Weighted]] = field(default_factory=dict)

    @staticmethod
    def first(search: Search) -> Queue:
        """Everything is to be done."""
        return Queue([(first_task(search.problem), 1.0)])

    def waiting(self) -> list[Weighted]:
        """All that is not done, the batches that are out included."""
        return [*self.tasks, *(entry for batch in self.out.values() for entry in batch)]

    def receive(self, search: Search, future: Future[Examined]) -> None:
        """Put what follows from the tasks of a batch in their place; an interruption leaves the queue as it was.

        Raises
        ------
        WitnessLost
            If the parts of a task do not hold a known point that the task holds.
        """
        (results, counters), batch = future.result(), self.out[future]
        leaves, undecided, following, met, share = list[Leaf](), list[Task](), list[Weighted](), set[int](), 0.0
        for (task, weight), result in zip(batch, results, strict=True):
            if isinstance(result, Closed):
                leaves.append(Leaf(cell=task.cell, reason=result.reason, held_by=_holder(search, task, result)))
                met |= search.witnesses.within(task.cell, result.copies)
                share += weight
                continue
            if isinstance(result, Survivors):
                met |= search.witnesses.within(task.cell, result.copies)
            parts = followers(search.problem, task, result)
            if parts is None:
                undecided.append(replace(task, pull=result.pull, nodes=result.nodes))
                share += weight
                continue
            keep("split", search.witnesses.carried(result.pull, result.nodes), *((t.pull, t.nodes) for t in parts))
            following += [(part, weight / len(parts)) for part in parts]
        self.leaves += leaves
        self.undecided += undecided
        self.share += share
        self.counters.add(counters)
        self.tasks += following
        self.met |= met
        del self.out[future]

    def saved(self, spec: LandscapeSpec, known: KnownPoints) -> dict[str, Any]:
        """JSON values; doubles survive exactly."""
        counters, waiting = self.counters, self.waiting()
        order = sorted(self.met.union(*(t.met for t, _ in waiting), *(t.met for t in self.undecided)))

        def places(copies: Iterable[int]) -> list[int]:
            return [order.index(k) for k in sorted(copies)]

        def task(t: Task) -> list[Any]:
            return [packed(t.pull), packed(t.nodes), packed(t.cell), places(t.met)]

        return {
            "layout": STATE,
            "spec": spec.digest,
            "known": points_key(known),
            "numbers": [c.number for c in known.classes],
            "tasks": [[*task(t), w] for t, w in waiting],
            "undecided": [task(t) for t in self.undecided],
            "copies": [[known.centres[k].tolist(), float(known.biases[k])] for k in order],
            "met": places(self.met),
            "leaves": [leaf.saved() for leaf in self.leaves],
            "share": self.share,
            "counters": [counters.pull_boxes, counters.node_boxes, counters.combinations],
            "closed": dict(counters.closed),
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
        present = {json.dumps(key): c.number for key, c in zip(points_key(known), known.classes, strict=True)}
        before = [json.dumps(key) for key in state["known"]]
        if any(key not in present for key in before):
            raise CertificateError(
                "the saved enumeration rests on points that are not in this list; start it afresh or add them"
            )
        # A list in another order numbers its classes anew.
        number = {old: present[key] for old, key in zip(state["numbers"], before, strict=True)}
        number |= {NOBODY: NOBODY, SEVERAL: SEVERAL}

        copies = [[centre.tolist(), float(b)] for centre, b in zip(known.centres, known.biases, strict=True)]
        at = [{k for k, copy in enumerate(copies) if copy == entry} for entry in state["copies"]]

        def taken(places: list[int]) -> frozenset[int]:
            return frozenset[int]().union(*(at[place] for place in places))

        def task(pull: Any, nodes: Any, cell: Any, places: list[int]) -> Task:
            return Task(unpacked(pull), unpacked(nodes), unpacked(cell), taken(places))

        boxes, nodes, combinations = state["counters"]
        return Queue(
            tasks=[
                *((task(*entry), 0.0) for entry in state["undecided"]),
                *((task(*entry[:-1]), entry[-1]) for entry in state["tasks"]),
            ],
            leaves=[Leaf.of([*row[:-1], number[row[-1]]]) for row in state["leaves"]],
            share=state["share"],
            counters=Counters(
                pull_boxes=boxes, node_boxes=nodes, combinations=combinations, closed=dict(state["closed"])
            ),
            met=set(taken(state["met"])),
        )


def points_key(known: KnownPoints) -> list[Any]:
    """JSON values that say which points, and in which cubes each is the only one."""
    return [[c.centre.tolist(), c.bias, c.radius] for c in known.classes]


def _holder(search: Search, task: Task, closed: Closed) -> int:
    """The class that was met in a closed cell, there or on the way there."""
    copies = closed.copies | search.witnesses.within(task.cell, task.met)
    numbers: Sequence[int] = sorted({int(search.known.numbers[copy]) for copy in copies})
    return NOBODY if not numbers else numbers[0] if len(numbers) == 1 else SEVERAL
