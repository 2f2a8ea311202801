"""Boxes that are kept as text come back to the last bit, and their text is short."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np

from symland.rigor.enumeration.kept import Piece, Work
from symland.rigor.enumeration.packing import packed, unpacked
from symland.rigor.enumeration.problem import reduced_problem
from symland.rigor.enumeration.search import first_task
from symland.rigor.enumeration.splitting import bisect_nodes
from symland.spec import builtin


def test_doubles_come_back_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    special = np.array([[0.0, -0.0, np.inf, -np.inf], [5e-324, -1.0, np.nextafter(1.0, 2.0), 1.7e308]])
    for array in (special, rng.normal(size=(2, 9, 17))[:, ::-1], np.zeros((2, 9, 0)), rng.normal(size=7)):
        again = unpacked(json.loads(json.dumps(packed(array))))
        assert again.shape == array.shape
        assert [struct.pack("<d", x) for x in again.ravel()] == [struct.pack("<d", x) for x in array.ravel()]


def test_halved_boxes_take_a_tenth_of_their_digits() -> None:
    nodes = first_task(reduced_problem(builtin("xor").with_(hidden=(2,), penalty="0.03"))).nodes
    for _ in range(8):
        nodes = bisect_nodes(nodes, nodes[1] - nodes[0])
    assert nodes.shape[2] == 256
    assert len(json.dumps(packed(nodes))) < len(json.dumps(nodes.tolist())) / 10


def test_boxes_that_two_slabs_share_are_kept_once() -> None:
    slab = reduced_problem(builtin("xor").with_(hidden=(1,), penalty="0.03")).slab
    low, middle, high = (builtin("xor").with_(penalty=text).penalty for text in ("0.03", "0.031", "0.032"))
    task = first_task(slab(low, high))
    other = replace(task, pull=task.pull / 2)
    pieces = [Piece(low, middle, [task, other]), Piece(middle, high, [other, task], waiting=[task])]
    values = json.loads(json.dumps(Work(stack=pieces).saved()))
    assert len(values["boxes"]) == 2
    first, second = Work.restored(slab(low, high), values).stack
    for found, given in (
        (first.tasks, pieces[0].tasks),
        (second.tasks, pieces[1].tasks),
        (second.waiting, pieces[1].waiting),
    ):
        for a, b in zip(found, given, strict=True):
            assert np.array_equal(a.pull, b.pull)
            assert np.array_equal(a.nodes, b.nodes)
            assert np.array_equal(a.cell, b.cell)
