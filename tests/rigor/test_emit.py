"""Machine code of lane programs: each operation gives the bits that NumPy gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from symland.machine.text import Emitter
from symland.rigor.enumeration.emit import WIDTH, CompiledLanes, Mask, NumpyLanes, Vector, lane_text
from symland.rigor.enumeration.lanes import choose, larger, magnitude, nearest_integer, power_of_two, smaller

OPERATIONS: dict[str, Callable[[Any, Any], list[Any]]] = {
    "sums": lambda a, b: [a + b, a + 0.1, 0.1 + a, a - b, a - 0.3, 0.3 - a],
    "products": lambda a, b: [a * b, a * 0.1, 0.1 * a, a / b, a / 0.7, 0.7 / a, -a],
    "smaller": lambda a, b: [smaller(a, b), smaller(a, 0.5), smaller(0.5, a)],
    "larger": lambda a, b: [larger(a, b), larger(a, 0.5), larger(0.5, a)],
    "functions": lambda a, b: [magnitude(a), nearest_integer(a), power_of_two(nearest_integer(a * 200.0))],
    "less": lambda a, b: [choose(m, 1.0, 0.0) for m in (a < b, a <= b, a < 0.5, a <= 0.5)],
    "more": lambda a, b: [choose(m, 1.0, 0.0) for m in (a > b, a >= b, a > 0.5, a >= 0.5)],
    "both": lambda a, b: [choose((a < b) & (a < 0.5), a, b), choose((a < b) | (a < 0.5), b, 2.0)],
    "not": lambda a, b: [choose(~(a < b), 3.0, b), choose(a < b, b, a)],
    "no fusing": lambda a, b: [a * b + 1.0, a * b - a * a, (a + b) - a, (a + 1e16) - 1e16, a / 3.0 * 3.0],
}


def _inputs(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    lanes = np.round(4 * rng.normal(size=(2, count))) / 4 + rng.choice([0.0, 1e-17, 0.1, 1e-3], size=(2, count))
    lanes[0, ::5] = lanes[1, ::5]
    lanes[:, 3::11] = 0.5
    return np.where(lanes == 0.0, 0.25, lanes)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_that_of_numpy_bit_for_bit(name: str) -> None:
    operation = OPERATIONS[name]

    def program(lanes: Sequence[Any]) -> list[Any]:
        return operation(lanes[0], lanes[1])

    compiled, plain = CompiledLanes("f", program, 2), NumpyLanes(program, 2)
    inputs = _inputs(203)
    found, wanted = compiled(inputs), plain(inputs)
    assert compiled.n_out == len(wanted)
    assert compiled.n_in == plain.n_in == 2
    assert found.tobytes() == wanted.tobytes()
    # Fewer columns give the same columns, whatever is missing to a whole strip.
    for count in (0, 1, 7, 8, 9, 64, 65):
        assert compiled(inputs[:, :count]).tobytes() == wanted[:, :count].tobytes()
        assert compiled(inputs[:, :count]).shape == (len(wanted), count)


def test_columns_are_read_in_any_layout_and_constants_may_be_results() -> None:
    def program(lanes: Sequence[Any]) -> list[Any]:
        return [lanes[2], 1.5, lanes[0] + lanes[1]]

    inputs = np.asfortranarray(np.arange(51.0).reshape(3, 17))
    wanted = np.stack([inputs[2], np.full(17, 1.5), inputs[0] + inputs[1]])
    for engine in (CompiledLanes("g", program, 3), NumpyLanes(program, 3)):
        assert np.array_equal(engine(inputs), wanted)
        assert np.array_equal(engine(inputs[:, ::2]), wanted[:, ::2])
        assert np.array_equal(engine(inputs.astype(np.float32)), wanted)
    assert np.array_equal(NumpyLanes(lambda lanes: [1.0 / lanes[0]], 1)(np.zeros((1, 2))), [[np.inf, np.inf]])


def test_the_text_is_named_and_counts_its_results() -> None:
    text, outputs = lane_text("h", lambda lanes: [lanes[0] * 2.0, lanes[0]], 1)
    assert outputs == 2
    assert "define void @h(i64" in text
    assert "fast" not in text
    assert "contract" not in text
    assert f"<{WIDTH} x double>" in text


def _recorded() -> Vector:
    return Vector(Emitter(), "%x")


def test_numbers_meet_recorded_lanes_on_either_side() -> None:
    lane = _recorded()
    for pick in (smaller, larger):
        assert all(isinstance(pick(*pair), Vector) for pair in ((lane, 1.0), (1.0, lane), (lane, lane)))


def test_operands_on_the_left_are_recorded() -> None:
    lane = _recorded()
    for value in (np.float64(2.0) * lane, np.float64(2.0) + lane, np.float64(2.0) - lane, np.float64(2.0) / lane):
        assert isinstance(value, Vector)
    for value in (lane < np.float64(1.0), np.float64(1.0) > lane, ~(lane > 1.0)):
        assert isinstance(value, Mask)
