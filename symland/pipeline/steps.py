"""The steps of the chain: each takes a database, does one thing to all of its classes, and stores the result.

Each can be run again, and alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from symland.errors import DatabaseError, RefinementError
from symland.explore import DEFAULT_RULES, BatchResult, Exploration, Plan, Richness, explore, parse_rules
from symland.explore.bands import ATTEMPTS, bridge, components, search_between
from symland.explore.exploration import MOST_SEARCHES
from symland.explore.origins import Origin, starts_from
from symland.explore.pathways import Connections
from symland.kernels import compile_kernel
from symland.kernels.remote import kernel_of
from symland.landscape.database import Database
from symland.pipeline.listener import SILENCE, Listener
from symland.pipeline.summary import classes, spaced
from symland.program.derive import build_program
from symland.program.identity import check_identity
from symland.program.proof import Statement, prove_program
from symland.records import FloatArray
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.distinct import distinct
from symland.rigor.enumeration import (
    EnumerationResult,
    Progress,
    enumerate_by_theorem,
    enumerate_points,
    theorem_applies,
)
from symland.rigor.refine import RefinedPoint, refine
from symland.spec import LandscapeSpec
from symland.symbolic.symmetry import find_symmetry
from symland.symbolic.theorem import ProofResult
from symland.symbolic.theorem.library import prove_all

__all__ = [
    "certify_into",
    "connect_into",
    "enumerate_into",
    "explore_into",
    "prove_into",
    "refine_into",
    "verify_program",
]


def verify_program(spec: LandscapeSpec) -> tuple[Statement, ...]:
    """The symbolic proof of the derivation program, and the identity test that decides it at any size."""
    return (*prove_program(spec), check_identity(spec, build_program(spec)))


def explore_into(
    database: Database,
    *,
    seed: int = 0,
    max_index: int | None = None,
    until: str = DEFAULT_RULES,
    budget: float | None = None,
    clock: Callable[[], float] | None = None,
    max_searches: int = MOST_SEARCHES,
    origins: Sequence[Origin] = (),
    executor: Executor | None = None,
    listener: Listener = SILENCE,
) -> Exploration:
    """Search for stationary points of every index; go on where an earlier run of the same seed ended.

    Parameters
    ----------
    origins : sequence of Origin
        Landscapes whose points are tried first: extended and split, or continued from another penalty.

    Raises
    ------
    DatabaseError
        If the file holds an exploration with another seed, highest index or other starts.
    ExplorationError
        If the rules cannot be read; nothing is written then.
    """
    spec = database.spec
    parse_rules(until)
    plan = {"seed": seed, "max_index": max_index}
    before = database.meta().get("plan", plan)
    if before != plan:
        raise DatabaseError(
            f"{database.path}: explored with seed {before['seed']} and max index {before['max_index']}; "
            "give the same, or another file"
        )
    given = _given(database, origins, seed)
    if "plan" not in database.meta():
        database.put_meta("plan", plan)
    stored = [BatchResult.from_payload(payload) for _, payload in sorted(database.batches().items())]
    whole = Plan(seed=seed, max_index=max_index, given=given)

    def keep(result: BatchResult) -> None:
        database.put_batch(whole.place(result.address), result.payload())

    found = explore(
        compile_kernel(spec),
        find_symmetry(spec),
        plan=whole,
        until=until,
        budget=budget,
        clock=clock,
        max_searches=max_searches,
        stored=stored,
        keep=keep,
        executor=executor,
        factory=partial(kernel_of, spec.canonical()) if executor else None,
        progress=lambda state: listener.advance(
            f"{state.searches} searches, classes by index {spaced(state.classes)}, Morse sum {state.morse_sum}"
        ),
    )
    database.put_points(found.points)
    state = found.completeness
    database.put_analysis(
        "completeness",
        {
            "searches": state.searches,
            "converged": state.converged,
            "last_new": state.last_new,
            "rules": until,
            "satisfied": found.satisfied,
            "morse_sum": state.morse_sum,
            "degenerate": state.degenerate,
            "inequalities": [v.value for v in state.inequalities],
            "coverage": state.overall.coverage,
            "estimate": _interval(state.overall),
            "by_index": [
                {"observed": r.observed, "draws": r.draws, "coverage": r.coverage, "estimate": _interval(r)}
                for r in state.by_index
            ],
            "curve": [[searches, list(classes)] for searches, classes in state.curve],
        },
    )
    return found


def _interval(richness: Richness) -> list[float | None]:
    """Lower limit, estimate and upper limit of the number of classes; None for an infinite limit."""
    return [x if math.isfinite(x) else None for x in (richness.low, richness.estimate, richness.high)]


def _given(database: Database, origins: Sequence[Origin], seed: int) -> FloatArray | None:
    """Starts from other landscapes, stored with the exploration that they belong to."""
    before = database.meta().get("given")
    if not origins:
        return before
    given = starts_from(database.spec.layout, origins, seed)
    if before is None and not database.batches():
        database.put_meta("given", given)
    elif before is None or not np.array_equal(before, given):
        raise DatabaseError(
            f"{database.path}: was explored from other starts; name the same landscapes, none, or another file"
        )
    return given


def connect_into(
    database: Database,
    *,
    between: tuple[int, int] | None = None,
    attempts: int = ATTEMPTS,
    listener: Listener = SILENCE,
) -> Connections:
    """Follow both downhill branches of every transition state, and search between minima that stay unconnected.

    Classes that are found on the way join the list.

    Parameters
    ----------
    between : two class numbers of minima, optional
        A double-ended search between these first, whatever joins them.
    attempts : int
        Double-ended searches between minima that stay unconnected, at most.

    Raises
    ------
    DatabaseError
        If there are no classes yet, or `between` names something else than two minima.
    """
    points = classes(database)
    kernel, group = compile_kernel(database.spec), find_symmetry(database.spec)
    listener.advance(f"{sum(p.index == 1 for p in points)} transition states")
    if between is not None:
        for number in between:
            if not 0 <= number < len(points) or points[number].index or points[number].nullity:
                raise DatabaseError(f"{database.path}: class {number} is not a minimum; name classes of index 0")
        points = search_between(kernel, group, points, *between)
    found = bridge(kernel, group, points, attempts=attempts)
    if len(found.points) > len(database.points()):
        database.put_points(found.points)
    database.put_pathways(found.pathways)
    database.put_descents(found.descents)
    lost = [{"class": b.transition_state, "sign": b.sign, "outcome": b.outcome.value} for b in found.lost]
    parts = components(found)
    apart = len({int(root) for root, point in zip(parts, found.points, strict=True) if point.index == 0})
    database.put_analysis(
        "connections",
        {
            "pathways": len(found.pathways),
            "lost": lost,
            "on_saddles": sum(found.ends_on_saddle(path) for path in found.pathways),
            "descents": len(found.descents),
            "components": apart,
        },
    )
    return found


def refine_into(database: Database, *, digits: int = 50, listener: Listener = SILENCE) -> list[RefinedPoint | None]:
    """Refine every class to the digits asked for; None for a point at which Newton's method does not settle.

    Raises
    ------
    RefinementError
        If `digits` is not positive.
    """
    if digits < 1:
        raise RefinementError(f"--digits: {digits}; write 1 or more")
    points, out = classes(database), list[RefinedPoint | None]()
    for number, point in enumerate(points):
        try:
            refined: RefinedPoint | None = refine(database.spec, point.theta.tolist(), digits=digits)
        except RefinementError:
            refined = None
        if refined is not None:
            database.put_refined(number, refined.to_dict())
        out.append(refined)
        listener.advance(f"{digits} digits", number + 1, len(points))
    return out


def certify_into(database: Database, *, listener: Listener = SILENCE) -> list[Certificate]:
    """Certify existence, uniqueness, index and loss of every class."""
    points, refined = classes(database), database.refined()
    out = []
    for number, point in enumerate(points):
        start = RefinedPoint.from_dict(refined[number]) if number in refined else point.theta.tolist()
        certificate = certify(database.spec, start)
        database.put_certificate(number, certificate.to_dict())
        out.append(certificate)
        listener.advance("certificates", number + 1, len(points))
    pairs = distinct(out, find_symmetry(database.spec))
    exceptions = [[pair.first, pair.second, pair.verdict.value, pair.reason] for pair in pairs.exceptions]
    database.put_analysis("distinctness", {"verdict": pairs.verdict.value, "exceptions": exceptions})
    return out


def enumerate_into(
    database: Database,
    *,
    by: Literal["theorem", "boxes"] | None = None,
    budget: float = math.inf,
    executor: Executor | None = None,
    workers: int = 1,
    clock: Callable[[], float],
    listener: Listener = SILENCE,
) -> EnumerationResult:
    """Prove that the database's classes are all stationary points up to symmetry, or say where there may be more.

    By theorem where one speaks of the question, else by the box search; ``by`` asks for one of them. A box search that
    the budget or Ctrl-C ended goes on where it was; one that was killed, where it was a few minutes before.

    Raises
    ------
    DatabaseError
        If the database holds no classes yet.
    SpecError
        If the network is not of the kind that can be enumerated.
    """
    points = classes(database)

    def progress(state: Progress) -> None:
        listener.advance(
            f"{100 * state.share:.2f} % closed, {state.boxes_handled} boxes, {state.waiting} waiting, "
            f"{state.undecided} undecided, {state.seconds:.0f} s"
        )

    if by == "theorem" or (by is None and theorem_applies(database.spec)):
        result = enumerate_by_theorem(database.spec, points, clock=clock)
    else:
        keep = partial(database.put_analysis, "enumeration state")
        result = enumerate_points(
            database.spec,
            points,
            budget_seconds=budget,
            state=database.analyses().get("enumeration state"),
            progress=progress,
            keep=keep,
            executor=executor,
            workers=workers,
            clock=clock,
        )
        keep(result.state)
    database.put_analysis(
        "enumeration",
        {
            "verdict": result.verdict.value,
            "by": result.theorem or "boxes",
            "classes": len(result.classes),
            "unproved": list(result.unproved),
            "undecided": len(result.undecided),
            "boxes": result.boxes_handled,
            "node_boxes": result.node_boxes,
            "share": result.share,
            "seconds": round(result.seconds, 3),
            "digest": result.digest,
        },
    )
    return result


def prove_into(
    database: Database, files: Sequence[str | Path] | None = None, *, listener: Listener = SILENCE
) -> list[ProofResult]:
    """Prove theorems, by default all that come with the package, and store the proofs for the report."""
    results = prove_all(files, progress=lambda result: listener.advance(result.theorem.title))
    database.put_proofs([result.to_dict() for result in results])
    return results
