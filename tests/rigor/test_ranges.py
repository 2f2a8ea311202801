"""The number of stationary points over an interval of penalties: regions hold what they say, and holes are seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.optimize import root

from symland.analysis import follow, penalties
from symland.analysis.answers import ask_into, read_answer
from symland.analysis.follow import Follow, Interval
from symland.analysis.penalties import Penalties, adopt
from symland.errors import CertificateError, SpecError
from symland.landscape.database import Database
from symland.pipeline import explore_into
from symland.records import Verdict
from symland.rigor.enumeration import atlas, ranges, slabs
from symland.rigor.enumeration.by_theorem import OriginAlone
from symland.rigor.enumeration.choice_program import choice_rows
from symland.rigor.enumeration.choices import first_choices
from symland.rigor.enumeration.kept import Piece, Slab, Work
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.rigor.enumeration.ranges import enumerate_range
from symland.rigor.enumeration.regions import (
    ORIGIN,
    Fold,
    Region,
    Regions,
    find_fold,
    fold_region,
    images,
    penalty_text,
    polish,
    tube_region,
)
from symland.rigor.enumeration.stretches import covers, stretches_of
from symland.rigor.enumeration.witnesses import WitnessLost
from symland.spec import builtin
from tests.rigor.faults import FAULTS
from tests.rigor.reduced import SIGN, XOR

FOLD = "0.0228433108016757"
"""Of one node and inputs 0 and 1, from another program in 50 digits."""
FOLD_OF_TWO = "0.0287995892174702"
"""The highest of two nodes, likewise."""


def equations(z: np.ndarray, penalty: float) -> np.ndarray:
    """The node equations of one node (U, v, gamma), written out."""
    u, v, bias = z[:3], z[3], z[4]
    h = np.tanh(XOR @ u)
    pull = SIGN / (4 * penalty * (1 + np.exp(SIGN * (v * h + bias))))
    return np.array([*(2 * u - v * (pull * (1 - h**2)) @ XOR), v - pull @ h, bias - pull.sum()])


@cache
def problem() -> ReducedProblem:
    return reduced_problem(builtin("xor").with_(hidden=(1,), penalty="0.0228"))


@cache
def fold() -> Fold:
    found = find_fold(problem().at(Fraction("0.022")), [1.3, 1.3, -0.5, 1.6, -0.3])
    starts = iter(np.random.default_rng(0).normal(size=(200, 5)))
    while found is None or not penalty_text(found, 15)[0].startswith(FOLD[:12]):
        z = root(equations, next(starts), args=(0.022,)).x
        found = find_fold(problem().at(Fraction("0.022")), z.tolist())
    return found


def around(width: str) -> ReducedProblem:
    star = Fraction(FOLD)
    return problem().slab(star * (1 - Fraction(width)), star * (1 + Fraction(width)))


@cache
def folded() -> Region:
    region = fold_region(around("0.001"), fold())
    assert region is not None
    return region


@cache
def sides() -> tuple[Region, ...]:
    """The two tubes a little below the fold, and the origin's."""
    slab = problem().slab(Fraction("0.02245"), Fraction("0.0225"))
    starts = [fold().z + side * 0.2 * fold().null for side in (1, -1)] + [np.zeros(5)]
    points = [polish(slab, z.tolist()) for z in starts]
    tubes = [tube_region(slab, z) for z in points if z is not None]
    assert len(tubes) == 3
    assert all(tube is not None for tube in tubes)
    return tuple(tube for tube in tubes if tube is not None)


