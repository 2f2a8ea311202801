"""`symland persist`: certificates of persistence as files."""

from __future__ import annotations

from symland.cli.app import app
from symland.cli.display import print_files
from symland.cli.options import DatabaseFile, Folder, Json
from symland.errors import DatabaseError

__all__ = ["persist"]


@app.command
def persist(*, db: DatabaseFile, output: Folder, json: Json = False) -> None:
    """Write the persistence certificates that `symland sensitivity` found, for `symland check`.

    Example: `symland persist --db xor.sqlite -o persistence`, then `symland check persistence/*.json`
    """
    from symland.analysis import sensitivity
    from symland.analysis.answers import read_answer
    from symland.landscape.database import Database

    with Database.open(db) as database:
        answer = read_answer(database, sensitivity.QUESTION)
    if answer is None:
        raise DatabaseError(f"{db} holds no sensitivities; ask `symland sensitivity --db {db}` first")
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for row in answer.classes:
        for text, kind in zip(row.certificates, ("point", "labels"), strict=False):
            path = output / f"class-{row.number}-{kind}.json"
            path.write_text(text, encoding="utf-8")
            written.append(path)
    print_files(written, json)
