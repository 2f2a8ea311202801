"""The schedule of a recording: every term once, no sum over what holds no value, and nothing changes on the way."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest

from symland.kernels import schedule
from symland.kernels.record import _Recording, record
from symland.kernels.schedule import Part, Schedule, make_schedule
from symland.program.derive import build_program
from symland.program.ir import Contract, Program
from symland.spec import load_spec

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("xor", {"hidden": (2,)}),
    ("xor", {"hidden": (19,)}),
    ("iris", {"hidden": (7, 5)}),
    ("parity3", {"hidden": (2, 3, 2)}),
]
WANTS = [("value", "gradient", "hessian"), ("product",), ("per_sample",)]


def program_of(name: str, changes: dict[str, Any], want: tuple[str, ...]) -> Program:
    return build_program(load_spec(name).with_(**changes), want)


def steps(plan: Schedule) -> list[schedule.Step]:
    return [*plan.before, *plan.during, *plan.after]


def values(part: Part) -> list[int]:
    return [part.start + turn * part.tile + k for turn in range(part.turns) for k in range(part.tile)]


@pytest.mark.parametrize(("name", "changes"), NETWORKS)
@pytest.mark.parametrize("want", WANTS, ids=str)
def test_the_parts_of_a_step_take_every_term_once(name: str, changes: dict[str, Any], want: tuple[str, ...]) -> None:
    program = program_of(name, changes, want)
    plan = make_schedule(program)
    assert program.n_samples % plan.block == 0
    program = plan.program
    assert sorted(map(id, program.statements)) == sorted(id(step.statement) for step in steps(plan))
    for step in steps(plan):
        letters = step.statement.letters
        taken = Counter(place for parts in step.parts for place in product(*(values(parts[x]) for x in letters)))
        sizes = [plan.block if x == "d" else program.sizes[x] for x in letters]
        assert taken == Counter(product(*map(range, sizes)))


@pytest.mark.parametrize(("name", "changes"), NETWORKS)
@pytest.mark.parametrize("want", WANTS, ids=str)
def test_a_sum_is_added_to_entries_that_hold_a_value_and_to_no_others(
    name: str, changes: dict[str, Any], want: tuple[str, ...]
) -> None:
    program = program_of(name, changes, want)
    plan = make_schedule(program)
    program = plan.program
    memory = {b.name for b in plan.buffers} - set(plan.registers)
    held: set[tuple[str, int]] = set()
    for step in steps(plan):
        if plan.during and step is plan.during[0] and plan.block < program.n_samples:
            held |= {(name, k) for name in plan.zeroed for k in range(program.arrays[name].size)}
        s = step.statement
        written = set()
        for ref in (s.out,) if isinstance(s, Contract) else s.outs:
            array = program.arrays[ref.array]
            if array.base not in memory:
                continue
            letters = ref.letters
            sizes = [plan.block if x == "d" and ref.array in plan.private else program.sizes[x] for x in letters]
            for place in product(*map(range, sizes)):
                at = dict(zip(letters, place, strict=True))
                index = [at[i] if isinstance(i, str) else i for i in ref.index]
                entry = array.offset + sum(i * k for i, k in zip(index, array.strides, strict=True))
                row, column = divmod(entry, program.n_parameters)
                if not (isinstance(s, Contract) and s.triangle and row > column):
                    written.add((array.base, entry))
        if isinstance(s, Contract) and written:
            base = program.arrays[s.out.array].base
            assert step.added == bool(held & written)
            assert {(base, k) for k in step.zeros} == (written - held if step.added else set())
        held |= written


def test_recording_changes_nothing_of_the_schedule() -> None:
    program = program_of("iris", {"hidden": (7, 5)}, WANTS[0])
    plan = make_schedule(program)
    texts = {_Recording(plan).record(None).text() for _ in range(2)}
    assert texts == {record(program).text()}
    assert plan == make_schedule(program)
    with pytest.raises(AttributeError):
        plan.block = 1  # type: ignore[misc]
