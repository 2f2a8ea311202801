"""Distinct points, distinct orbits, and proved symmetries."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from symland.errors import CertificateError
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.decimals import parse_decimal
from symland.rigor.distinct import MATCH_SLACK, _slack, compare, distinct, fixed_by, symmetric_subspace
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import GroupElement, SymmetryGroup
from tests.rigor.points import xor, xor_points


@cache
def made(hidden: int = 1, penalty: str = "1e-2") -> tuple[Certificate, ...]:
    return tuple(certify(xor(hidden, penalty), theta) for theta in xor_points(hidden, penalty))


@cache
def group(hidden: int = 1) -> SymmetryGroup:
    return find_symmetry(xor(hidden, "1e-2"))


def test_the_same_list_twice_has_twice_the_certificates_and_not_twice_the_points() -> None:
    once, twice = distinct(made()), distinct(made() + made())
    assert (once.verdict, once.classes) == (Verdict.CERTIFIED, 7)
    assert (twice.verdict, twice.classes) == (Verdict.REFUTED, 7)
    assert [(c.first, c.second) for c in twice.exceptions] == [(k, k + 7) for k in range(7)]


def test_images_under_symmetries_are_the_same_up_to_symmetry_only() -> None:
    rng = np.random.default_rng(0)
    images = []
    for theta in xor_points(2, "1e-2"):
        moved = group(2).apply(group(2).random_element(rng), np.array(theta))
        images.append(certify(xor(2, "1e-2"), [float(t) for t in moved]))
    both = distinct(made(2) + tuple(images), group(2))
    assert both.verdict is Verdict.REFUTED
    assert both.classes == len(made(2))
    for exception in both.exceptions:
        assert exception.second == exception.first + len(made(2))
        element = exception.element
        assert element is not None
        carried = group(2).apply(element, np.array([float(t) for t in made(2)[exception.first].midpoint]))
        target = [float(t) for t in images[exception.first].midpoint]
        assert np.abs(carried - target).max() < 1e-9
    assert distinct(made(2), group(2)).verdict is Verdict.CERTIFIED


def test_copies_are_counted_by_proved_symmetries() -> None:
    # The reference counts for one node at 1e-2: nine labelled minima and eight saddles.
    proved = [symmetric_subspace(c, group()) for c in made()]
    assert all(s.verdict is Verdict.CERTIFIED for s in proved)
    copies = [sum(s.orbit_size for s, c in zip(proved, made(), strict=True) if c.index == k) for k in (0, 1)]
    assert copies == [9, 8]
    for symmetric, certificate in zip(proved, made(), strict=True):
        assert symmetric.order * symmetric.orbit_size == group().formal_order
        assert isinstance(symmetric.orbit_size, int)
        assert all(fixed_by(certificate, group(), g) is Verdict.CERTIFIED for g in symmetric.generators)


def test_a_symmetry_that_moves_the_point_is_refuted() -> None:
    minimum = max(made(), key=lambda c: symmetric_subspace(c, group()).orbit_size)
    rng = np.random.default_rng(1)
    point = np.array([float(t) for t in minimum.midpoint])
    for _ in range(10):
        element = group().random_element(rng)
        moved = np.abs(group().apply(element, point) - point).max() > 1e-6
        assert fixed_by(minimum, group(), element) is (Verdict.REFUTED if moved else Verdict.CERTIFIED)


def placed(shift: str, inner: str = "1e-3", outer: str = "2e-3", loss: tuple[str, str] = ("0", "1")) -> Certificate:
    """A certificate with given cubes around a point without symmetries, of which one weight is shifted."""
    weight = f"{float(Fraction('0.2') + Fraction(shift)):.9f}"
    some = made()[0]
    return replace(
        some,
        midpoint=("1", weight, "0.5", "0.7", "-0.3", "0.1", "0.9"),
        inclusion_radius=inner,
        uniqueness_radius=outer,
        claims=replace(some.claims, loss=loss),
    )


def test_points_are_the_same_distinct_or_open_by_the_distance_of_their_cubes() -> None:
    here = placed("0")
    for shift, verdict in (
        ("0.0009", Verdict.REFUTED),
        ("0.001", Verdict.REFUTED),  # just inside: distance + r = R
        ("0.0011", Verdict.UNDECIDED),
        ("0.002", Verdict.UNDECIDED),  # the small cubes touch
        ("0.0021", Verdict.CERTIFIED),
        ("-0.0021", Verdict.CERTIFIED),
    ):
        assert compare(here, placed(shift)).verdict is verdict, shift
        assert compare(placed(shift), here).verdict is verdict, shift
    # Either cube of uniqueness will do.
    assert compare(here, placed("0.0019", outer="3e-3")).verdict is Verdict.REFUTED
    assert compare(placed("0.0019", outer="3e-3"), here).verdict is Verdict.REFUTED
    # A point on the face of a cube of uniqueness is in it, whichever of the two cubes is the wide one.
    assert compare(here, placed("0.001", outer="1.5e-3")).verdict is Verdict.REFUTED
    assert compare(placed("0.001", outer="1.5e-3"), here).verdict is Verdict.REFUTED
    # Up to symmetry, that one symmetry carries the points apart proves nothing of the others.
    for shift, verdict in (("0.0009", Verdict.REFUTED), ("0.0021", Verdict.UNDECIDED), ("0.5", Verdict.CERTIFIED)):
        assert compare(here, placed(shift), group()).verdict is verdict
    assert compare(here, placed("0.5"), group()).element is None
    assert compare(here, placed("0.5")).element is None
    assert compare(here, placed("0.0009")).reason == "one point lies where the other is alone"
    assert compare(here, placed("0.0011")).reason == "the cubes are too near: refine the points to more digits"


def test_a_certificate_with_one_of_its_cubes_decides_nothing() -> None:
    here = placed("0")
    half = replace(here, uniqueness_radius=None, claims=replace(here.claims, uniqueness=Verdict.UNDECIDED))
    assert compare(here, half).verdict is Verdict.UNDECIDED
    assert fixed_by(half, group(), group().identity) is Verdict.UNDECIDED


def test_the_slack_of_the_matching_covers_both_cubes() -> None:
    for radius in ("1", "1e-3", "0.25"):
        assert 4 * float(radius) <= _slack(parse_decimal(radius)) < 4.5 * float(radius)
    assert _slack(parse_decimal("1e-30")) == MATCH_SLACK
    # A symmetry that carries one cube into the other is found however wide the cubes are.
    wide = symmetric_subspace(placed("0.79", inner="0.01", outer="0.05"), group())
    assert (wide.verdict, wide.order) == (Verdict.CERTIFIED, 2)


def test_only_disjoint_bounds_of_the_loss_tell_points_apart() -> None:
    for other, verdict in (
        (("1.5", "2"), Verdict.CERTIFIED),
        (("1", "2"), Verdict.REFUTED),
        (("-1", "0"), Verdict.REFUTED),
        (("-2", "-0.5"), Verdict.CERTIFIED),
        (("0.2", "0.3"), Verdict.REFUTED),
    ):
        pair = (placed("0"), placed("0", loss=other))
        assert compare(*pair).verdict is verdict
        assert compare(*reversed(pair)).verdict is verdict
        assert distinct(pair).verdict is verdict
        assert distinct(tuple(reversed(pair)), group()).classes == (2 if verdict is Verdict.CERTIFIED else 1)


def test_losses_of_which_one_is_not_known_tell_nothing() -> None:
    here, same = placed("0"), placed("0.0005", loss=("2", "3"))
    lost = replace(same, claims=replace(same.claims, loss=None))
    assert compare(here, same).verdict is Verdict.CERTIFIED
    for pair in ((here, lost), (lost, here), (lost, lost)):
        assert compare(*pair).verdict is Verdict.REFUTED


def test_pairs_of_a_long_list_are_all_compared() -> None:
    losses = [("0", "9"), ("1", "2"), ("3", "4"), ("3.5", "5"), ("8", "10")]
    many = tuple(placed(str(k), loss=loss) for k, loss in enumerate(losses))
    assert distinct(many).verdict is Verdict.CERTIFIED
    same = (*many, placed("0", loss=("8.5", "20")), placed("4", loss=("8", "9")))
    found = distinct(same)
    assert [(c.first, c.second) for c in found.exceptions] == [(0, 5), (4, 6)]
    assert (found.verdict, found.classes) == (Verdict.REFUTED, 5)
    open_pair = distinct((*many, placed("0.0015", loss=("2", "3"))))
    assert (open_pair.verdict, open_pair.classes) == (Verdict.UNDECIDED, 6)
    unknown = certify(xor(1, "0"), [0.0] * 7)
    lost = tuple(replace(c, spec=unknown.spec) for c in many[:2])
    assert [(c.first, c.second) for c in distinct((lost[0], unknown, lost[1], unknown)).exceptions] == [
        (0, 1),
        (0, 3),
        (1, 2),
        (1, 3),
        (2, 3),
    ]


def test_a_symmetry_fixes_a_point_by_the_distance_of_its_cubes() -> None:
    # The swap of the inputs exchanges the two weights of the node.
    swap = next(g for g in (_element(n) for n in range(len(group().data_automorphisms))) if g != group().identity)
    for gap, verdict in (
        ("-0.8", Verdict.REFUTED),
        ("0.0009", Verdict.CERTIFIED),
        ("0.001", Verdict.CERTIFIED),
        ("0.0015", Verdict.UNDECIDED),
        ("0.002", Verdict.UNDECIDED),
        ("0.0021", Verdict.REFUTED),
    ):
        at = placed("0") if gap == "-0.8" else placed(str(Fraction(8, 10) + Fraction(gap)))
        assert fixed_by(at, group(), swap) is verdict, gap
    near = symmetric_subspace(placed(str(Fraction(8, 10) + Fraction("0.0015"))), group())
    assert (near.verdict, near.order) == (Verdict.UNDECIDED, 2)


def _element(number: int) -> GroupElement:
    return replace(group().identity, data=number)


def test_the_fixed_subspace_has_the_dimension_of_the_common_kernel() -> None:
    for certificate in (*made(), *made(2)[:6]):
        held = group(1 if len(certificate.midpoint) == 7 else 2)
        symmetric = symmetric_subspace(certificate, held)
        size = len(certificate.midpoint)
        moves = [np.array([held.apply(g, e) for e in np.eye(size)]).T - np.eye(size) for g in symmetric.generators]
        rank = np.linalg.matrix_rank(np.vstack(moves)) if moves else 0
        assert symmetric.dimension == size - rank


def test_nothing_is_said_without_cubes_or_across_landscapes() -> None:
    flat = certify(xor(1, "0"), [0.0] * 7)
    assert compare(flat, flat).verdict is Verdict.UNDECIDED
    assert fixed_by(flat, group(), group().identity) is Verdict.UNDECIDED
    assert distinct((flat, flat)).verdict is Verdict.UNDECIDED
    with pytest.raises(CertificateError):
        symmetric_subspace(flat, group())
    with pytest.raises(CertificateError):
        compare(made()[0], made(1, "1e-3")[0])
