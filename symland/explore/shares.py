"""How the work of a batch is shared out over the kinds of search: by what each kind has found so far.

Which kind finds the classes that are missing differs from landscape to landscape, and cannot be known before. By Good's
argument the classes that were drawn once tell: a kind that draws many of them is likely to draw a class that is unseen.
A class that was drawn t times counts t^{-2} for each draw, so that all classes that were drawn once or a few times have
a say and common ones none; classes that a given start reached have none either. The yield of a kind is that sum over
its draws, for each unit of work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from symland.explore.starts import Method, StartKind
from symland.records import FloatArray

__all__ = ["EVEN", "KINDS", "Kind", "counts", "shares"]

Kind = tuple[StartKind, Method]
"""Where a search begins, and what it follows."""

WORK: dict[Kind, float] = {
    (StartKind.RANDOM, Method.EIGENVECTORS): 1.7,
    (StartKind.RANDOM, Method.SQUARED_GRADIENT): 1.9,
    (StartKind.SYMMETRIC, Method.EIGENVECTORS): 0.4,
    (StartKind.DISPLACED, Method.EIGENVECTORS): 1.0,
    (StartKind.DISPLACED, Method.SQUARED_GRADIENT): 1.0,
    (StartKind.BETWEEN, Method.EIGENVECTORS): 1.3,
    (StartKind.BETWEEN, Method.SQUARED_GRADIENT): 1.1,
    (StartKind.ALONG, Method.TRAJECTORY): 8.0,
    (StartKind.ALONG_WITHIN, Method.TRAJECTORY): 8.0,
}
"""Time of a search of each kind, in that of a displaced one, as measured on XOR with four and five nodes. Constants,
since a batch must not depend on the speed of the machine that runs it."""

KINDS = tuple(WORK)
"""The kinds, in the order in which arrays hold them."""

EVEN = (1.0 / len(KINDS),) * len(KINDS)
"""The shares of work before anything is known."""

LEAST = 0.25
"""The part of the work that is shared out evenly, whatever was found."""

PRIOR = 200.0
"""Work after which the yield of a kind counts as much as the mean over all kinds."""


def shares(draws: NDArray[np.intp], begun: NDArray[np.intp], given: Sequence[bool]) -> tuple[float, ...]:
    """The share of each kind in the work to come.

    Parameters
    ----------
    draws : (kinds, classes)
        How often each kind found each class.
    begun : (kinds,)
        Searches of each kind.
    given : (classes,)
        Whether a given start reached the class.
    """
    tallies = draws.sum(axis=0)
    weight = np.where(np.array(given, dtype=bool), 0.0, np.maximum(tallies, 1).astype(float) ** -2)
    reward, work = draws @ weight, begun * np.array(list(WORK.values()))
    if not reward.any():
        return EVEN
    rate = (reward + PRIOR * reward.sum() / work.sum()) / (work + PRIOR)
    return tuple((LEAST / len(KINDS) + (1.0 - LEAST) * rate / rate.sum()).tolist())


def counts(share: Sequence[float], searches: int, possible: Sequence[bool]) -> dict[Kind, int]:
    """Searches of each kind that take the work of so many evenly shared ones.

    Kinds that are not possible leave theirs to the others.
    """
    part: FloatArray = np.where(possible, share, 0.0)
    cost = np.array(list(WORK.values()))
    work = searches / (EVEN / cost).sum()
    number = np.rint(work * part / part.sum() / cost).astype(int)
    return dict(zip(KINDS, number.tolist(), strict=True))
