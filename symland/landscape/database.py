"""The landscape of one specification in one SQLite file, readable and resumable after a run was killed.

Every change is a transaction with SQLite's rollback journal and full synchronisation, so the file holds the state
after the last finished change whatever happens to the process. Classes are numbered from 0 in the order given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from symland.errors import DatabaseError, SpecError
from symland.landscape.schema import (
    APPLICATION,
    TABLES,
    VERSION,
    decode,
    descent_record,
    encode,
    pathway_columns,
    pathway_record,
    point_columns,
    point_record,
)
from symland.records import Descent, Pathway, StationaryPoint
from symland.spec import LandscapeSpec

__all__ = ["Database"]

DESCENTS = "descents"
"""The analysis that holds what lies downhill of saddles that branches ended on."""

BUSY_SECONDS = 10.0
"""How long a change waits for another process that is writing, in seconds."""

OUTLIVING = ("program", "completeness", "enumeration state")
"""Analyses that a change of the list leaves true: of the program, of the searches made, and a proof begun, which says
itself which classes it rests on."""


class Database:
    """An open landscape file; a context manager that closes it.

    Get one from `create`, `open` or `open_or_create`. Methods raise DatabaseError with one line when SQLite cannot do
    what was asked: a full disk, a damaged file, another process that does not let go.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, spec: LandscapeSpec) -> None:
        self.path = path
        self.spec = spec
        self._connection = connection

    # -- opening --------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: str | Path, spec: LandscapeSpec) -> Database:
        """A new file for a specification.

        Raises
        ------
        DatabaseError
            If there is a file already, or none can be made.
        """
        path = Path(path)
        if path.exists() and (not path.is_file() or path.stat().st_size):
            raise DatabaseError(f"{path} exists already; open it to go on with it, or name another file")
        with _clear_errors(path):
            connection = _connect(path, "rwc")
            try:
                with _begun(connection):
                    for statement in TABLES.split(";\n"):
                        connection.execute(statement)
                    row = (1, spec.name, spec.digest, encode(spec.canonical(), "the specification"))
                    connection.execute("INSERT INTO spec VALUES (?, ?, ?, ?)", row)
                    connection.execute(f"PRAGMA application_id = {APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {VERSION}")
            except BaseException:
                connection.close()
                raise
        return cls(path, connection, spec)

    @classmethod
    def open(cls, path: str | Path, spec: LandscapeSpec | None = None) -> Database:
        """An existing file; with `spec`, one that belongs to it.

        Raises
        ------
        DatabaseError
            If there is no such file, it is not a landscape, was written in another layout, or belongs to another
            specification.
        """
        path = Path(path)
        if not path.is_file():
            raise DatabaseError(f"{path} is not a file; give the database that `symland run` or `symland explore` made")
        with _clear_errors(path):
            connection = _connect(path, "rw")
            try:
                found = _read_spec(connection, path)
            except BaseException:
                connection.close()
                raise
        if spec is not None and spec.digest != found.digest:
            connection.close()
            raise DatabaseError(
                f"{path} belongs to the specification {found.name} with digest {found.digest[:12]}, "
                f"not {spec.digest[:12]}; name another file"
            )
        return cls(path, connection, found)

    @classmethod
    def open_or_create(cls, path: str | Path, spec: LandscapeSpec) -> Database:
        """The file of a specification, to go on with or to begin.

        Raises
        ------
        DatabaseError
            As `open` and `create`.
        """
        path = Path(path)
        if path.is_file() and path.stat().st_size:
            return cls.open(path, spec)
        return cls.create(path, spec)

    def close(self) -> None:
        """Close the file; what was finished stays."""
        self._connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes that are made together or not at all; inside another one, part of it."""
        with _clear_errors(self.path):
            if self._connection.in_transaction:
                yield
                return
            with _begun(self._connection):
                yield

    # -- classes --------------------------------------------------------------------------------------------------

    def put_points(self, points: Sequence[StationaryPoint]) -> None:
        """Store the classes; class n is `points[n]`.

        Refined points, certificates and pathways of classes whose theta or number changed are dropped, and so is all
        that speaks of the whole list: the embedding table and the analyses but `OUTLIVING`.

        Raises
        ------
        DatabaseError
            If a point has another number of parameters than the specification.
        """
        for number, point in enumerate(points):
            if point.theta.size != self.spec.n_parameters:
                raise DatabaseError(
                    f"class {number} has {point.theta.size} parameters, the specification has "
                    f"{self.spec.n_parameters}; store each landscape in a file of its own"
                )
        new = {number: point_columns(number, point) for number, point in enumerate(points)}
        with self.transaction():
            old = {row[0]: row for row in self._rows("point")}
            # The last two columns are theta and the spectrum.
            moved = [(n,) for n, row in old.items() if n not in new or row[-2] != new[n][-2]]
            if moved or len(new) != len(old):
                self._connection.execute("DELETE FROM embedding")
                names = ", ".join("?" * len(OUTLIVING))
                self._connection.execute(f"DELETE FROM analysis WHERE name NOT IN ({names})", OUTLIVING)
            for table in ("refined", "certificate"):
                self._connection.executemany(f"DELETE FROM {table} WHERE number = ?", moved)
            for column in ("transition_state", "minus", "plus"):
                self._connection.executemany(f"DELETE FROM pathway WHERE {column} = ?", moved)
            self._connection.executemany("DELETE FROM point WHERE number = ?", [(n,) for n in old if n not in new])
            self._insert("point", [row for n, row in new.items() if old.get(n) != row])

    def points(self) -> list[StationaryPoint]:
        """All classes, by number."""
        return [point_record(row) for row in self._rows("point")]

    def put_batch(self, number: int, payload: Any) -> None:
        """Say that batch `number` is done, with what a resumed run needs to know of it."""
        self._insert("batch", [(number, encode(payload, f"batch {number}"))])

    def batches(self) -> dict[int, Any]:
        """Payloads of the batches done, by number."""
        return self._records("batch")

    def put_pathways(self, pathways: Sequence[Pathway]) -> None:
        """Store the pathways, in place of those there; several between the same minima stay several."""
        self._replace("pathway", [pathway_columns(n, path) for n, path in enumerate(pathways)])

    def pathways(self) -> list[Pathway]:
        """All pathways, in the order given."""
        return [pathway_record(row) for row in self._rows("pathway")]

    def put_descents(self, descents: Sequence[Descent]) -> None:
        """Store what lies downhill of saddles that branches ended on, in place of what is there."""
        self.put_analysis(DESCENTS, descents)

    def descents(self) -> list[Descent]:
        """What lies downhill of saddles that branches ended on."""
        return [descent_record(values) for values in self.analyses().get(DESCENTS, ())]

    # -- records of other rooms -----------------------------------------------------------------------------------

    def put_refined(self, class_number: int, record: Mapping[str, Any]) -> None:
        """Store the refined point of a class: decimal text and precision."""
        self._insert("refined", [(class_number, encode(record, f"refined point {class_number}"))])

    def refined(self) -> dict[int, dict[str, Any]]:
        """Refined points by class number."""
        return self._records("refined")

    def put_certificate(self, class_number: int, record: Mapping[str, Any]) -> None:
        """Store the certificate of a class."""
        self._insert("certificate", [(class_number, encode(record, f"certificate {class_number}"))])

    def certificates(self) -> dict[int, dict[str, Any]]:
        """Certificates by class number."""
        return self._records("certificate")

    def put_embedding(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Store the embedding table, in place of the one there."""
        self._replace("embedding", [(n, encode(row, f"embedding row {n}")) for n, row in enumerate(rows)])

    def embedding(self) -> list[dict[str, Any]]:
        """Rows of the embedding table."""
        return list(self._records("embedding").values())

    def put_proofs(self, proofs: Iterable[Mapping[str, Any]]) -> None:
        """Store the proofs, in place of those there."""
        self._replace("proof", [(n, encode(proof, f"proof {n}")) for n, proof in enumerate(proofs)])

    def proofs(self) -> list[dict[str, Any]]:
        """Proofs, in the order given."""
        return list(self._records("proof").values())

    def put_analysis(self, name: str, record: Any) -> None:
        """Store the answer to a question asked of the whole list of classes."""
        self._insert("analysis", [(name, encode(record, f"analysis {name}"))])

    def analyses(self) -> dict[str, Any]:
        """Answers by name."""
        return self._records("analysis")

    def put_meta(self, key: str, value: Any) -> None:
        """Store a fact about the run: versions, seconds by step, seed."""
        self._insert("meta", [(key, encode(value, f"meta {key}"))])

    def meta(self) -> dict[str, Any]:
        """Facts about the run, by key."""
        return self._records("meta")

    # -- inside ---------------------------------------------------------------------------------------------------

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        with _clear_errors(self.path):
            return self._connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()

    def _records(self, table: str) -> dict[Any, Any]:
        return {key: decode(text) for key, text in self._rows(table)}

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        places = ", ".join("?" * len(rows[0]))
        # A point is changed in place, so that records which refer to it stay.
        word = "INSERT INTO" if table == "point" else "INSERT OR REPLACE INTO"
        update = f" ON CONFLICT (number) DO UPDATE SET {_POINT_UPDATE}" if table == "point" else ""
        with self.transaction():
            self._connection.executemany(f"{word} {table} VALUES ({places}){update}", rows)

    def _replace(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self.transaction():
            self._connection.execute(f"DELETE FROM {table}")
            self._insert(table, rows)


_POINT_UPDATE = ", ".join(
    f'"{column}" = excluded."{column}"'
    for column in ("index", "nullity", "orbit_size", "outcome", "loss", "gradient_norm", "theta", "spectrum")
)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _begun(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise DatabaseError(f"{path}: a record does not fit ({error}); store the classes it speaks of first") from None
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{path}: {_advice(error)}") from None


def _advice(error: sqlite3.DatabaseError) -> str:
    name = getattr(error, "sqlite_errorname", "")
    text = {
        "SQLITE_NOTADB": "not a landscape database; give the file that `symland run` made",
        "SQLITE_FULL": "the disk is full; make room and run again, finished batches are kept",
        "SQLITE_BUSY": "another process is writing; wait for it or end it",
        "SQLITE_READONLY": "the file cannot be written; give it write permission or copy it",
        "SQLITE_CANTOPEN": "cannot be opened; give a path in a folder that exists and can be written",
        "SQLITE_CORRUPT": "the file is damaged; restore a copy or run again into a new file",
    }
    return next((advice for code, advice in text.items() if name.startswith(code)), f"SQLite says {error}")


def _read_spec(connection: sqlite3.Connection, path: Path) -> LandscapeSpec:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise DatabaseError(f"{path}: not a landscape database; give the file that `symland run` made")
    if version != VERSION:
        raise DatabaseError(
            f"{path}: layout {version}, this version of symland reads layout {VERSION}; open it with the version that "
            "wrote it, or run again into a new file"
        )
    name, digest, canonical = connection.execute("SELECT name, digest, canonical FROM spec").fetchone()
    try:
        spec = LandscapeSpec.from_canonical(decode(canonical), name)
    except SpecError as error:
        raise DatabaseError(f"{path}: its specification cannot be read ({error}); run again into a new file") from None
    if spec.digest != digest:
        raise DatabaseError(f"{path}: its specification does not have its digest {digest[:12]}; the file was altered")
    return spec
