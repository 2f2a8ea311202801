"""Around a pitchfork there are as many stationary points as its region says, and a wrong one is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import count

import mpmath
import numpy as np
import pytest
from scipy.optimize import root

from symland.errors import CertificateError
from symland.records import Verdict
from symland.rigor.enumeration.kept import Piece, Slab, Work
from symland.rigor.enumeration.pitchfork_region import (
    Mirror,
    Pitchfork,
    agrees,
    find_pitchforks,
    pitchfork_region,
)
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.rigor.enumeration.ranges import RangeResult, enumerate_range
from symland.rigor.enumeration.regions import Kind, Region, find_fold, penalty_text
from symland.rigor.enumeration.stretches import stretches_of
from symland.spec import builtin
from tests.rigor.ranges_by_hand import PAIR

DEAD = 0.03342818220285497
"""A node is born here in a network of two nodes, inputs -1 and 1: `follow`, by other equations."""


@cache
def pair() -> ReducedProblem:
    return reduced_problem(PAIR)


@cache
def simple() -> Pitchfork:
    return next(find_pitchforks(pair().at(Fraction("0.35")), np.zeros(4)))


@cache
def proved() -> RangeResult:
    clock = count()
    return enumerate_range(PAIR, Fraction("0.349"), Fraction("0.358"), clock=lambda: float(next(clock)))


def around(event: Pitchfork, problem: ReducedProblem, width: float) -> ReducedProblem:
    star = Fraction(float(event.penalty))
    return problem.slab(star * (1 - Fraction(width)), star * (1 + Fraction(width)))


@cache
def two() -> ReducedProblem:
    return reduced_problem(builtin("xor-pm").with_(hidden=(2,), penalty="0.03"))


@cache
def born() -> Pitchfork:
    near = np.array([-0.3754, 0.3754, -0.4336, 0.4715, 0.0, 0.0, 0.0, 0.0, 0.1393])
    found = find_pitchforks(two().at(Fraction(DEAD)), near)
    return next(e for e in found if abs(float(e.penalty) / DEAD - 1) < 1e-9)


@cache
def newborn() -> Region:
    region = pitchfork_region(around(born(), two(), 0.002), born())
    assert region is not None
    return region


def equations(problem: ReducedProblem, z: np.ndarray, penalty: float) -> np.ndarray:
    """The node equations, written out."""
    x, s, m = np.array(problem.design), np.array(problem.labels), len(problem.design[0])
    nodes = z[:-1].reshape(-1, m + 1)
    h = np.tanh(x @ nodes[:, :m].T)
    pull = s / (len(x) * penalty * (1 + np.exp(s * (h @ nodes[:, m] + z[-1]))))
    rows = [[*(2 * n[:m] - n[m] * (pull * (1 - t**2)) @ x), n[m] - pull @ t] for n, t in zip(nodes, h.T, strict=True)]
    return np.array([*np.ravel(rows), z[-1] - pull.sum()])


def inside(problem: ReducedProblem, region: Region, penalty: float) -> list[np.ndarray]:
    """Zeros in a region, by SciPy."""
    found = list[np.ndarray]()
    for x in np.linspace(-0.95, 0.95, 13):
        answer = root(
            lambda z: equations(problem, z, penalty),
            region.centre + x * region.reach[0] * region.frame[:, 0],
            options={"xtol": 1e-14},
        )
        there = (np.abs(np.linalg.solve(region.frame, answer.x - region.centre)) < region.reach).all()
        if np.abs(equations(problem, answer.x, penalty)).max() < 1e-11 and there:
            found += [answer.x] if all(np.abs(answer.x - z).max() > 1e-6 for z in found) else []
    return found


def test_a_pitchfork_with_a_closed_form_is_found_to_fifty_digits() -> None:
    text, digits = penalty_text(simple(), 50)
    assert digits == 50
    with mpmath.workdps(60):
        assert abs(mpmath.mpf(text) - mpmath.mpf(2) ** mpmath.mpf("-1.5")) < mpmath.mpf("1e-49")
    assert simple().kind is Kind.PITCHFORK
    assert not simple().z.any()
    # The equations of a fold are singular there.
    assert find_fold(pair().at(Fraction("0.3535")), [0.0] * 4) is None


@pytest.mark.parametrize(("share", "number"), [(-0.95, 3), (-0.3, 3), (0.3, 1), (0.95, 1)])
def test_below_the_closed_form_there_are_a_branch_and_its_pair_and_above_it_the_branch(
    share: float, number: int
) -> None:
    region = pitchfork_region(around(simple(), pair(), 0.002), simple())
    assert region is not None
    assert (region.index, region.pair, region.opens_down, region.copies) == (0, 0, True, 1)
    found = inside(pair(), region, 2**-1.5 * (1 + 0.002 * share))
    assert len(found) == number


@pytest.mark.parametrize(("share", "number"), [(-0.9, 1), (-0.3, 1), (0.3, 3), (0.9, 3)])
def test_a_node_is_born_above_its_penalty_where_the_branch_has_the_lower_index(share: float, number: int) -> None:
    region = newborn()
    assert (region.index, region.pair, region.opens_down, region.copies) == (1, 1, False, 16)
    penalty = DEAD * (1 + 0.002 * share)
    found = inside(two(), region, penalty)
    assert len(found) == number
    for z in found:
        step = 1e-6 * np.eye(9)
        columns = [(equations(two(), z + s, penalty) - equations(two(), z - s, penalty)) / 2e-6 for s in step]
        negative = (np.linalg.eigvals(np.array(columns)).real < 0).sum()
        assert negative == (2 if number == 3 and not z[4:8].round(9).any() else 1)


def test_no_region_of_a_planted_wrong_pitchfork_is_proved() -> None:
    slab = around(simple(), pair(), 0.002)
    even, odd = simple().mirror.parted()
    assert pitchfork_region(slab, simple()) is not None
    # Beside its place; outside of the slab; with a symmetry that does not turn the direction round.
    moved = simple().z + 0.05 * np.array(even[0]) if even else simple().z + 0.05 * np.array(odd[0])
    assert pitchfork_region(slab, replace(simple(), z=moved)) is None
    assert pitchfork_region(pair().slab(Fraction("0.354"), Fraction("0.355")), simple()) is None
    same = Mirror(places=tuple(range(4)), signs=(1, 1, 1, 1))
    assert pitchfork_region(slab, replace(simple(), mirror=same)) is None
    other = np.array(odd[-1], dtype=float)
    other = other - other @ simple().null * simple().null
    assert pitchfork_region(slab, replace(simple(), null=other / np.linalg.norm(other))) is None


def test_a_range_with_a_pitchfork_is_proved_from_end_to_end() -> None:
    result = proved()
    assert result.verdict is Verdict.CERTIFIED
    above, below = result.stretches
    assert (above.counts, above.copies) == ((1,), (1,))
    assert (below.counts, below.copies) == ((1, 1), (2, 1))
    assert above.low is below.high
    assert isinstance(above.low, Pitchfork)
    # Newton's method in float64 from many starts, at random penalties.
    rng = np.random.default_rng(0)
    for penalty in rng.uniform(0.349, 0.358, size=8):
        points = list[np.ndarray]()
        for start in rng.normal(size=(30, 4)):
            answer = root(lambda z, p=penalty: equations(pair(), z, p), start)
            if np.abs(equations(pair(), answer.x, penalty)).max() < 1e-11:
                points += [answer.x] if all(np.abs(answer.x - z).max() > 1e-5 for z in points) else []
        # A node and its flip are two labelled copies of one point.
        assert len(points) == (3 if penalty < 2**-1.5 else 1)


def test_counts_beside_a_pitchfork_that_do_not_differ_by_its_points_are_refused() -> None:
    result = proved()
    at = next(k for k, s in enumerate(result.slabs) if s.fold is not None)
    fork, below = result.slabs[at], result.slabs[at + 1]
    lacking = replace(below, regions=tuple(r for r in below.regions if r.index == 1))
    with pytest.raises(CertificateError, match="pitchfork"):
        stretches_of([*result.slabs[: at + 1], lacking], None, None)
    assert agrees(fork.regions, ((1,), (1,)), ((1, 1), (2, 1)))
    assert not agrees(fork.regions, ((1,), (1,)), ((2, 1), (2, 1)))
    assert not agrees(fork.regions, ((1,), (1,)), ((1, 1), (4, 3)))
    assert not agrees(fork.regions, ((1, 1), (2, 1)), ((1,), (1,)))


def test_a_state_keeps_a_pitchfork_and_what_its_region_says() -> None:
    slab = around(simple(), pair(), 0.002)
    region = pitchfork_region(slab, simple())
    assert region is not None
    piece = Piece(slab.penalty, slab.highest, [], fold=simple(), regions=(region,))
    whole = Slab(low=slab.penalty, high=slab.highest, regions=(region,), fold=simple(), boxes=1)
    again = Work.restored(pair(), Work(stack=[piece], slabs=[whole]).saved())
    kept = again.slabs[0]
    assert kept.fold is not None
    assert kept.fold.kind is Kind.PITCHFORK
    assert kept.fold.penalty.overlaps(simple().penalty)
    assert kept.regions[0].pair == region.pair
