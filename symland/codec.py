"""Answers as JSON and back: one codec for every typed record.

Records are `msgspec.Struct`s or dataclasses of numbers, text, enums, rationals and NumPy arrays. A rational is the text
"p/q", an array nested lists of its numbers; Python writes the shortest text that reads back as the same double, so
nothing is lost. An infinity or NaN has no word in JSON: records hold None in its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, TypeVar, get_origin

import msgspec
import numpy as np

from symland.errors import DatabaseError

__all__ = ["decode", "encode", "plain", "schema"]

T = TypeVar("T")


def _down(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{type(value).__name__} {value!r:.60}")


def _up(kind: Any, value: Any) -> Any:
    if kind is Fraction:
        return Fraction(value)
    if (get_origin(kind) or kind) is np.ndarray:
        array = np.array(value, dtype=np.float64)
        array.flags.writeable = False
        return array
    raise TypeError(f"no reading of {kind}")


def _shape(kind: Any) -> dict[str, Any]:
    return {"type": "string"} if kind is Fraction else {"type": "array"}


def plain(record: Any) -> Any:
    """JSON values of a record.

    Raises
    ------
    DatabaseError
        If it holds an infinity, NaN or something that JSON has no word for.
    """
    try:
        values = msgspec.to_builtins(record, enc_hook=_down)
    except (TypeError, ValueError) as error:
        raise DatabaseError(f"a record cannot be written ({error}); give JSON values and NumPy arrays") from None
    if not all(map(math.isfinite, _floats(values))):
        raise DatabaseError(
            f"a record of {type(record).__name__} holds an infinity or NaN; give finite numbers or None"
        )
    return values


def _floats(values: Any) -> Iterable[float]:
    if isinstance(values, float):
        yield values
    elif isinstance(values, dict):
        for part in values.values():
            yield from _floats(part)
    elif isinstance(values, list | tuple):
        for part in values:
            yield from _floats(part)


def encode(record: Any) -> str:
    """JSON text of a record; see `plain`."""
    return msgspec.json.encode(plain(record)).decode()


def decode(text: str, kind: type[T]) -> T:
    """The record that `encode` wrote.

    Raises
    ------
    DatabaseError
        If the text holds something else.
    """
    try:
        return msgspec.json.decode(text, type=kind, dec_hook=_up)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DatabaseError(f"not a record of {kind.__name__} ({error}); ask its question again") from None


def schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a record."""
    return msgspec.json.schema(kind, schema_hook=_shape)
