"""Verbs of their own for questions that take more than a database: is it complete, what lies inside what."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from symland.cli.account import print_answer
from symland.cli.app import app
from symland.cli.display import Progress, say
from symland.cli.options import DatabaseFile, Json, Overrides, Search, executor, read_spec
from symland.errors import CertificateError, DatabaseError, ExplorationError
from symland.layout import widths_text
from symland.records import Verdict

if TYPE_CHECKING:
    from symland.landscape.database import Database

__all__ = ["embed", "embedding_map", "enumerate_points", "prune"]


@app.command(name="enumerate")
def enumerate_points(
    spec: Annotated[str | None, Parameter(help="What to explore first: a TOML file or a built-in name.")] = None,
    /,
    *,
    db: Annotated[
        Path | None, Parameter(name="--db", help="The landscape's database; made from SPEC where it is missing.")
    ] = None,
    overrides: Overrides = Overrides(),
    budget: Annotated[
        str | None,
        Parameter(help="CPU time to spend, such as 60s or 15m, with workers time by the clock; the command goes on."),
    ] = None,
    workers: Annotated[int, Parameter(help="Processes to examine boxes with.")] = 1,
    by: Annotated[
        Literal["theorem", "boxes"] | None,
        Parameter(help="The way: a theorem where one speaks of the question (the default there), or the box search."),
    ] = None,
    audit: Annotated[
        float | None,
        Parameter(help="Share of the closed boxes that the independent checker proves again, such as 0.1; 1 is all."),
    ] = None,
    seed: Annotated[int, Parameter(help="Picks the leaves of the audit, with the certificate's digest.")] = 0,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="File for the certificate of what is proved complete.")
    ] = None,
    penalty_from: Annotated[
        str | None, Parameter(help="Prove the number of points for every penalty from this one on.")
    ] = None,
    penalty_to: Annotated[str | None, Parameter(help="The largest of these penalties, or inf.")] = None,
    json: Json = False,
) -> int:
    """Prove that a list of stationary points is all there are; exit status 1 while that is open or refuted.

    With `-o` the proof is written as a certificate, which `symland check` proves again with code of its own.

    For one hidden layer of tanh nodes, two classes, and the penalty on all parameters. The list is that of the
    database; a SPEC is explored first, into the database or into a file that is named after it.

    With `--penalty-from` and `--penalty-to` the search runs with lambda an interval, and proves the number of
    stationary points for every penalty between the two.

    Example: `symland enumerate xor --hidden 1 --penalty 1e-2 --audit 0.01` or
    `symland enumerate xor --hidden 1 --penalty-from 1e-2 --penalty-to inf`
    """
    from symland.analysis import enumeration
    from symland.analysis.answers import ask_into
    from symland.analysis.question import Setting
    from symland.explore import parse_duration

    if audit is not None and not 0 < audit <= 1:
        raise CertificateError(f"--audit: {audit}; write a fraction above 0 and at most 1")
    if spec is None and (db is None or overrides != Overrides()):
        raise CertificateError(
            "no question: give SPEC with its overrides, or --db FILE with the classes to prove complete"
        )
    seconds = math.inf if budget is None else parse_duration(budget)
    if penalty_from is not None or penalty_to is not None:
        if audit is not None or by is not None:
            raise CertificateError("--audit and --by go with one penalty; leave them out with --penalty-from")
        if workers != 1:
            raise CertificateError("--workers goes with one penalty; a range is searched by this process alone")
        return _range(spec, db, overrides, seconds, (penalty_from or "", penalty_to or "inf"), output, json)
    progress = Progress()
    with _explored(spec, overrides, db, progress, budget) as database, executor(Search(workers=workers)) as pool:
        progress.begin("enumerate")
        setting = Setting(
            listener=progress,
            executor=pool,
            workers=workers,
            budget=seconds,
            clock=time.process_time if pool is None else time.monotonic,
        )
        options = enumeration.EnumerationOptions(by=by, audit=audit or 0.0, seed=seed)
        answer = ask_into(database, enumeration.QUESTION, options=options, setting=setting)
        complete = answer.verdict is Verdict.CERTIFIED
        progress.end("COMPLETE: there are no others" if complete else f"open: {answer.undecided} boxes undecided")
        if output is not None and complete:
            from symland.rigor.enumeration import certificate_text

            kept = Setting(state=database.state(enumeration.QUESTION.name))
            result = enumeration.prove_complete(database.landscape(), options, kept)
            _write(output, certificate_text(database.spec, result))
    return print_answer(enumeration.QUESTION, answer, json)


def _range(
    spec: str | None,
    db: Path | None,
    overrides: Overrides,
    seconds: float,
    ends: tuple[str, str],
    output: Path | None,
    json: bool,
) -> int:
    """The number of points for every penalty of a range, and its certificate."""
    from symland.analysis import penalties
    from symland.analysis.answers import ask_into
    from symland.analysis.question import Setting
    from symland.landscape.database import Database
    from symland.rigor.enumeration.problem import reduced_problem

    options = penalties.PenaltiesOptions(from_=ends[0], to=ends[1])
    progress = Progress()
    if spec is None:
        assert db is not None
        database = Database.open(db)
    else:
        if overrides.penalty is None and ends[0]:
            overrides = replace(overrides, penalty=ends[0])
        question = read_spec(spec, overrides)
        # What cannot be asked leaves no file behind.
        penalties.ends_of(options, question)
        reduced_problem(question)
        if db is None:
            db = Path(f"{question.name}-{widths_text(question.hidden)}-from-{float(question.penalty):g}.sqlite")
            say(f"database {db}")
        database = Database.open_or_create(db, question)
    with database:
        progress.begin("enumerate")
        setting = Setting(listener=progress, budget=seconds)
        answer = ask_into(database, penalties.QUESTION, options=options, setting=setting)
        complete = answer.verdict is Verdict.CERTIFIED
        progress.end("proved for every penalty" if complete else f"{len(answer.open)} open")
        if output is not None and complete:
            from symland.rigor.enumeration.range_writing import range_text

            kept = Setting(state=database.state(penalties.QUESTION.name))
            result = penalties.prove_range(database.landscape(), options, kept)
            _write(output, range_text(database.spec, result))
    return print_answer(penalties.QUESTION, answer, json)


def _write(output: Path, certificate: str) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(certificate, encoding="utf-8")
    say(f"certificate {output}")


def _explored(
    spec: str | None, overrides: Overrides, db: Path | None, progress: Progress, budget: str | None
) -> Database:
    """The database, with the classes of `spec` where one is given."""
    from symland import pipeline
    from symland.explore import parse_duration
    from symland.landscape.database import Database
    from symland.rigor.enumeration.problem import reduced_problem

    if spec is None:
        assert db is not None
        return Database.open(db)
    question = read_spec(spec, overrides)
    reduced_problem(question)
    if db is None:
        widths = widths_text(question.hidden)
        db = Path(f"{question.name}-{widths}-{float(question.penalty):g}.sqlite")
        say(f"database {db}")
    database = Database.open_or_create(db, question)
    if not database.points():
        progress.begin("explore")
        seconds = None if budget is None else parse_duration(budget)
        found = pipeline.explore_into(database, budget=seconds, clock=time.monotonic, listener=progress)
        progress.end(f"{len(found.points)} classes, Morse sum {found.completeness.counts.morse_sum}")
    return database


@app.command
def embed(
    *files: Annotated[Path, Parameter(help="Certificates of points.")],
    db: Annotated[Path | None, Parameter(name="--db", help="The landscape's database.")] = None,
    to: Annotated[int, Parameter(help="Nodes of the layer after the extension.")],
    layer: Annotated[int, Parameter(help="The hidden layer that is widened, counted from 1.")] = 1,
    json: Json = False,
) -> int:
    """Prove and check that every class, or a saved point, stays stationary in a wider network; its index there.

    Give a database, or certificates that `symland certify -o` wrote. Exit status 1 when something is not certified.

    Example: `symland embed --db xor.sqlite --to 3` or `symland embed certificates/class-0.json --to 3`
    """
    from symland import pipeline
    from symland.analysis import embedding
    from symland.analysis.answers import ask_into
    from symland.analysis.question import Setting
    from symland.landscape.database import Database

    if (db is None) != bool(files):
        raise CertificateError("one kind of points at a time: give --db FILE or certificate files")
    progress = Progress()
    with ExitStack() as stack:
        database = None if db is None else stack.enter_context(Database.open(db))
        spec, made = pipeline.read_certificates(files) if database is None else (database.spec, [])
        hidden = spec.hidden
        if not 1 <= layer <= len(hidden):
            raise ExplorationError(f"--layer: {layer}; write 1 to {len(hidden)}")
        if to <= hidden[layer - 1]:
            raise ExplorationError(f"--to: {to} nodes do not widen {hidden[layer - 1]}; write a larger number")
        nodes = to - hidden[layer - 1]
        progress.begin("embed")
        if database is None:
            found = pipeline.embed_saved(spec, made, layer=layer, nodes=nodes, listener=progress)
        else:
            options = embedding.EmbeddingOptions(layer=layer, nodes=nodes)
            found = ask_into(database, embedding.QUESTION, options=options, setting=Setting(listener=progress))
        progress.end(found.verdict.value)
    return print_answer(embedding.QUESTION, found, json)


@app.command(name="map")
def embedding_map(
    *databases: Annotated[Path, Parameter(help="Databases of networks whose widths are n, n + 1, ...")],
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Directory for the figure.")] = None,
    json: Json = False,
) -> int:
    """Show which class of each network lies inside which class of the next wider one; give databases by width.

    Each database keeps the map, and its report shows it.
    Exit status 1 when an embedded class is missing from the wider network's list.

    Example: `symland map xor-1.sqlite xor-2.sqlite xor-3.sqlite -o map`
    """
    from symland.analysis import map as landscape_map
    from symland.analysis.answers import ask_into, put_answer
    from symland.analysis.question import Setting
    from symland.figures import save_figure
    from symland.landscape.database import Database

    if len(databases) < 2:
        raise DatabaseError(f"{len(databases)} databases; give at least 2, by width")
    progress, question = Progress(), landscape_map.QUESTION
    with ExitStack() as stack:
        first, *others = (stack.enter_context(Database.open(path)) for path in databases)
        progress.begin("map")
        found = ask_into(first, question, others, setting=Setting(listener=progress))
        for database in others:
            put_answer(database, question, found)
        progress.end("every embedded class was found" if found.complete else "INCOMPLETE: embedded classes are missing")
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            for path in save_figure(question.figures(found, first.landscape())["map"].figure, output, "embedding-map"):
                say(str(path))
    return print_answer(question, found, json)


@app.command
def prune(
    *,
    db: DatabaseFile,
    narrower: Annotated[
        list[Path] | None, Parameter(negative="", help="Databases of narrower networks, to name their classes.")
    ] = None,
    json: Json = False,
) -> int:
    """Label every class: irreducible, or the extension of a narrower network's class.

    Example: `symland prune --db xor-3.sqlite --narrower xor-1.sqlite --narrower xor-2.sqlite`
    """
    from symland.analysis import labels
    from symland.analysis.answers import ask_into
    from symland.landscape.database import Database

    with ExitStack() as stack:
        database = stack.enter_context(Database.open(db))
        others = [stack.enter_context(Database.open(path)) for path in narrower or []]
        found = ask_into(database, labels.QUESTION, others)
    return print_answer(labels.QUESTION, found, json)
