"""Loops made one: what a node's chain needs stays in registers.

The recorder writes one quantity for all nodes before it begins the next, a loop for each, so that every number goes to
memory and comes back. Two loops with as many turns can be one if no turn of the second needs what a later turn of the
first writes, or writes what a later turn of the first needs. That is found out by listing, for each entry of memory,
the last turn of the first loop that touches it and the first turn of the second. What stands between the loops goes in
front of both, or behind both.

Afterwards a load of what the same turn has stored is the stored value itself, a store that is written over unread is
left out, and so is memory that nothing reads. No operation on numbers changes, and each sum keeps its order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from symland.kernels.lanes import Address, Carried, Item, Kind, LaneCode, Let, Load, Loop, Store
from symland.kernels.recorder import prune, reads
from symland.kernels.rewrite import Rewriter

__all__ = ["fused"]

MOST_TOUCHED = 20_000
"""Accesses of the largest loop that is compared with others entry by entry; a larger one stays alone, and counts as
touching all of its buffers."""

CELLS = 32_768
"""Cells of memory that are told apart in one buffer; in a larger one neighbours count as one entry."""

IntArray = NDArray[np.int64]


def fused(code: LaneCode) -> LaneCode:
    """The code with neighbouring loops made one, and without memory that only passed numbers from one to the other."""
    if not any(isinstance(item, Loop) for item in code.items):
        return code
    sizes = {b.name: b.size for b in code.buffers.values()}
    joined = replace(code, items=_level(code.items, sizes, {}))
    short = _Forwarded(joined).rewritten()
    items = _without_unread(short)
    touched = reads(items) | {item.buffer for item in _all(items) if isinstance(item, Store)}
    buffers = {name: b for name, b in short.buffers.items() if b.kind is not Kind.LOCAL or name in touched}
    return replace(short, items=items, buffers=buffers)


def _all(items: Iterable[Item]) -> Iterator[Item]:
    """Every item, at any depth."""
    for item in items:
        yield item
        if isinstance(item, Loop):
            yield from _all(item.body)


# -- which loops can be one -------------------------------------------------------------------------------------------


@dataclass
class _Touched:
    """What an item needs and changes: values by number, and entries of memory as bits of an integer for each buffer."""

    uses: set[int] = field(default_factory=set)
    makes: set[int] = field(default_factory=set)
    loads: dict[str, int] = field(default_factory=dict)
    stores: dict[str, int] = field(default_factory=dict)

    def add(self, other: _Touched) -> None:
        """Take in what another item needs and changes."""
        self.uses |= other.uses
        self.makes |= other.makes
        for held, more in ((self.loads, other.loads), (self.stores, other.stores)):
            for name, bits in more.items():
                held[name] = held.get(name, 0) | bits

    def __or__(self, other: _Touched) -> _Touched:
        """What both need and change."""
        made = _Touched(set(self.uses), set(self.makes), dict(self.loads), dict(self.stores))
        made.add(other)
        return made

    def conflicts(self, later: _Touched) -> bool:
        """Whether a later item has to stay behind this one."""
        if self.makes & later.uses:
            return True
        pairs = ((self.stores, later.loads), (self.stores, later.stores), (self.loads, later.stores))
        return any(bits & b.get(name, 0) for a, b in pairs for name, bits in a.items())


Ranges = Mapping[int, int]
"""How many values each loop variable takes."""


@dataclass(frozen=True)
class _Memory:
    """What is known of addresses in one block.

    Attributes
    ----------
    sizes : of the buffers
    open : ranges of the variables of the loops around the block
    moved : buffers of which these variables move every access of the block alike; they need not be told apart then
    """

    sizes: Mapping[str, int]
    open: Ranges
    moved: frozenset[str]

    def places(self, buffer: str, address: Address, ranges: Ranges) -> IntArray:
        """The cells of an address for all values of the variables; those around the block are in `open`."""
        out = np.array([address.constant], dtype=np.int64)
        for variable, step in address.steps:
            if variable in ranges or buffer not in self.moved:
                count = ranges[variable] if variable in ranges else self.open[variable]
                out = (out[:, np.newaxis] + step * np.arange(count)).reshape(-1)
        return out // self.width(buffer)

    def width(self, buffer: str) -> int:
        """Entries of a cell."""
        return -(-self.sizes[buffer] // CELLS)

    def cells(self, buffer: str) -> int:
        return -(-self.sizes[buffer] // self.width(buffer))


def _memory(items: Sequence[Item], sizes: Mapping[str, int], open_: Ranges) -> _Memory:
    outer: dict[str, set[tuple[tuple[int, int], ...]]] = {}
    for item in _all(items):
        if isinstance(item, Load | Store):
            outer.setdefault(item.buffer, set()).add(tuple(s for s in item.address.steps if s[0] in open_))
    return _Memory(sizes, open_, frozenset(name for name, steps in outer.items() if len(steps) == 1))


def _bits(places: IntArray, size: int) -> int:
    mask = np.zeros(size, dtype=np.uint8)
    mask[places] = 1
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def _touched(item: Item, memory: _Memory, exact: bool) -> _Touched:
    out = _Touched()

    def add(item: Item, ranges: Ranges) -> None:
        if isinstance(item, Loop):
            for c in item.carried:
                out.uses.update((c.initial, c.following))
                out.makes.update((c.inner, c.result))
            for inner in item.body:
                add(inner, {**ranges, item.variable: item.stop})
            return
        if isinstance(item, Let):
            out.uses.update(item.args)
            out.makes.add(item.number)
            return
        size = memory.cells(item.buffer)
        bits = _bits(memory.places(item.buffer, item.address, ranges), size) if exact else (1 << size) - 1
        held = out.loads if isinstance(item, Load) else out.stores
        held[item.buffer] = held.get(item.buffer, 0) | bits
        if isinstance(item, Load):
            out.makes.add(item.number)
        else:
            out.uses.add(item.argument)

    add(item, {})
    return out


class _Turns:
    """For each cell of memory the first and the last turn of a loop that loads it, and that stores it."""

    def __init__(self, loop: Loop, memory: _Memory) -> None:
        self.loop, self.memory = loop, memory
        self.first: dict[tuple[bool, str], IntArray] = {}
        self.last: dict[tuple[bool, str], IntArray] = {}
        self._walk(loop.body, {loop.variable: loop.stop})

    def joined(self, other: _Turns, loop: Loop) -> _Turns:
        """The turns of the loop that holds the bodies of both."""
        made = copy(self)
        made.loop, made.first, made.last = loop, dict(self.first), dict(self.last)
        for held, more, nearer in ((made.first, other.first, np.minimum), (made.last, other.last, np.maximum)):
            for key, turns in more.items():
                held[key] = nearer(held[key], turns) if key in held else turns
        return made

    def _walk(self, items: Sequence[Item], ranges: Ranges) -> None:
        for item in items:
            if isinstance(item, Loop):
                self._walk(item.body, {**ranges, item.variable: item.stop})
            elif not isinstance(item, Let):
                self._touch((isinstance(item, Store), item.buffer), item.address, ranges)

    def _touch(self, key: tuple[bool, str], address: Address, ranges: Ranges) -> None:
        variable, stop, count = self.loop.variable, self.loop.stop, self.memory.cells(key[1])
        if key not in self.first:
            self.first[key] = np.full(count, stop, dtype=np.int64)
            self.last[key] = np.full(count, -1, dtype=np.int64)
        # The loop's own variable first, so that the turns go by rows.
        steps = tuple(sorted({variable: 0, **dict(address.steps)}.items(), key=lambda s: s[0] != variable))
        cells = self.memory.places(key[1], Address(address.constant, steps), ranges).reshape(stop, -1)
        turns = np.broadcast_to(np.arange(stop, dtype=np.int64)[:, np.newaxis], cells.shape)
        np.minimum.at(self.first[key], cells, turns)
        np.maximum.at(self.last[key], cells, turns)

    def before(self, other: _Turns) -> bool:
        """Whether the other loop's turns may follow these one by one."""
        for (stored, name), last in self.last.items():
            for kind in (True, False) if stored else (True,):
                first = other.first.get((kind, name))
                if first is not None and bool(np.any((last > first) & (first < other.loop.stop))):
                    return False
        return True


