"""How a derivation program becomes lane code: which indices become loops, and which arrays live in registers.

Samples are taken in blocks: every index "d" runs over the samples of one block, which are written out, and one loop
over the blocks holds all statements with a "d". Arrays with an entry for each sample are then needed for one block at
a time. If what remains is long, wide indices become loops too, with a tile of neighbouring entries written out in the
body; so the length of the code is bounded whatever the widths.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import final

import numpy as np
from numpy.typing import NDArray

from symland.kernels.blocks import by_blocks
from symland.kernels.lanes import Buffer, Kind
from symland.program.ir import Array, Contract, Program, Ref, Role, Statement
from symland.program.plan import positions, unroll

__all__ = ["STRAIGHT_LINE_TERMS", "Part", "Schedule", "Step", "make_schedule"]

STRAIGHT_LINE_TERMS = 1200
"""Terms of a program that are written out without loops over nodes."""

STRAIGHT_FIRST_ORDER = 700
"""The same for a program without a Hessian: loops keep the chain of a node in registers where straight code spills."""

NODES = 2
"""Neighbouring nodes in the body of a loop over nodes alone; all have the same, so that they can become one loop."""

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

Tiles = Mapping[str, int]
"""For each index that becomes a loop, the neighbouring entries that its body writes out."""


@final
@dataclass(frozen=True)
class Part:
    """A range of an index: `turns` turns of a loop over tiles of `tile` entries, from `start`."""

    start: int
    turns: int
    tile: int


@final
@dataclass(frozen=True, kw_only=True)
class Step:
    """A statement and the shape of its code.

    Attributes
    ----------
    statement : Statement
    parts : tuple of mappings
        Ways to take for each index either its whole tiles or what remains; together they are every term.
    zeros : tuple of int
        Entries of the output that get a zero first: others of them hold a value that is added to.
    added : bool
        Whether the entries in memory hold values that are added to.
    """

    statement: Statement
    parts: tuple[Mapping[str, Part], ...]
    zeros: tuple[int, ...] = ()
    added: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The plan that a recording follows.

    Attributes
    ----------
    program : Program
    block : int
        Samples that are written out; one loop runs over the blocks if there are several.
    private : frozenset of str
        Arrays that hold the samples of one block only.
    buffers : tuple of Buffer
        Arrays in memory.
    registers : mapping
        Sizes of the bases whose entries are lane values; an output in registers is stored in the end.
    zeroed : tuple of str
        Buffers that are set to zero before the loop over the blocks, which adds to them.
    before, during, after : tuple of Step
        Steps before, inside and after the loop over the blocks.
    """

    program: Program
    block: int
    private: frozenset[str]
    buffers: tuple[Buffer, ...]
    registers: Mapping[str, int]
    zeroed: tuple[str, ...]
    before: tuple[Step, ...]
    during: tuple[Step, ...]
    after: tuple[Step, ...]


def make_schedule(program: Program, *, given: Collection[str] = ()) -> Schedule:
    """The schedule of a program, whose data are exact constants but for those `given` with every call."""
    baked = [a.name for a in program.arrays.values() if a.role is Role.DATA and a.name not in given]
    terms = [_terms(program, s, baked) for s in program.statements]
    block = _block(program, sum(n for s, n in zip(program.statements, terms, strict=True) if _samples(s)))
    share = Fraction(block, program.n_samples)
    total = sum(n * (share if _samples(s) else 1) for s, n in zip(program.statements, terms, strict=True))
    straight = total <= (STRAIGHT_LINE_TERMS if "hessian" in program.outputs else STRAIGHT_FIRST_ORDER)
    if not straight:
        program = by_blocks(program)
    statements = program.statements
    tiles = [{} if straight else _tiles(program, s, block) for s in statements]
    private = _private(program)
    looped, in_blocks = _in_memory(program, tiles, private, block)
    buffers, registers = _homes(program, block, private, looped | in_blocks, given)
    sizes = {b.name: b.size for b in buffers}
    covered = _Covered(program, private, {name: n for name, n in sizes.items() if name not in registers})
    before, during, after = _split(program, tiles)
    steps = [[covered.step(s, _parts(program, s, t, block)) for s, t in before]]
    if block < program.n_samples:
        for name in in_blocks:
            covered.whole(name)
    steps += [[covered.step(s, _parts(program, s, t, block)) for s, t in part] for part in (during, after)]
    return Schedule(
        program=program,
        block=block,
        private=private,
        buffers=buffers,
        registers=registers,
        zeroed=tuple(sorted(in_blocks)),
        before=tuple(steps[0]),
        during=tuple(steps[1]),
        after=tuple(steps[2]),
    )


