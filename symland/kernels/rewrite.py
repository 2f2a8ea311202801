"""Lane code written down anew, item by item: the ground of every pass from lane code to lane code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from symland.kernels.lanes import Address, Item, LaneCode, Let, Load, Loop, Store
from symland.kernels.recorder import Recorder

__all__ = ["Rewriter"]


class Rewriter:
    """Records lane code again. A pass says what it makes of an operation, a load, a store or a loop.

    Attributes
    ----------
    rec : Recorder
        Takes what is written.
    numbers, variables : mappings
        From the values and the loop variables of the old code to those of the new one.
    """

    def __init__(self, code: LaneCode) -> None:
        self.old = code
        self.rec = Recorder()
        self.numbers: dict[int, int] = {}
        self.variables: dict[int, int] = {}
        for held in code.buffers.values():
            self.rec.buffer(held)
        self._plain: dict[str, Callable[..., int]] = {
            "add": self.rec.add,
            "sub": self.rec.sub,
            "mul": self.rec.mul,
            "div": self.rec.div,
            "neg": self.rec.neg,
        }

    def rewritten(self) -> LaneCode:
        """The new code."""
        self.block(self.old.items)
        return self.rec.code()

    def address(self, old: Address) -> Address:
        return Address(old.constant, tuple((self.variables[v], s) for v, s in old.steps))

    def primitive(self, item: Let, args: list[int]) -> int:
        """The value of an operation that is not + - * / or a constant."""
        return self.rec.op(item.op, *args, value=item.value)

    def load(self, buffer: str, address: Address) -> int:
        return self.rec.load(buffer, address, stay=True)

    def store(self, buffer: str, address: Address, argument: int) -> None:
        self.rec.store(buffer, address, argument)

    def opened(self, variable: int, stop: int) -> None:
        """Told of each new loop variable, which stays below `stop`."""

    def loop(self, item: Loop) -> None:
        """A loop with its body written anew."""
        initial = [self.numbers[c.initial] for c in item.carried]
        self.variables[item.variable] = self.rec.open()
        self.opened(self.variables[item.variable], item.stop)
        inner = self.rec.carry(len(item.carried))
        self.numbers.update(zip((c.inner for c in item.carried), inner, strict=True))
        self.block(item.body)
        following = [self.numbers[c.following] for c in item.carried]
        start = None if item.from_ is None else self.variables[item.from_]
        results = self.rec.close(item.stop, inner, initial, following, start)
        for c, before, own, after, result in zip(item.carried, initial, inner, following, results, strict=True):
            # What no turn changes is what it was before the loop.
            self.numbers[c.result] = before if after == own else result

    def block(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Let):
                self.numbers[item.number] = self._let(item)
            elif isinstance(item, Load):
                self.numbers[item.number] = self.load(item.buffer, self.address(item.address))
            elif isinstance(item, Store):
                self.store(item.buffer, self.address(item.address), self.numbers[item.argument])
            else:
                self.loop(item)

    def _let(self, item: Let) -> int:
        args = [self.numbers[a] for a in item.args]
        if item.op == "constant":
            return self.rec.constant(item.value or Fraction(0))
        return self._plain[item.op](*args) if item.op in self._plain else self.primitive(item, args)
