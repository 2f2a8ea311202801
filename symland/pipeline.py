"""The whole chain: derive, verify, compile, explore, refine, certify, store, check the embedding, prove, report.

Each step takes a database, does one thing to all of its classes, stores the result, and can be run again.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from symland.analysis.embedding import EmbeddingReport, check_embedding
from symland.errors import DatabaseError, RefinementError
from symland.explore import DEFAULT_RULES, BatchResult, Exploration, Plan, explore, parse_rules
from symland.explore.bands import bridge
from symland.explore.coverage import classes_by_index, copies_by_index, euler_sum
from symland.explore.pathways import Connections
from symland.kernels import CompiledKernel, compile_kernel
from symland.landscape.database import Database
from symland.program.derive import build_program
from symland.program.identity import check_identity
from symland.program.proof import Statement, prove_program
from symland.records import StationaryPoint, Verdict
from symland.report import write_report
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.distinct import distinct
from symland.rigor.enumeration import EnumerationResult, Progress, enumerate_points
from symland.rigor.refine import RefinedPoint, refine
from symland.spec import LandscapeSpec
from symland.symbolic.symmetry import find_symmetry
from symland.symbolic.theorem import ProofResult
from symland.symbolic.theorem.library import prove_all, theorem_files

__all__ = [
    "Listener",
    "certify_into",
    "classes",
    "connect_into",
    "embed_into",
    "enumerate_into",
    "explore_into",
    "prove_into",
    "refine_into",
    "run",
    "summary",
    "verify_program",
]

DATABASE_NAME = "landscape.sqlite"
"""The database that `run` makes."""

FOUNDATIONS = ("t1_", "t2_", "t3_", "t4_", "t5_")
"""Theorem files that a landscape's report rests on: symmetries, gauge, origin and zero extension."""


class Listener(Protocol):
    """Hears how far the chain is."""

    def begin(self, step: str) -> None:
        """A step begins."""
        ...

    def advance(self, note: str, done: int = 0, total: int = 0) -> None:
        """A part of the step is done; a total of zero is not known."""
        ...

    def end(self, result: str) -> None:
        """The step has ended."""
        ...


class Silence:
    """A listener that says nothing."""

    def begin(self, step: str) -> None: ...

    def advance(self, note: str, done: int = 0, total: int = 0) -> None: ...

    def end(self, result: str) -> None: ...


SILENCE = Silence()


def verify_program(spec: LandscapeSpec) -> tuple[Statement, ...]:
    """The symbolic proof of the derivation program, and the identity test that decides it at any size."""
    return (*prove_program(spec), check_identity(spec, build_program(spec)))


def _kernel(canonical: dict[str, Any]) -> CompiledKernel:
    """The kernel, made anew in a worker."""
    return compile_kernel(LandscapeSpec.from_canonical(canonical))


