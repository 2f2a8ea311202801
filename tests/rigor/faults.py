"""Faults that are planted in the search on purpose: each drops a part of space that may hold a solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symland.rigor.enumeration import choices
from symland.rigor.enumeration.choice_program import choice_rows
from symland.rigor.enumeration.search import Search

__all__ = ["FAULTS"]


def forgotten_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is left of a table the first choice goes."""
    right = choices._examined

    def wrong(search: Search, table: np.ndarray) -> Any:
        left = right(search, table)
        left.table, left.axis, left.waits = left.table[:, 1:], left.axis[1:], left.waits[1:]
        return left

    monkeypatch.setattr(choices, "_examined", wrong)


def lower_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The upper half of each choice is not searched."""
    right = choices._halves
    monkeypatch.setattr(choices, "_halves", lambda problem, table, axis: right(problem, table, axis)[:, : axis.size])


def too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a choice is narrowed to is cut by a tenth."""
    right = choices._examined

    def wrong(search: Search, table: np.ndarray) -> Any:
        left = right(search, table)
        named = choice_rows(search.problem).read(left.table)
        named.high[:] -= 0.1 * (named.high - named.low)
        return left

    monkeypatch.setattr(choices, "_examined", wrong)


def scrambled_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer for each choice is read in the place of its neighbour."""
    right = choices.NamedEngine.__call__

    def wrong(self: Any, lanes: np.ndarray) -> Any:
        found = right(self, lanes)
        found.gone[:] = np.roll(found.gone, 1)
        return found

    monkeypatch.setattr(choices.NamedEngine, "__call__", wrong)


FAULTS = (forgotten_choice, lower_halves, too_narrow, scrambled_columns)
