"""What was found out about a list as a whole: how it was searched, whether its classes differ, whether it is complete.

These are the answers on which an `Account` rests. They are stored like all others, under the name of their question.
"""

from __future__ import annotations

from typing import Any

import msgspec

from symland.records import FloatArray, Verdict

__all__ = [
    "Audit",
    "Completeness",
    "Distinctness",
    "Enumeration",
    "Evidence",
    "Families",
    "Family",
    "FlatDirection",
    "IndexEstimate",
    "PairLeft",
    "Piece",
    "RunawayLevel",
]


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
    given : int
        Classes that a given start reached, such as a point of a narrower network; the estimates are of the others.
    holes : tuple of str
        What topology shows to be missing from the list, one phrase each.
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
    given: int = 0
    holes: tuple[str, ...] = ()


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
    undecided, boxes : int
        Tables of boxes that are open; boxes of margins and node states that were examined.
    share : float
        Of the search tree that is closed.
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
    share: float
    seconds: float
    digest: str
    audit: Audit | None = None
    inconsistent: tuple[int, ...] = ()
    unlisted: int = 0


class FlatDirection(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A direction along which a family goes on.

    Attributes
    ----------
    origin : str
        The theorem that explains it, "gauge", or "unexplained".
    what : str
        In words.
    direction : (P,) unit vector
    """

    origin: str
    what: str
    direction: FloatArray


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a family on which index and nullity do not change.

    Attributes
    ----------
    dimension : int
        The nullity, at the point and at all that were reached from it.
    index : int
        Negative eigenvalues across the family.
    walks : int
        Directions walked along, each to a stationary point of the same loss, index and nullity.
    """

    dimension: int
    index: int
    walks: int


class Family(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Stationary points that are no points: manifolds of them at one loss, stored once.

    Attributes
    ----------
    loss, gradient_norm : float
        At `theta`; the gradient with 320 bits.
    theta : (P,)
        A member at which index and nullity do not change.
    dimension, index : int
        Of the family around it; the dimension includes the `gauge`.
    gauge : int
        Directions that every point of the landscape has.
    directions : tuple of FlatDirection
        They span the null space at `theta`.
    pieces : tuple of Piece
        All kinds of members that were met, `theta`'s first.
    singular : int
        Sampled members at which the null space is larger than the manifold, such as where pieces meet.
    morse_bott : bool
        Whether all sampled members lie on one piece: the family is a non-degenerate critical manifold, as far as seen.
    found : int
        Searches that ended in it.
    """

    loss: float
    gradient_norm: float
    theta: FloatArray
    dimension: int
    index: int
    gauge: int
    directions: tuple[FlatDirection, ...]
    pieces: tuple[Piece, ...]
    singular: int
    morse_bott: bool
    found: int


class RunawayLevel(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Searches that ran away to infinity while the loss approached one limit: no stationary point.

    Attributes
    ----------
    limit : float
        What the loss tends to.
    loss, gradient_norm, norm : float
        Where the search stopped: |grad|_inf, and |theta|_2, the barrier beyond which it was not followed.
    theta : (P,)
    direction : (P,) unit vector
        In which it goes on.
    ray : tuple of (|theta|_2, loss, slope)
        Along it.
    monotone : Verdict
        CERTIFIED where the slope is proved not to vanish along the ray.
    radius : float or None
        Half edge of a cube around `theta` that is proved to hold no stationary point.
    found : int
        Searches that ended so.
    """

    limit: float
    loss: float
    gradient_norm: float
    norm: float
    theta: FloatArray
    direction: FloatArray
    ray: tuple[tuple[float, float, float], ...]
    monotone: Verdict
    radius: float | None
    found: int


class Families(msgspec.Struct, frozen=True, kw_only=True):
    """What the searches met besides isolated points.

    Attributes
    ----------
    families : tuple of Family, by loss
    runaways : tuple of RunawayLevel, by limit
    open : int
        Ends of searches of which neither was seen.
    gauge : int
        Null directions of every point, along which the loss does not change at all.
    """

    families: tuple[Family, ...] = ()
    runaways: tuple[RunawayLevel, ...] = ()
    open: int = 0
    gauge: int = 0


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The answers about a list as a whole, under the names of their questions; None where one was not asked."""

    completeness: Completeness | None = None
    distinctness: Distinctness | None = None
    enumeration: Enumeration | None = None
    families: Families | None = None

    @staticmethod
    def kinds() -> dict[str, Any]:
        """The type of each answer by name."""
        return {
            "completeness": Completeness,
            "distinctness": Distinctness,
            "enumeration": Enumeration,
            "families": Families,
        }
