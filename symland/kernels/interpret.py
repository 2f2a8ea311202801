"""Lane code run by an algebra: what is printed for the compiler can be proved, enclosed and tested as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from symland.kernels.lanes import Item, Kind, LaneCode, Let, Load, Loop, Store
from symland.program.algebra import Algebra

__all__ = ["interpret"]

N = TypeVar("N")


def interpret(code: LaneCode, algebra: Algebra[N], given: Mapping[str, Sequence[N]]) -> dict[str, list[N]]:
    """The output buffers of lane code over an algebra.

    Parameters
    ----------
    given : numbers of the input and data buffers by name

    Raises
    ------
    KeyError
        If a buffer is not given.
    """
    zero = algebra.constant(Fraction(0))
    store: dict[str, list[N]] = {}
    for buffer in code.buffers.values():
        if buffer.kind in (Kind.INPUT, Kind.DATA):
            store[buffer.name] = list(given[buffer.name])
        elif buffer.kind is Kind.BAKED:
            store[buffer.name] = [algebra.constant(v) for v in buffer.values]
        else:
            store[buffer.name] = [zero] * buffer.size
    values: dict[int, Any] = {}
    variables: dict[int, int] = {}

    def let(item: Let) -> Any:
        args = [values[a] for a in item.args]
        match item.op:
            case "constant":
                assert item.value is not None
                return algebra.constant(item.value)
            case "add":
                return args[0] + args[1]
            case "sub":
                return args[0] + -args[1]
            case "mul":
                return args[0] * args[1]
            case "neg":
                return -args[0]
        return algebra.primitive(item.op, args, item.value)

    def block(items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Let):
                values[item.number] = let(item)
            elif isinstance(item, Load):
                values[item.number] = store[item.buffer][item.address.at(variables)]
            elif isinstance(item, Store):
                store[item.buffer][item.address.at(variables)] = values[item.argument]
            else:
                turn(item)

    def turn(loop: Loop) -> None:
        for c in loop.carried:
            values[c.inner] = values[c.initial]
        start = 0 if loop.from_ is None else variables[loop.from_]
        for turn_number in range(start, loop.stop):
            variables[loop.variable] = turn_number
            block(loop.body)
            following = [values[c.following] for c in loop.carried]
            for c, value in zip(loop.carried, following, strict=True):
                values[c.inner] = value
        for c in loop.carried:
            values[c.result] = values[c.inner]

    block(code.items)
    return {buffer.name: store[buffer.name] for buffer in code.named(Kind.OUTPUT)}
