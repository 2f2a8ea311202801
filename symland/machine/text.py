"""Writing LLVM IR: values with fresh names, addresses, and counted loops."""

from __future__ import annotations

import struct
from fractions import Fraction

__all__ = ["LANES", "MASK", "VECTOR", "Emitter", "double", "plain", "splat"]

LANES = 8
"""Doubles of a vector: one cache line."""

VECTOR = f"<{LANES} x double>"
"""The type of a lane value."""

MASK = f"<{LANES} x i1>"
"""The type of the truth values of lanes."""


def double(value: Fraction | float) -> str:
    """A double as a constant."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"


def splat(kind: str, text: str) -> str:
    """A constant in every lane."""
    return f"<{', '.join([f'{kind} {text}'] * LANES)}>"


def plain(name: str) -> str:
    """A name of letters, digits and dots."""
    return "".join(c if c.isalnum() else "." for c in name)


class Emitter:
    """The lines of a function so far, and the block that is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counter = 0
        self.label = "entry"
        self._open: list[tuple[str, int | str]] = []
        self._skipped: list[str] = []

    def put(self, text: str) -> str:
        """A line that gives a value; the value's name."""
        self.counter += 1
        name = f"%t{self.counter}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def block(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    def entry(self, base: str, index: str, kind: str = VECTOR) -> str:
        return self.put(f"getelementptr inbounds {kind}, ptr {base}, i64 {index}")

    def multiply(self, a: str, b: int) -> str:
        return a if b == 1 else self.put(f"mul nsw i64 {a}, {b}")

    def add(self, a: str, b: str | int) -> str:
        return a if b in (0, "0") else self.put(f"add nsw i64 {a}, {b}")

    def load(self, pointer: str, kind: str = VECTOR, align: int = 64) -> str:
        return self.put(f"load {kind}, ptr {pointer}, align {align}")

    def store(self, value: str, pointer: str, kind: str = VECTOR, align: int = 64) -> None:
        self.do(f"store {kind} {value}, ptr {pointer}, align {align}")

    def shuffle(self, kind: str, a: str, b: str, *picks: int) -> str:
        mask = ", ".join(f"i32 {k}" for k in picks)
        return self.put(f"shufflevector {kind} {a}, {kind} {b}, <{len(picks)} x i32> <{mask}>")

    def begin(self, tag: str, stop: int | str, start: str = "0") -> str:
        """Begin a loop that runs at least once; its variable."""
        before = self.label
        self.counter += 1
        head, variable = f"{tag}{self.counter}", f"%{tag}{self.counter}.v"
        self.do(f"br label %{head}")
        self.block(head)
        self.do(f"{variable} = phi i64 [ {start}, %{before} ], [ {variable}.next, %{head}.end ]")
        self._open.append((head, stop))
        return variable

    def end(self) -> None:
        """End the innermost loop."""
        head, stop = self._open.pop()
        variable = f"%{head}.v"
        self.do(f"br label %{head}.end")
        self.block(f"{head}.end")
        self.do(f"{variable}.next = add nuw nsw i64 {variable}, 1")
        test = self.put(f"icmp slt i64 {variable}.next, {stop}")
        self.do(f"br i1 {test}, label %{head}, label %{head}.out")
        self.block(f"{head}.out")

    def begin_if_any(self, tag: str, start: str, stop: int | str, hint: str = "") -> str:
        """Begin a loop that may not run at all; its variable. A hint is metadata that says how often it does."""
        self.counter += 1
        label = f"{tag}{self.counter}"
        some = self.put(f"icmp slt i64 {start}, {stop}")
        self.do(f"br i1 {some}, label %{label}.some, label %{label}.none{hint}")
        self.block(f"{label}.some")
        self._skipped.append(f"{label}.none")
        return self.begin(tag, stop, start=start)

    def end_if_any(self) -> None:
        """End the innermost loop, which may not have run at all."""
        self.end()
        after = self._skipped.pop()
        self.do(f"br label %{after}")
        self.block(after)
