"""What a landscape file holds: its tables, and how records become columns and come back to the last bit."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from symland.errors import DatabaseError
from symland.records import Descent, FloatArray, Outcome, Pathway, StationaryPoint
from symland.symmetry import GroupElement

__all__ = [
    "APPLICATION",
    "RECORDS",
    "TABLES",
    "VERSION",
    "checksum",
    "decode",
    "descent_columns",
    "descent_record",
    "encode",
    "pathway_columns",
    "pathway_record",
    "point_columns",
    "point_record",
]

APPLICATION = 0x73796D6C
"""SQLite's application_id of a landscape file: "syml"."""

VERSION = 2
"""SQLite's user_version: the layout of the tables below. Layout 1 is brought up to it by "
"`symland.landscape.migrate`."""

# Numbers that a person may query stand in columns; theta and spectrum are little-endian float64, and records of other
# rooms are JSON, so that SQLite's own JSON functions reach them. The last column of each row is its checksum.
TABLES = """
CREATE TABLE spec (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    canonical TEXT NOT NULL
);
CREATE TABLE point (
    number INTEGER PRIMARY KEY,
    "index" INTEGER NOT NULL,
    nullity INTEGER NOT NULL,
    orbit_size TEXT NOT NULL,
    outcome TEXT NOT NULL,
    loss REAL NOT NULL,
    gradient_norm REAL NOT NULL,
    theta BLOB NOT NULL,
    spectrum BLOB NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE batch (number INTEGER PRIMARY KEY, payload TEXT NOT NULL, checksum TEXT NOT NULL);
CREATE TABLE pathway (
    number INTEGER PRIMARY KEY,
    transition_state INTEGER NOT NULL REFERENCES point (number),
    minus INTEGER NOT NULL REFERENCES point (number),
    plus INTEGER NOT NULL REFERENCES point (number),
    minus_element TEXT NOT NULL,
    plus_element TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE descent (
    number INTEGER PRIMARY KEY,
    saddle INTEGER NOT NULL REFERENCES point (number),
    "end" INTEGER NOT NULL REFERENCES point (number),
    element TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE refined (
    number INTEGER PRIMARY KEY REFERENCES point (number), record TEXT NOT NULL, checksum TEXT NOT NULL
);
CREATE TABLE certificate (
    number INTEGER PRIMARY KEY REFERENCES point (number), record TEXT NOT NULL, checksum TEXT NOT NULL
);
CREATE TABLE proof (number INTEGER PRIMARY KEY, record TEXT NOT NULL, checksum TEXT NOT NULL);
CREATE TABLE answer (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    outlives INTEGER NOT NULL,
    record TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE state (name TEXT PRIMARY KEY, record TEXT NOT NULL, checksum TEXT NOT NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT NOT NULL);
"""

RECORDS = ("point", "batch", "pathway", "descent", "refined", "certificate", "proof", "answer", "state", "meta")
"""Tables of records, those that others refer to first."""


def checksum(row: tuple[Any, ...]) -> str:
    """64 bits of SHA-256 of a row, as text."""
    return hashlib.sha256(repr(row).encode()).hexdigest()[:16]


_ARRAY = "__float64__"


def _extended(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, dtype="<f8")
        return {_ARRAY: b64encode(array.tobytes()).decode(), "shape": list(array.shape)}
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} {value!r:.60}")


def _restored(values: dict[str, Any]) -> Any:
    if _ARRAY in values:
        return np.frombuffer(b64decode(values[_ARRAY]), dtype="<f8").astype(np.float64).reshape(values["shape"])
    return values


def encode(value: Any, what: str) -> str:
    """JSON text of a record; NumPy arrays are kept as float64 to the last bit.

    Raises
    ------
    DatabaseError
        If it holds an infinity, NaN or something that JSON has no word for.
    """
    try:
        return json.dumps(value, default=_extended, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        message = f"{what} cannot be stored ({error}); give JSON values, finite numbers and NumPy arrays"
        raise DatabaseError(message) from None


def decode(text: str) -> Any:
    """The record that `encode` wrote."""
    return json.loads(text, object_hook=_restored)


def _bytes(array: FloatArray) -> bytes:
    return array.astype("<f8").tobytes()


def _floats(data: bytes) -> FloatArray:
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


def point_columns(number: int, point: StationaryPoint) -> tuple[Any, ...]:
    """The row of a class; the orbit size is text, as it may pass 2^63."""
    return (
        number,
        point.index,
        point.nullity,
        str(point.orbit_size),
        point.outcome.name,
        float(point.loss),
        float(point.gradient_norm),
        _bytes(point.theta),
        _bytes(point.spectrum),
    )


def point_record(row: tuple[Any, ...]) -> StationaryPoint:
    """The class that a row holds."""
    _, index, nullity, orbit_size, outcome, loss, gradient_norm, theta, spectrum = row
    return StationaryPoint(
        theta=_floats(theta),
        loss=loss,
        gradient_norm=gradient_norm,
        spectrum=_floats(spectrum),
        index=index,
        nullity=nullity,
        orbit_size=int(orbit_size),
        outcome=Outcome[outcome],
    )


def pathway_columns(number: int, path: Pathway) -> tuple[Any, ...]:
    """The row of a pathway; group elements are JSON, `null` where there is none."""
    elements = (encode(path.minus_element, "a group element"), encode(path.plus_element, "a group element"))
    return (number, path.transition_state, path.minus, path.plus, *elements)


def pathway_record(row: tuple[Any, ...]) -> Pathway:
    """The pathway that a row holds."""
    _, transition_state, minus, plus, minus_element, plus_element = row
    return Pathway(
        transition_state=transition_state,
        minus=minus,
        plus=plus,
        minus_element=_element(decode(minus_element)),
        plus_element=_element(decode(plus_element)),
    )


def descent_columns(number: int, descent: Descent) -> tuple[Any, ...]:
    """The row of a descent."""
    return (number, descent.saddle, descent.end, encode(descent.element, "a group element"))


def descent_record(row: tuple[Any, ...]) -> Descent:
    """The descent that a row holds."""
    _, saddle, end, element = row
    return Descent(saddle=saddle, end=end, element=_element(decode(element)))


def _element(values: Any) -> Any:
    if not isinstance(values, Mapping) or set(values) != {"data", "places", "signs"}:
        return values
    places, signs = (tuple(tuple(layer) for layer in values[key]) for key in ("places", "signs"))
    return GroupElement(data=values["data"], places=places, signs=signs)
