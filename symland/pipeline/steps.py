"""The steps of the chain: each takes a database, does one thing to all of its classes, and stores the result.

Each can be run again, and alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from symland.analysis import completeness, connections, distinctness, families
from symland.analysis.answers import ask_into, put_answer
from symland.errors import DatabaseError, RefinementError
from symland.explore import DEFAULT_RULES, BatchResult, Exploration, Plan, Richness, explore, parse_rules
from symland.explore.bands import ATTEMPTS, bridge, search_between
from symland.explore.coverage import completeness as count_draws
from symland.explore.donors import Donor, starts_from
from symland.explore.exploration import MOST_SEARCHES
from symland.explore.pathways import Connections, LostBranch
from symland.explore.stopping import LOW_INDEX_RULES
from symland.kernels import compile_kernel
from symland.kernels.remote import kernel_of
from symland.landscape.account import Counts
from symland.landscape.database import PARTIAL, Database
from symland.landscape.evidence import Completeness, Families, IndexEstimate
from symland.landscape.landscape import Landscape
from symland.listener import SILENCE, Listener
from symland.pipeline.holdings import counted
from symland.pipeline.narrower import narrower_donors
from symland.pipeline.settle import settle
from symland.records import FloatArray, Outcome, Pathway, StationaryPoint, Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.decimals import exact_decimal
from symland.rigor.refine import RefinedPoint, need_digits, refine
from symland.symbolic.symmetry import find_symmetry
from symland.theorems import ProofResult
from symland.theorems.library import prove_all

__all__ = [
    "certify_into",
    "connect_into",
    "explore_into",
    "prove_into",
    "refine_into",
]

FIRST_BATCHES = 4
"""Batches of a round in files that do not say how many."""


def explore_into(
    database: Database,
    *,
    seed: int = 0,
    max_index: int | None = None,
    until: str = DEFAULT_RULES,
    budget: float | None = None,
    clock: Callable[[], float] | None = None,
    max_searches: int = MOST_SEARCHES,
    donors: Sequence[Donor] = (),
    narrower: bool = False,
    executor: Executor | None = None,
    listener: Listener = SILENCE,
    late: Callable[[], bool] = lambda: False,
) -> Exploration:
    """Search for stationary points of every index; go on where an earlier run of the same seed ended.

    Parameters
    ----------
    max_index : int, optional
        Highest index to search for. The default rules then leave out the Morse sum, which needs every index.
    budget, clock : float and callable, optional
        Seconds to search for.
    late : callable, optional
        Whether points with a singular Hessian are no longer to be followed: they are counted as open then.
    donors : sequence of Donor
        Landscapes whose points are tried first: extended and split, or continued from another penalty.
    narrower : bool
        Whether networks with narrower hidden layers are explored first, as `symland.pipeline.narrower` says, and
        their points tried; a run that goes on keeps the starts that it began with.

    Raises
    ------
    DatabaseError
        If the file holds an exploration with another seed, highest index or other starts.
    ExplorationError
        If the rules cannot be read; nothing is written then.
    """
    spec = database.spec
    if max_index is not None and until == DEFAULT_RULES:
        until = LOW_INDEX_RULES
    parse_rules(until)
    plan = {"seed": seed, "max_index": max_index, "batches": Plan.batches}
    # A run goes on in rounds of the size that it began with.
    before = {"batches": FIRST_BATCHES} | database.meta().get("plan", plan)
    if any(before[name] != plan[name] for name in ("seed", "max_index")):
        highest = "no --max-index" if before["max_index"] is None else f"--max-index {before['max_index']}"
        raise DatabaseError(
            f"{database.path}: explored with --seed {before['seed']} and {highest}; give the same, or another file"
        )
    fresh = not database.batches() and database.meta().get("given") is None
    if narrower and fresh and not donors:
        begun = 0.0 if clock is None else clock()
        donors = narrower_donors(
            spec,
            seed=seed,
            max_index=max_index,
            budget=budget,
            clock=clock,
            max_searches=max_searches,
            executor=executor,
            listener=listener,
        )
        if budget is not None and clock is not None:
            budget -= clock() - begun
    starts = _given(database, donors, seed)
    if "plan" not in database.meta():
        database.put_meta("plan", plan)
    stored = [BatchResult.from_payload(payload) for _, payload in sorted(database.batches().items())]
    whole = Plan(seed=seed, max_index=max_index, batches=before["batches"], given=starts, coercive=spec.coercive)

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
        progress=lambda state: listener.advance(f"{state.searches} searches, {counted(state.counts)}"),
    )
    apart = settle(spec, find_symmetry(spec), found.points, found.tallies, listener, late=late)
    before_settling, given = found.completeness, tuple(found.given[k] for k in apart.numbers)
    state = count_draws(
        apart.points,
        apart.tallies,
        before_settling.searches,
        before_settling.converged,
        before_settling.last_new,
        before_settling.curve,
        coercive=spec.coercive,
        given=given,
    )
    found = replace(found, points=apart.points, tallies=apart.tallies, given=given, completeness=state)
    database.put_points(found.points)
    database.put_meta(PARTIAL, "")
    put_answer(database, families.QUESTION, apart.others)
    put_answer(
        database,
        completeness.QUESTION,
        Completeness(
            searches=state.searches,
            converged=state.converged,
            last_new=state.last_new,
            rules=until,
            satisfied=found.satisfied,
            morse_sum=state.counts.morse_sum,
            degenerate=state.counts.degenerate,
            inequalities=state.counts.inequalities,
            coverage=state.overall.coverage,
            estimate=_interval(state.overall),
            by_index=tuple(
                IndexEstimate(observed=r.observed, draws=r.draws, coverage=r.coverage, estimate=_interval(r))
                for r in state.by_index
            ),
            curve=state.curve,
            given=state.given,
            holes=Counts.of(found.points, spec.coercive, others=apart.others).holes if max_index is None else (),
        ),
    )
    return found


def _interval(richness: Richness) -> tuple[float | None, float | None, float | None]:
    """Lower limit, estimate and upper limit of the number of classes; None for an infinite limit."""
    low, middle, high = (x if math.isfinite(x) else None for x in (richness.low, richness.estimate, richness.high))
    return low, middle, high


def _given(database: Database, donors: Sequence[Donor], seed: int) -> FloatArray | None:
    """Starts from other landscapes, stored with the exploration that they belong to."""
    before = database.meta().get("given")
    if not donors:
        return before
    given = starts_from(database.spec.layout, donors, seed)
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

    Classes that are found on the way join the list. Pathways are stored as they are found, so that a call that was
    ended goes on where it was; transition states whose pathway is stored are not followed again.

    Parameters
    ----------
    between : two class numbers of minima, optional
        A double-ended search between these first, whatever joins them.
    attempts : int
        Double-ended searches between minima that stay unconnected, at most.

    Raises
    ------
    DatabaseError
        If there are no classes yet, `between` names something else than two minima, or `attempts` is negative.
    """
    landscape = database.landscape().explored()
    if attempts < 0:
        raise DatabaseError(f"attempts: {attempts} is negative; write 0 or more")
    points, kernel, group = list(landscape.points), compile_kernel(database.spec), landscape.group
    if between is not None:
        if between[0] == between[1]:
            raise DatabaseError(f"{database.path}: class {between[0]} twice; name two classes")
        for number in between:
            if not 0 <= number < len(points) or points[number].index or points[number].outcome is Outcome.DEGENERATE:
                raise DatabaseError(f"{database.path}: class {number} is not a minimum; name classes of index 0")
        listener.advance(f"a search between {between[0]} and {between[1]}")
        points = search_between(kernel, group, points, *between)
    found = bridge(
        kernel,
        group,
        points,
        attempts=attempts,
        progress=listener.advance,
        known=landscape.pathways,
        lost=_lost_before(database, points),
        keep=partial(_keep_pathways, database, landscape),
    )
    found, others = _on_points(landscape, found, len(points), listener)
    if others is not None:
        put_answer(database, families.QUESTION, others)
    if len(found.points) > len(database.points()):
        database.put_points(found.points)
    database.put_pathways(found.pathways)
    database.put_descents(found.descents)
    put_answer(database, connections.QUESTION, connections.connections_of(found))
    database.put_state(connections.QUESTION.name, None)
    return found