def explore_into(
    database: Database,
    *,
    seed: int = 0,
    max_index: int | None = None,
    until: str = DEFAULT_RULES,
    budget: float | None = None,
    clock: Callable[[], float] | None = None,
    executor: Executor | None = None,
    listener: Listener = SILENCE,
) -> Exploration:
    """Search for stationary points of every index; go on where an earlier run of the same seed ended.

    Raises
    ------
    DatabaseError
        If the file holds an exploration with another seed or highest index.
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
    if "plan" not in database.meta():
        database.put_meta("plan", plan)
    stored = [BatchResult.from_payload(payload) for _, payload in sorted(database.batches().items())]
    per_round = Plan(seed=seed, max_index=max_index).batches

    def keep(result: BatchResult) -> None:
        database.put_batch(result.address.round * per_round + result.address.number, result.payload())

    found = explore(
        compile_kernel(spec),
        find_symmetry(spec),
        seed=seed,
        max_index=max_index,
        until=until,
        budget=budget,
        clock=clock,
        stored=stored,
        keep=keep,
        executor=executor,
        factory=partial(_kernel, spec.canonical()) if executor else None,
        progress=lambda state: listener.advance(
            f"{state.searches} searches, classes by index {_by_index(state.classes)}, Morse sum {state.morse_sum}"
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
            "estimate": [state.overall.low, state.overall.estimate, state.overall.high],
            "curve": [[searches, list(classes)] for searches, classes in state.curve],
        },
    )
    return found


def _by_index(counts: Iterable[int]) -> str:
    return " ".join(map(str, counts))


def classes(database: Database) -> list[StationaryPoint]:
    """The classes of a database.

    Raises
    ------
    DatabaseError
        If there are none yet.
    """
    points = database.points()
    if not points:
        raise DatabaseError(f"{database.path}: no classes yet; run `symland explore` on it first")
    return points


def connect_into(database: Database, *, listener: Listener = SILENCE) -> Connections:
    """Follow both downhill branches of every transition state, and search between minima that stay unconnected.

    Classes that are found on the way join the list.
    """
    points = classes(database)
    listener.advance(f"{sum(p.index == 1 for p in points)} transition states")
    found = bridge(compile_kernel(database.spec), find_symmetry(database.spec), points)
    if len(found.points) > len(points):
        database.put_points(found.points)
    database.put_pathways(found.pathways)
    lost = [{"class": b.transition_state, "sign": b.sign, "outcome": b.outcome.value} for b in found.lost]
    database.put_analysis("connections", {"pathways": len(found.pathways), "lost": lost})
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
    budget: float = math.inf,
    clock: Callable[[], float],
    listener: Listener = SILENCE,
) -> EnumerationResult:
    """Prove that the database's classes are all stationary points up to symmetry, or say where there may be more.

    A proof that the budget interrupted goes on where it was.

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

    result = enumerate_points(
        database.spec,
        points,
        budget_seconds=budget,
        state=database.analyses().get("enumeration state"),
        progress=progress,
        clock=clock,
    )
    database.put_analysis("enumeration state", result.state)
    database.put_analysis(
        "enumeration",
        {
            "verdict": result.verdict.value,
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


def embed_into(database: Database, *, layer: int = 1, nodes: int = 1, listener: Listener = SILENCE) -> EmbeddingReport:
    """Prove and check the extension of every class by zero nodes."""

    def progress(done: int, total: int) -> None:
        listener.advance("classes", done, total)

    report = check_embedding(database.spec, classes(database), layer=layer, nodes=nodes, progress=progress)
    record = report.to_dict()
    database.put_embedding(record.pop("points"))
    database.put_analysis("embedding", record)
    return report


def prove_into(
    database: Database, files: Sequence[str | Path] | None = None, *, listener: Listener = SILENCE
) -> list[ProofResult]:
    """Prove theorems, by default all that come with the package, and store the proofs for the report."""
    results = prove_all(files, progress=lambda result: listener.advance(result.theorem.title))
    database.put_proofs([result.to_dict() for result in results])
    return results


def is_certified(point: StationaryPoint, certificate: Certificate | None) -> bool:
    """Whether existence, uniqueness and index are certified, the index being the one that the spectrum showed."""
    if certificate is None:
        return False
    return certificate.verdict is Verdict.CERTIFIED and certificate.index == point.index


def _loss_bounds(point: StationaryPoint, certificate: Certificate | None) -> tuple[float, float]:
    """The loss enclosure as floats rounded outward; without a certificate, all that is known."""
    if certificate is None or certificate.loss is None:
        return -math.inf, math.inf
    lower, upper = map(float, certificate.loss)
    return math.nextafter(lower, -math.inf), math.nextafter(upper, math.inf)


def certificates(database: Database) -> dict[int, Certificate]:
    """The certificates of a database, by class."""
    return {number: Certificate.from_dict(record) for number, record in database.certificates().items()}


def summary(database: Database) -> dict[str, Any]:
    """What the database holds, as JSON values; a loss that no certificate bounds has the bounds null."""
    points, made = database.points(), certificates(database)
    rows = []
    for number, point in enumerate(points):
        lower, upper = _loss_bounds(point, made.get(number))
        rows.append(
            {
                "index": point.index,
                "loss": point.loss,
                "loss_lower": lower if math.isfinite(lower) else None,
                "loss_upper": upper if math.isfinite(upper) else None,
                "orbit": point.orbit_size,
                "certified": is_certified(point, made.get(number)),
            }
        )
    return {
        "spec": database.spec.canonical(),
        "digest": database.spec.digest,
        "classes": rows,
        "counts": list(classes_by_index(points)),
        "copies": list(copies_by_index(points)),
        "morse_sum": euler_sum(points),
        "distinct": database.analyses().get("distinctness", {}).get("verdict"),
        "completeness": database.analyses().get("completeness"),
        "enumeration": database.analyses().get("enumeration"),
        "seconds": database.meta().get("seconds", {}),
    }


def versions() -> dict[str, str]:
    """Versions of the package and of what its results rest on."""
    names = ("symland", "sympy", "mpmath", "python-flint", "numpy", "scipy", "llvmlite")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def run(
    spec: LandscapeSpec,
    directory: str | Path,
    *,
    clock: Callable[[], float],
    seed: int = 0,
    until: str = DEFAULT_RULES,
    budget: float | None = None,
    digits: int = 50,
    executor: Executor | None = None,
    listener: Listener = SILENCE,
) -> dict[str, Any]:
    """The whole chain into a directory; what was done before is not done again.

    Parameters
    ----------
    directory : path
        Takes the database and the report.
    clock : callable
        Seconds, for the timings and the budget.

    Returns
    -------
    dict
        `summary`, with the paths of the database and the report.

    Raises
    ------
    SymlandError
    """
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"{folder}: cannot be made ({error.strerror}); give a directory that can be written"
        ) from None
    seconds: dict[str, float] = {}

    with Database.open_or_create(folder / DATABASE_NAME, spec) as database:

        def step(name: str, action: Callable[[], str]) -> None:
            listener.begin(name)
            start = clock()
            result = action()
            seconds[name] = round(clock() - start, 3)
            listener.end(result)

        def verify() -> str:
            statements = verify_program(spec)
            record = [{"name": s.name, "verdict": s.verdict.value, "detail": s.detail} for s in statements]
            database.put_analysis("program", {"digest": build_program(spec).digest, "statements": record})
            return ", ".join(f"{s.name} {s.verdict.value}" for s in statements)

        def search() -> str:
            found = explore_into(
                database, seed=seed, until=until, budget=budget, clock=clock, executor=executor, listener=listener
            )
            state = found.completeness
            return f"classes by index {_by_index(state.classes)}, Morse sum {state.morse_sum}"

        def prove_points() -> str:
            made = certify_into(database, listener=listener)
            held = sum(is_certified(p, c) for p, c in zip(database.points(), made, strict=True))
            different = database.analyses()["distinctness"]["verdict"]
            return f"{held} of {len(made)} classes certified; pairwise distinct up to symmetry: {different}"

        def embedding() -> str:
            report = embed_into(database, listener=listener)
            return f"into {report.extension.wide.hidden} nodes: {report.verdict.value}"

        written: list[Path] = []

        def theorems() -> str:
            files = [file for file in theorem_files() if file.stem.startswith(FOUNDATIONS)]
            proved = prove_into(database, files, listener=listener)
            return f"{sum(r.verdict is Verdict.CERTIFIED for r in proved)} of {len(proved)} theorems certified"

        def report() -> str:
            notes: list[str] = []
            written.extend(write_report(database, folder / "report", note=notes.append))
            return "; ".join([str(written[0]), *notes])

        step("verify", verify)
        step("compile", lambda: compile_kernel(spec).engine.value)
        step("explore", search)
        step("connect", lambda: f"{len(connect_into(database, listener=listener).pathways)} pathways")
        step("refine", lambda: f"{len(refine_into(database, digits=digits, listener=listener))} classes")
        step("certify", prove_points)
        step("embed", embedding)
        step("prove", theorems)
        database.put_meta("versions", versions())
        database.put_meta("seconds", seconds)
        step("report", report)
        database.put_meta("seconds", seconds)
        out = summary(database)
    return {**out, "database": str(folder / DATABASE_NAME), "report": str(written[0])}
