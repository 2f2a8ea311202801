"""Loops made one: the same numbers in the outputs bit for bit, and no more loops than turns can follow one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from symland.kernels import blocks, fuse
from symland.kernels.engines import record_code
from symland.kernels.fuse import fused
from symland.kernels.lanes import Address, Buffer, Item, Kind, LaneCode, Load, Loop, Store
from symland.kernels.record import record
from symland.kernels.recorder import Recorder
from symland.program.algebra import run as run_program
from symland.program.derive import build_program
from symland.program.floats import NumpyAlgebra
from symland.spec import load_spec
from tests.kernels.test_order import run

SIZE = 24


def loops(items: Sequence[Item]) -> Iterator[Loop]:
    for item in items:
        if isinstance(item, Loop):
            yield item
            yield from loops(item.body)


def outputs(code: LaneCode, of: LaneCode) -> dict[str, list[float]]:
    """The outputs of code that is run on the memory of another one: what is in memory at first goes by the buffer."""
    held = {b.name: b for b in of.buffers.values()}
    assert list(code.buffers) == [name for name in held if name in code.buffers]
    whole = LaneCode(buffers=held, items=code.items, values=code.values)
    return {b.name: run(whole)[b.name] for b in code.named(Kind.OUTPUT)}


def drawn(seed: int) -> LaneCode:
    """Loops of six or five turns that read and write two local arrays and an output wherever it pleases them."""
    draw, rec = np.random.default_rng(seed), Recorder()
    for name, kind in (("x", Kind.INPUT), ("a", Kind.LOCAL), ("b", Kind.LOCAL), ("y", Kind.OUTPUT)):
        rec.buffer(Buffer(name=name, kind=kind, size=SIZE))

    def address(variables: list[int]) -> Address:
        steps = tuple((v, int(draw.choice([0, 1, 1, 2]))) for v in sorted(variables))
        steps = tuple(s for s in steps if s[1])
        return Address(int(draw.integers(SIZE - 5 * sum(s for _, s in steps))), steps)

    def straight(variables: list[int], known: list[int]) -> int:
        for _ in range(int(draw.integers(1, 4))):
            name = str(draw.choice(["x", "a", "b", "y"]))
            value = rec.load(name, address(variables), stay=True)
            value = rec.add(value, int(draw.choice(known))) if known and draw.random() < 0.5 else rec.mul(value, value)
            rec.store(str(draw.choice(["a", "b", "y"])), address(variables), value)
        return value

    known: list[int] = []
    for _ in range(int(draw.integers(3, 7))):
        if draw.random() < 0.3:
            known.append(straight([], known))
            continue
        initial = [rec.constant(int(draw.integers(3)))]
        outer, inner = rec.open(), rec.carry(1)
        if draw.random() < 0.3:
            nested = rec.open()
            straight([outer, nested] if draw.random() < 0.5 else [nested], [])
            rec.close(2)
        value = straight([outer], [*known, *inner])
        results = rec.close(int(draw.choice([5, 6])), inner, initial, [rec.add(inner[0], value)])
        known.extend(results)
    for k, value in enumerate(known):
        rec.store("y", Address(k), value)
    return rec.code()


def test_loops_drawn_at_random_leave_the_same_bits_in_the_outputs() -> None:
    fewer = 0
    for seed in range(250):
        code = drawn(seed)
        with np.errstate(all="ignore"):
            one = fused(code)
            assert outputs(one, code) == outputs(code, code), seed
        fewer += len(list(loops(one.items))) < len(list(loops(code.items)))
    assert fewer > 30


def shifted(by: int) -> LaneCode:
    """a[k] = x[k] for all k, then y[k] = a[k + by] where there is one."""
    rec = Recorder()
    for name, kind in (("x", Kind.INPUT), ("a", Kind.LOCAL), ("y", Kind.OUTPUT)):
        rec.buffer(Buffer(name=name, kind=kind, size=SIZE))
    v = rec.open()
    rec.store("a", Address(4, ((v, 1),)), rec.load("x", Address(4, ((v, 1),))))
    rec.close(8)
    w = rec.open()
    rec.store("y", Address(4, ((w, 1),)), rec.load("a", Address(4 + by, ((w, 1),))))
    rec.close(8)
    return rec.code()


@pytest.mark.parametrize(("by", "together"), [(-1, True), (0, True), (1, False)])
def test_a_turn_that_needs_a_later_turn_of_the_first_loop_keeps_the_loops_apart(by: int, together: bool) -> None:
    code = fused(shifted(by))
    assert len(list(loops(code.items))) == (1 if together else 2)
    assert ("a" in code.buffers) == (by != 0)  # a number that the same turn needs stays a value


NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("xor", {"hidden": (16,)}),
    ("xor", {"hidden": (19,), "penalised": "weights"}),
    ("iris", {"hidden": (7, 6)}),
]
WANTS = [("value", "gradient"), ("hessian",), ("product",)]


@pytest.mark.parametrize(("name", "changes"), NETWORKS)
@pytest.mark.parametrize("want", WANTS, ids=str)
def test_a_program_gives_the_same_bits_with_fewer_loads_and_stores(
    name: str, changes: dict[str, Any], want: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = build_program(load_spec(name, **changes), want)
    one = record(program)
    with monkeypatch.context() as patch:
        patch.setattr("symland.kernels.record.fused", lambda code: code)
        apart = record(program)
    assert one.counts["load"] < apart.counts["load"]
    assert one.counts["store"] < apart.counts["store"]
    for op in ("tanh", "sech2", "softplus", "logistic"):
        assert one.counts.get(op) == apart.counts.get(op)
    if name == "xor":
        with np.errstate(all="ignore"):
            assert outputs(one, apart) == outputs(apart, apart)


def test_sixteen_nodes_need_a_third_of_the_loads_that_a_loop_for_each_quantity_needs() -> None:
    code = record_code(load_spec("xor", hidden=(16,)), ("value", "gradient"))[1]
    assert code.counts["load"] <= 306
    assert code.counts["store"] <= 227
    assert {b.name for b in code.named(Kind.LOCAL)} == {"V", "a1", "p1"}


def test_a_loop_too_large_to_be_listed_stays_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse, "MOST_TOUCHED", 4)
    assert len(list(loops(fused(shifted(0)).items))) == 2


def test_cells_of_several_entries_forbid_more_and_allow_nothing_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse, "CELLS", 6)
    with np.errstate(all="ignore"):
        for seed in range(100):
            code = drawn(seed)
            assert outputs(fused(code), code) == outputs(code, code), seed


@pytest.mark.parametrize("changes", [{"hidden": (3,)}, {"hidden": (3, 2), "penalised": "weights"}], ids=str)
@pytest.mark.parametrize("want", [("value", "gradient", "hessian"), ("product",)], ids=str)
def test_a_penalty_block_by_block_is_the_same_penalty(changes: dict[str, Any], want: tuple[str, ...]) -> None:
    program = build_program(load_spec("xor", **changes), want)
    parted = blocks.by_blocks(program)
    assert len(parted.statements) > len(program.statements)
    draw = np.random.default_rng(3)
    theta, along = draw.normal(size=(2, program.n_parameters))
    before, after = (run_program(p, NumpyAlgebra(), theta, direction=along) for p in (program, parted))
    for name in want:
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-12)


def test_no_store_is_left_that_the_same_turn_writes_over() -> None:
    code = record_code(load_spec("xor", hidden=(16,)), ("value", "gradient"))[1]
    for body in (code.items, *(loop.body for loop in loops(code.items))):
        open_: set[tuple[str, Address]] = set()
        for item in body:
            if isinstance(item, Loop | Load):
                open_.clear()
            elif isinstance(item, Store):
                assert (item.buffer, item.address) not in open_
                open_.add((item.buffer, item.address))