def test_the_fold_of_one_node_has_the_digits_that_another_program_gives() -> None:
    text, digits = penalty_text(fold(), 30)
    assert digits == 30
    assert text.startswith(FOLD[:-1])
    # At the fold the equations and the determinant of their Jacobian vanish, by differences in 60 digits.
    with mpmath.workdps(40):
        penalty = mpmath.mpf(text)

        def field(*z: mpmath.mpf) -> list[mpmath.mpf]:
            heights = [mpmath.tanh(sum(x * u for x, u in zip(row, z[:3], strict=True))) for row in XOR.tolist()]
            pulls = [
                s / (4 * penalty * (1 + mpmath.exp(s * (z[3] * h + z[4])))) for s, h in zip(SIGN, heights, strict=True)
            ]
            turned = [
                2 * z[k] - z[3] * sum(p * (1 - h * h) * row[k] for p, h, row in zip(pulls, heights, XOR, strict=True))
                for k in range(3)
            ]
            last = z[3] - sum(p * h for p, h in zip(pulls, heights, strict=True))
            return [*turned, last, z[4] - sum(pulls)]

        at = [mpmath.mpf(str(x.mid().str(40, radius=False))) for x in fold().ball]
        step = mpmath.mpf("1e-15")
        columns = []
        for k in range(5):
            up, down = list(at), list(at)
            up[k] += step
            down[k] -= step
            columns.append([(a - b) / (2 * step) for a, b in zip(field(*up), field(*down), strict=True)])
        assert max(abs(x) for x in field(*at)) < 1e-26
        assert abs(mpmath.det(mpmath.matrix(columns))) < 1e-20


@pytest.mark.parametrize(("share", "count"), [(-0.9, 2), (-0.3, 2), (0.3, 0), (0.9, 0)])
def test_the_region_of_a_fold_holds_two_points_below_and_none_above(share: float, count: int) -> None:
    penalty = float(FOLD) * (1 + 0.001 * share)
    region, found = folded(), list[np.ndarray]()
    for x in np.linspace(-1, 1, 9):
        answer = root(equations, region.centre + 0.1 * x * region.frame[:, 0], args=(penalty,), options={"xtol": 1e-14})
        inside = (np.abs(np.linalg.solve(region.frame, answer.x - region.centre)) < region.reach).all()
        if np.abs(equations(answer.x, penalty)).max() < 1e-11 and inside:
            found += [answer.x] if all(np.abs(answer.x - z).max() > 1e-5 for z in found) else []
    assert len(found) == count
    assert region.opens_down
    assert region.index == 0


def test_a_tube_holds_one_point_at_every_penalty_with_the_index_it_says() -> None:
    assert sorted((tube.index, tube.copies) for tube in sides()) == [(0, 1), (0, 2), (1, 2)]
    for tube in sides():
        for penalty in (0.02245, 0.02247, 0.0225):
            ends = []
            for start in np.random.default_rng(1).uniform(-1, 1, size=(12, 5)):
                answer = root(equations, tube.centre + 0.3 * tube.frame @ (start * tube.reach), args=(penalty,))
                if np.abs(equations(answer.x, penalty)).max() < 1e-10:
                    inside = (np.abs(np.linalg.solve(tube.frame, answer.x - tube.centre)) < tube.reach).all()
                    ends += [answer.x] if inside else []
            assert ends
            assert max(np.abs(z - ends[0]).max() for z in ends) < 1e-7
            step = 1e-6 * np.eye(5)
            columns = [(equations(ends[0] + s, penalty) - equations(ends[0] - s, penalty)) / 2e-6 for s in step]
            assert (np.linalg.eigvals(np.array(columns)).real < 0).sum() == tube.index


def test_no_tube_goes_through_a_fold_and_no_region_of_one_lacks_it() -> None:
    assert tube_region(around("0.001"), fold().z) is None
    beside = problem().slab(Fraction("0.0229"), Fraction("0.0230"))
    assert fold_region(beside, fold()) is None
    shifted = replace(fold(), z=fold().z + 0.05 * fold().null)
    assert fold_region(around("0.001"), shifted) is None


