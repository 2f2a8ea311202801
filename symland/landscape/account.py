"""What may be said of a list of stationary points: the one owner of every count and of every claim about the whole.

For lambda > 0 on every parameter the loss is coercive. If no stationary point is degenerate, Morse theory says of *all*
of them, labelled copies included: sum (-1)^index = 1, and sum_{i <= k} (-1)^{k - i} c_i >= (-1)^k for each k, with c_i
copies of index i (Milnor, Morse Theory, section 5; Betti numbers 1, 0, 0, ...). A list that breaks one is not complete.
Keeping them proves nothing.

A family that is a non-degenerate (Morse-Bott) critical manifold enters the sum with its Euler characteristic. Where the
loss is coercive it is compact, and that of a compact manifold of odd dimension, such as a circle, is 0 (Bott, Ann. of
Math. 60, 248 (1954)): the sum over the isolated points is 1 still. The inequalities count families, and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from symland.records import Outcome, StationaryPoint, Verdict

if TYPE_CHECKING:
    from symland.landscape.evidence import Evidence, Families
    from symland.rigor.certificate import Certificate
    from symland.spec import LandscapeSpec

__all__ = ["Account", "Counts", "Standing"]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Classes and labelled copies by index 0, 1, ..., the largest that occurs, and what topology says of them.

    Attributes
    ----------
    classes, copies : tuple of int
        By index.
    degenerate : int
        Classes whose Hessian is singular along more than the gauge directions, which every point has.
    families, runaways : int
        Manifolds of stationary points, and ways to infinity; neither are classes.
    unbalanced : int
        Families that are no non-degenerate manifolds of odd dimension: what they add to the Morse sum is not known.
    coercive : bool
        Whether the loss grows to infinity with theta.
    partial : str
        Why the list is known to lack classes; empty where it may be complete.
    """

    classes: tuple[int, ...]
    copies: tuple[int, ...]
    degenerate: int
    coercive: bool
    partial: str = ""
    families: int = 0
    runaways: int = 0
    unbalanced: int = 0

    @classmethod
    def of(
        cls,
        points: Sequence[StationaryPoint],
        coercive: bool = True,
        partial: str = "",
        others: Families | None = None,
    ) -> Counts:
        """The counts of a list of classes."""
        top = 1 + max((p.index for p in points), default=-1)
        return cls(
            classes=tuple(sum(p.index == k for p in points) for k in range(top)),
            copies=tuple(sum(p.orbit_size for p in points if p.index == k) for k in range(top)),
            degenerate=sum(p.outcome is Outcome.DEGENERATE for p in points),
            coercive=coercive,
            partial=partial,
            families=0 if others is None else len(others.families),
            runaways=0 if others is None else len(others.runaways),
            unbalanced=0 if others is None else sum(not (f.morse_bott and f.dimension % 2) for f in others.families),
        )

    @property
    def total(self) -> int:
        """Classes of all indices."""
        return sum(self.classes)

    @property
    def morse_sum(self) -> int:
        """The sum of (-1)^index over all labelled copies."""
        return sum((-1) ** k * count for k, count in enumerate(self.copies))

    @property
    def inequalities(self) -> tuple[Verdict, ...]:
        """For each index: REFUTED where its Morse inequality fails, else UNDECIDED."""
        verdicts, alternating = [], 0
        for k, count in enumerate(self.copies):
            alternating = count - alternating
            verdicts.append(Verdict.UNDECIDED if alternating >= (-1) ** k else Verdict.REFUTED)
        return tuple(verdicts)

    @property
    def holes(self) -> tuple[str, ...]:
        """What topology shows to be missing, one phrase each; empty where it shows nothing, or is no test.

        What is found exists. So a sum that is too large lacks copies of odd index, and an inequality that fails for k
        lacks copies of the indices k, k - 2, ...: at least as many as it is short of. That of the highest index says
        no more than the sum.
        """
        if self.morse is not Verdict.REFUTED:
            return ()
        found, alternating, excess = list[str](), 0, self.morse_sum - 1
        if excess:
            index = "odd" if excess > 0 else "even"
            found.append(f"{_missing(abs(excess))} of {index} index (the Morse sum is {self.morse_sum} and must be 1)")
        for k, count in enumerate(self.copies[:-1] if not self.families else ()):
            alternating = count - alternating
            short = (-1) ** k - alternating
            if short > 0:
                index = ", ".join(map(str, range(k, -1, -2)))
                found.append(f"{_missing(short)} of index {index} (a Morse inequality fails)")
        return tuple(found)

    @property
    def no_test(self) -> str | None:
        """Why the Morse sum of a complete list need not be 1; None where it must."""
        if self.partial:
            return self.partial
        if not self.coercive:
            return "the penalty does not make the loss grow in every direction"
        if self.unbalanced:
            return "families of stationary points enter it with their Euler characteristics, which are not known"
        if self.degenerate:
            return "points with a singular Hessian have no index"
        return None

    @property
    def morse(self) -> Verdict:
        """REFUTED where the sum or an inequality shows that points are missing; a list is never certified by them."""
        if self.no_test is not None or not self.total:
            return Verdict.UNDECIDED
        kept = self.morse_sum == 1
        kept = kept and (bool(self.families) or all(v is not Verdict.REFUTED for v in self.inequalities))
        return Verdict.UNDECIDED if kept else Verdict.REFUTED


