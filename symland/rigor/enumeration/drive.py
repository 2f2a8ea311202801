"""The branch and prune loop: what is asked for, what is split, what is logged, how it is resumed."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from symland.errors import CertificateError
from symland.records import StationaryPoint, Verdict
from symland.rigor.enumeration.bounds import first_cell
from symland.rigor.enumeration.by_theorem import origin_alone
from symland.rigor.enumeration.choices import Followed, first_choices, follow, open_box
from symland.rigor.enumeration.known import KnownClass, prove_known
from symland.rigor.enumeration.leaves import Leaves
from symland.rigor.enumeration.lookout import find_unlisted
from symland.rigor.enumeration.problem import Doubles, ReducedProblem, reduced_problem
from symland.rigor.enumeration.queue import Queue, points_key
from symland.rigor.enumeration.search import Search
from symland.rigor.enumeration.tiling import tiled
from symland.spec import LandscapeSpec

BATCH = 8
"""Tables followed in one call."""
BATCHES_OUT = 2
"""Batches sent out for each worker: while it examines one the next is on its way."""
KEEP_SECONDS = 300.0
"""Between two states kept while the search runs: one of 30 MB takes a second."""
LOOKOUT = 64
"""Newton searches for a point that the list lacks, before the search begins."""


@dataclass(frozen=True, kw_only=True)
class UndecidedBox:
    """A box (2, D + 1) of (P, gamma) that may hold an unlisted solution; ``states`` (2, m + 1, n) are its node
    boxes."""

    pull: Doubles
    states: Doubles

    def __post_init__(self) -> None:
        for array in (self.pull, self.states):
            array.flags.writeable = False


@dataclass(frozen=True, kw_only=True)
class EnumerationResult:
    """What was proved.

    Attributes
    ----------
    verdict : CERTIFIED when ``classes`` are all stationary points up to symmetry; otherwise UNDECIDED.
    classes : the proved and pairwise different classes of the list.
    unproved : numbers of the given points that Arb could not prove to exist.
    undecided : boxes that may hold more; the queue when the budget ran out, and boxes too small to split.
    boxes_handled : boxes of margins and node states that were examined.
    share : share of the search tree that is closed (1 at the end).
    seconds : by the caller's clock.
    leaves : cells of (P, gamma) that tile the first box, each with its reason; none before the list is complete.
    digest : SHA-256 of question, classes and leaves.
    inconsistent : numbers of classes that the finished search never met; then it proves nothing.
    unlisted : proved stationary points that the list lacks, in reduced variables; with one the list is not complete.
    state : pass it to ``enumerate_points`` to go on; JSON values only.
    theorem : the theorem that the verdict rests on, None for the box search.
    """

    verdict: Verdict
    classes: tuple[KnownClass, ...]
    unproved: tuple[int, ...]
    undecided: tuple[UndecidedBox, ...]
    boxes_handled: int
    share: float
    seconds: float
    leaves: Leaves
    digest: str
    state: dict[str, Any]
    theorem: str | None = None
    inconsistent: tuple[int, ...] = ()
    unlisted: tuple[KnownClass, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict is Verdict.CERTIFIED and (self.undecided or self.inconsistent or self.unlisted):
            raise CertificateError("an enumeration that is open, inconsistent or lacks a point is not complete")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an enumeration is."""

    boxes_handled: int
    waiting: int
    undecided: int
    share: float
    seconds: float


class _Here(Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **named))
        return future