def _beside(slab: ReducedProblem, z: np.ndarray, room: float) -> np.ndarray:
    """Choices with margins near those of a point (U, v, gamma), or of its image in the fundamental domain."""
    table, nodes = first_choices(slab), z[:-1].reshape(-1, 4)
    margin = SIGN * (np.tanh(XOR @ nodes[:, :3].T) @ nodes[:, 3] + z[-1])
    # Of the samples 1 and 2 that the symmetry exchanges, 1 has the smaller margin.
    margin[1:3] = np.sort(margin[1:3])
    named = choice_rows(slab).read(table)
    named.low[:4] = np.maximum(named.low[:4], margin[:, None] - room)
    named.high[:4] = np.minimum(named.high[:4], margin[:, None] + room)
    return table


def test_the_search_over_a_slab_ends_in_the_region_of_the_fold_and_nowhere_without_it() -> None:
    slab = around("0.0004")
    region = fold_region(slab, fold())
    assert region is not None
    table = _beside(slab, fold().z, 0.5)
    run = slabs.run_through(slabs.search_over(slab, [region]), [table], lambda: 0.0, 1.0)
    assert not run.left
    assert not run.queue
    assert run.met - {ORIGIN} == {0}
    # A list that lacks it: the region stands beside its place.
    far = replace(region, centre=region.centre + 0.5 * region.frame[:, 1])
    ticks = count()
    again = slabs.run_through(slabs.search_over(slab, [far]), [table], lambda: next(ticks), 3)
    assert again.examined > run.examined
    assert again.left or again.queue


