"""Stretches of a range between events, and whether slabs join to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import final

from symland.errors import CertificateError
from symland.rigor.enumeration.kept import Slab
from symland.rigor.enumeration.pitchfork_region import Event, agrees

__all__ = ["Stretch", "covers", "stretches_of"]


@final
@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Between two events: classes and labelled copies by index, for every penalty in the open interval.

    ``low`` and ``high`` are exact or enclosures of an event; ``high`` is None where there is no upper end.
    """

    low: Fraction | Event
    high: Fraction | Event | None
    counts: tuple[int, ...]
    copies: tuple[int, ...]


def covers(slabs: Sequence[Slab], low: Fraction, top: Fraction) -> bool:
    """Whether slabs, from above, are closed intervals that join to [low, top], with none of a fold at an end."""
    if low >= top:
        return not slabs
    if not slabs or slabs[0].high != top or slabs[-1].low != low:
        return False
    if slabs[0].fold is not None or slabs[-1].fold is not None:
        return False
    return all(a.low == b.high and not (a.fold and b.fold) for a, b in pairwise(slabs))


def _by_index(slab: Slab) -> tuple[tuple[int, ...], tuple[int, ...]]:
    counts = [0] * (1 + max((r.index for r in slab.regions), default=0))
    copies = list(counts)
    for region in slab.regions:
        counts[region.index] += 1
        copies[region.index] += region.copies
    return tuple(counts), tuple(copies)


def stretches_of(slabs: Sequence[Slab], theorem: Fraction | None, high: Fraction | None) -> tuple[Stretch, ...]:
    """Slabs from above, joined where nothing happens between them.

    Raises
    ------
    CertificateError
        If the counts on the two sides of an event do not differ by its points, or change where there is none.
    """
    found: list[Stretch] = []
    if theorem is not None:
        found.append(Stretch(low=theorem, high=high, counts=(1,), copies=(1,)))
    pending: Slab | None = None
    for slab in slabs:
        last = found[-1] if found else None
        if slab.fold is not None:
            joined = last is not None and pending is None and last.low == slab.high
            if joined and last is not None:
                found[-1] = replace(last, low=slab.fold)
            pending = slab if joined else None
            continue
        counts, copies = _by_index(slab)
        if pending is not None and pending.low == slab.high and last is not None and pending.fold is not None:
            if not agrees(pending.regions, (last.counts, last.copies), (counts, copies)):
                raise CertificateError(
                    f"the counts beside a {pending.fold.kind.value} do not differ by its two points; "
                    "report the question"
                )
            found.append(Stretch(low=slab.low, high=pending.fold, counts=counts, copies=copies))
        elif last is not None and last.low == slab.high:
            if (last.counts, last.copies) != (counts, copies):
                raise CertificateError("the counts of two slabs with a common end differ; report the question")
            found[-1] = replace(last, low=slab.low)
        else:
            found.append(Stretch(low=slab.low, high=slab.high, counts=counts, copies=copies))
        pending = None
    return tuple(found)
