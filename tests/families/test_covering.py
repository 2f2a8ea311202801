"""Tubes shared out and kept: the same proofs come back, and what is kept is not proved twice."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from symland.families.covering import cover
from symland.families.tubes import Tube
from symland.families.writing import tube_values
from tests.families.test_tubes import tubes


class Away(Executor):
    """Workers elsewhere: all that goes there and comes back is pickled."""

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        function, args = pickle.loads(pickle.dumps((function, args)))
        future.set_result(pickle.loads(pickle.dumps(function(*args))))
        return future


def test_tubes_are_the_same_wherever_they_are_made_and_are_kept_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    diagram, here = tubes()
    curves, spec = diagram.curves[:2], diagram.family.spec  # type: ignore[attr-defined]
    kept: dict[str, Any] = {}
    counted: list[int] = []

    def texts(found: list[Tube]) -> list[Any]:
        return [tube_values(diagram, curve, tube) for curve, tube in zip(curves, found, strict=True)]

    away = cover(spec, diagram.group, curves, kept={}, keep=kept.__setitem__, told=counted.append, executor=Away())
    assert texts(away) == texts(here[:2])
    assert counted == [1, 2]
    again = json.loads(json.dumps(kept))
    assert len(again) == 2
    monkeypatch.setattr("symland.families.covering.chain_of", None)
    resumed = cover(spec, diagram.group, curves, kept=again, keep=kept.__setitem__, told=counted.append)
    assert texts(resumed) == texts(away)
    # A kept piece is one of the curve that it was kept for.
    with pytest.raises(TypeError):
        cover(spec, diagram.group, diagram.curves[2:3], kept=again, keep=kept.__setitem__, told=counted.append)
