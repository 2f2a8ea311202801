"""The order of lane code: operations that others wait for come first.

LLVM looks at one block of code after the other and keeps near the order in which it was written. The recorder writes
one node, or one sample, after the other: long chains, each of which waits for itself. Here the next operation is
always, of those that can be done, the one with the longest chain behind it, among the `WINDOW` that stood first: what
is further away would only hold registers. No operation changes, and each still has the same arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush

from symland.kernels.lanes import Item, LaneCode, Let, Load, Loop, Store

__all__ = ["WINDOW", "ordered"]

WINDOW = 128
"""Items that may overtake each other."""

LATENCY: Mapping[str, int] = {"constant": 0, "infinity": 0, "div": 23, "sqrt": 30, "load": 7, "store": 1}
"""Cycles from an operation to what needs it, where they are not `USUAL_LATENCY`."""

USUAL_LATENCY = 4


def ordered(code: LaneCode, window: int = WINDOW) -> LaneCode:
    """The code with the items between loops, and of each body, in an order with short waits."""
    return replace(code, items=_block(code.items, window))


def _block(items: Sequence[Item], window: int) -> tuple[Item, ...]:
    """Loops stay where they are."""
    out: list[Item] = []
    straight: list[Let | Load | Store] = []
    for item in items:
        if isinstance(item, Loop):
            out += _straight(straight, window)
            straight = []
            out.append(replace(item, body=_block(item.body, window)))
        else:
            straight.append(item)
    return (*out, *_straight(straight, window))


def _waits(items: Sequence[Let | Load | Store]) -> list[set[int]]:
    """For each item the earlier ones that have to be done before it: its arguments, and of accesses to what may be one
    entry of memory all but two loads keep their order."""
    made: dict[int, int] = {}
    alike = _alike(items)
    stored: dict[object, int] = {}
    loaded: dict[object, list[int]] = {}
    waits: list[set[int]] = []
    for place, item in enumerate(items):
        if isinstance(item, Let):
            waits.append({made[a] for a in item.args if a in made})
            made[item.number] = place
            continue
        entry = (item.buffer, item.address) if item.buffer in alike else item.buffer
        before = {stored[entry]} if entry in stored else set[int]()
        if isinstance(item, Load):
            loaded.setdefault(entry, []).append(place)
            made[item.number] = place
        else:
            before.update(loaded.pop(entry, ()))
            if item.argument in made:
                before.add(made[item.argument])
            stored[entry] = place
        waits.append(before)
    return waits


def _alike(items: Sequence[Let | Load | Store]) -> set[str]:
    """Buffers in which two addresses are one entry only where they are equal: the variables move all of them alike."""
    steps: dict[str, set[tuple[tuple[int, int], ...]]] = {}
    for item in items:
        if not isinstance(item, Let):
            steps.setdefault(item.buffer, set()).add(item.address.steps)
    return {name for name, found in steps.items() if len(found) == 1}


def _straight(items: Sequence[Let | Load | Store], window: int) -> list[Item]:
    waits = _waits(items)
    behind = [_latency(item) for item in items]
    for place in range(len(items) - 1, -1, -1):
        for k in waits[place]:
            behind[k] = max(behind[k], _latency(items[k]) + behind[place])
    followers: list[list[int]] = [[] for _ in items]
    for place, before in enumerate(waits):
        for k in before:
            followers[k].append(place)
    left = [len(before) for before in waits]
    ready: list[tuple[int, int]] = []
    done = [False] * len(items)
    first = entered = 0
    out: list[Item] = []
    while len(out) < len(items):
        while entered < min(first + window, len(items)):
            if not left[entered]:
                heappush(ready, (-behind[entered], entered))
            entered += 1
        _, place = heappop(ready)
        done[place] = True
        out.append(items[place])
        for k in followers[place]:
            left[k] -= 1
            if not left[k] and k < entered:
                heappush(ready, (-behind[k], k))
        while first < len(items) and done[first]:
            first += 1
    return out


def _latency(item: Let | Load | Store) -> int:
    name = item.op if isinstance(item, Let) else type(item).__name__.lower()
    return LATENCY.get(name, USUAL_LATENCY)
