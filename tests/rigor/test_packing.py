"""Boxes that are kept as text come back to the last bit, and their text is short."""

from __future__ import annotations

import json
import struct

import numpy as np

from symland.rigor.enumeration.choice_program import choice_rows
from symland.rigor.enumeration.choices import _halves, first_choices
from symland.rigor.enumeration.packing import packed, unpacked
from symland.rigor.enumeration.problem import reduced_problem
from symland.spec import builtin


def test_doubles_come_back_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    special = np.array([[0.0, -0.0, np.inf, -np.inf], [5e-324, -1.0, np.nextafter(1.0, 2.0), 1.7e308]])
    for array in (special, rng.normal(size=(2, 9, 17))[:, ::-1], np.zeros((2, 9, 0)), rng.normal(size=7)):
        again = unpacked(json.loads(json.dumps(packed(array))))
        assert again.shape == array.shape
        assert [struct.pack("<d", x) for x in again.ravel()] == [struct.pack("<d", x) for x in array.ravel()]


def test_halved_choices_take_a_tenth_of_their_digits() -> None:
    problem = reduced_problem(builtin("xor").with_(hidden=(2,), penalty="0.03"))
    table = first_choices(problem)[:, 2:]
    size = choice_rows(problem).rows["low"]
    for _ in range(8):
        table = _halves(problem, table, (table[size : 2 * size] - table[:size]).argmax(axis=0))
    assert table.shape[1] == 256
    assert len(json.dumps(packed(table))) < len(json.dumps(table.tolist())) / 10
