"""Branches proved: the pieces of every curve glued to each other.

Two pieces are *glued* where the end of one curve lies in the tube of the other: there is only one stationary point, so
both curves are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb

from symland.families.pieces import Chain
from symland.program.balls import working_precision
from symland.rigor.tube import FINE_BITS, Amplitude, Proof

__all__ = ["Sheet", "Span", "Tube", "glue"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Span:
    """The part of a proved piece that a tube uses: from s to s, along the curve; balls."""

    proof: Proof
    enter: arb
    leave: arb


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """A part of a branch between two singular points: lambda is monotone and the index one number.

    Attributes
    ----------
    low, high : arb
        mu at its ends; balls.
    index : int
    parts : of (piece, s from, s to)
    """

    low: arb
    high: arb
    index: int
    parts: tuple[tuple[Proof, float, float], ...]

    def at(self, mu: float) -> list[arb] | None:
        """A box that holds theta of the sheet's one point at mu."""
        for proof, low, high in self.parts:
            ends = [float(proof.level(arb(s)).mid()) for s in (low, high)]
            if not min(ends) <= mu <= max(ends):
                continue
            place = _crossing(proof, low, high, mu)
            if place is not None:
                return proof.place(place)[0]
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Tube:
    """What is proved of one curve: runs of glued spans, and why it broke off between them."""

    runs: tuple[tuple[Span, ...], ...]
    gaps: tuple[str, ...]

    @property
    def pieces(self) -> int:
        """How many pieces it has."""
        return sum(len(run) for run in self.runs)

    def sheets(self) -> list[Sheet]:
        """Its sheets."""
        return [sheet for run in self.runs for sheet in _sheets(run)]


def _crossing(proof: Proof, low: float, high: float, mu: float) -> arb | None:
    """A ball of s in which the curve reaches mu: its levels at the ends of the ball are on both sides."""
    a, b = min(low, high), max(low, high)
    rising = float(proof.level(arb(b)).mid()) > float(proof.level(arb(a)).mid())
    for _ in range(200):
        middle = 0.5 * (a + b)
        if not a < middle < b:
            break
        level = proof.level(arb(middle))
        if level < mu or level > mu:
            if bool(level < mu) == rising:
                a = middle
            else:
                b = middle
        else:
            break
    first, last = proof.level(arb(a)), proof.level(arb(b))
    sure = (first <= mu and last >= mu) if rising else (first >= mu and last <= mu)
    return arb(0.5 * (a + b), 0.5 * (b - a)) if sure else None


def glue(chain: Chain) -> Tube:
    """Runs of pieces, each glued to the next; a piece in the amplitude is run from its branch point, or to it."""
    gaps = list(chain.gaps)
    runs: list[tuple[Span, ...]] = []
    run: list[Span] = []

    def close() -> None:
        if run:
            runs.append(tuple(run))
            run.clear()

    with working_precision(FINE_BITS):
        for link in chain.links:
            if link is None:
                close()
                continue
            proof, to_point = link.proof, link.to_point
            amplitude = isinstance(proof.piece.chart, Amplitude)
            start = arb(1) if to_point else arb(0) if amplitude else arb(-1)
            end = arb(0) if to_point else arb(1)
            if run:
                before = run[-1].proof
                if to_point:
                    met = before.locate(*proof.place(arb(1)))
                    leave = met
                else:
                    met = proof.locate(*before.place(arb(1)))
                    leave, start = arb(1), met if met is not None else start
                    if met is None and not amplitude:
                        leave = met = before.locate(*proof.place(arb(-1)))
                if met is None:
                    gaps.append("two pieces are not glued")
                    close()
                else:
                    assert leave is not None
                    run[-1] = Span(proof=before, enter=run[-1].enter, leave=leave)
            run.append(Span(proof=proof, enter=start, leave=end))
        close()
    return Tube(runs=tuple(runs), gaps=tuple(gaps))


def _sheets(run: Sequence[Span]) -> list[Sheet]:
    """The parts of a run between singular points."""
    found: list[Sheet] = []
    parts: list[tuple[Proof, float, float]] = []
    index, rising, left = 0, True, False

    def close() -> None:
        if not parts:
            return
        with working_precision(FINE_BITS):
            first, last = parts[0], parts[-1]
            ends = [first[0].level(arb(first[1])), last[0].level(arb(last[2]))]
        low, high = ends if rising else ends[::-1]
        if low < high:
            found.append(Sheet(low=low, high=high, index=index, parts=tuple(parts)))
        parts.clear()

    for span in run:
        forward = bool(span.leave > span.enter)
        low, high = (span.enter, span.leave) if forward else (span.leave, span.enter)
        segments = span.proof.segments if forward else span.proof.segments[::-1]
        first = True
        for segment in segments:
            holds = [bool(x >= segment.low) and bool(x <= segment.high) for x in (span.enter, span.leave)]
            a, b = max(segment.low, float(low.mid())), min(segment.high, float(high.mid()))
            if not a < b:
                continue
            upward = segment.rising == forward
            # Only where the pieces meet does one segment go on in the next: elsewhere a singular point is between.
            if not (first and left and holds[0] and (index, rising) == (segment.index, upward)):
                close()
            index, rising, first, left = segment.index, upward, False, holds[1]
            parts.append((span.proof, a, b) if forward else (span.proof, b, a))
    close()
    return found
