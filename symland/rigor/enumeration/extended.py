"""A zero of an extended system, by Newton's method and proved by Krawczyk's test: a fold or a pitchfork."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import arb, arb_mat

from symland.rigor.matrices import approximate_inverse, approximate_solution, identity

__all__ = ["EVENT_BITS", "LONGEST_STEP", "STEPS", "zero_near"]

STEPS = 40
"""Newton steps."""
LONGEST_STEP = 0.3
"""Longest of them, in weights."""
EVENT_BITS = 256
"""Bits with which an event is found."""
RADIUS = 2.0**-120
"""Radius of the cube in which it is proved, in every variable."""

System = Callable[[Sequence[arb]], tuple[list[arb], list[list[arb]]]]
"""The value and the Jacobian at a point or over a cube."""


def zero_near(system: System, start: Sequence[arb]) -> tuple[list[arb], list[arb]] | None:
    """A zero near a point whose last coordinate is kappa, and balls that hold it; None where none is proved."""
    w = list(start)
    for _ in range(STEPS):
        value, slopes = system(w)
        solved = approximate_solution(arb_mat(slopes), arb_mat(len(w), 1, value))
        if solved is None:
            return None
        moves = solved.entries()
        longest = max(max(float(abs(s)) for s in moves[:-1]), float(abs(moves[-1] / w[-1])))
        if not longest < 1e3:
            return None
        share = arb(min(1.0, LONGEST_STEP / longest)) if longest else arb(1)
        w = [(a - share * s).mid() for a, s in zip(w, moves, strict=True)]
        if not w[-1] > 0 or max(float(abs(a)) for a in w[:-1]) > 1e3:
            return None
        if longest < 2.0**-200:
            break
    else:
        return None
    value, slopes = system(w)
    inverse = approximate_inverse(arb_mat(slopes))
    if inverse is None:
        return None
    rest = identity(len(w)) - inverse * arb_mat(system([arb(a, RADIUS) for a in w])[1])
    moved = rest * arb_mat(len(w), 1, [arb(0, RADIUS)] * len(w)) - inverse * arb_mat(len(w), 1, value)
    if not all(bool(abs(x) < RADIUS) for x in moved.entries()):
        return None
    return w, [a + x for a, x in zip(w, moved.entries(), strict=True)]
