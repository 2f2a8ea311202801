"""`symland atlas`: landscapes as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import Progress, print_files
from symland.cli.options import Databases, Json, open_databases

__all__ = ["atlas"]


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

    progress = Progress()
    progress.begin("atlas")
    with open_databases(db) as databases:
        path = write_atlas(databases, output, title=title, figures=figures)
    progress.end(f"{len(databases)} landscapes, {path.stat().st_size / 1000:.0f} kB")
    print_files([path], json)
