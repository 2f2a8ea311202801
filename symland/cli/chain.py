"""Verbs that make a landscape and read it. Heavy imports are made inside, so that `--help` answers at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from symland.cli.account import OPEN, complain, say_unfinished, show_account
from symland.cli.app import app
from symland.cli.display import Progress, print_files, print_json, print_table, say
from symland.cli.options import (
    DatabaseFile,
    Databases,
    Folder,
    Json,
    OptionalFolder,
    Overrides,
    Search,
    Spec,
    executor,
    open_databases,
    read_spec,
)
from symland.errors import ExplorationError

if TYPE_CHECKING:
    from symland.explore import Donor
    from symland.spec import LandscapeSpec

__all__ = ["certify", "explore", "refine", "report", "run", "show"]


SEARCHING = 0.7
"""The part of a budget of `explore` that goes into searches; in the rest points are told apart and connected."""


@app.command
def run(
    spec: Spec, /, *, output: Folder, overrides: Overrides = Overrides(), search: Search = Search(), json: Json = False
) -> int:
    """Run the whole chain: derive, verify, compile, explore, connect, refine, certify, embed, report.

    Exit status 1 when something of it is open or refuted; a line says what.

    Example: `symland run xor --hidden 2 --penalty 1e-3 -o xor-2`
    """
    from symland import pipeline
    from symland.analysis.answers import read_answers
    from symland.landscape.database import Database

    question, limits = read_spec(spec, overrides), _limits(search)
    with executor(search) as pool:
        result = pipeline.run(
            question,
            output,
            clock=time.monotonic,
            seed=search.seed,
            donors=_donors(search),
            narrower=_narrower(search, question),
            budget=_budget(search),
            executor=pool,
            listener=Progress(),
            **limits,
        )
    say(f"database {result['database']}")
    if json:
        print_json(result)
    with Database.open(result["database"]) as database:
        status = complain(database.landscape(), read_answers(database))
    return max(status, say_unfinished(result["unfinished"]))


@app.command
def explore(
    spec: Spec,
    /,
    *,
    db: DatabaseFile,
    overrides: Overrides = Overrides(),
    search: Search = Search(),
    max_index: Annotated[int | None, Parameter(help="Highest index; by default one beyond the highest found.")] = None,
    json: Json = False,
) -> int:
    """Search for stationary points of every index, and how transition states connect them.

    A run that was interrupted goes on where it was. Exit status 1 when the Morse sum shows that points are missing.

    Example: `symland explore xor --hidden 2 --db xor.sqlite --until morse`
    """
    from symland import pipeline
    from symland.landscape.database import Database

    question, limits, budget = read_spec(spec, overrides), _limits(search), _budget(search)
    progress = Progress()
    with Database.open_or_create(db, question) as database, executor(search) as pool:
        deadline = pipeline.Deadline.of(time.monotonic, budget)
        progress.begin("explore")
        found = pipeline.explore_into(
            database,
            seed=search.seed,
            max_index=max_index,
            donors=_donors(search),
            narrower=_narrower(search, question),
            budget=deadline.left(SEARCHING),
            clock=time.monotonic,
            executor=pool,
            listener=progress,
            late=deadline.late,
            **limits,
        )
        progress.end(f"{found.completeness.searches} searches")
        progress.begin("connect")
        unfinished = []
        try:
            with deadline.limit():
                result = f"{len(pipeline.connect_into(database, listener=progress).pathways)} pathways"
        except pipeline.BudgetSpent:
            kept = len(database.pathways())
            unfinished, result = ["connect"], f"NOT finished: the budget is used up; {kept} pathways are kept"
        progress.end(result)
        status = show_account(database, json, ("completeness", "families", "connections"))
        return max(status, say_unfinished(unfinished))


@app.command
def refine(
    *,
    db: DatabaseFile,
    digits: Annotated[int, Parameter(help="Decimal digits.")] = 50,
    json: Json = False,
) -> None:
    """Refine every class to any number of digits by Newton's method with mpmath.

    Example: `symland refine --db xor.sqlite --digits 100`
    """
    from symland import pipeline
    from symland.landscape.database import Database

    progress = Progress()
    with Database.open(db) as database:
        progress.begin("refine")
        refined = pipeline.refine_into(database, digits=digits, listener=progress)
        progress.end(f"{sum(r is not None for r in refined)} of {len(refined)} classes")
        if json:
            print_json([None if r is None else r.to_dict() for r in refined])
            return
        rows = [[str(n), "-", "-"] if r is None else [str(n), r.loss[:60], r.residual] for n, r in enumerate(refined)]
        print_table(f"{digits} digits", ["class", "loss", "residual"], rows)


@app.command
def certify(*, db: DatabaseFile, output: OptionalFolder = None, json: Json = False) -> int:
    """Certify existence, uniqueness, index and loss of every class with Arb; exit status 1 if one is not certified.

    With `-o` each certificate is also written as a file, for `symland check`.

    Example: `symland certify --db xor.sqlite -o certificates`
    """
    from symland import pipeline
    from symland.landscape.database import Database

    progress = Progress()
    with Database.open(db) as database:
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
        progress.begin("certify")
        made = pipeline.certify_into(database, listener=progress)
        certified = sum(database.landscape().account.certified)
        progress.end(f"{certified} of {len(made)} classes certified")
        if output is not None:
            for number, certificate in enumerate(made):
                (output / f"class-{number}.json").write_text(certificate.to_json(), encoding="utf-8")
        if json:
            print_json([c.to_dict() for c in made])
        else:
            show_account(database, False, ("distinctness",))
    return 0 if certified == len(made) else OPEN


@app.command
def show(
    *,
    db: DatabaseFile,
    verify: Annotated[bool, Parameter(negative="", help="Hold every record against its checksum first.")] = False,
    json: Json = False,
) -> int:
    """Show the classes of a database, how complete their list is, and what is known of it.

    Exit status 1 when something stored is open or refuted; a line says what.

    Example: `symland show --db xor.sqlite`
    """
    from symland.landscape.database import Database

    with Database.open(db) as database:
        if verify:
            say(f"{database.verify()} records fit their checksums")
        return show_account(database, json)


@app.command
def report(*, db: Databases, output: Folder, json: Json = False) -> None:
    """Write the LaTeX report, with its figures, from a database; from several, or a folder, that of the family.

    Example: `symland report --db xor.sqlite -o report`
    """
    from symland.report import write_family, write_report

    progress, notes = Progress(), list[str]()
    with open_databases(db) as databases:
        progress.begin("report")
        single = len(databases) == 1 and not db[0].is_dir()
        written = (
            write_report(databases[0], output, note=notes.append)
            if single
            else write_family(databases, output, note=notes.append)
        )
    progress.end("; ".join([str(written[0]), *notes]))
    print_files(written, json)


def _budget(search: Search) -> float | None:
    from symland.explore import parse_duration

    return None if search.budget is None else parse_duration(search.budget)


def _narrower(search: Search, question: LandscapeSpec) -> bool:
    from symland.pipeline.narrower import pays

    if search.narrower and search.donors:
        raise ExplorationError("--narrower and --from both say where searches begin; give one of them")
    return pays(question) and not search.donors if search.narrower is None else search.narrower


def _limits(search: Search) -> dict[str, Any]:
    """Of a search, where they are given; read before anything is done."""
    from symland.explore import parse_rules

    if search.until is not None:
        parse_rules(search.until)
    if search.searches is not None and search.searches < 1:
        raise ExplorationError(f"--searches: {search.searches}; write 1 or more")
    given = {"until": search.until, "max_searches": search.searches}
    return {key: value for key, value in given.items() if value is not None}


def _donors(search: Search) -> list[Donor]:
    import numpy as np

    from symland.explore import Donor
    from symland.landscape.database import Database

    out = []
    for path in search.donors or ():
        with Database.open(path) as database:
            points = database.landscape().explored().points
            out.append(Donor(layout=database.spec.layout, theta=np.array([point.theta for point in points])))
    return out