def _accesses(loop: Loop) -> int:
    return loop.stop * sum(
        _accesses(item) if isinstance(item, Loop) else not isinstance(item, Let) for item in loop.body
    )


class _Placed:
    """An item, and what is known of it as soon as somebody asks."""

    def __init__(self, item: Item, memory: _Memory, touched: _Touched | None = None) -> None:
        self.item, self.memory = item, memory
        small = not isinstance(item, Loop) or _accesses(item) <= MOST_TOUCHED
        self.touched = touched if touched is not None and small else _touched(item, memory, small)
        self.loop = item if isinstance(item, Loop) and item.from_ is None and small else None
        self._turns: _Turns | None = None

    def joined(self, new: _Placed) -> _Placed:
        """The one loop of this one and `new`, whose turns may follow these; what is known of the two is known of it."""
        assert self.loop is not None
        assert new.loop is not None
        made = _Placed(_one(self.loop, new.loop), self.memory, self.touched | new.touched)
        if made.loop is not None:
            made._turns = self.turns.joined(new.turns, made.loop)
        return made

    @property
    def turns(self) -> _Turns:
        if self._turns is None:
            assert self.loop is not None
            self._turns = _Turns(self.loop, self.memory)
        return self._turns


def _level(items: Sequence[Item], sizes: Mapping[str, int], open_: Ranges) -> tuple[Item, ...]:
    """The items of one block with loops made one, and so their bodies."""
    if not any(isinstance(item, Loop) for item in items):
        return tuple(items)
    memory = _memory(items, sizes, open_)
    placed: list[_Placed] = []
    for item in items:
        new = _Placed(item, memory)
        if not _join(placed, new):
            placed.append(new)
    out: list[Item] = []
    for p in placed:
        item = p.item
        if isinstance(item, Loop):
            item = replace(item, body=_level(item.body, sizes, {**open_, item.variable: item.stop}))
        out.append(item)
    return tuple(out)


