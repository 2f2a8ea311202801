"""What was found out about a list as a whole: how it was searched, whether its classes differ, whether it is complete.

These are the answers on which an `Account` rests. They are stored like all others, under the name of their question.
"""

from __future__ import annotations

from typing import Any

import msgspec

from symland.records import Verdict

__all__ = ["Audit", "Completeness", "Distinctness", "Enumeration", "Evidence", "IndexEstimate", "PairLeft"]


class IndexEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """Classes of one index: seen, draws, coverage, and (low, estimate, high) of Chao's interval; None is unbounded."""

    observed: int
    draws: int
    coverage: float
    estimate: tuple[float | None, float | None, float | None]


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """How a list was searched for, and what the searches say about classes that were not seen.

    Attributes
    ----------
    searches, converged, last_new : int
        Searches made; those that ended at a stationary point; those made when the newest class was filed.
    rules : str
        The stop rules, and whether they were `satisfied`.
    coverage : float
        Good and Turing's estimate of the probability that the next draw is of a seen class.
    estimate : (low, estimate, high)
        Chao's estimate of the number of classes; None is unbounded.
    by_index : tuple of IndexEstimate
    curve : tuple of (searches, classes by index)
    """

    searches: int
    converged: int
    last_new: int
    rules: str
    satisfied: bool
    morse_sum: int
    degenerate: int
    inequalities: tuple[Verdict, ...]
    coverage: float
    estimate: tuple[float | None, float | None, float | None]
    by_index: tuple[IndexEstimate, ...]
    curve: tuple[tuple[int, tuple[int, ...]], ...]


class PairLeft(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Two classes that are not certified to differ."""

    first: int
    second: int
    verdict: Verdict
    reason: str


class Distinctness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all pairs of certified classes are proved to be different stationary points up to symmetry."""

    verdict: Verdict
    exceptions: tuple[PairLeft, ...] = ()


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What the independent checker proved again of an enumeration.

    Attributes
    ----------
    verdict : Verdict
        CERTIFIED: every leaf that it looked at was proved again, whole. REFUTED: it proved a point that the list lacks,
        or found the certificate wrong.
    sampled, proved, leaves : int
        Leaves looked at, those proved again, and all.
    seed : str
        What picked the leaves, with the certificate's digest; empty where all were looked at.
    reason : str
        One line.
    """

    verdict: Verdict
    sampled: int
    proved: int
    leaves: int = 0
    seed: str = ""
    reason: str = ""


class Enumeration(msgspec.Struct, frozen=True, kw_only=True):
    """A proof that a list is complete, or how far it is.

    Attributes
    ----------
    verdict : Verdict
        CERTIFIED: there are no other stationary points up to symmetry.
    by : str
        "boxes", or the name of the theorem.
    classes : int
        Proved and pairwise different classes.
    unproved : tuple of int
        Classes of the list that were not proved.
    undecided, boxes, node_boxes : int
    share : float
        Of the first box that is closed.
    seconds : float
    digest : str
        Of question, list and log.
    audit : Audit or None
    inconsistent : tuple of int
        Known classes that a finished search never met: it proves nothing then.
    unlisted : int
        Proved stationary points that the list lacks.
    """

    verdict: Verdict
    by: str
    classes: int
    unproved: tuple[int, ...]
    undecided: int
    boxes: int
    node_boxes: int
    share: float
    seconds: float
    digest: str
    audit: Audit | None = None
    inconsistent: tuple[int, ...] = ()
    unlisted: int = 0


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The answers about a list as a whole, under the names of their questions; None where one was not asked."""

    completeness: Completeness | None = None
    distinctness: Distinctness | None = None
    enumeration: Enumeration | None = None

    @staticmethod
    def kinds() -> dict[str, Any]:
        """The type of each answer by name."""
        return {"completeness": Completeness, "distinctness": Distinctness, "enumeration": Enumeration}
