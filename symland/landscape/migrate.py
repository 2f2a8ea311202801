"""Files of layout 1 are brought up to layout 2, in one transaction: all of it or nothing.

Layout 2 gives each row a checksum, keeps descents in a table of their own, and answers with the version of their
question. What layout 1 called analyses are answers, and the state of an interrupted enumeration.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from symland.errors import DatabaseError
from symland.landscape.schema import APPLICATION, RECORDS, TABLES, VERSION, checksum

__all__ = ["migrate"]

OUTLIVING = ("program", "completeness")
"""Analyses of layout 1 that a change of the list left true."""

OLD_TABLES = ("pathway", "refined", "certificate", "batch", "embedding", "proof", "analysis", "meta", "point")


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an open file up to the layout of this version.

    Raises
    ------
    DatabaseError
        If it is not a landscape, or was written in a later layout.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise DatabaseError(f"{path}: not a landscape database; give the file that `symland run` made")
    if version == VERSION:
        return
    if version != 1:
        raise DatabaseError(
            f"{path}: layout {version}, this version of symland reads up to layout {VERSION}; open it with the version "
            "that wrote it, or run again into a new file"
        )
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        old = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in OLD_TABLES}
        for table in OLD_TABLES:
            connection.execute(f"DROP TABLE {table}")
        for statement in TABLES.split(";\n"):
            if "CREATE TABLE spec" not in statement:
                connection.execute(statement)
        for table, rows in _renewed(old).items():
            for row in rows:
                places = ", ".join("?" * (len(row) + 1))
                connection.execute(f"INSERT INTO {table} VALUES ({places})", (*row, checksum(row)))
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def _renewed(old: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of the new tables, without their checksums."""
    new: dict[str, list[tuple[Any, ...]]] = {table: list(old.get(table, ())) for table in RECORDS}
    embedding = [json.loads(record) for _, record in old["embedding"]]
    for name, text in old["analysis"]:
        if name == "descents":
            new["descent"] = [
                (n, d["saddle"], d["end"], json.dumps(d["element"])) for n, d in enumerate(json.loads(text))
            ]
        elif name == "enumeration state":
            continue  # it rests on a search whose proofs could be false
        elif name == "enumeration":
            continue
        else:
            record = json.loads(text)
            if name == "embedding":
                record["points"] = embedding
            elif name == "labels":
                record = {"classes": record}
            new["answer"].append((name, 1, int(name in OUTLIVING), json.dumps(record)))
    return new
