"""Lane code: what a kernel does for one strip of points, as data.

A lane value is one number for each point of a strip. Lane code is straight-line text in static single assignment with
counted loops; it is recorded from a derivation program, run by any algebra, and printed as LLVM IR and as C.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import Any

from symland.machine.text import LANES

__all__ = ["LANES", "Address", "Buffer", "Carried", "Item", "Kind", "LaneCode", "Let", "Load", "Loop", "Store"]


class Kind(Enum):
    """What a buffer holds."""

    INPUT = "input"
    """Lane values filled from the caller's array of points."""
    LOCAL = "local"
    OUTPUT = "output"
    """Lane values that go to the caller's array."""
    BAKED = "baked"
    """Constants, the same for every point."""
    DATA = "data"
    """Numbers given with every call, the same for every point."""


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """A named array of `size` entries; `values` where they are baked in."""

    name: str
    kind: Kind
    size: int
    values: tuple[Fraction, ...] = ()


@dataclass(frozen=True)
class Address:
    """Entry number constant + sum of step * loop variable."""

    constant: int
    steps: tuple[tuple[int, int], ...] = ()

    def plus(self, other: Address, times: int = 1) -> Address:
        steps = dict(self.steps)
        for variable, step in other.steps:
            steps[variable] = steps.get(variable, 0) + times * step
        kept = tuple(sorted((v, s) for v, s in steps.items() if s))
        return Address(self.constant + times * other.constant, kept)

    def at(self, variables: Mapping[int, int]) -> int:
        return self.constant + sum(variables[v] * step for v, step in self.steps)

    def __str__(self) -> str:
        return " + ".join([str(self.constant), *(f"{s} v{v}" for v, s in self.steps)])


@dataclass(frozen=True)
class Let:
    """Value number `number` = op(args)."""

    number: int
    op: str
    args: tuple[int, ...] = ()
    value: Fraction | None = None

    def __str__(self) -> str:
        detail = "" if self.value is None else f" {self.value}"
        return f"%{self.number} = {self.op}{detail} {' '.join(f'%{a}' for a in self.args)}".rstrip()


@dataclass(frozen=True)
class Load:
    """Value number `number` = entry of a buffer."""

    number: int
    buffer: str
    address: Address

    def __str__(self) -> str:
        return f"%{self.number} = {self.buffer}[{self.address}]"


@dataclass(frozen=True)
class Store:
    """Entry of a buffer = value number `argument`."""

    buffer: str
    address: Address
    argument: int

    def __str__(self) -> str:
        return f"{self.buffer}[{self.address}] = %{self.argument}"


@dataclass(frozen=True)
class Carried:
    """A value that a loop carries: `inner` in the body, `initial` before, `following` after each turn, `result` at the
    end."""

    inner: int
    initial: int
    following: int
    result: int


@dataclass(frozen=True)
class Loop:
    """The body for variable = start, ..., stop - 1; the start is 0 or the present value of the variable `from_`.

    The start is always less than the stop: code is printed with the test at the end.
    """

    variable: int
    stop: int
    carried: tuple[Carried, ...]
    body: tuple[Item, ...]
    from_: int | None = None

    def __str__(self) -> str:
        start = "0" if self.from_ is None else f"v{self.from_}"
        return f"for v{self.variable} in {start}..{self.stop}"


Item = Let | Load | Store | Loop


@dataclass(frozen=True, kw_only=True)
class LaneCode:
    """Buffers and items; values and loop variables are numbered from 0."""

    buffers: Mapping[str, Buffer]
    items: tuple[Item, ...]
    values: int

    def named(self, kind: Kind) -> list[Buffer]:
        return [b for b in self.buffers.values() if b.kind is kind]

    def text(self) -> str:
        """The code as a person reads it."""
        lines: list[str] = []

        def block(items: tuple[Item, ...], indent: str) -> None:
            for item in items:
                lines.append(indent + str(item))
                if isinstance(item, Loop):
                    block(item.body, indent + "  ")
                    lines.extend(
                        f"{indent}  %{c.inner}: %{c.initial} then %{c.following} gives %{c.result}"
                        for c in item.carried
                    )

        block(self.items, "")
        return "\n".join(lines)

    def canonical(self) -> dict[str, Any]:
        return {
            "buffers": [[b.name, b.kind.value, b.size, [str(v) for v in b.values]] for b in self.buffers.values()],
            "text": self.text(),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the buffers and the text."""
        return hashlib.sha256(json.dumps(self.canonical(), separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How often each operation is carried out for one strip."""
        total: dict[str, int] = {}

        def block(items: tuple[Item, ...], times: float) -> None:
            for item in items:
                if isinstance(item, Loop):
                    turns = item.stop if item.from_ is None else (item.stop + 1) / 2
                    block(item.body, times * turns)
                else:
                    name = item.op if isinstance(item, Let) else type(item).__name__.lower()
                    total[name] = total.get(name, 0) + round(times)

        block(self.items, 1)
        return total
