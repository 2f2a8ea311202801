"""Verbs that read and write other programs' files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import print_files, print_json, say
from symland.cli.options import DatabaseFile, Folder, Json, Overrides, Spec, read_spec

__all__ = ["export", "import_files"]


@app.command
def export(
    *,
    db: DatabaseFile,
    output: Folder,
    form: Annotated[
        Literal["pathsample", "csv", "graphml", "parquet"],
        Parameter(name="--format", help="PATHSAMPLE's files, or tables, or the transition network."),
    ] = "pathsample",
    json: Json = False,
) -> None:
    """Write minima, transition states and pathways for other programs.

    Example: `symland export --db xor.sqlite --format pathsample -o pathsample`
    """
    from symland.landscape import exchange
    from symland.landscape.database import Database

    with Database.open(db) as database:
        landscape = database.landscape().explored()
    if form == "pathsample":
        written = exchange.write_pathsample(output, exchange.export_pathsample(landscape))
    elif form == "csv":
        written = exchange.write_csv(output, landscape)
    elif form == "parquet":
        written = exchange.write_parquet(output, landscape)
    else:
        written = [exchange.write_graphml(output / "network.graphml", landscape)]
    print_files(written, json)


@app.command(name="import")
def import_files(
    spec: Spec,
    folder: Annotated[Path, Parameter(help="The folder of PATHSAMPLE's files.")],
    /,
    *,
    db: DatabaseFile,
    overrides: Overrides = Overrides(),
    json: Json = False,
) -> None:
    """Read PATHSAMPLE's files of the same potential into a new database; every point is verified again.

    Example: `symland import xor pathsample --db imported.sqlite`
    """
    from symland.landscape import exchange
    from symland.landscape.database import PARTIAL, Database
    from symland.pipeline import summary
    from symland.symbolic.symmetry import find_symmetry

    question = read_spec(spec, overrides)
    files = exchange.read_pathsample(folder, question.n_parameters)
    points, pathways = exchange.import_pathsample(files, question, find_symmetry(question))
    with Database.create(db, question) as database:
        database.put_points(points)
        database.put_pathways(pathways)
        database.put_meta(PARTIAL, "only minima and transition states were imported")
        if json:
            print_json(summary(database))
    say(f"{len(points)} classes, {len(pathways)} pathways; only minima and transition states were imported")
