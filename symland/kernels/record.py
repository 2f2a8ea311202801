"""From a schedule to lane code: every step is written down as the schedule has planned it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product

from symland.kernels.fuse import fused
from symland.kernels.lanes import Address, LaneCode
from symland.kernels.recorder import Recorder
from symland.kernels.schedule import Part, Schedule, Step, make_schedule
from symland.program.ir import Apply, Array, Contract, Program, Ref

__all__ = ["record"]

Environment = dict[str, Address]
"""Where each letter stands; "in block" is the place of the sample in its block."""


def record(
    program: Program, *, given: Collection[str] = (), finish: Callable[[Recorder, int], None] | None = None
) -> LaneCode:
    """The lane code of a program.

    Parameters
    ----------
    given : names
        Of the data arrays that are given with every call.
    finish : callable
        Records what is done with the outputs in the end; it is given P.
    """
    return _Recording(make_schedule(program, given=given)).record(finish)


class _Recording:
    """Follows a schedule. What changes on the way is the code so far, and the values of the entries in registers."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.program = schedule, schedule.program
        self.rec = Recorder()
        self.entries: dict[str, list[int | None]] = {name: [None] * n for name, n in schedule.registers.items()}
        for buffer in schedule.buffers:
            self.rec.buffer(buffer)

    def record(self, finish: Callable[[Recorder, int], None] | None) -> LaneCode:
        plan, samples = self.schedule, self.program.n_samples
        for step in plan.before:
            self._step(step, Address(0))
        if plan.block == samples:
            for step in plan.during:
                self._step(step, Address(0))
        else:
            for name in plan.zeroed:
                self._zero(name)
            variable = self.rec.open()
            for step in plan.during:
                self._step(step, Address(0, ((variable, plan.block),)))
            self.rec.close(samples // plan.block)
        for step in plan.after:
            self._step(step, Address(0))
        for name in self.program.outputs:
            for place, value in enumerate(self.entries.get(name, ())):
                if value is not None:
                    self.rec.store(name, Address(place), value)
        if finish is not None:
            finish(self.rec, self.program.n_parameters)
        return fused(self.rec.code())

    def _zero(self, name: str) -> None:
        zero = self.rec.constant(0)
        variable = self.rec.open()
        self.rec.store(name, Address(0, ((variable, 1),)), zero)
        self.rec.close(self.rec.buffers[name].size)

    def _step(self, step: Step, first: Address) -> None:
        """A step for the samples from `first` on."""
        statement = step.statement
        if isinstance(statement, Apply):
            for parts in step.parts:
                self._apply(statement, parts, first)
            return
        if step.zeros:
            zero = self.rec.constant(0)
            for place in step.zeros:
                self.rec.store(self._array(statement.out).base, Address(place), zero)
        for parts in step.parts:
            # A second part of the summed indices adds to what the first one stored.
            whole = all(parts[x].start == 0 for x in statement.letters if x not in statement.out.letters)
            self._contract(statement, parts, first, step.added or not whole)

    def _array(self, ref: Ref) -> Array:
        return self.program.arrays[ref.array]

    def _address(self, ref: Ref, env: Environment) -> Address:
        array = self._array(ref)
        out = Address(array.offset)
        for axis, (index, step) in enumerate(zip(ref.index, array.strides, strict=True)):
            if isinstance(index, int):
                out = out.plus(Address(index), step)
            elif axis == 0 and index == "d" and array.name in self.schedule.private:
                out = out.plus(env["in block"], step)
            else:
                out = out.plus(env[index], step)
        return out

    def _read(self, ref: Ref, env: Environment) -> int:
        base, address = self._array(ref).base, self._address(ref, env)
        if base in self.entries:
            value = self.entries[base][address.constant]
            return self.rec.constant(0) if value is None else value
        return self.rec.load(base, address)

    def _environments(
        self, parts: Mapping[str, Part], letters: Sequence[str], loops: Mapping[str, int], first: Address
    ) -> Iterator[Environment]:
        """Where each letter stands, for every entry that is written out."""
        for offsets in product(*(range(parts[x].tile) for x in letters)):
            env: Environment = {}
            for x, k in zip(letters, offsets, strict=True):
                if x == "d":
                    env["d"], env["in block"] = first.plus(Address(k)), Address(k)
                else:
                    steps = ((loops[x], parts[x].tile),) if x in loops else ()
                    env[x] = Address(parts[x].start + k, steps)
            yield env

    def _apply(self, statement: Apply, parts: Mapping[str, Part], first: Address) -> None:
        looped = [x for x in statement.letters if parts[x].turns > 1]
        loops = {x: self.rec.open() for x in looped}
        formula = self.program.formulas[statement.formula]
        for env in self._environments(parts, statement.letters, loops, first):
            values = [self._read(ref, env) for ref in statement.ins]
            for step in formula.instructions:
                values.append(self._instruction(step.op, [values[k] for k in step.args], step.value))
            for ref, k in zip(statement.outs, formula.outputs, strict=True):
                self._write(ref, env, values[k])
        for x in reversed(looped):
            self.rec.close(parts[x].turns)

    def _instruction(self, op: str, args: list[int], value: Fraction | None) -> int:
        plain: dict[str, Callable[..., int]] = {
            "add": self.rec.add,
            "mul": self.rec.mul,
            "neg": self.rec.neg,
            "div": self.rec.div,
        }
        if op in plain:
            return plain[op](*args)
        return self.rec.op(op, *args, value=value)

    def _write(self, ref: Ref, env: Environment, value: int) -> None:
        base, address = self._array(ref).base, self._address(ref, env)
        if base in self.entries:
            self.entries[base][address.constant] = value
        else:
            self.rec.store(base, address, value)

    def _contract(self, statement: Contract, parts: Mapping[str, Part], first: Address, added: bool) -> None:
        rec, out = self.rec, statement.out
        summed = [x for x in statement.letters if x not in out.letters]
        rows = len(out.index) // 2
        diagonal = (out.index[0], out.index[rows]) if statement.triangle else None
        if diagonal is not None and self._below(parts, diagonal):
            return
        outer = [x for x in out.letters if parts[x].turns > 1]
        inner = [x for x in summed if parts[x].turns > 1]
        loops = {x: rec.open() for x in outer}
        rests = [
            env
            for env in self._environments(parts, out.letters, loops, first)
            if not (statement.triangle and self._skipped(out, env))
        ]
        total = [rec.constant(0)] * len(rests)
        levels: list[tuple[list[int], list[int]]] = []
        for x in inner:
            loops[x] = rec.open()
            carried = rec.carry(len(rests))
            levels.append((carried, total))
            total = carried
        scales: list[Fraction] = []
        sums: list[int] = []
        for env, start in zip(rests, total, strict=True):
            terms = [self._term(statement, env | more) for more in self._environments(parts, summed, loops, first)]
            value, scale = self._sum(terms, start)
            sums.append(value)
            scales.append(scale)
        for x, (carried, initial) in zip(reversed(inner), reversed(levels), strict=True):
            sums = rec.close(parts[x].turns, carried, initial, sums)
        for env, value, scale in zip(rests, sums, scales, strict=True):
            self._accumulate(out, env, rec.mul(rec.constant(scale), value), added)
        for x in reversed(outer):
            follows = diagonal is not None and x == diagonal[1] and diagonal[0] in outer
            rec.close(parts[x].turns, from_=loops[str(diagonal[0])] if follows and diagonal else None)

    def _below(self, parts: Mapping[str, Part], diagonal: tuple[str | int, str | int]) -> bool:
        """Whether all entries of these parts lie below the diagonal."""
        row, column = parts[str(diagonal[0])], parts[str(diagonal[1])]
        return column.start + column.turns * column.tile <= row.start

    def _skipped(self, out: Ref, env: Environment) -> bool:
        address = self._address(out, env)
        row, column = divmod(address.constant, self.program.n_parameters)
        return not address.steps and row > column

    def _term(self, statement: Contract, env: Environment) -> tuple[Fraction, int | None]:
        """A term as an exact constant times a value; None for one."""
        scale, value = statement.coefficient, None
        for factor in statement.factors:
            number = self._read(factor, env)
            exact = self.rec.exact(number)
            if exact is not None:
                scale *= exact
            else:
                value = number if value is None else self.rec.mul(value, number)
        return scale, value

    def _sum(self, terms: list[tuple[Fraction, int | None]], start: int) -> tuple[int, Fraction]:
        """start + the sum of the terms divided by a common scale, and that scale."""
        rec = self.rec
        kept = [(c, v) for c, v in terms if c]
        sizes = {abs(c) for c, _ in kept}
        scale = sizes.pop() if len(sizes) == 1 else Fraction(1)
        total = start
        for c, v in kept:
            total = rec.add(total, rec.constant(c / scale) if v is None else rec.mul(rec.constant(c / scale), v))
        return total, scale

    def _accumulate(self, out: Ref, env: Environment, value: int, added: bool) -> None:
        base, address = self._array(out).base, self._address(out, env)
        if base in self.entries:
            before = self.entries[base][address.constant]
            self.entries[base][address.constant] = value if before is None else self.rec.add(before, value)
            return
        if added:
            value = self.rec.add(self.rec.load(base, address, stay=True), value)
        self.rec.store(base, address, value)