def _keep_pathways(
    database: Database, landscape: Landscape, pathways: Sequence[Pathway], lost: Sequence[LostBranch]
) -> None:
    """Store what a search for pathways found so far, as far as it lies between classes of the landscape."""
    points = landscape.points
    between = [p for p in pathways if max(p.transition_state, p.minus, p.plus) < len(points)]
    if len(between) > len(landscape.pathways):
        database.put_pathways(between)
    branches = [b for b in lost if b.transition_state < len(points)]
    if branches:
        record = [
            {"theta": points[b.transition_state].theta.tolist(), "sign": b.sign, "outcome": b.outcome.name}
            for b in branches
        ]
        database.put_state(connections.QUESTION.name, record)


def _lost_before(database: Database, points: Sequence[StationaryPoint]) -> list[LostBranch]:
    """The branches that an earlier call lost before it was ended; a class is known again by its parameters."""
    record = database.state(connections.QUESTION.name) or []
    numbers = {point.theta.tobytes(): n for n, point in enumerate(points)}
    found = []
    for branch in record:
        number = numbers.get(np.array(branch["theta"]).tobytes())
        if number is not None:
            found.append(LostBranch(transition_state=number, sign=branch["sign"], outcome=Outcome[branch["outcome"]]))
    return found


def _on_points(
    landscape: Landscape, found: Connections, known: int, listener: Listener
) -> tuple[Connections, Families | None]:
    """Connections whose new classes are isolated points; a branch that ends elsewhere is lost, and its outcome says so.

    The first `known` classes were told apart before. With it what there is besides isolated points, if that changed.
    """
    new = found.points[known:]
    if not new:
        return found, None
    before = landscape.evidence.families or Families()
    apart = settle(landscape.spec, landscape.group, new, [0] * len(new), listener, before)
    numbers = {n: n for n in range(known)} | {known + n: known + k for k, n in enumerate(apart.numbers)}
    lost, kept = list(found.lost), list[Pathway]()
    for path in found.pathways:
        if path.transition_state not in numbers:
            continue
        state, minus, plus = (numbers.get(n) for n in (path.transition_state, path.minus, path.plus))
        if state is not None and minus is not None and plus is not None:
            kept.append(replace(path, transition_state=state, minus=minus, plus=plus))
            continue
        for end, sign in ((minus, -1), (plus, 1)):
            if end is None:
                lost.append(LostBranch(transition_state=path.transition_state, sign=sign, outcome=Outcome.DEGENERATE))
    made = Connections(
        points=(*found.points[:known], *apart.points),
        pathways=tuple(kept),
        lost=tuple(branch for branch in lost if branch.transition_state in numbers),
        descents=tuple(
            replace(way, saddle=numbers[way.saddle], end=numbers[way.end])
            for way in found.descents
            if way.saddle in numbers and way.end in numbers
        ),
    )
    return made, apart.others


