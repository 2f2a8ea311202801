"""Verbs that make a landscape and read it. Heavy imports are made inside, so that `--help` answers at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import Progress, print_json, print_table, say
from symland.cli.options import DatabaseFile, Folder, Json, OptionalFolder, Overrides, Search, Spec, executor, read_spec
from symland.errors import ExplorationError

if TYPE_CHECKING:
    from symland.landscape.database import Database

__all__ = ["certify", "embed", "explore", "refine", "report", "run", "show"]


@app.command
def run(
    spec: Spec, /, *, output: Folder, overrides: Overrides = Overrides(), search: Search = Search(), json: Json = False
) -> None:
    """Run the whole chain: derive, verify, compile, explore, connect, refine, certify, embed, report.

    Example: `symland run xor --hidden 2 --penalty 1e-3 -o xor-2`
    """
    from symland import pipeline

    question = read_spec(spec, overrides)
    with executor(search) as pool:
        result = pipeline.run(
            question,
            output,
            clock=time.monotonic,
            seed=search.seed,
            budget=_budget(search),
            executor=pool,
            listener=Progress(),
            **_until(search),
        )
    say(f"database {result['database']}")
    say(f"report   {result['report']}")
    _complain(result)
    if json:
        print_json(result)


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
) -> None:
    """Search for stationary points of every index, and how transition states connect them.

    A run that was interrupted goes on where it was.

    Example: `symland explore xor --hidden 2 --db xor.sqlite --until morse`
    """
    from symland import pipeline
    from symland.landscape.database import Database

    question = read_spec(spec, overrides)
    progress = Progress()
    with Database.open_or_create(db, question) as database, executor(search) as pool:
        progress.begin("explore")
        found = pipeline.explore_into(
            database,
            seed=search.seed,
            max_index=max_index,
            budget=_budget(search),
            clock=time.monotonic,
            executor=pool,
            listener=progress,
            **_until(search),
        )
        progress.end(f"{found.completeness.searches} searches")
        progress.begin("connect")
        progress.end(f"{len(pipeline.connect_into(database, listener=progress).pathways)} pathways")
        _show(database, json)


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
        progress.begin("certify")
        made = pipeline.certify_into(database, listener=progress)
        certified = sum(pipeline.is_certified(p, c) for p, c in zip(database.points(), made, strict=True))
        progress.end(f"{certified} of {len(made)} classes certified")
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            for number, certificate in enumerate(made):
                (output / f"class-{number}.json").write_text(certificate.to_json(), encoding="utf-8")
        if json:
            print_json([c.to_dict() for c in made])
        else:
            _show(database, False)
    return 0 if certified == len(made) else 1


@app.command
def show(*, db: DatabaseFile, json: Json = False) -> None:
    """Show the classes of a database.

    Example: `symland show --db xor.sqlite`
    """
    from symland.landscape.database import Database

    with Database.open(db) as database:
        _show(database, json)


@app.command
def embed(
    *,
    db: DatabaseFile,
    to: Annotated[int, Parameter(help="Nodes of the layer after the extension.")],
    layer: Annotated[int, Parameter(help="The hidden layer that is widened, counted from 1.")] = 1,
    json: Json = False,
) -> int:
    """Prove and check that every class stays stationary in a wider network, and what its index becomes.

    Example: `symland embed --db xor.sqlite --to 3`
    """
    from symland import pipeline
    from symland.landscape.database import Database

    progress = Progress()
    with Database.open(db) as database:
        hidden = database.spec.hidden
        if not 1 <= layer <= len(hidden):
            raise ExplorationError(f"--layer: {layer}; write 1 to {len(hidden)}")
        if to <= hidden[layer - 1]:
            raise ExplorationError(f"--to: {to} nodes do not widen {hidden[layer - 1]}; write a larger number")
        progress.begin("embed")
        report = pipeline.embed_into(database, layer=layer, nodes=to - hidden[layer - 1], listener=progress)
        progress.end(report.verdict.value)
        if json:
            print_json(report.to_dict())
        else:
            rows = [
                [
                    str(p.number),
                    f"{p.loss:.12g}",
                    str(p.index_before),
                    str(p.index_before + p.prediction.rise) if p.prediction.rise is not None else "?",
                    str(p.index_after),
                    p.stationary.value,
                    p.index_holds.value,
                ]
                for p in report.points
            ]
            columns = ["class", "loss", "index", "predicted", "computed", "stationary", "index holds"]
            print_table(f"{hidden} into {report.extension.wide.hidden}", columns, rows)
    return 0 if report.verdict.value == "certified" else 1


@app.command
def report(*, db: DatabaseFile, output: Folder) -> None:
    """Write the LaTeX report, with its figures, from a database.

    Example: `symland report --db xor.sqlite -o report`
    """
    from symland.landscape.database import Database
    from symland.report import write_report

    with Database.open(db) as database:
        for path in write_report(database, output):
            say(str(path))


def _budget(search: Search) -> float | None:
    from symland.explore import parse_duration

    return None if search.budget is None else parse_duration(search.budget)


def _until(search: Search) -> dict[str, Any]:
    return {} if search.until is None else {"until": search.until}


def _show(database: Database, json: bool) -> None:
    from symland.pipeline import summary

    result = summary(database)
    if json:
        print_json(result)
        return
    rows = [
        [
            str(number),
            str(c["index"]),
            f"{c['loss']:.15g}",
            str(c["orbit"]),
            "yes" if c["certified"] else "no",
        ]
        for number, c in enumerate(result["classes"])
    ]
    print_table(
        f"{database.spec.name}: hidden {database.spec.hidden}, lambda {database.spec.penalty}",
        ["class", "index", "loss", "copies", "certified"],
        rows,
    )
    counts, copies = (" ".join(map(str, result[key])) for key in ("counts", "copies"))
    say(f"classes by index {counts}; copies {copies}; Morse sum {result['morse_sum']}")
    _complain(result)


def _complain(result: dict[str, Any]) -> None:
    """A sum that is not 1 means that stationary points are missing: say so loudly."""
    if result["classes"] and result["morse_sum"] != 1:
        say(f"WARNING: the Morse sum is {result['morse_sum']}, not 1: the list is NOT complete; search longer")
