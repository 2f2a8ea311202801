"""Verbs that ask one question of a landscape: is it complete, what lies inside what, files for other programs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import Progress, print_json, print_table, say
from symland.cli.options import DatabaseFile, Folder, Json, Overrides, Search, Spec, executor, read_spec
from symland.errors import CertificateError, ExplorationError

if TYPE_CHECKING:
    from symland.landscape.database import Database

__all__ = ["embed", "embedding_map", "enumerate_points", "export", "import_files", "prune"]


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
        float | None, Parameter(help="Fraction of the closed boxes to prove again in Arb, such as 0.01.")
    ] = None,
    seed: Annotated[int, Parameter(help="Picks the boxes of the audit.")] = 0,
    json: Json = False,
) -> int:
    """Prove that a list of stationary points is all there are; exit status 1 while that is open.

    For one hidden layer of tanh nodes, two classes, and the penalty on all parameters. The list is that of the
    database; a SPEC is explored first, into the database or into a file that is named after it.

    Example: `symland enumerate xor --hidden 1 --penalty 1e-2 --audit 0.01`
    """
    import numpy as np

    from symland import pipeline
    from symland.explore import parse_duration
    from symland.rigor.enumeration import audit as audit_log

    if audit is not None and not 0 < audit <= 1:
        raise CertificateError(f"--audit: {audit}; write a fraction above 0 and at most 1")
    seconds = {} if budget is None else {"budget": parse_duration(budget)}
    if spec is None and (db is None or overrides != Overrides()):
        raise CertificateError(
            "no question: give SPEC with its overrides, or --db FILE with the classes to prove complete"
        )
    progress = Progress()
    with _explored(spec, overrides, db, progress) as database, executor(Search(workers=workers)) as pool:
        progress.begin("enumerate")
        result = pipeline.enumerate_into(
            database,
            by=by,
            executor=pool,
            workers=workers,
            clock=time.process_time if pool is None else time.monotonic,
            listener=progress,
            **seconds,
        )
        complete = result.verdict.value == "certified"
        progress.end("COMPLETE: there are no others" if complete else f"open: {len(result.undecided)} boxes undecided")
        out = dict(database.analyses()["enumeration"])
        if audit is not None and result.theorem is None:
            progress.begin("audit")
            thetas = [p.theta for p in database.points()]
            report = audit_log(database.spec, thetas, result.log, audit, np.random.default_rng(seed))
            out["audit"] = {"verdict": report.verdict.value, "sampled": report.sampled, "proved": report.proved}
            progress.end(f"{report.proved} of {report.sampled} boxes proved again: {report.verdict.value}")
        if json:
            print_json(out)
        else:
            print_table(database.spec.name, ["what", "value"], [[key, str(value)] for key, value in out.items()])
    return 0 if complete else 1


def _explored(spec: str | None, overrides: Overrides, db: Path | None, progress: Progress) -> Database:
    """The database, with the classes of `spec` where one is given."""
    from symland import pipeline
    from symland.landscape.database import Database

    if spec is None:
        assert db is not None
        return Database.open(db)
    question = read_spec(spec, overrides)
    if db is None:
        widths = "-".join(map(str, question.hidden))
        db = Path(f"{question.name}-{widths}-{float(question.penalty):g}.sqlite")
        say(f"database {db}")
    database = Database.open_or_create(db, question)
    if not database.points():
        progress.begin("explore")
        found = pipeline.explore_into(database, clock=time.monotonic, listener=progress)
        progress.end(f"{len(found.points)} classes, Morse sum {found.completeness.morse_sum}")
    return database


@app.command
def embed(
    *files: Path,
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
            report = pipeline.embed_saved(spec, made, layer=layer, nodes=nodes, listener=progress)
        else:
            report = pipeline.embed_into(database, layer=layer, nodes=nodes, listener=progress)
        progress.end(report.verdict.value)
    if json:
        print_json(report.to_dict())
    else:
        rows = [
            [
                str(p.number),
                f"{p.loss:.12g}",
                str(p.index_before),
                str(p.predicted_index),
                str(p.index_after),
                "-" if p.escape is None else f"{p.escape.loss:.9g}",
                p.stationary.value,
                p.index_holds.value,
            ]
            for p in report.points
        ]
        columns = ["class", "loss", "index", "predicted", "computed", "escapes to", "stationary", "index holds"]
        print_table(f"{hidden} into {report.extension.wide.hidden}", columns, rows)
    return 0 if report.verdict.value == "certified" else 1


@app.command(name="map")
def embedding_map(
    *databases: Path,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Directory for the figure.")] = None,
    json: Json = False,
) -> int:
    """Show which class of each network lies inside which class of the next wider one; give databases by width.

    Each database keeps the map, and its report shows it.
    Exit status 1 when an embedded class is missing from the wider network's list.

    Example: `symland map xor-1.sqlite xor-2.sqlite xor-3.sqlite -o map`
    """
    from symland import pipeline
    from symland.landscape.database import Database
    from symland.report.figures import embedding_figure, map_columns, save_figure

    progress = Progress()
    with ExitStack() as stack:
        opened = [stack.enter_context(Database.open(path)) for path in databases]
        progress.begin("map")
        found = pipeline.map_into(opened, listener=progress)
    progress.end("every embedded class was found" if found.complete else "INCOMPLETE: embedded classes are missing")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for path in save_figure(embedding_figure(*map_columns(found.to_dict())), output, "embedding-map"):
            say(str(path))
    if json:
        print_json(found.to_dict())
    else:
        rows = [
            [
                str(link.width),
                str(link.start),
                "missing" if link.end is None else str(link.end),
                f"+{link.rise}",
                "-" if link.escape is None else str(link.escape),
                link.verdict.value,
            ]
            for link in found.links
        ]
        columns = ["width", "class", "class at the next width", "index", "escapes to", "verdict"]
        print_table("Embedding map", columns, rows)
    return 0 if found.complete else 1


@app.command
def prune(
    *,
    db: DatabaseFile,
    narrower: Annotated[
        list[Path] | None, Parameter(help="Databases of narrower networks, to name their classes.")
    ] = None,
    json: Json = False,
) -> None:
    """Label every class: irreducible, or the extension of a narrower network's class.

    Example: `symland prune --db xor-3.sqlite --narrower xor-1.sqlite --narrower xor-2.sqlite`
    """
    from symland import pipeline
    from symland.landscape.database import Database

    with ExitStack() as stack:
        database = stack.enter_context(Database.open(db))
        others = [stack.enter_context(Database.open(path)) for path in narrower or []]
        rows = [label.to_dict() for label in pipeline.label_into(database, others)]
        if json:
            print_json(rows)
        else:
            print_table(database.spec.name, ["class", "label"], [[str(r["class"]), str(r["label"])] for r in rows])


@app.command
def export(
    *,
    db: DatabaseFile,
    output: Folder,
    form: Annotated[
        Literal["pathsample", "csv", "graphml", "parquet"],
        Parameter(name="--format", help="PATHSAMPLE's files, or tables, or the transition network."),
    ] = "pathsample",
) -> None:
    """Write minima, transition states and pathways for other programs.

    Example: `symland export --db xor.sqlite --format pathsample -o pathsample`
    """
    from symland.landscape import exchange
    from symland.landscape.database import Database
    from symland.pipeline import classes
    from symland.symbolic.symmetry import find_symmetry

    with Database.open(db) as database:
        points, pathways = classes(database), database.pathways()
        if form == "pathsample":
            files = exchange.export_pathsample(
                points, pathways, find_symmetry(database.spec), descents=database.descents()
            )
            written = exchange.write_pathsample(output, files)
        elif form == "csv":
            written = exchange.write_csv(output, database.spec, points, pathways)
        elif form == "parquet":
            written = exchange.write_parquet(output, database.spec, points, pathways)
        else:
            written = [exchange.write_graphml(output / "network.graphml", points, pathways, database.descents())]
    for path in written:
        say(str(path))


@app.command(name="import")
def import_files(spec: Spec, folder: Path, /, *, db: DatabaseFile, overrides: Overrides = Overrides()) -> None:
    """Read PATHSAMPLE's files of the same potential into a new database; every point is verified again.

    Example: `symland import xor pathsample --db imported.sqlite`
    """
    from symland.landscape import exchange
    from symland.landscape.database import Database
    from symland.symbolic.symmetry import find_symmetry

    question = read_spec(spec, overrides)
    files = exchange.read_pathsample(folder, question.n_parameters)
    points, pathways = exchange.import_pathsample(files, question, find_symmetry(question))
    with Database.create(db, question) as database:
        database.put_points(points)
        database.put_pathways(pathways)
    say(f"{len(points)} classes, {len(pathways)} pathways")
