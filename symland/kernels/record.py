"""From a derivation program to lane code: which indices become loops, and which arrays live in registers.

Samples are taken in blocks: every index "d" runs over the samples of one block, which are written out, and one loop
over the blocks holds all statements with a "d". Arrays with an entry for each sample are then needed for one block at
a time. If what remains is long, wide indices become loops too, with a tile of neighbouring entries written out in the
body; so the length of the code is bounded whatever the widths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from symland.kernels.lanes import Address, Buffer, Kind, LaneCode
from symland.kernels.recorder import Recorder
from symland.program.ir import Apply, Array, Contract, Program, Ref, Role, Statement
from symland.program.plan import positions, unroll

__all__ = ["STRAIGHT_LINE_TERMS", "record"]

STRAIGHT_LINE_TERMS = 1200
"""Terms of a program that are written out without loops over nodes."""

FORMULA_TERMS = 12
"""Terms that a formula counts for: a polynomial is as long as so many products."""

BODY_TERMS = 48
"""Terms of one statement that are written out in the body of its loops."""

COUNTED_TERMS = 20_000
"""Terms of the longest statement that is written out to count those that do not vanish."""

SAMPLE_BLOCK = 8
"""Samples that are all taken in one block; more are taken at most `NARROW` at a time."""

NARROW = 4
"""Indices with at most this many values are written out before wider ones."""

_KINDS = {Role.INPUT: Kind.INPUT, Role.LOCAL: Kind.LOCAL, Role.OUTPUT: Kind.OUTPUT}

Environment = dict[str, Address]


@dataclass(frozen=True)
class _Part:
    """A range of an index: `turns` turns of a loop over tiles of `tile` entries, from `start`."""

    start: int
    turns: int
    tile: int


def record(
    program: Program, *, runtime_data: bool = False, finish: Callable[[Recorder, int], None] | None = None
) -> LaneCode:
    """The lane code of a program.

    Parameters
    ----------
    runtime_data : bool
        Whether the data arrays are given with every call.
    finish : callable
        Records what is done with the outputs in the end; it is given P.
    """
    return _Recording(program, runtime_data).record(finish)


class _Recording:
    def __init__(self, program: Program, runtime_data: bool) -> None:
        self.program = program
        self.rec = Recorder()
        self.baked = [] if runtime_data else [a.name for a in program.arrays.values() if a.role is Role.DATA]
        self.runtime_data = runtime_data
        terms = {id(s): self._terms(s) for s in program.statements}
        self.block = self._block(sum(n for s, n in zip(program.statements, terms.values(), strict=True) if _samples(s)))
        share = Fraction(self.block, program.n_samples)
        total = sum(n * (share if _samples(s) else 1) for s, n in zip(program.statements, terms.values(), strict=True))
        self.straight = total <= STRAIGHT_LINE_TERMS
        self.tiles = {id(s): self._tiles(s) for s in program.statements}
        self.private = self._private()
        self.entries: dict[str, list[int | None]] = {}
        self.covered: dict[str, NDArray[np.bool_]] = {}
        self.added = False
        self._declare()

    # -- plan -----------------------------------------------------------------------------------------------------

    def _terms(self, statement: Statement) -> int:
        """How many terms a statement has when it is written out; zeros among the data count where there are many."""
        count = prod(self.program.sizes[x] for x in statement.letters)
        if isinstance(statement, Apply):
            return FORMULA_TERMS * count
        return count if count > COUNTED_TERMS else len(unroll(self.program, statement, self.baked)[0])

    def _block(self, terms: int) -> int:
        """Samples of a block: all if they are few, else a divisor of their number that keeps the code short."""
        count = self.program.n_samples
        if count <= SAMPLE_BLOCK:
            return count
        fits = [k for k in range(1, NARROW + 1) if count % k == 0 and terms * k <= count * STRAIGHT_LINE_TERMS]
        return max(fits, default=1)

    def _tiles(self, statement: Statement) -> Mapping[str, int]:
        """For each index of a statement that becomes a loop, the entries written out in its body."""
        sizes = {x: self.block if x == "d" else self.program.sizes[x] for x in statement.letters}
        if self.straight:
            return {}
        out = statement.out.letters if isinstance(statement, Contract) else statement.letters
        tiles = {x: 1 for x, n in sizes.items() if n > NARROW and x != "d"}
        whole = {x: n for x, n in sizes.items() if x not in tiles}
        for x in sorted((x for x in whole if x != "d"), key=lambda x: whole[x], reverse=True):
            if prod(whole.values()) > BODY_TERMS:
                tiles[x] = 1
                del whole[x]
        limit = BODY_TERMS if isinstance(statement, Contract) else max(self.block, NARROW)
        for tile in (2, 4):
            for x in [x for x in tiles if x in out]:
                if sizes[x] % tile == 0 and prod(whole.values()) * prod(tiles.values()) // tiles[x] * tile <= limit:
                    tiles[x] = tile
        if isinstance(statement, Contract) and statement.triangle:
            row, column = str(statement.out.index[0]), str(statement.out.index[len(statement.out.index) // 2])
            if row in tiles and column in tiles:
                tiles[row] = tiles[column] = min(tiles[row], tiles[column])
            else:
                tiles.pop(row, None), tiles.pop(column, None)
        return tiles

    def _private(self) -> set[str]:
        """Local arrays that are always referred to sample by sample."""
        refs = [ref for s in self.program.statements for ref in _refs(s)]
        held = {a.name for a in self.program.arrays.values() if a.role is Role.LOCAL}
        return held - {ref.array for ref in refs if not ref.index or ref.index[0] != "d"}

    def _declare(self) -> None:
        looped: set[str] = set()
        in_blocks: set[str] = set()
        for s in self.program.statements:
            for ref in _refs(s):
                if set(ref.letters) & set(self.tiles[id(s)]):
                    looped.add(self._array(ref).base)
            if _samples(s) and self.block < self.program.n_samples:
                in_blocks |= {self._array(ref).base for ref in _outs(s)} - self.private
        self.zeroed = in_blocks
        for array in self.program.arrays.values():
            if array.base != array.name:
                continue
            if array.role is Role.DATA:
                values = () if self.runtime_data else array.values or ()
                kind = Kind.DATA if self.runtime_data else Kind.BAKED
                self.rec.buffer(Buffer(name=array.name, kind=kind, size=array.size, values=values))
                continue
            size = array.size
            if array.name in self.private:
                size = size // self.program.n_samples * self.block
            memory = array.role is not Role.LOCAL or array.name in looped | in_blocks
            if memory:
                self.rec.buffer(Buffer(name=array.name, kind=_KINDS[array.role], size=size))
            if array.role is not Role.INPUT and array.name not in looped | in_blocks:
                self.entries[array.name] = [None] * size

    # -- recording ------------------------------------------------------------------------------------------------

    def record(self, finish: Callable[[Recorder, int], None] | None) -> LaneCode:
        before, during, after = self._split()
        for s in before:
            self._statement(s, Address(0))
        if self.block == self.program.n_samples:
            for s in during:
                self._statement(s, Address(0))
        else:
            for name in sorted(self.zeroed):
                self._zero(name)
            variable = self.rec.open()
            for s in during:
                self._statement(s, Address(0, ((variable, self.block),)))
            self.rec.close(self.program.n_samples // self.block)
        for s in after:
            self._statement(s, Address(0))
        for name in self.program.outputs:
            for place, value in enumerate(self.entries.get(name, ())):
                if value is not None:
                    self.rec.store(name, Address(place), value)
        if finish is not None:
            finish(self.rec, self.program.n_parameters)
        return self.rec.code()

    def _split(self) -> tuple[list[Statement], list[Statement], list[Statement]]:
        """Statements before, inside and after the loop over the samples; sums may be added in any order."""
        before: list[Statement] = []
        during: list[Statement] = []
        after: list[Statement] = []
        from_samples: set[str] = set()
        for s in self.program.statements:
            ins = {self._array(ref).base for ref in _refs(s)} - {self._array(ref).base for ref in _outs(s)}
            outs = {self._array(ref).base for ref in _outs(s)}
            if _samples(s):
                during.append(s)
                from_samples |= outs
            elif ins & from_samples or any(self.program.arrays[o].role is Role.OUTPUT for o in outs):
                after.append(s)
                from_samples |= outs
            else:
                before.append(s)
        return before, during, after

    def _zero(self, name: str) -> None:
        size = self.rec.buffers[name].size
        zero = self.rec.constant(0)
        variable = self.rec.open()
        self.rec.store(name, Address(0, ((variable, 1),)), zero)
        self.rec.close(size)
        self.covered[name] = np.ones(size, dtype=bool)

    def _array(self, ref: Ref) -> Array:
        return self.program.arrays[ref.array]

    def _address(self, ref: Ref, env: Environment) -> Address:
        array = self._array(ref)
        out = Address(array.offset)
        for axis, (index, step) in enumerate(zip(ref.index, array.strides, strict=True)):
            if isinstance(index, int):
                out = out.plus(Address(index), step)
            elif axis == 0 and index == "d" and array.name in self.private:
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

    def _statement(self, statement: Statement, first: Address) -> None:
        if isinstance(statement, Contract):
            self._cover(statement)
        for parts in self._parts(statement):
            if isinstance(statement, Apply):
                self._apply(statement, parts, first)
            else:
                # A second part of the summed indices adds to what the first one stored.
                whole = all(parts[x].start == 0 for x in statement.letters if x not in statement.out.letters)
                self._contract(statement, parts, first, self.added or not whole)
        for ref in _outs(statement):
            base = self._array(ref).base
            if base not in self.entries:
                places = self._places(statement, ref)
                self.covered.setdefault(base, np.zeros(self.rec.buffers[base].size, dtype=bool))[places] = True

    def _parts(self, statement: Statement) -> Iterator[dict[str, _Part]]:
        """Ways to take for each index either its whole tiles or what remains."""
        tiles = self.tiles[id(statement)]
        choices: list[list[_Part]] = []
        for x in statement.letters:
            n = self.program.sizes[x]
            if x == "d":
                choices.append([_Part(0, 1, self.block)])
            elif x not in tiles:
                choices.append([_Part(0, 1, n)])
            else:
                whole = _Part(0, n // tiles[x], tiles[x])
                rest = _Part(n - n % tiles[x], 1, n % tiles[x])
                choices.append([part for part in (whole, rest) if part.turns and part.tile])
        for parts in product(*choices):
            yield dict(zip(statement.letters, parts, strict=True))

    def _places(self, statement: Statement, ref: Ref) -> NDArray[np.int64]:
        """Entries of the base that a statement writes."""
        array = self._array(ref)
        letters = ref.letters
        places = positions(self.program, ref, letters)
        if isinstance(statement, Contract) and statement.triangle:
            row, column = np.divmod(places, self.program.n_parameters)
            places = places[row <= column]
        if array.name in self.private:
            places = np.unique(places[places < self.rec.buffers[array.base].size])
        return places

    def _cover(self, statement: Contract) -> None:
        """Give a zero to entries that would be added to before they have a value, if others of them have one."""
        base = self._array(statement.out).base
        if base in self.entries:
            return
        covered = self.covered.setdefault(base, np.zeros(self.rec.buffers[base].size, dtype=bool))
        places = self._places(statement, statement.out)
        held = covered[places]
        if held.any() and not held.all():
            zero = self.rec.constant(0)
            for place in np.unique(places[~held]):
                self.rec.store(base, Address(int(place)), zero)
        self.added = bool(held.any())

    def _environments(
        self, parts: Mapping[str, _Part], letters: Sequence[str], loops: Mapping[str, int], first: Address
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

    def _apply(self, statement: Apply, parts: Mapping[str, _Part], first: Address) -> None:
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

    def _contract(self, statement: Contract, parts: Mapping[str, _Part], first: Address, added: bool) -> None:
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

    def _below(self, parts: Mapping[str, _Part], diagonal: tuple[str | int, str | int]) -> bool:
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


def _samples(statement: Statement) -> bool:
    return "d" in statement.letters


def _outs(statement: Statement) -> tuple[Ref, ...]:
    return (statement.out,) if isinstance(statement, Contract) else statement.outs


def _refs(statement: Statement) -> tuple[Ref, ...]:
    rest = statement.factors if isinstance(statement, Contract) else statement.ins
    return _outs(statement) + rest
