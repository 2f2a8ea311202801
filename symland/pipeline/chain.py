"""The whole chain: derive, verify, compile, explore, connect, refine, certify, embed, prove, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from symland.errors import DatabaseError
from symland.explore import DEFAULT_RULES
from symland.explore.exploration import MOST_SEARCHES
from symland.explore.origins import Origin
from symland.kernels import compile_kernel
from symland.landscape.database import Database
from symland.pipeline.listener import SILENCE, Listener
from symland.pipeline.relations import embed_into, label_into
from symland.pipeline.steps import (
    certify_into,
    connect_into,
    explore_into,
    prove_into,
    refine_into,
    verify_program,
)
from symland.pipeline.summary import is_certified, spaced, summary, versions
from symland.program.derive import build_program
from symland.records import Verdict
from symland.report import write_report
from symland.spec import LandscapeSpec
from symland.symbolic.theorem.library import theorem_files

__all__ = ["DATABASE_NAME", "FOUNDATIONS", "run"]

DATABASE_NAME = "landscape.sqlite"
"""The database that `run` makes."""

FOUNDATIONS = ("t1_", "t2_", "t3_", "t4_", "t5_")
"""Theorem files that a landscape's report rests on: symmetries, gauge, origin and zero extension."""


def run(
    spec: LandscapeSpec,
    directory: str | Path,
    *,
    clock: Callable[[], float],
    seed: int = 0,
    until: str = DEFAULT_RULES,
    budget: float | None = None,
    max_searches: int = MOST_SEARCHES,
    origins: Sequence[Origin] = (),
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
    origins : sequence of Origin
        Landscapes whose points are tried first.

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
                database,
                seed=seed,
                until=until,
                budget=budget,
                clock=clock,
                max_searches=max_searches,
                origins=origins,
                executor=executor,
                listener=listener,
            )
            state = found.completeness
            return f"classes by index {spaced(state.classes)}, Morse sum {state.morse_sum}"

        def prove_points() -> str:
            made = certify_into(database, listener=listener)
            held = sum(is_certified(p, c) for p, c in zip(database.points(), made, strict=True))
            different = database.analyses()["distinctness"]["verdict"]
            return f"{held} of {len(made)} classes certified; pairwise distinct up to symmetry: {different}"

        def embedding() -> str:
            label_into(database)
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
