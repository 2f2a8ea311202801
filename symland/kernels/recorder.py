"""Recording lane code: shared subexpressions, exact constants, and values placed outside the loops they do not need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from symland.errors import KernelError
from symland.kernels.lanes import Address, Buffer, Carried, Item, Kind, LaneCode, Let, Load, Loop, Store

__all__ = ["Recorder", "reads"]

_COMMUTES = frozenset(("add", "mul"))


LARGEST = Fraction(2) ** 1024 * (1 - Fraction(1, 2**53))
"""The largest double."""


@dataclass
class _Scope:
    """A block that is being written: the top, or the body of a loop."""

    variable: int | None
    known: dict[Any, int] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)


class Recorder:
    """Writes lane code. Values are numbers; equal operations on equal values give the same number.

    A value is placed in the outermost open block where its arguments are known, so nothing is computed again in a loop
    that does not change it.
    """

    def __init__(self) -> None:
        self.buffers: dict[str, Buffer] = {}
        self._scopes = [_Scope(None)]
        self._depth: list[int] = []
        self._lets: dict[int, Let] = {}
        self._variables = 0
        self._version: dict[str, int] = {}
        self._written: dict[str, int] = {}

    # -- values ---------------------------------------------------------------------------------------------------

    def _new(self, depth: int) -> int:
        self._depth.append(depth)
        return len(self._depth) - 1

    def op(self, op: str, *args: int, value: Fraction | None = None) -> int:
        """The value op(args), recorded as it stands."""
        if op in _COMMUTES:
            args = tuple(sorted(args))
        key = (op, args, value)
        depth = max((self._depth[a] for a in args), default=0)
        known = self._scopes[depth].known
        if key not in known:
            number = self._new(depth)
            known[key] = number
            self._lets[number] = Let(number, op, args, value)
            self._scopes[depth].items.append(self._lets[number])
        return known[key]

    def constant(self, value: Fraction | int) -> int:
        if abs(Fraction(value)) > LARGEST:
            raise KernelError(
                "a number that follows from the data, penalty or activation is infinite in float64; scale them down"
            )
        return self.op("constant", value=Fraction(value))

    def exact(self, number: int) -> Fraction | None:
        """The value, if it is a constant."""
        let = self._lets.get(number)
        return let.value if let is not None and let.op == "constant" else None

    def _is(self, number: int, op: str) -> Let | None:
        let = self._lets.get(number)
        return let if let is not None and let.op == op else None

    def argument_of_neg(self, a: int) -> int:
        """b where a is -b, else a."""
        inner = self._is(a, "neg")
        return a if inner is None else inner.args[0]

    def neg(self, a: int) -> int:
        if (c := self.exact(a)) is not None:
            return self.constant(-c)
        if (inner := self._is(a, "neg")) is not None:
            return inner.args[0]
        if (inner := self._is(a, "sub")) is not None:
            return self.op("sub", inner.args[1], inner.args[0])
        return self.op("neg", a)

    def add(self, a: int, b: int) -> int:
        ca, cb = self.exact(a), self.exact(b)
        if ca is not None and cb is not None:
            return self.constant(ca + cb)
        if ca == 0:
            return b
        if cb == 0:
            return a
        if (inner := self._is(b, "neg")) is not None:
            return self.sub(a, inner.args[0])
        if (inner := self._is(a, "neg")) is not None:
            return self.sub(b, inner.args[0])
        return self.op("add", a, b)

    def sub(self, a: int, b: int) -> int:
        ca, cb = self.exact(a), self.exact(b)
        if ca is not None and cb is not None:
            return self.constant(ca - cb)
        if cb == 0:
            return a
        if ca == 0:
            return self.neg(b)
        if (inner := self._is(b, "neg")) is not None:
            return self.add(a, inner.args[0])
        return self.op("sub", a, b)

    def mul(self, a: int, b: int) -> int:
        ca, cb = self.exact(a), self.exact(b)
        if ca is not None and cb is not None:
            return self.constant(ca * cb)
        if ca is not None:
            return self._scaled(ca, b)
        if cb is not None:
            return self._scaled(cb, a)
        for first, second in ((a, b), (b, a)):
            if (inner := self._is(first, "neg")) is not None:
                return self.neg(self.mul(inner.args[0], second))
        return self.op("mul", a, b)

    def _scaled(self, c: Fraction, a: int) -> int:
        if c == 0:
            return self.constant(0)
        if c == 1:
            return a
        if c == -1:
            return self.neg(a)
        if (inner := self._is(a, "neg")) is not None:
            return self._scaled(-c, inner.args[0])
        if (inner := self._is(a, "mul")) is not None:
            for k in (0, 1):
                if (held := self.exact(inner.args[k])) is not None:
                    return self._scaled(c * held, inner.args[1 - k])
        return self.op("mul", self.constant(c), a)

    def div(self, a: int, b: int) -> int:
        ca, cb = self.exact(a), self.exact(b)
        if cb is not None and cb != 0:
            return self._scaled(1 / cb, a) if ca is None else self.constant(ca / cb)
        return self.op("div", a, b)

    # -- memory ---------------------------------------------------------------------------------------------------

    def buffer(self, buffer: Buffer) -> None:
        self.buffers[buffer.name] = buffer

    def load(self, buffer: str, address: Address, *, stay: bool = False) -> int:
        """An entry of a buffer; with `stay` it is read here and now."""
        held = self.buffers[buffer]
        if held.values and not address.steps:
            return self.constant(held.values[address.constant])
        here = len(self._scopes) - 1
        inside = {scope.variable: depth for depth, scope in enumerate(self._scopes)}
        depth = max((inside[v] for v, _ in address.steps), default=0)
        depth = here if stay else max(depth, self._written.get(buffer, 0))
        key = ("load", buffer, self._version.get(buffer, 0), address)
        known = self._scopes[depth].known
        if stay or key not in known:
            known[key] = self._new(depth)
            self._scopes[depth].items.append(Load(known[key], buffer, address))
        return known[key]

    def store(self, buffer: str, address: Address, argument: int) -> None:
        self._version[buffer] = self._version.get(buffer, 0) + 1
        self._written[buffer] = len(self._scopes) - 1
        self._scopes[-1].items.append(Store(buffer, address, argument))

    # -- loops ----------------------------------------------------------------------------------------------------

    def open(self) -> int:
        """Begin a loop; its variable."""
        self._variables += 1
        self._scopes.append(_Scope(self._variables - 1))
        return self._variables - 1

    def carry(self, count: int) -> list[int]:
        """Values that the innermost open loop carries."""
        return [self._new(len(self._scopes) - 1) for _ in range(count)]

    def close(
        self,
        stop: int,
        inner: Sequence[int] = (),
        initial: Sequence[int] = (),
        following: Sequence[int] = (),
        from_: int | None = None,
    ) -> list[int]:
        """End the innermost loop; the values that it carried out."""
        scope = self._scopes.pop()
        assert scope.variable is not None
        outside = len(self._scopes) - 1
        for name, depth in self._written.items():
            self._written[name] = min(depth, outside)
        results = [self._new(outside) for _ in inner]
        carried = tuple(map(Carried, inner, initial, following, results))
        self._scopes[-1].items.append(Loop(scope.variable, stop, carried, tuple(scope.items), from_))
        return results

    def code(self) -> LaneCode:
        """What was recorded, without the values that nothing needs and the constants that nothing reads."""
        assert len(self._scopes) == 1
        items = prune(self._scopes[0].items)
        read = reads(items)
        buffers = {b.name: b for b in self.buffers.values() if b.kind is not Kind.BAKED or b.name in read}
        return LaneCode(buffers=buffers, items=items, values=len(self._depth))


def reads(items: Sequence[Item]) -> set[str]:
    """Buffers that the items read."""
    inner = [reads(item.body) for item in items if isinstance(item, Loop)]
    return {item.buffer for item in items if isinstance(item, Load)}.union(*inner)


def prune(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items without values that no store needs, however indirectly."""
    needed: set[int] = set()

    def block(items: Sequence[Item]) -> tuple[Item, ...]:
        kept: list[Item] = []
        for item in reversed(items):
            if isinstance(item, Store):
                needed.add(item.argument)
                kept.append(item)
            elif isinstance(item, Loop):
                carried = tuple(c for c in item.carried if c.result in needed)
                needed.update(c.following for c in carried)
                body = block(item.body)
                while more := tuple(c for c in item.carried if c.inner in needed and c not in carried):
                    # A value that the body reads from the turn before has to be carried too.
                    carried += more
                    needed.update(c.following for c in more)
                    body = block(item.body)
                if body or carried:
                    needed.update(c.initial for c in carried)
                    kept.append(replace(item, carried=carried, body=body))
            elif item.number in needed:
                needed.update(item.args if isinstance(item, Let) else ())
                kept.append(item)
        return tuple(reversed(kept))

    return block(items)