@pytest.mark.parametrize("fault", FAULTS)
def test_the_witnesses_end_a_search_over_a_slab_whose_step_is_wrong(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    slab = problem().slab(Fraction("0.02245"), Fraction("0.0225"))
    search = slabs.search_over(slab, sides())
    run = slabs.run_through(search, [first_choices(slab)], lambda: 0.0, 1.0)
    assert (run.left, run.queue) == ([], [])
    assert run.met == {0, 1, 2}
    fault(monkeypatch)
    with pytest.raises(WitnessLost, match="drops point"):
        slabs.run_through(search, [first_choices(slab)], lambda: 0.0, 1.0)


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_slab_is_not_closed_by_regions_that_lack_a_branch(lacking: int) -> None:
    slab = problem().slab(Fraction("0.02245"), Fraction("0.0225"))
    others = [tube for n, tube in enumerate(sides()) if n != lacking]
    ticks = count()
    run = slabs.run_through(slabs.search_over(slab, others), [first_choices(slab)], lambda: next(ticks), 3)
    assert run.left or run.queue


@pytest.mark.parametrize(
    ("low", "high", "boxes", "slabs"), [("0.03", "0.0475", 16448, 8), ("0.0222", "0.0234", 13070, 10)]
)
def test_a_range_needs_no_more_work_than_it_did(low: str, high: str, boxes: int, slabs: int) -> None:
    """The choices that are examined, and the slabs: a change for the better writes new counts here."""
    spec = builtin("xor").with_(hidden=(1,), penalty=low)
    result = enumerate_range(spec, Fraction(low), Fraction(high), clock=lambda: 0.0)
    assert result.verdict is Verdict.CERTIFIED
    assert result.boxes == pytest.approx(boxes, rel=0.05)
    assert len(result.slabs) == slabs


@cache
def two() -> tuple[ReducedProblem, Fold]:
    """Two nodes, inputs 0 and 1: the highest fold, within 0.0005 of it relative to its penalty."""
    star = Fraction(FOLD_OF_TWO)
    slab = reduced_problem(builtin("xor").with_(hidden=(2,), penalty="0.0288")).slab(
        star * (1 - Fraction("0.0005")), star * (1 + Fraction("0.0005"))
    )
    # The input swap keeps the point: it exchanges the nodes.
    starts, at = np.random.default_rng(3), slab.at(star)
    found = None
    while found is None or not penalty_text(found, 15)[0].startswith(FOLD_OF_TWO[:12]):
        found = find_fold(
            at, (np.array([-1.0, 0.8, -0.5, 1.3, 0.8, -1.0, -0.5, 1.3, 0.9]) + starts.normal(0, 0.05, 9)).tolist()
        )
    return slab, found


def test_the_region_of_the_highest_fold_of_two_nodes_is_long_enough_for_its_two_points() -> None:
    slab, at = two()
    region = fold_region(slab, at)
    assert region is not None
    assert region.opens_down
    assert region.index == 0

    def field(z: np.ndarray, penalty: float) -> np.ndarray:
        nodes, bias = z[:8].reshape(2, 4), z[8]
        h = np.tanh(XOR @ nodes[:, :3].T)
        pull = SIGN / (4 * penalty * (1 + np.exp(SIGN * (h @ nodes[:, 3] + bias))))
        rows = [
            [*(2 * u[:3] - u[3] * (pull * (1 - g**2)) @ XOR), u[3] - pull @ g] for u, g in zip(nodes, h.T, strict=True)
        ]
        return np.array([*np.concatenate(rows), bias - pull.sum()])

    # At the lower end of the slab both points lie inside, and none does at the upper end.
    for end, number in ((slab.penalty, 2), (slab.highest, 0)):
        found: list[np.ndarray] = []
        for x in np.linspace(-1, 1, 7):
            answer = root(field, at.z + x * region.reach[0] * at.null, args=(float(end),), options={"xtol": 1e-13})
            inside = (np.abs(region.frame.T @ (answer.x - region.centre)) < region.reach).all()
            if inside and np.abs(field(answer.x, float(end))).max() < 1e-10:
                found += [answer.x] if all(np.abs(answer.x - z).max() > 1e-5 for z in found) else []
        assert len(found) == number


def test_the_search_of_two_nodes_ends_in_the_region_of_their_highest_fold() -> None:
    wide, at = two()
    star = Fraction(FOLD_OF_TWO)
    slab = wide.slab(star * (1 - Fraction("0.00012")), star * (1 + Fraction("0.00012")))
    region = fold_region(slab, at)
    assert region is not None
    table = _beside(slab, at.z, 0.01)
    run = slabs.run_through(slabs.search_over(slab, [region]), [table], lambda: 0.0, 1.0)
    assert not run.left
    assert not run.queue
    assert run.met - {ORIGIN} == {0}
    # A thinner one does not hold them.
    thin, ticks = replace(region, reach=region.reach / 16), count()
    again = slabs.run_through(slabs.search_over(slab, [thin]), [table], lambda: next(ticks), 3)
    assert again.examined > run.examined
    assert again.left or again.queue


def test_branches_that_are_not_known_are_found_from_the_boxes_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="0.0224")
    ends = Fraction("0.0224"), Fraction("0.02243")
    blind = atlas.Atlas(problem(), points={ends[0]: [np.zeros(5)]})
    monkeypatch.setattr(ranges, "look", lambda *given: blind)
    result = enumerate_range(spec, *ends, clock=lambda: 0.0)
    assert result.verdict is Verdict.CERTIFIED
    assert [(s.counts, s.copies) for s in result.stretches] == [((2, 1), (3, 2))]
    # What is found is held against another program's equations.
    found = [z for z in blind.points[max(blind.points, key=lambda p: len(blind.points[p]))] if z.any()]
    assert len(found) == 2
    for z in found:
        assert (
            min(np.abs(equations(z, float(p))).max() for p, points in blind.points.items() if len(points) == 3) < 1e-9
        )


def test_images_of_a_box_are_those_of_its_points() -> None:
    two = reduced_problem(builtin("xor-pm").with_(hidden=(2,), penalty="0.05"))
    box = np.arange(9.0) - 3.0, np.arange(9.0) - 2.5
    boxes, points = list(images(two, box)), list(images(two, (box[0], box[0])))
    assert len(boxes) == 8 * 2 * 4
    for (low, high), (point, _) in zip(boxes, points, strict=True):
        assert ((low <= point) & (point <= high)).all()


def _slab(low: str, high: str, regions: tuple[Region, ...], at: Fold | None = None) -> Slab:
    return Slab(low=Fraction(low), high=Fraction(high), regions=regions, fold=at, boxes=1)


