"""Who hears how far the chain is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SILENCE", "Listener"]


class Listener(Protocol):
    """Hears how far the chain is."""

    def begin(self, step: str) -> None:
        """A step begins."""
        ...

    def advance(self, note: str, done: int = 0, total: int = 0) -> None:
        """A part of the step is done; a total of zero is not known."""
        ...

    def end(self, result: str) -> None:
        """The step has ended."""
        ...


class Silence:
    """A listener that says nothing."""

    def begin(self, step: str) -> None: ...

    def advance(self, note: str, done: int = 0, total: int = 0) -> None: ...

    def end(self, result: str) -> None: ...


SILENCE = Silence()
