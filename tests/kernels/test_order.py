"""The order of lane code: the same operations with the same arguments, each after what it needs, and shorter waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from symland.kernels.engines import inline_code, record_code
from symland.kernels.lanes import Item, LaneCode, Let, Load, Loop, Store
from symland.kernels.order import WINDOW, ordered
from symland.spec import load_spec

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("xor", {"hidden": (2,)}),
    ("xor", {"hidden": (16,)}),
    ("parity3", {"hidden": (2, 3)}),
    ("xor", {"hidden": (3,), "activation": "z**2 - tanh(z)"}),
]
WANTS = [("value", "gradient"), ("hessian",), ("product",)]

OPERATIONS: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "abs": abs,
    "div": lambda a, b: a / b if b else 0.5,
    "less": lambda a, b: float(a < b),
    "select": lambda mask, a, b: a if mask else b,
}


def run(code: LaneCode) -> dict[str, list[float]]:
    """What is in the buffers at the end, by an interpreter of its own; bit operations are any fixed function."""
    draw = np.random.default_rng(5)
    memory = {b.name: draw.normal(size=b.size).tolist() for b in code.buffers.values()}
    values: dict[int, float] = {}
    variables: dict[int, int] = {}

    def block(items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Let):
                args = [values[a] for a in item.args]
                if item.op == "constant":
                    values[item.number] = float(item.value or 0)
                elif item.op in OPERATIONS:
                    values[item.number] = OPERATIONS[item.op](*args)
                else:
                    values[item.number] = float(np.sin(len(item.op) + sum(np.float64(a) for a in args)))
            elif isinstance(item, Load):
                values[item.number] = memory[item.buffer][item.address.at(variables)]
            elif isinstance(item, Store):
                memory[item.buffer][item.address.at(variables)] = values[item.argument]
            else:
                values.update({c.inner: values[c.initial] for c in item.carried})
                for turn in range(0 if item.from_ is None else variables[item.from_], item.stop):
                    variables[item.variable] = turn
                    block(item.body)
                    values.update({c.inner: values[c.following] for c in item.carried})
                values.update({c.result: values[c.inner] for c in item.carried})

    block(code.items)
    return memory


def flat(items: Sequence[Item]) -> list[Item]:
    return [inner for item in items for inner in (flat(item.body) if isinstance(item, Loop) else [item])]


def waits(items: Sequence[Item]) -> int:
    """Cycles of straight code in which two operations begin at a time, each not before its arguments are there, on a
    processor that looks 96 operations ahead and takes 4 cycles for each."""
    made: dict[int, int] = {}
    clock, waiting = 0, list(items)
    while waiting:
        begun = 0
        for item in waiting[:96]:
            args = item.args if isinstance(item, Let) else (item.argument,) if isinstance(item, Store) else ()
            if begun < 2 and all(made.get(a, clock + 1) <= clock for a in args):
                if isinstance(item, Let | Load):
                    made[item.number] = clock + 4
                waiting.remove(item)
                begun += 1
        clock += 1
    return clock


@pytest.mark.parametrize(("name", "changes"), NETWORKS)
@pytest.mark.parametrize("want", WANTS, ids=str)
def test_another_order_stores_the_same_bits(name: str, changes: dict[str, Any], want: tuple[str, ...]) -> None:
    code = inline_code(record_code(load_spec(name).with_(**changes), want)[1])
    turned = ordered(code)
    assert turned.items != code.items
    assert sorted(map(str, flat(turned.items))) == sorted(map(str, flat(code.items)))
    with np.errstate(all="ignore"):
        assert run(turned) == run(code)


def test_an_order_that_is_an_order_already_is_kept_in_a_window_of_one() -> None:
    code = inline_code(record_code(load_spec("xor"), ("gradient",))[1])
    assert ordered(code, window=1) == code


def test_nothing_is_taken_from_beyond_the_window() -> None:
    code = inline_code(record_code(load_spec("xor").with_(hidden=(4,)), ("gradient",))[1])
    place = {str(item): k for k, item in enumerate(code.items)}
    left = sorted(place.values())
    for item in ordered(code).items:
        assert place[str(item)] < left[0] + WINDOW
        left.remove(place[str(item)])


def test_straight_code_waits_less() -> None:
    code = inline_code(record_code(load_spec("xor").with_(hidden=(4,)), ("value", "gradient"))[1])
    assert waits(ordered(code).items) < 0.95 * waits(code.items)