def test_slabs_join_to_stretches_and_a_gap_or_a_wrong_count_is_seen() -> None:
    origin = next(t for t in sides() if t.copies == 1)
    above = _slab("0.0229", "0.03", (origin,))
    between = _slab("0.0228", "0.0229", (folded(), origin), fold())
    below = _slab("0.02", "0.0228", sides())
    slabs = [above, between, below]
    assert covers(slabs, Fraction("0.02"), Fraction("0.03"))
    assert not covers([above, below], Fraction("0.02"), Fraction("0.03"))
    assert not covers([above, between], Fraction("0.0228"), Fraction("0.03"))
    assert not covers(slabs, Fraction("0.02"), Fraction("0.031"))
    top, bottom = stretches_of(slabs, Fraction("0.03"), None)
    assert (top.counts, top.copies, top.high) == ((1,), (1,), None)
    assert (bottom.counts, bottom.copies) == ((2, 1), (3, 2))
    assert top.low is bottom.high is slabs[1].fold
    lacking = _slab("0.02", "0.0228", tuple(t for t in sides() if t.index == 0))
    with pytest.raises(CertificateError, match="its two points"):
        stretches_of([above, between, lacking], None, None)
    with pytest.raises(CertificateError, match="common end"):
        stretches_of([above, _slab("0.02", "0.0229", sides())], None, None)


@pytest.mark.usefixtures("small_steps")
def test_next_to_the_theorem_the_origin_is_alone_and_an_interrupted_range_goes_on_to_the_same_slabs() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="0.03")
    ends = Fraction("0.03"), Fraction("0.0475")
    whole = enumerate_range(spec, *ends, clock=lambda: 0.0)
    assert whole.verdict is Verdict.CERTIFIED
    state, runs = None, 0
    while True:
        ticks, states = count(), list[Any]()
        part = enumerate_range(
            spec, *ends, clock=lambda t=ticks: next(t), budget_seconds=60, state=state, keep=states.append
        )
        # Through text, as a database keeps it.
        state, runs = json.loads(json.dumps(states[-1])), runs + 1
        if part.verdict is Verdict.CERTIFIED:
            break
        assert part.open
        assert runs < 50
    assert runs > 1
    assert [(s.low, s.high) for s in part.slabs] == [(s.low, s.high) for s in whole.slabs]
    assert [(s.counts, s.copies) for s in part.stretches] == [((1,), (1,))]
    # The state of another range is left aside.
    other = enumerate_range(spec, ends[0], Fraction("0.0476"), clock=lambda: 0.0, budget_seconds=-1, state=state)
    assert not other.slabs


