"""Which certificates are about different stationary points, and which points lie in symmetric subspaces.

A certificate has two cubes around its midpoint m: the small one, of radius r, holds the stationary point, and the
large one, of radius R, holds no other. A symmetry g permutes and reflects the axes, so it maps cubes to cubes and
stationary points to stationary points of the same loss. With exact rationals for midpoints and radii,

    |g m_a - m_b| > r_a + r_b          the points g theta_a and theta_b differ,
    |g m_a - m_b| + r_a <= R_b         g theta_a lies in the cube where theta_b is alone: they are the same.

For g = 1 the two lines compare points; for a = b the second one proves that g fixes the point. That no g at all comes
near is decided by an exhaustive matching of nodes in float64, whose slack is far above its rounding errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import sub

import numpy as np
from flint import fmpq

from symland.errors import CertificateError
from symland.records import FloatArray, Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.decimals import parse_decimal
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["Comparison", "Distinctness", "Symmetric", "compare", "distinct", "fixed_by", "symmetric_subspace"]

MATCH_SLACK = 1e-9
"""Least slack of the matching of nodes, in units of 1 + max |theta|; rounding errors stay below 1e-12 of that."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two certificates by number: CERTIFIED distinct, REFUTED (the same point or orbit), or UNDECIDED.

    `element` carries the first point to the second where they are the same up to symmetry.
    """

    first: int
    second: int
    verdict: Verdict
    reason: str
    element: GroupElement | None = None


@dataclass(frozen=True, kw_only=True)
class Distinctness:
    """All pairs of a list of certificates.

    Attributes
    ----------
    verdict : Verdict
        CERTIFIED when every pair is certified distinct; REFUTED when one is certified the same.
    classes : int
        Classes of certificates that were not proved the same.
    exceptions : tuple of Comparison
        The pairs that are not certified distinct.
    """

    verdict: Verdict
    classes: int
    exceptions: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Symmetric:
    """The symmetries of one stationary point.

    Attributes
    ----------
    verdict : Verdict
        CERTIFIED when each generator is proved to fix the point; then `order` and `orbit_size` are exact.
    generators : tuple of GroupElement
    order : int
        Elements of the formal group that fix the point.
    orbit_size : int
        Distinct labelled copies of the point.
    dimension : int
        Of the subspace that the generators fix, in which the point lies.
    """

    verdict: Verdict
    generators: tuple[GroupElement, ...]
    order: int
    orbit_size: int
    dimension: int


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cubes:
    midpoint: Sequence[fmpq]
    inner: fmpq
    outer: fmpq
    near: FloatArray


@lru_cache(maxsize=4096)
def _parsed(midpoint: tuple[str, ...], inner: str, outer: str) -> _Cubes:
    return _Cubes(
        midpoint=tuple(map(parse_decimal, midpoint)),
        inner=parse_decimal(inner),
        outer=parse_decimal(outer),
        near=np.array([float(t) for t in midpoint]),
    )


def _cubes(certificate: Certificate) -> _Cubes | None:
    if certificate.inclusion_radius is None or certificate.uniqueness_radius is None:
        return None
    return _parsed(certificate.midpoint, certificate.inclusion_radius, certificate.uniqueness_radius)


def _moved(midpoint: Sequence[fmpq], group: SymmetryGroup, element: GroupElement) -> list[fmpq]:
    """g m."""
    places, signs = group.signed_permutation(element)
    moved = list(midpoint)
    for k, place in enumerate(places.tolist()):
        moved[place] = int(signs[k]) * midpoint[k]
    return moved


def _distance(a: Sequence[fmpq], b: Sequence[fmpq]) -> fmpq:
    """|a - b|_inf."""
    return max(map(abs, map(sub, a, b)))


def _losses_differ(a: Certificate, b: Certificate) -> bool:
    if a.loss is None or b.loss is None:
        return False
    (low_a, high_a), (low_b, high_b) = (tuple(map(parse_decimal, loss)) for loss in (a.loss, b.loss))
    return bool(high_a < low_b or high_b < low_a)


def compare(
    a: Certificate, b: Certificate, group: SymmetryGroup | None = None, *, first: int = 0, second: int = 1
) -> Comparison:
    """Whether two certificates are about different stationary points, or different orbits of `group`.

    Raises
    ------
    CertificateError
        If they are about different specifications.
    """
    verdict, reason, element = _compared(a, b, group)
    return Comparison(first=first, second=second, verdict=verdict, reason=reason, element=element)


def _compared(a: Certificate, b: Certificate, group: SymmetryGroup | None) -> tuple[Verdict, str, GroupElement | None]:
    if a.spec.digest != b.spec.digest:
        raise CertificateError("the certificates are about different specifications; compare those of one landscape")
    one, two = _cubes(a), _cubes(b)
    if one is None or two is None:
        return Verdict.UNDECIDED, "a certificate has no cubes: its point is not certified", None
    if _losses_differ(a, b):
        return Verdict.CERTIFIED, "the bounds of the losses are disjoint", None
    element, moved = None, one.midpoint
    if group is not None:
        element = group.match(one.near, two.near, _slack(one.inner + two.inner))
        if element is None:
            return Verdict.CERTIFIED, "no symmetry carries one small cube near the other", None
        moved = _moved(one.midpoint, group, element)
    distance = _distance(moved, two.midpoint)
    if distance + one.inner <= two.outer or distance + two.inner <= one.outer:
        return Verdict.REFUTED, "one point lies where the other is alone", element
    if group is None and distance > one.inner + two.inner:
        return Verdict.CERTIFIED, "the small cubes are disjoint", None
    return Verdict.UNDECIDED, "the cubes are too near: refine the points to more digits", None


def _slack(radius: fmpq) -> float:
    """The tolerance, relative to 1 + max |theta|, with which a symmetry is matched that carries a cube near another.

    Four times the sum of their radii covers both cubes and their float centres.
    """
    return max(MATCH_SLACK, 4 * float(Fraction(int(radius.p), int(radius.q))))


def distinct(certificates: Sequence[Certificate], group: SymmetryGroup | None = None) -> Distinctness:
    """Compare all pairs; with a group, up to symmetry.

    The losses are sorted first, so that pairs with disjoint bounds are never listed.
    """
    root = list(range(len(certificates)))
    exceptions = []
    for i, j in _candidates(certificates):
        comparison = compare(certificates[i], certificates[j], group, first=i, second=j)
        if comparison.verdict is not Verdict.CERTIFIED:
            exceptions.append(comparison)
        if comparison.verdict is Verdict.REFUTED:
            root = [root[i] if r == root[j] else r for r in root]
    verdict = Verdict.CERTIFIED
    if exceptions:
        same = any(c.verdict is Verdict.REFUTED for c in exceptions)
        verdict = Verdict.REFUTED if same else Verdict.UNDECIDED
    exceptions.sort(key=lambda c: (c.first, c.second))
    return Distinctness(verdict=verdict, classes=len(set(root)), exceptions=tuple(exceptions))


def _candidates(certificates: Sequence[Certificate]) -> Iterator[tuple[int, int]]:
    """Pairs i < j whose losses are not known to differ."""
    bounded = sorted(
        (parse_decimal(c.loss[0]), parse_decimal(c.loss[1]), n)
        for n, c in enumerate(certificates)
        if c.loss is not None
    )
    active: list[tuple[fmpq, int]] = []
    for low, high, n in bounded:
        active = [(top, m) for top, m in active if top >= low]
        yield from ((min(m, n), max(m, n)) for _, m in active)
        active.append((high, n))
    for n, c in enumerate(certificates):
        if c.loss is None:
            yield from ((min(m, n), max(m, n)) for m, d in enumerate(certificates) if m > n or (d.loss and m != n))


def fixed_by(certificate: Certificate, group: SymmetryGroup, element: GroupElement) -> Verdict:
    """Whether a symmetry fixes the certified point."""
    cubes = _cubes(certificate)
    if cubes is None:
        return Verdict.UNDECIDED
    distance = _distance(_moved(cubes.midpoint, group, element), cubes.midpoint)
    if distance + cubes.inner <= cubes.outer:
        return Verdict.CERTIFIED
    return Verdict.REFUTED if distance > 2 * cubes.inner else Verdict.UNDECIDED


def symmetric_subspace(certificate: Certificate, group: SymmetryGroup) -> Symmetric:
    """The symmetries that fix the certified point, and the subspace that they fix.

    Raises
    ------
    CertificateError
        If the certificate has no cubes.
    """
    cubes = _cubes(certificate)
    if cubes is None:
        raise CertificateError("the certificate has no cubes; certify the point first")
    order, generators = group.stabiliser(cubes.near, _slack(cubes.inner + cubes.inner))
    answers = [fixed_by(certificate, group, g) for g in generators]
    return Symmetric(
        verdict=Verdict.CERTIFIED if all(v is Verdict.CERTIFIED for v in answers) else Verdict.UNDECIDED,
        generators=generators,
        order=order,
        orbit_size=group.formal_order // order,
        dimension=group.fixed_space(generators).shape[1],
    )