def _missing(count: int) -> str:
    return f"at least {count} missing cop{'y' if count == 1 else 'ies'}"


class Standing(Enum):
    """How much is known of a list; the value is the wording, with n for the classes found and m for those certified."""

    COMPLETE = "exactly {n} (proved complete)"
    DISTINCT = "at least {n} (certified, distinct)"
    FOUND = "{n} found, {m} certified"


@dataclass(frozen=True, kw_only=True)
class Account:
    """What is known of the list of a landscape.

    Attributes
    ----------
    counts : Counts
    certified : tuple of bool
        For each class: existence, uniqueness and index are certified, the index being the one that the spectrum showed.
    distinct : Verdict
        Whether no two classes are copies of one another.
    complete : Verdict
        CERTIFIED where a proof says that there are no others; REFUTED where the list fails the Morse test.
    """

    counts: Counts
    certified: tuple[bool, ...]
    distinct: Verdict
    complete: Verdict

    @classmethod
    def of(
        cls,
        spec: LandscapeSpec,
        points: Sequence[StationaryPoint],
        certificates: Mapping[int, Certificate],
        evidence: Evidence,
        partial: str = "",
    ) -> Account:
        """The account of a list, its certificates, and what was asked of the whole list."""
        counts = Counts.of(points, spec.coercive, partial, evidence.families)
        proof = evidence.enumeration
        complete = Verdict.UNDECIDED if proof is None else proof.verdict
        return cls(
            counts=counts,
            certified=tuple(_certified(p, certificates.get(n)) for n, p in enumerate(points)),
            distinct=Verdict.UNDECIDED if evidence.distinctness is None else evidence.distinctness.verdict,
            complete=Verdict.REFUTED if counts.morse is Verdict.REFUTED else complete,
        )

    @property
    def standing(self) -> Standing:
        """Which of the three wordings the list has earned."""
        if self.complete is Verdict.CERTIFIED:
            return Standing.COMPLETE
        if (
            self.certified
            and self.complete is not Verdict.REFUTED
            and all(self.certified)
            and self.distinct is Verdict.CERTIFIED
        ):
            return Standing.DISTINCT
        return Standing.FOUND

    @property
    def wording(self) -> str:
        """How many classes there are, as far as is known: "exactly 7 (proved complete)"."""
        return self.standing.value.format(n=self.counts.total, m=sum(self.certified)) + self.besides

    @property
    def besides(self) -> str:
        """What was met that is no class: ", besides 1 family of stationary points and 2 ways to infinity"; or empty."""
        families, runaways = self.counts.families, self.counts.runaways
        parts = [f"{families} famil{'y' if families == 1 else 'ies'} of stationary points"] if families else []
        parts += [f"{runaways} way{'' if runaways == 1 else 's'} to infinity"] if runaways else []
        return f", besides {' and '.join(parts)}" if parts else ""


def _certified(point: StationaryPoint, certificate: Certificate | None) -> bool:
    if certificate is None:
        return False
    return certificate.verdict is Verdict.CERTIFIED and certificate.index == point.index