def test_ctrl_c_in_the_search_of_a_slab_loses_no_slab(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="0.03")
    ends = Fraction("0.03"), Fraction("0.0475")
    calls, kept = count(), list[Any]()

    def broken(*arguments: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return run_through(*arguments)

    run_through = slabs.run_through
    with monkeypatch.context() as patch:
        patch.setattr(slabs, "run_through", broken)
        with pytest.raises(KeyboardInterrupt):
            enumerate_range(spec, *ends, clock=lambda: 0.0, keep=kept.append)
        (state,) = json.loads(json.dumps(kept))
        again = enumerate_range(spec, *ends, clock=lambda: 0.0, state=state)
    whole = enumerate_range(spec, *ends, clock=lambda: 0.0)
    assert again.verdict is Verdict.CERTIFIED
    assert (again.digest, again.boxes) == (whole.digest, whole.boxes)


def test_a_state_keeps_folds_regions_and_boxes() -> None:
    slab = around("0.0004")
    table = _beside(slab, fold().z, 0.5)
    piece = Piece(slab.penalty, slab.highest, [table], fold=fold(), regions=(folded(), *sides()), met=frozenset({0}))
    proved = _slab("0.0228", "0.0229", (folded(),), fold())
    work = Work(stack=[piece], slabs=[proved], open=[(Fraction(1, 3), Fraction(1, 2), 7)])
    again = Work.restored(problem(), json.loads(json.dumps(work.saved())))
    assert again.saved() == work.saved()
    found = again.stack[0].fold
    assert found is not None
    assert found.penalty.overlaps(fold().penalty)
    values = work.saved()
    values["stack"][0]["fold"][0] = [0.0] * 5
    with pytest.raises(CertificateError, match="not found again"):
        Work.restored(problem(), values)


def test_all_nodes_zero_is_the_origin_whatever_the_output_bias() -> None:
    slab = problem().slab(Fraction("0.024"), Fraction("0.026"))
    low, high = np.zeros((1, 4, 3)), np.zeros((1, 4, 3))
    high[0, 3, 1] = 1e-3
    gamma = np.array([0.5, 0.5, 0.0])
    assert Regions.of(slab, ()).holders(low, high, -gamma, gamma).tolist() == [ORIGIN, -1, ORIGIN]
    origin = next(t for t in sides() if t.copies == 1)
    others = [t for t in sides() if t.copies == 2]
    assert Regions.of(slab, [*others, origin]).holders(low, high, -gamma, gamma).tolist()[0] == 2
    # With more samples of one class it is no solution: gamma is not 0.
    lopsided = replace(slab, labels=(1, 1, 1, -1))
    assert Regions.of(lopsided, ()).holders(low, high, -gamma, gamma).tolist() == [-1, -1, -1]


def test_a_range_that_is_none_is_refused_in_one_line() -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="0.04")
    for low, high in (("0.04", "0.03"), ("-0.1", "0.03"), ("0", "0.03")):
        with pytest.raises(SpecError, match="0 < from < to"):
            enumerate_range(spec, Fraction(low), Fraction(high), clock=lambda: 0.0)


def test_what_is_followed_adopts_only_counts_that_are_proved() -> None:
    def interval(low: str, high: str, counts: tuple[int, ...], proved: bool) -> Interval:
        return Interval(low=low, high=high, counts=counts, copies=counts, morse_sum=1, proved=proved)

    followed = Follow(
        parameter="lambda",
        low="0.02",
        high="1",
        events=(),
        maxwell=(),
        intervals=(
            interval("0.02", FOLD, (2, 1), False),
            interval(FOLD, "0.03", (1,), False),
            interval("0.03", "1", (2,), False),
        ),
        branches=(),
        found_anew=0,
        verdict=Verdict.CERTIFIED,
    )
    proved = Penalties(
        verdict=Verdict.CERTIFIED,
        low="0.01",
        high="inf",
        intervals=(interval("0.021", FOLD + "3", (2, 1), True), interval(FOLD, "inf", (1,), True)),
        events=(),
        open=(),
        theorem="",
        theorem_from="",
        slabs=1,
        regions=1,
        boxes=1,
        seconds=0.0,
        digest="",
    )
    assert [i.proved for i in adopt(followed, proved).intervals] == [False, True, False]


@pytest.mark.parametrize("first", ["follow", "penalties"])
def test_what_is_proved_of_a_range_reaches_what_is_followed_in_either_order(
    tmp_path: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # T9 is proved in tests of its own.
    proof = OriginAlone(verdict=Verdict.CERTIFIED, theorem="T9-xor", digest="")
    monkeypatch.setattr(ranges, "origin_alone", lambda spec: proof)
    spec = builtin("xor").with_(hidden=(1,), penalty="0.05")
    follow_it = follow.QUESTION, follow.FollowOptions(from_="0.05", to="0.06", searches=0)
    prove_it = penalties.QUESTION, penalties.PenaltiesOptions(from_="0.0499")
    with Database.create(tmp_path / "x.sqlite", spec) as database:
        explore_into(database, max_searches=1)
        for question, options in (follow_it, prove_it) if first == "follow" else (prove_it, follow_it):
            ask_into(database, question, options=options)
        followed = read_answer(database, follow.QUESTION)
    assert followed is not None
    assert [(i.counts, i.proved) for i in followed.intervals] == [((1,), True)]
