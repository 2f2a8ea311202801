"""The branch and prune loop: what is asked for, what is split, what is logged, how it is resumed."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from symland.errors import CertificateError
from symland.records import StationaryPoint, Verdict
from symland.rigor.enumeration.by_theorem import origin_alone
from symland.rigor.enumeration.examine import bisect_nodes, examine_batch
from symland.rigor.enumeration.known import KnownClass, KnownPoints, prove_known
from symland.rigor.enumeration.lookout import find_unlisted
from symland.rigor.enumeration.problem import Doubles, ReducedProblem, reduced_problem
from symland.rigor.enumeration.search import Closed, Counters, Reason, Result, Search, Survivors, Task, first_task
from symland.rigor.enumeration.witnesses import Witnesses
from symland.spec import LandscapeSpec

BATCH = 8
"""Residual boxes examined in one call."""
BATCHES_OUT = 2
"""Batches sent out for each worker: while it examines one the next is on its way."""
KEEP_SECONDS = 300.0
"""Between two states kept while the search runs: one of 30 MB takes a second."""
NODE_LIMIT = (1000, 12000, 300, 80)
"""Node boxes of a residual box beyond which it is split instead of them, for N = 1, 2, 3, more."""
PULL_WEIGHT = 0.3
"""Weight of the width of P / kappa against the width of a weight, when a node box is split."""
BIAS_WEIGHT = 0.25
"""The same for gamma."""
CROWD = 40.0
"""For N > 1 a residual box is split while each node has more than this many possible choices on average, ..."""
CROWD_WIDTH = 2.0
"""... unless its width (P / kappa or gamma / 4) is below the width of the widest node divided by this."""
PULL_BIAS = 0.25
"""Weight of the width of gamma against that of P / kappa, when a residual box is split."""
SHRINK_ENOUGH = 0.6
"""A residual box that shrank to this share in some direction is examined again before anything is split."""
LOOKOUT = 64
"""Newton searches for a point that the list lacks, before the search begins."""
LEAST_WIDTH = 1e-8
"""Width (P / kappa, gamma and weights) below which a box is left undecided: it is beyond double precision's use."""


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
    boxes_handled, node_boxes, combinations : work.
    share : share of the search tree that is closed (1 at the end).
    seconds : by the caller's clock.
    log : one row for each leaf, which is a closed cell: P lo, gamma lo, P hi, gamma hi, reason, class.  The reason is
        its place in ``Reason``; the class is the number of the known point that was met in it, -1 for none, -2 for
        several.  The cells tile the first box.
    digest : SHA-256 of question, classes and log.
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
    node_boxes: int
    combinations: int
    share: float
    seconds: float
    log: Doubles
    digest: str
    state: dict[str, Any]
    theorem: str | None = None
    inconsistent: tuple[int, ...] = ()
    unlisted: tuple[KnownClass, ...] = ()

    def __post_init__(self) -> None:
        self.log.flags.writeable = False
        if self.verdict is Verdict.CERTIFIED and (self.undecided or self.inconsistent or self.unlisted):
            raise CertificateError("an enumeration that is open, inconsistent or lacks a point is not complete")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an enumeration is."""

    boxes_handled: int
    node_boxes: int
    waiting: int
    undecided: int
    share: float
    seconds: float


_Weighted = tuple[Task, float]
_Examined = tuple[list[Result], Counters]


@dataclass(slots=True)
class _Queue:
    """Tasks, each with its share of the search tree, those that are out for examination, and what came of others."""

    tasks: list[_Weighted]
    undecided: list[Task]
    log: list[Doubles]
    share: float
    counters: Counters
    met: set[int] = field(default_factory=set)
    out: dict[Future[_Examined], list[_Weighted]] = field(default_factory=dict)

    def waiting(self) -> list[_Weighted]:
        return [*self.tasks, *(entry for batch in self.out.values() for entry in batch)]


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
    unlisted = find_unlisted(spec, problem, known, lookout)
    queue = _fresh(problem) if state is None else _restore(problem, spec, known, state)
    if unlisted:
        max_boxes = 0
    limit = math.inf if max_boxes is None else max_boxes
    pool, most = (_Here(), 1) if executor is None else (executor, BATCHES_OUT * workers)
    begun, kept = queue.counters.pull_boxes, started
    try:
        while (
            (queue.tasks or queue.out)
            and clock() - started < budget_seconds
            and queue.counters.pull_boxes - begun < limit
        ):
            while queue.tasks and len(queue.out) < most:
                # Until it is out, a batch stays in the queue: an interruption loses no box.
                batch = queue.tasks[-BATCH:]
                future = pool.submit(_examined, problem, known, [task for task, _ in batch], compiled)
                queue.out[future] = batch
                del queue.tasks[-BATCH:]
            for future in wait(queue.out, return_when=FIRST_COMPLETED).done:
                _receive(problem, known, queue, future)
            if keep is not None and clock() - kept >= KEEP_SECONDS:
                keep(_save(spec, known, queue))
                kept = clock()
            if progress is not None:
                progress(
                    Progress(
                        boxes_handled=queue.counters.pull_boxes,
                        node_boxes=queue.counters.node_boxes,
                        waiting=len(queue.waiting()),
                        undecided=len(queue.undecided),
                        share=queue.share,
                        seconds=clock() - started,
                    )
                )
    except (KeyboardInterrupt, BrokenExecutor) as ended:
        if keep is not None:
            keep(_save(spec, known, queue))
        if isinstance(ended, BrokenExecutor):
            raise CertificateError(
                "a worker process died; what was examined is kept, so run again, with fewer workers if memory ran out"
            ) from None
        raise
    finally:
        for future in queue.out:
            future.cancel()
    open_tasks = [*queue.undecided, *(task for task, _ in queue.waiting())]
    first = problem.samples + 1
    undecided = tuple(UndecidedBox(pull=t.pull.copy(), states=t.nodes[:, first:].copy()) for t in open_tasks)
    # In an order of its own, whoever examined what first.
    log = np.array(sorted(map(tuple, queue.log)), dtype=np.float64).reshape(-1, 2 * (problem.samples + 1) + 2)
    inconsistent = () if open_tasks else Witnesses.of(problem, known).unmet(queue.met)
    complete = not (open_tasks or inconsistent or unlisted)
    saved = _save(spec, known, queue)
    text = json.dumps([spec.digest, saved["known"]], sort_keys=True).encode() + log.tobytes()
    return EnumerationResult(
        verdict=Verdict.CERTIFIED if complete else Verdict.REFUTED if unlisted else Verdict.UNDECIDED,
        classes=known.classes,
        unproved=unproved,
        undecided=undecided,
        boxes_handled=queue.counters.pull_boxes,
        node_boxes=queue.counters.node_boxes,
        combinations=queue.counters.combinations,
        share=1.0 if complete else queue.share,
        seconds=clock() - started,
        log=log,
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
    whole = first_task(problem)
    queue = _Queue([] if complete else [(whole, 1.0)], [], [], 0.0, Counters())
    text = json.dumps([spec.digest, _known_key(known), proof.theorem, proof.digest]).encode()
    return EnumerationResult(
        verdict=Verdict.CERTIFIED if complete else Verdict.UNDECIDED,
        classes=known.classes,
        unproved=unproved,
        undecided=() if complete else (UndecidedBox(pull=whole.pull, states=whole.nodes[:, problem.samples + 1 :]),),
        boxes_handled=0,
        node_boxes=0,
        combinations=0,
        share=float(complete),
        seconds=clock() - started,
        log=np.empty((0, 2 * (problem.samples + 1) + 2)),
        digest=hashlib.sha256(text).hexdigest(),
        state=_save(spec, known, queue),
        theorem=proof.theorem,
    )


def _fresh(problem: ReducedProblem) -> _Queue:
    return _Queue([(first_task(problem), 1.0)], [], [], 0.0, Counters())


def _examined(problem: ReducedProblem, known: KnownPoints, tasks: list[Task], compiled: bool) -> _Examined:
    search = Search.of(problem, known, compiled)
    return examine_batch(search, tasks), search.counters


def _receive(problem: ReducedProblem, known: KnownPoints, queue: _Queue, future: Future[_Examined]) -> None:
    """Put what follows from the tasks of a batch in their place; an interruption leaves the queue as it was."""
    (results, counters), batch = future.result(), queue.out[future]
    log, undecided, following, met, share = [], [], [], set[int](), 0.0
    for (task, weight), result in zip(batch, results, strict=True):
        if isinstance(result, Closed):
            log.append(np.concatenate([task.cell[0], task.cell[1], _why(known, result)]))
            met |= result.copies
            share += weight
            continue
        met |= frozenset() if isinstance(result, Task) else result.copies
        children = _split_pull(problem, result) if isinstance(result, Task) else _next(problem, task, result)
        if children is None:
            undecided.append(Task(result.pull, result.nodes, task.cell))
            share += weight
            continue
        following += [(child, weight / len(children)) for child in children]
    queue.log += log
    queue.undecided += undecided
    queue.share += share
    queue.counters.add(counters)
    queue.tasks += following
    queue.met |= met
    del queue.out[future]


def _why(known: KnownPoints, closed: Closed) -> list[float]:
    """The last two columns of a row of the log."""
    numbers = {int(known.numbers[copy]) for copy in closed.copies}
    held = -1 if not numbers else numbers.pop() if len(numbers) == 1 else -2
    return [float(list(Reason).index(closed.reason)), float(held)]


def _split_pull(problem: ReducedProblem, task: Task) -> list[Task]:
    """Halve a task, and its cell at the same place."""
    width = (task.pull[1] - task.pull[0]) * _pull_scale(problem)
    axis = int(np.argmax(width))
    middle = (task.pull[0, axis] + task.pull[1, axis]) * 0.5
    halves = []
    for side in (0, 1):
        pull, cell = task.pull.copy(), task.cell.copy()
        pull[1 - side, axis] = cell[1 - side, axis] = middle
        fits = task.nodes[0, axis] <= middle if side == 0 else task.nodes[1, axis] >= middle
        halves.append(Task(pull, task.nodes[:, :, fits], cell))
    return halves


def _pull_scale(problem: ReducedProblem) -> Doubles:
    """Weights that make the widths of P and gamma comparable."""
    return np.array([1.0 / float(problem.scale)] * problem.samples + [PULL_BIAS])


def _next(problem: ReducedProblem, task: Task, found: Survivors) -> list[Task] | None:
    """The tasks that follow from the survivors of one; None when they are too small to go on."""
    d, nodes = problem.samples, found.nodes
    number = nodes.shape[2]
    width = found.pull[1] - found.pull[0]
    state_width = (nodes[1] - nodes[0])[d + 1 :]
    largest = float(state_width.max()) if state_width.size else 0.0
    if max(float((width[:d]).max()) / float(problem.scale), float(width[d]), largest) < LEAST_WIDTH:
        return None
    if (width < SHRINK_ENOUGH * (task.pull[1] - task.pull[0])).any():
        return [Task(found.pull, nodes, task.cell)]
    size = width * _pull_scale(problem)
    # When nodes find many partners, a wide residual box is too wide to tell them apart.
    crowded = problem.nodes > 1 and found.size > CROWD * (number + 1) and CROWD_WIDTH * float(size.max()) > largest
    if number == 0 or crowded or number > NODE_LIMIT[min(problem.nodes, len(NODE_LIMIT)) - 1]:
        return _split_pull(problem, Task(found.pull, nodes, task.cell))
    spread = nodes[1] - nodes[0]
    spread[:d] *= PULL_WEIGHT / float(problem.scale)
    spread[d] *= BIAS_WEIGHT
    return [Task(found.pull, bisect_nodes(nodes, spread), task.cell)]


def _known_key(known: KnownPoints) -> list[Any]:
    return [[c.centre.tolist(), c.bias, c.radius] for c in known.classes]


def _save(spec: LandscapeSpec, known: KnownPoints, queue: _Queue) -> dict[str, Any]:
    """JSON values; doubles survive JSON exactly (shortest repr)."""
    counters = queue.counters
    return {
        "spec": spec.digest,
        "known": _known_key(known),
        "tasks": [[t.pull.tolist(), t.nodes.tolist(), t.cell.tolist(), w] for t, w in queue.waiting()],
        "undecided": [[t.pull.tolist(), t.nodes.tolist(), t.cell.tolist()] for t in queue.undecided],
        "met": [[known.centres[k].tolist(), float(known.biases[k])] for k in sorted(queue.met)],
        "log": [row.tolist() for row in queue.log],
        "share": queue.share,
        "counters": [counters.pull_boxes, counters.node_boxes, counters.combinations],
        "closed": dict(counters.closed),
    }


def _restore(problem: ReducedProblem, spec: LandscapeSpec, known: KnownPoints, state: dict[str, Any]) -> _Queue:
    if state.get("spec") != spec.digest:
        raise CertificateError("the saved enumeration belongs to another specification; start it afresh")
    held = {json.dumps(c) for c in _known_key(known)}
    if any(json.dumps(c) not in held for c in state["known"]):
        raise CertificateError(
            "the saved enumeration rests on points that are not in this list; start it afresh or add them"
        )
    rows = problem.samples + 1 + problem.inputs + 1

    def task(pull: Any, nodes: Any, cell: Any) -> Task:
        return Task(np.array(pull), np.array(nodes).reshape(2, rows, -1), np.array(cell))

    boxes, nodes_handled, combinations = state["counters"]
    counters = Counters(
        pull_boxes=boxes, node_boxes=nodes_handled, combinations=combinations, closed=dict(state["closed"])
    )
    log = [np.array(row) for row in state["log"]]
    # Boxes left undecided go back to the queue: a longer list may hold them.
    tasks = [(task(*entry), 0.0) for entry in state["undecided"]]
    tasks += [(task(*entry[:3]), entry[3]) for entry in state["tasks"]]
    met = {
        k
        for k, (centre, bias) in enumerate(zip(known.centres, known.biases, strict=True))
        if [centre.tolist(), float(bias)] in state["met"]
    }
    return _Queue(tasks, [], log, state["share"], counters, met)
