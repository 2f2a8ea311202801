"""Strict JSON for checkers: no floats, no key twice, a seal that fits; a refusal says why and with which verdict."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from symland.records import Verdict

__all__ = ["Refusal", "digest", "need", "need_keys", "read_sealed", "whole_number"]


class Refusal(Exception):
    """Why a file is not accepted, and the verdict."""

    def __init__(self, reason: str, verdict: Verdict = Verdict.REFUTED) -> None:
        super().__init__(reason)
        self.reason, self.verdict = reason, verdict


def need(condition: bool, reason: str, otherwise: Verdict = Verdict.REFUTED) -> None:
    """Refuse unless a condition holds."""
    if not condition:
        raise Refusal(reason, otherwise)


def need_keys(values: Any, keys: str, name: str) -> None:
    """Refuse unless ``values`` is an object with exactly these keys, given in order and with spaces between."""
    need(isinstance(values, dict) and " ".join(sorted(values)) == keys, f"the keys are not those of {name}")


def whole_number(value: Any, low: int, high: int) -> bool:
    """Whether a value is an integer, not a bool, in [low, high]."""
    return type(value) is int and low <= value <= high


def digest(values: Any) -> str:
    """SHA-256 of JSON values: sorted keys, no white space, ASCII only."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_sealed(text: str | bytes) -> dict[str, Any]:
    """The object of a JSON text without its seal, which must fit.

    Raises
    ------
    Refusal
        Also for what is no JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), "a key stands twice")
        return dict(pairs)

    def no_float(literal: str) -> Any:
        raise Refusal(f"a number must be text or an integer, got {literal[:20]}")

    try:
        values = json.loads(text, object_pairs_hook=unique, parse_float=no_float, parse_constant=no_float)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"it is not JSON: {str(error)[:100]}") from None
    need(isinstance(values, dict) and isinstance(values.get("seal"), str), "it has no seal")
    seal = values.pop("seal")
    need(seal == digest(values), "the seal does not fit the content")
    return values
