"""`symland atlas`: landscapes as one HTML file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import Progress, print_files
from symland.cli.options import Json
from symland.errors import DatabaseError

__all__ = ["atlas"]

Databases = Annotated[
    list[Path],
    Parameter(
        name="--db",
        consume_multiple=True,
        negative="",
        help="Databases, or folders of them, which are sorted; one or more.",
    ),
]


@app.command
def atlas(
    *,
    db: Databases,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The HTML file.")] = Path("atlas.html"),
    title: Annotated[str, Parameter(help="Of the page; the names of the landscapes by default.")] = "",
    figures: Annotated[bool, Parameter(help="Draw the pictures of stored answers into it.")] = True,
    json: Json = False,
) -> None:
    """Write landscapes as one page that opens from disk: trees, classes, networks, pathways, answers.

    Example: `symland atlas --db xor-1.sqlite xor-2.sqlite -o atlas.html`
    """
    from symland.atlas import write_atlas
    from symland.landscape.database import Database

    progress = Progress()
    progress.begin("atlas")
    with ExitStack() as stack:
        databases = [stack.enter_context(Database.open(path)) for given in db for path in _files(given)]
        if any(given.is_dir() for given in db):
            databases.sort(key=lambda each: (each.spec.name, each.spec.hidden, -each.spec.penalty))
        path = write_atlas(databases, output, title=title, figures=figures)
    progress.end(f"{len(databases)} landscapes, {path.stat().st_size / 1000:.0f} kB")
    print_files([path], json)


def _files(given: Path) -> list[Path]:
    """The databases of a folder, or the file itself."""
    if not given.is_dir():
        return [given]
    found = sorted(given.rglob("*.sqlite"))
    if not found:
        raise DatabaseError(f"{given}: a folder without a database; give files, or a folder with .sqlite files")
    return found