def refine_into(database: Database, *, digits: int = 50, listener: Listener = SILENCE) -> list[RefinedPoint | None]:
    """Refine every class to the digits asked for; None for a point at which Newton's method does not settle.

    A class that has been refined to as many digits is left as it is.

    Raises
    ------
    RefinementError
        If `digits` is not between 1 and the most that are allowed.
    """
    need_digits(digits)
    landscape = database.landscape().explored()
    points, out = landscape.points, list[RefinedPoint | None]()
    for number, point in enumerate(points):
        known = landscape.refined.get(number)
        if known is not None and known.asked == digits and known.verdict is Verdict.CERTIFIED:
            out.append(known)
            continue
        listener.advance(f"classes to {digits} digits", number, len(points))
        try:
            refined: RefinedPoint | None = refine(database.spec, point.theta.tolist(), digits=digits)
        except RefinementError:
            refined = None
        if refined is not None:
            database.put_refined(number, refined)
        out.append(refined)
    return out


def certify_into(database: Database, *, listener: Listener = SILENCE) -> list[Certificate]:
    """Certify existence, uniqueness, index and loss of every class.

    A class with a certificate that holds, of its refined point where there is one, keeps it.
    """
    landscape = database.landscape().explored()
    out = []
    for number, point in enumerate(landscape.points):
        known, refined = landscape.certificates.get(number), landscape.refined.get(number)
        if known is not None and known.verdict is Verdict.CERTIFIED and (refined is None or _of(known, refined)):
            out.append(known)
            continue
        certificate = certify(database.spec, landscape.refined.get(number) or point.theta.tolist())
        database.put_certificate(number, certificate)
        out.append(certificate)
        listener.advance("certificates", number + 1, len(landscape))
    if out:
        ask_into(database, distinctness.QUESTION)
    return out


def _of(certificate: Certificate, refined: RefinedPoint) -> bool:
    """Whether a certificate is that of a refined point."""
    return certificate.midpoint == tuple(map(exact_decimal, refined.theta))


def prove_into(
    database: Database, files: Sequence[str | Path] | None = None, *, listener: Listener = SILENCE
) -> list[ProofResult]:
    """Prove theorems, by default all that come with the package, and store the proofs for the report."""
    results = prove_all(files or (), progress=lambda result: listener.advance(result.theorem.title))
    database.put_proofs([result.to_dict() for result in results])
    return results