def enumerate_points(
    spec: LandscapeSpec,
    known_points: Sequence[StationaryPoint | npt.ArrayLike],
    *,
    budget_seconds: float = math.inf,
    max_boxes: int | None = None,
    state: dict[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    keep: Callable[[dict[str, Any]], None] | None = None,
    executor: Executor | None = None,
    workers: int = 1,
    clock: Callable[[], float] = time.process_time,
    lookout: int = LOOKOUT,
    compiled: bool = True,
) -> EnumerationResult:
    """Prove that a list of stationary points is complete up to symmetry, or say where it may not be.

    Before it begins, a few Newton searches look for a point that the list lacks: if Arb proves one, the verdict is
    REFUTED and nothing is searched.  While it runs, the known points are witnesses against it, and a finished search
    must have met each of them (:mod:`symland.rigor.enumeration.witnesses`).

    Parameters
    ----------
    spec : one hidden layer of tanh nodes, softmax with two classes, penalty on all parameters.
    known_points : stationary points or parameter vectors; each is proved in Arb before it may hold a box.
    budget_seconds, max_boxes : when to stop; the state goes on from there.
    state : of an earlier result for the same question; its list of points may differ, see ``EnumerationResult``.
    progress : called after every batch.
    keep : called with a state from which to go on, every KEEP_SECONDS and on Ctrl-C.
    executor, workers : where to examine boxes, this process by default, and how many processes that is.
    clock : seconds; CPU time of this process by default.
    lookout : Newton searches for a point that the list lacks.
    compiled : whether lane programs run as machine code or over NumPy arrays, which is slower and gives the same.

    Raises
    ------
    SpecError
        If the network is not of the kind that can be enumerated.
    WitnessLost
        If a step of the search drops a known point.
    CertificateError
        If the state belongs to another question or rests on other points, or if a worker ended.
    """
    problem = reduced_problem(spec)
    thetas = [p.theta if isinstance(p, StationaryPoint) else p for p in known_points]
    started = clock()
    known, unproved = prove_known(problem, thetas)
    search = Search.of(problem, known, compiled)
    unlisted = find_unlisted(spec, problem, known, lookout)
    queue = Queue.first(search) if state is None else Queue.restored(search, spec, state)
    limit = 0 if unlisted else math.inf if max_boxes is None else max_boxes
    pool, most = (_Here(), 1) if executor is None else (executor, BATCHES_OUT * workers)
    begun, kept = queue.examined, started
    try:
        while (queue.tables or queue.out) and clock() - started < budget_seconds and queue.examined - begun < limit:
            while queue.tables and len(queue.out) < most:
                # Until it is out, a batch stays in the queue: an interruption loses no box.
                batch = queue.tables[-BATCH:]
                future = pool.submit(_followed, search, [table for table, _ in batch])
                queue.out[future] = batch
                del queue.tables[-BATCH:]
            for future in wait(queue.out, return_when=FIRST_COMPLETED).done:
                queue.receive(future)
            if keep is not None and clock() - kept >= KEEP_SECONDS:
                keep(queue.saved(spec, known))
                kept = clock()
            if progress is not None:
                progress(
                    Progress(
                        boxes_handled=queue.examined,
                        waiting=len(queue.waiting()),
                        undecided=len(queue.undecided),
                        share=queue.share,
                        seconds=clock() - started,
                    )
                )
    except (KeyboardInterrupt, BrokenExecutor) as ended:
        if keep is not None:
            keep(queue.saved(spec, known))
        if isinstance(ended, BrokenExecutor):
            raise CertificateError(
                "a worker process died; what was examined is kept, so run again, with fewer workers if memory ran out"
            ) from None
        raise
    finally:
        for future in queue.out:
            future.cancel()
    left = [*queue.undecided, *(table for table, _ in queue.waiting())]
    undecided = tuple(_open(problem, table) for table in left)
    inconsistent = () if left else search.witnesses.unmet(queue.met)
    complete = not (left or inconsistent or unlisted)
    if complete:
        marks = queue.places(problem.samples)
        leaves = tiled(first_cell(problem), marks, search.witnesses, known, queue.met)
    else:
        leaves = Leaves.of((), problem.samples)
    saved = queue.saved(spec, known)
    text = json.dumps([spec.digest, saved["known"]], sort_keys=True).encode() + leaves.content()
    return EnumerationResult(
        verdict=Verdict.CERTIFIED if complete else Verdict.REFUTED if unlisted else Verdict.UNDECIDED,
        classes=known.classes,
        unproved=unproved,
        undecided=undecided,
        boxes_handled=queue.examined,
        share=1.0 if complete else queue.share,
        seconds=clock() - started,
        leaves=leaves,
        digest=hashlib.sha256(text).hexdigest(),
        state=saved,
        inconsistent=inconsistent,
        unlisted=unlisted,
    )


def enumerate_by_theorem(
    spec: LandscapeSpec,
    known_points: Sequence[StationaryPoint | npt.ArrayLike],
    *,
    clock: Callable[[], float] = time.process_time,
) -> EnumerationResult:
    """The same answer from T9, where it applies: the origin is the only stationary point at any width.

    The verdict is UNDECIDED when the origin is not in the list, or when a step of the proof is not decided.

    Raises
    ------
    SpecError
        If the theorem does not speak of this question.
    CertificateError
        If Arb proves a point of the list which the theorem excludes: one of the two is wrong.
    """
    started = clock()
    problem = reduced_problem(spec)
    proof = origin_alone(spec)
    thetas = [p.theta if isinstance(p, StationaryPoint) else p for p in known_points]
    known, unproved = prove_known(problem, thetas)
    # The origin solves the equations (tanh 0 = 0, as many labels of either kind), so it is the point of such a cube.
    others = [c for c in known.classes if max(float(np.abs(c.centre).max()), abs(c.bias)) > c.radius]
    if others and proof.verdict is Verdict.CERTIFIED:
        raise CertificateError(
            f"point {others[0].number} is stationary and not the origin, which {proof.theorem} excludes; report this"
        )
    complete = proof.verdict is Verdict.CERTIFIED and bool(known.classes)
    whole = first_choices(problem)
    queue = Queue([] if complete else [(whole, 1.0)])
    text = json.dumps([spec.digest, points_key(known), proof.theorem, proof.digest]).encode()
    return EnumerationResult(
        verdict=Verdict.CERTIFIED if complete else Verdict.UNDECIDED,
        classes=known.classes,
        unproved=unproved,
        undecided=() if complete else (_open(problem, whole),),
        boxes_handled=0,
        share=float(complete),
        seconds=clock() - started,
        leaves=Leaves.of((), problem.samples),
        digest=hashlib.sha256(text).hexdigest(),
        state=queue.saved(spec, known),
        theorem=proof.theorem,
    )


def _open(problem: ReducedProblem, table: Doubles) -> UndecidedBox:
    pull, states = open_box(problem, table)
    return UndecidedBox(pull=pull, states=states)


def _followed(search: Search, tables: list[Doubles]) -> list[Followed]:
    return [follow(search, table) for table in tables]
