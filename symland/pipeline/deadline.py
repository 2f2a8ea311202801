"""A limit of time for a whole command: every step ends by its share, whatever it is at.

A step that its own code cannot end, such as a proof by SymPy, is interrupted by a timer signal. What a step stores as
it goes is kept; SQLite's transactions see to the rest. Outside the main thread there are no signals: a step then ends
where it looks at the time itself.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["BudgetSpent", "Deadline"]

SHORTEST = 1e-3
"""Seconds that a step gets at least: a timer of zero would never ring."""


class BudgetSpent(BaseException):
    """The step's share of the budget is used up. No error: code that catches errors does not catch it."""


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """A budget in seconds from now on, or None for no limit.

    Attributes
    ----------
    clock : callable
        Seconds.
    begun, budget : float, and float or None
    """

    clock: Callable[[], float]
    begun: float
    budget: float | None

    @classmethod
    def of(cls, clock: Callable[[], float], budget: float | None) -> Deadline:
        """One that begins now."""
        return cls(clock=clock, begun=clock(), budget=budget)

    def left(self, share: float = 1.0) -> float | None:
        """Seconds until this share of the budget is used up, 0 after that; None without a limit."""
        if self.budget is None:
            return None
        return max(0.0, self.begun + share * self.budget - self.clock())

    def late(self, share: float = 1.0) -> bool:
        """Whether this share is used up."""
        return self.left(share) == 0.0

    @contextmanager
    def limit(self, share: float = 1.0) -> Iterator[None]:
        """A block that ends when this share of the budget is used up.

        Raises
        ------
        BudgetSpent
            In the block, at whatever it is at.
        """
        seconds = self.left(share)
        if seconds is None:
            yield
            return
        if seconds == 0.0:
            raise BudgetSpent
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        # The bell rings until it is heard: while the block is deaf it raises nothing, and where what it raises is
        # dropped, in a destructor or a callback from C, it is set again.
        deaf = True

        def ring(number: int, frame: Any) -> None:
            if not deaf:
                signal.setitimer(signal.ITIMER_REAL, 0.0)
                raise BudgetSpent

        def dropped(unraisable: Any) -> None:
            nonlocal deaf
            if issubclass(unraisable.exc_type, BudgetSpent):
                deaf = True
                signal.setitimer(signal.ITIMER_REAL, SHORTEST, SHORTEST)
                deaf = False
            else:
                hook(unraisable)

        hook, sys.unraisablehook = sys.unraisablehook, dropped
        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, SHORTEST), SHORTEST)
            deaf = False
            yield
        finally:
            deaf = True
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)
            sys.unraisablehook = hook