# -- blocks and tiles -------------------------------------------------------------------------------------------------


def _terms(program: Program, statement: Statement, baked: Collection[str]) -> int:
    """How many terms a statement has when it is written out; zeros among the data count where there are many."""
    count = prod(program.sizes[x] for x in statement.letters)
    if not isinstance(statement, Contract):
        return FORMULA_TERMS * count
    return count if count > COUNTED_TERMS else len(unroll(program, statement, baked)[0])


def _block(program: Program, terms: int) -> int:
    """Samples of a block: all if they are few, else a divisor of their number that keeps the code short."""
    count = program.n_samples
    if count <= SAMPLE_BLOCK:
        return count
    fits = [k for k in range(1, NARROW + 1) if count % k == 0 and terms * k <= count * STRAIGHT_LINE_TERMS]
    return max(fits, default=1)


def _tiles(program: Program, statement: Statement, block: int) -> Tiles:
    """For each index of a statement that becomes a loop, the entries written out in its body."""
    sizes = {x: block if x == "d" else program.sizes[x] for x in statement.letters}
    out = statement.out.letters if isinstance(statement, Contract) else statement.letters
    tiles = {x: 1 for x, n in sizes.items() if n > NARROW and x != "d"}
    whole = {x: n for x, n in sizes.items() if x not in tiles}
    for x in sorted((x for x in whole if x != "d"), key=lambda x: whole[x], reverse=True):
        if prod(whole.values()) > BODY_TERMS:
            tiles[x] = 1
            del whole[x]
    limit = BODY_TERMS if isinstance(statement, Contract) else max(block, NARROW)
    if len(tiles) == 1 and not (isinstance(statement, Contract) and statement.triangle):
        (x,) = tiles
        tiles[x] = NODES if sizes[x] % NODES == 0 else 1
        return tiles
    if len(tiles) == len(sizes) > 1:
        # The penalty of weights between two layers of nodes is taken in the tiles of the gradient that it is added to.
        limit //= NARROW
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


