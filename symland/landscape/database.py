"""The landscape of one specification in one SQLite file, readable and resumable after a run was killed.

Every change is a transaction with SQLite's rollback journal and full synchronisation, so the file holds the state
after the last finished change whatever happens to the process. Classes are numbered from 0 in the order given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from symland.codec import decode as decode_answer
from symland.codec import encode as encode_answer
from symland.errors import DatabaseError, SpecError
from symland.landscape.evidence import Evidence
from symland.landscape.migrate import migrate
from symland.landscape.schema import (
    APPLICATION,
    RECORDS,
    TABLES,
    VERSION,
    checksum,
    decode,
    descent_columns,
    descent_record,
    encode,
    pathway_columns,
    pathway_record,
    point_columns,
    point_record,
)
from symland.records import Descent, Pathway, StationaryPoint
from symland.spec import LandscapeSpec

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape
    from symland.rigor.certificate import Certificate
    from symland.rigor.refine import RefinedPoint

__all__ = ["PARTIAL", "Database", "Stored"]

PARTIAL = "partial"
"""The fact that says why a list is known to lack classes."""

BUSY_SECONDS = 10.0
"""How long a change waits for another process that is writing, in seconds."""

_DATA = ("inputs", "targets")
"""Parts of a specification that are too long for a message."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An answer as it is kept: the version of its question, and its JSON text."""

    version: int
    text: str


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
        if path.is_dir():
            raise DatabaseError(f"{path} is a directory; name a file")
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
        """An existing file; with `spec`, one that belongs to it. A file of layout 1 is brought up to date.

        Raises
        ------
        DatabaseError
            If there is no such file, it is not a landscape, was written in a later layout, or belongs to another
            specification.
        """
        path = Path(path)
        if not path.is_file():
            raise DatabaseError(f"{path} is not a file; give the database that `symland run` or `symland explore` made")
        with _clear_errors(path):
            connection = _connect(path, "rw")
            try:
                migrate(connection, path)
                found = _read_spec(connection, path)
            except BaseException:
                connection.close()
                raise
        if spec is not None and spec.digest != found.digest:
            connection.close()
            raise DatabaseError(f"{path} belongs to another question: {_differences(found, spec)}; name another file")
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

        Refined points, certificates, pathways and descents of classes whose theta or number changed are dropped, and so
        is every answer that does not outlive a change of the list.

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
                self._connection.execute("DELETE FROM answer WHERE NOT outlives")
            for table, columns in _REFERENCES.items():
                for column in columns:
                    self._connection.executemany(f'DELETE FROM {table} WHERE "{column}" = ?', moved)
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
        self._replace("descent", [descent_columns(n, descent) for n, descent in enumerate(descents)])

    def descents(self) -> list[Descent]:
        """What lies downhill of saddles that branches ended on."""
        return [descent_record(row) for row in self._rows("descent")]

    # -- records of other rooms -----------------------------------------------------------------------------------

    def landscape(self) -> Landscape:
        """All that is known of the landscape, as one record.

        Raises
        ------
        DatabaseError
            If a record is damaged.
        """
        from symland.landscape.landscape import Landscape

        answers = self.answers()
        known = {
            name: decode_answer(answers[name].text, kind) for name, kind in Evidence.kinds().items() if name in answers
        }
        return Landscape(
            spec=self.spec,
            points=tuple(self.points()),
            pathways=tuple(self.pathways()),
            descents=tuple(self.descents()),
            refined=self.refined(),
            certificates=self.certificates(),
            evidence=Evidence(**known),
            partial=self.meta().get(PARTIAL, ""),
        )

    def put_refined(self, class_number: int, refined: RefinedPoint) -> None:
        """Store the refined point of a class."""
        self._insert("refined", [(class_number, encode(refined.to_dict(), f"refined point {class_number}"))])

    def refined(self) -> dict[int, RefinedPoint]:
        """Refined points by class number."""
        from symland.rigor.refine import RefinedPoint

        return {number: RefinedPoint.from_dict(record) for number, record in self._records("refined").items()}

    def put_certificate(self, class_number: int, certificate: Certificate) -> None:
        """Store the certificate of a class."""
        self._insert("certificate", [(class_number, encode(certificate.to_dict(), f"certificate {class_number}"))])

    def certificates(self) -> dict[int, Certificate]:
        """Certificates by class number."""
        from symland.rigor.certificate import Certificate

        return {number: Certificate.from_dict(record) for number, record in self._records("certificate").items()}

    def put_proofs(self, proofs: Iterable[Mapping[str, Any]]) -> None:
        """Store the proofs, in place of those there."""
        self._replace("proof", [(n, encode(proof, f"proof {n}")) for n, proof in enumerate(proofs)])

    def proofs(self) -> list[dict[str, Any]]:
        """Proofs, in the order given."""
        return list(self._records("proof").values())

    def put_answer(self, name: str, answer: Any, *, version: int = 1, outlives: bool = False) -> None:
        """Store the answer to a question; one that does not outlive a change of the list goes with it."""
        self._insert("answer", [(name, version, int(outlives), encode_answer(answer))])

    def answers(self) -> dict[str, Stored]:
        """Answers by the names of their questions."""
        return {name: Stored(version=version, text=text) for name, version, _, text in self._rows("answer")}

    def put_state(self, name: str, state: Any) -> None:
        """Store where a question that was interrupted goes on."""
        self._insert("state", [(name, encode(state, f"state of {name}"))])

    def state(self, name: str) -> Any:
        """Where a question that was interrupted goes on, or None."""
        return self._records("state").get(name)

    def put_meta(self, key: str, value: Any) -> None:
        """Store a fact about the run: versions, seconds by step, seed."""
        self._insert("meta", [(key, encode(value, f"meta {key}"))])

    def meta(self) -> dict[str, Any]:
        """Facts about the run, by key."""
        return self._records("meta")

    # -- inside ---------------------------------------------------------------------------------------------------

    def verify(self) -> int:
        """Read every record of every table and hold it against its checksum; the number of records.

        Raises
        ------
        DatabaseError
            If a record is damaged; it is named.
        """
        return sum(len(self._rows(table)) for table in RECORDS)

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        with _clear_errors(self.path):
            found = self._connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
        for *row, kept in found:
            if checksum(tuple(row)) != kept:
                raise DatabaseError(
                    f"{self.path}: record {row[0]!r} of table {table} is damaged, its checksum differs; restore "
                    f"a copy, "
                    "or run again into a new file"
                )
        return [row[:-1] for row in found]

    def _records(self, table: str) -> dict[Any, Any]:
        return {key: decode(text) for key, text in self._rows(table)}

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        rows = [(*row, checksum(row)) for row in rows]
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
    for column in (
        "index",
        "nullity",
        "orbit_size",
        "outcome",
        "loss",
        "gradient_norm",
        "theta",
        "spectrum",
        "checksum",
    )
)

_REFERENCES = {
    "refined": ("number",),
    "certificate": ("number",),
    "pathway": ("transition_state", "minus", "plus"),
    "descent": ("saddle", "end"),
}
"""Columns that name classes."""


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


def _differences(held: LandscapeSpec, asked: LandscapeSpec) -> str:
    """In what the question of a file differs from one that is asked; data sets are named and not written out."""
    one, other = held.canonical(), asked.canonical()
    parts = [f"{key} {one[key]}, not {other[key]}" for key in one if key not in _DATA and one[key] != other[key]]
    if any(one[key] != other[key] for key in _DATA):
        parts.append(f"the data of {held.name}, which differ from those of {asked.name}")
    return "; ".join(parts)


def _read_spec(connection: sqlite3.Connection, path: Path) -> LandscapeSpec:
    name, digest, canonical = connection.execute("SELECT name, digest, canonical FROM spec").fetchone()
    try:
        spec = LandscapeSpec.from_canonical(decode(canonical), name)
    except SpecError as error:
        raise DatabaseError(f"{path}: its specification cannot be read ({error}); run again into a new file") from None
    if spec.digest != digest:
        raise DatabaseError(f"{path}: its specification does not have its digest {digest[:12]}; the file was altered")
    return spec
