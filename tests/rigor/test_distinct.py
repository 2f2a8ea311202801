"""Distinct points, distinct orbits, and proved symmetries."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from symland.errors import CertificateError
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.distinct import compare, distinct, fixed_by, symmetric_subspace
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import SymmetryGroup
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
        assert all(fixed_by(certificate, group(), g) is Verdict.CERTIFIED for g in symmetric.generators)


def test_a_symmetry_that_moves_the_point_is_refuted() -> None:
    minimum = max(made(), key=lambda c: symmetric_subspace(c, group()).orbit_size)
    rng = np.random.default_rng(1)
    point = np.array([float(t) for t in minimum.midpoint])
    for _ in range(10):
        element = group().random_element(rng)
        moved = np.abs(group().apply(element, point) - point).max() > 1e-6
        assert fixed_by(minimum, group(), element) is (Verdict.REFUTED if moved else Verdict.CERTIFIED)


def test_nothing_is_said_without_cubes_or_across_landscapes() -> None:
    flat = certify(xor(1, "0"), [0.0] * 7)
    assert compare(flat, flat).verdict is Verdict.UNDECIDED
    assert fixed_by(flat, group(), group().identity) is Verdict.UNDECIDED
    assert distinct((flat, flat)).verdict is Verdict.UNDECIDED
    with pytest.raises(CertificateError):
        symmetric_subspace(flat, group())
    with pytest.raises(CertificateError):
        compare(made()[0], made(1, "1e-3")[0])