def _parts(program: Program, statement: Statement, tiles: Tiles, block: int) -> tuple[Mapping[str, Part], ...]:
    """Ways to take for each index either its whole tiles or what remains."""
    choices: list[list[Part]] = []
    for x in statement.letters:
        n = program.sizes[x]
        if x == "d":
            choices.append([Part(0, 1, block)])
        elif x not in tiles:
            choices.append([Part(0, 1, n)])
        else:
            whole = Part(0, n // tiles[x], tiles[x])
            rest = Part(n - n % tiles[x], 1, n % tiles[x])
            choices.append([part for part in (whole, rest) if part.turns and part.tile])
    return tuple(dict(zip(statement.letters, parts, strict=True)) for parts in product(*choices))


# -- where arrays live ------------------------------------------------------------------------------------------------


def _private(program: Program) -> frozenset[str]:
    """Local arrays that are always referred to sample by sample."""
    refs = [ref for s in program.statements for ref in (*_outs(s), *_ins(s))]
    held = {a.name for a in program.arrays.values() if a.role is Role.LOCAL}
    return frozenset(held - {ref.array for ref in refs if not ref.index or ref.index[0] != "d"})


def _in_memory(program: Program, tiles: list[Tiles], private: frozenset[str], block: int) -> tuple[set[str], set[str]]:
    """Bases that are referred to inside loops over tiles, and those that blocks of samples add to."""
    looped: set[str] = set()
    in_blocks: set[str] = set()
    for s, loops in zip(program.statements, tiles, strict=True):
        looped |= {_array(program, ref).base for ref in (*_outs(s), *_ins(s)) if set(ref.letters) & set(loops)}
        if _samples(s) and block < program.n_samples:
            in_blocks |= {_array(program, ref).base for ref in _outs(s)} - private
    return looped, in_blocks


def _homes(
    program: Program, block: int, private: frozenset[str], memory: set[str], given: Collection[str]
) -> tuple[tuple[Buffer, ...], Mapping[str, int]]:
    """The buffers, and the sizes of the bases in registers."""
    buffers: list[Buffer] = []
    registers: dict[str, int] = {}
    for array in program.arrays.values():
        if array.base != array.name:
            continue
        if array.role is Role.DATA:
            values = () if array.name in given else array.values or ()
            kind = Kind.DATA if array.name in given else Kind.BAKED
            buffers.append(Buffer(name=array.name, kind=kind, size=array.size, values=values))
            continue
        size = array.size // program.n_samples * block if array.name in private else array.size
        if array.role is not Role.LOCAL or array.name in memory:
            buffers.append(Buffer(name=array.name, kind=_KINDS[array.role], size=size))
        if array.role is not Role.INPUT and array.name not in memory:
            registers[array.name] = size
    return tuple(buffers), registers


# -- the order of the steps -------------------------------------------------------------------------------------------


_Tiled = list[tuple[Statement, Tiles]]


def _split(program: Program, tiles: list[Tiles]) -> tuple[_Tiled, _Tiled, _Tiled]:
    """Statements before, inside and after the loop over the samples; sums may be added in any order."""
    before: _Tiled = []
    during: _Tiled = []
    after: _Tiled = []
    from_samples: set[str] = set()
    for s, loops in zip(program.statements, tiles, strict=True):
        outs = {_array(program, ref).base for ref in _outs(s)}
        ins = {_array(program, ref).base for ref in _ins(s)} - outs
        if _samples(s):
            during.append((s, loops))
            from_samples |= outs
        elif ins & from_samples or any(program.arrays[o].role is Role.OUTPUT for o in outs):
            after.append((s, loops))
            from_samples |= outs
        else:
            before.append((s, loops))
    return before, during, after


class _Covered:
    """Which entries in memory hold a value, as the steps are taken one after the other."""

    def __init__(self, program: Program, private: frozenset[str], sizes: Mapping[str, int]) -> None:
        self.program, self.private, self.sizes = program, private, sizes
        self.held: dict[str, NDArray[np.bool_]] = {}

    def whole(self, base: str) -> None:
        self.held[base] = np.ones(self.sizes[base], dtype=bool)

    def step(self, statement: Statement, parts: tuple[Mapping[str, Part], ...]) -> Step:
        """The next step: sums give a zero to entries without a value, if others of their entries have one."""
        zeros: tuple[int, ...] = ()
        added = False
        for ref in _outs(statement):
            base = _array(self.program, ref).base
            if base not in self.sizes:
                continue
            held = self.held.setdefault(base, np.zeros(self.sizes[base], dtype=bool))
            places = self._places(statement, ref)
            if isinstance(statement, Contract):
                before = held[places]
                added = bool(before.any())
                zeros = tuple(np.unique(places[~before]).tolist()) if added else ()
            held[places] = True
        return Step(statement=statement, parts=parts, zeros=zeros, added=added)

    def _places(self, statement: Statement, ref: Ref) -> NDArray[np.int64]:
        """Entries of the base that a statement writes."""
        array = _array(self.program, ref)
        places = positions(self.program, ref, ref.letters)
        if isinstance(statement, Contract) and statement.triangle:
            row, column = np.divmod(places, self.program.n_parameters)
            places = places[row <= column]
        if array.name in self.private:
            places = np.unique(places[places < self.sizes[array.base]])
        return places


def _array(program: Program, ref: Ref) -> Array:
    return program.arrays[ref.array]


def _samples(statement: Statement) -> bool:
    return "d" in statement.letters


def _outs(statement: Statement) -> tuple[Ref, ...]:
    return (statement.out,) if isinstance(statement, Contract) else statement.outs


def _ins(statement: Statement) -> tuple[Ref, ...]:
    return statement.factors if isinstance(statement, Contract) else statement.ins