def _join(placed: list[_Placed], new: _Placed) -> bool:
    """Make the last loop that it can be one with and `new` one, if there is such a loop."""
    loop = new.loop
    if loop is None:
        return False
    for k in range(len(placed) - 1, -1, -1):
        first = placed[k].loop
        if first is None or first.stop != loop.stop or placed[k].touched.makes & new.touched.uses:
            continue
        behind: list[_Placed] = []
        front: list[_Placed] = []
        touched = _Touched()  # by what goes behind
        for other in placed[k + 1 :]:
            if placed[k].touched.conflicts(other.touched) or touched.conflicts(other.touched):
                behind.append(other)
                touched.add(other.touched)
            else:
                front.append(other)
        if touched.conflicts(new.touched) or not placed[k].turns.before(new.turns):
            continue
        placed[k:] = [*front, placed[k].joined(new), *behind]
        return True
    return False


def _one(first: Loop, second: Loop) -> Loop:
    """Both bodies in one loop, with the variable of the first."""

    def renamed(item: Item) -> Item:
        if isinstance(item, Let):
            return item
        if isinstance(item, Loop):
            start = first.variable if item.from_ == second.variable else item.from_
            return replace(item, body=tuple(map(renamed, item.body)), from_=start)
        steps = tuple(sorted((first.variable if v == second.variable else v, s) for v, s in item.address.steps))
        return replace(item, address=Address(item.address.constant, steps))

    carried: tuple[Carried, ...] = (*first.carried, *second.carried)
    return replace(first, body=(*first.body, *map(renamed, second.body)), carried=carried)


# -- what memory is for no more ---------------------------------------------------------------------------------------


def _apart(a: Address, b: Address, stops: Ranges) -> bool:
    """Whether two addresses of one buffer are known to differ, whatever the values of the variables."""
    difference = a.plus(b, -1)
    ends = [step * (stops[variable] - 1) for variable, step in difference.steps]
    low = difference.constant + sum(e for e in ends if e < 0)
    high = difference.constant + sum(e for e in ends if e > 0)
    return low > 0 or high < 0


def _stops(items: Iterable[Item]) -> dict[int, int]:
    return {item.variable: item.stop for item in _all(items) if isinstance(item, Loop)}


class _Forwarded(Rewriter):
    """Takes values in place of loads of what was stored or loaded in the same turn."""

    def __init__(self, code: LaneCode) -> None:
        super().__init__(code)
        self.held: dict[tuple[str, Address], int] = {}
        self.old_stops = _stops(code.items)
        self.stops: dict[int, int] = {}

    def load(self, buffer: str, address: Address) -> int:
        key = (buffer, address)
        if key not in self.held:
            self.held[key] = super().load(buffer, address)
        return self.held[key]

    def store(self, buffer: str, address: Address, argument: int) -> None:
        if self.held.get((buffer, address)) == argument:
            return  # it is there already
        self._forget(buffer, address, self.stops)
        self.held[buffer, address] = argument
        super().store(buffer, address, argument)

    def loop(self, item: Loop) -> None:
        # Inside, a variable of the old code that has no new one yet goes by a number of its own.
        inner = _stops([item])
        stops = self.stops | {-1 - v: stop for v, stop in inner.items()}
        names = {v: -1 - v for v in inner} | self.variables
        for stored in _all(item.body):
            if isinstance(stored, Store):
                steps = tuple(sorted((names[v], s) for v, s in stored.address.steps))
                self._forget(stored.buffer, Address(stored.address.constant, steps), stops)
        outside = dict(self.held)
        super().loop(item)
        self.held = outside

    def opened(self, variable: int, stop: int) -> None:
        self.stops[variable] = stop

    def _forget(self, buffer: str, address: Address, stops: Ranges) -> None:
        gone = [(name, at) for name, at in self.held if name == buffer and not _apart(at, address, stops)]
        for key in gone:
            del self.held[key]


def _without_unread(code: LaneCode) -> tuple[Item, ...]:
    """The items without stores to memory that nothing reads, or that is written again before it is read."""
    read = reads(code.items)
    local = {name for name, b in code.buffers.items() if b.kind is Kind.LOCAL}
    stops = _stops(code.items)

    def block(items: Sequence[Item]) -> list[Item]:
        again: set[tuple[str, Address]] = set()
        kept: list[Item] = []
        for item in reversed(items):
            if isinstance(item, Store):
                key = (item.buffer, item.address)
                if item.buffer in local - read or key in again:
                    continue
                again.add(key)
            elif isinstance(item, Loop):
                item = replace(item, body=tuple(block(item.body)))
            for inner in _all([item]):
                if isinstance(inner, Load):
                    again = {k for k in again if k[0] != inner.buffer or _apart(k[1], inner.address, stops)}
            kept.append(item)
        return kept[::-1]

    return prune(block(code.items))
