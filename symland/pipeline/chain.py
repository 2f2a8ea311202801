"""The whole chain: derive, verify, compile, explore, connect, refine, certify, embed, prove, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from symland.analysis import embedding, labels, program
from symland.analysis.answers import ask_into
from symland.analysis.question import Setting
from symland.errors import DatabaseError
from symland.explore import DEFAULT_RULES
from symland.explore.donors import Donor
from symland.explore.exploration import MOST_SEARCHES
from symland.kernels import compile_kernel
from symland.landscape.database import Database
from symland.layout import widths_text
from symland.listener import SILENCE, Listener
from symland.pipeline.deadline import BudgetSpent, Deadline
from symland.pipeline.holdings import counted, summary, versions
from symland.pipeline.steps import (
    certify_into,
    connect_into,
    explore_into,
    prove_into,
    refine_into,
)
from symland.records import Verdict
from symland.spec import LandscapeSpec
from symland.theorems.library import theorem_files

__all__ = ["DATABASE_NAME", "FOUNDATIONS", "SHARES", "run"]

DATABASE_NAME = "landscape.sqlite"
"""The database that `run` makes."""

SHARES = {
    "verify": 0.15,
    "compile": 0.2,
    "explore": 0.45,
    "connect": 0.58,
    "refine": 0.68,
    "certify": 0.8,
    "embed": 0.87,
    "prove": 0.92,
    "report": 1.0,
}
"""The part of a budget that is used up when each step must have ended; what one does not need is left to the next."""

FOUNDATIONS = ("t1_", "t2_", "t4_", "t5")
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
    donors: Sequence[Donor] = (),
    narrower: bool = False,
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
    budget : float, optional
        Seconds for the whole chain. Each step ends by its share (`SHARES`); what it did not finish is named in the
        result, and the same call goes on with it.
    donors : sequence of Donor
        Landscapes whose points are tried first.
    narrower : bool
        Whether narrower networks are explored first and their points tried.

    Returns
    -------
    dict
        `summary`, with the paths of the database and the report, and `unfinished`, the steps that the budget ended.

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
    deadline, unfinished = Deadline.of(clock, budget), list[str]()

    with Database.open_or_create(folder / DATABASE_NAME, spec) as database:

        def step(name: str, action: Callable[[], str]) -> None:
            listener.begin(name)
            start = clock()
            try:
                # The search looks at the time itself, so that what it found is always filed.
                with nullcontext() if name == "explore" else deadline.limit(SHARES[name]):
                    result = action()
            except BudgetSpent:
                unfinished.append(name)
                result = "NOT finished: its share of the budget is used up"
            seconds[name] = round(clock() - start, 3)
            listener.end(result)

        def verify() -> str:
            return program.QUESTION.sentence(ask_into(database, program.QUESTION))

        def search() -> str:
            found = explore_into(
                database,
                seed=seed,
                until=until,
                budget=deadline.left(SHARES["explore"]),
                clock=clock,
                late=deadline.late,
                max_searches=max_searches,
                donors=donors,
                narrower=narrower,
                executor=executor,
                listener=listener,
            )
            return counted(found.completeness.counts) + database.landscape().account.besides

        def prove_points() -> str:
            made = certify_into(database, listener=listener)
            account = database.landscape().account
            held, different = sum(account.certified), account.distinct.value
            rest = f"; pairwise distinct up to symmetry: {different}" if made else ""
            return f"{held} of {len(made)} classes certified{rest}"

        def embed() -> str:
            setting = Setting(listener=listener)
            ask_into(database, labels.QUESTION, setting=setting)
            found = ask_into(database, embedding.QUESTION, setting=setting)
            return f"into {widths_text(found.hidden_wide)} hidden nodes: {found.verdict.value}"

        written: list[Path] = []

        def theorems() -> str:
            files = [file for file in theorem_files() if file.stem.startswith(FOUNDATIONS)]
            proved = prove_into(database, files, listener=listener)
            return f"{sum(r.verdict is Verdict.CERTIFIED for r in proved)} of {len(proved)} theorems certified"

        def report() -> str:
            from symland.report import write_report

            notes: list[str] = []
            written.extend(write_report(database, folder / "report", note=notes.append))
            return "; ".join([str(written[0]), *notes])

        step("verify", verify)
        step("compile", lambda: compile_kernel(spec).engine.value)
        step("explore", search)
        step("connect", lambda: f"{len(connect_into(database, listener=listener).pathways)} pathways")
        step("refine", lambda: f"{len(refine_into(database, digits=digits, listener=listener))} classes")
        step("certify", prove_points)
        step("embed", embed)
        step("prove", theorems)
        database.put_meta("versions", versions())
        database.put_meta("seconds", seconds)
        step("report", report)
        database.put_meta("seconds", seconds)
        out = summary(database)
    there = str(written[0]) if written else None
    return {**out, "database": str(folder / DATABASE_NAME), "report": there, "unfinished": unfinished}
