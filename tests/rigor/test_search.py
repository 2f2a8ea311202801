"""The search: no step loses a solution, a list with a hole is never called complete, and a wrong step is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import pytest

from symland.datasets import make_data
from symland.errors import CertificateError, SpecError
from symland.records import Outcome, StationaryPoint, Verdict
from symland.rigor.enumeration import choices, drive, enumerate_by_theorem, enumerate_points
from symland.rigor.enumeration.bounds import first_box, first_cell
from symland.rigor.enumeration.by_theorem import OriginAlone, _timeless
from symland.rigor.enumeration.drive import EnumerationResult, UndecidedBox
from symland.rigor.enumeration.known import NOBODY, prove_known
from symland.rigor.enumeration.leaves import SEVERAL, Leaves, Reason
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.rigor.enumeration.queue import Queue
from symland.rigor.enumeration.search import Search
from symland.rigor.enumeration.witnesses import WitnessLost
from symland.spec import LandscapeSpec, builtin
from tests.rigor.faults import FAULTS
from tests.rigor.points import newton_points


def problem_of(nodes: int = 2, penalty: str = "1e-2") -> ReducedProblem:
    return reduced_problem(builtin("xor").with_(hidden=(nodes,), penalty=penalty))


def search_of(problem: ReducedProblem, points: list[np.ndarray], compiled: bool = True) -> Search:
    return Search.of(problem, prove_known(problem, points)[0], compiled)


TWO = builtin("xor").with_(hidden=(2,), penalty="1/10", data=make_data("two", [["-2"], ["0"]], [0, 1], classify=True))
"""The question whose list was called complete without its global minimum: two samples, two nodes."""
ZERO_INPUT = builtin("xor").with_(
    hidden=(1,), penalty="11/100", data=make_data("flat", [["0", "0"], ["1", "0"]], [1, 0], classify=True)
)
"""An input that is 0 in every sample."""
QUESTIONS = {
    "two samples, two nodes": TWO,
    "two samples, three nodes": TWO.with_(hidden=(3,), penalty="1/7"),
    "two samples, one node": TWO.with_(hidden=(1,), penalty="1/20"),
    "an input that is always 0": ZERO_INPUT,
    "one node": builtin("xor").with_(hidden=(1,), penalty="2.2e-2"),
    "a point that a box reaches at a stroke": builtin("xor-pm").with_(hidden=(1,), penalty="5e-2"),
    "two nodes": builtin("xor").with_(hidden=(2,), penalty="1e-1"),
    "one sample": TWO.with_(hidden=(1,), data=make_data("one", [["1", "1/2"]], [1], classify=True)),
    "one class": TWO.with_(hidden=(1,), data=make_data("same", [["1"], ["2"], ["-1"]], [0, 0, 0], classify=True)),
}


@cache
def listed(spec: LandscapeSpec) -> list[np.ndarray]:
    """Stationary points by a plain Newton iteration, one of each loss and norm."""
    starts = np.random.default_rng(4).normal(size=(400, spec.n_parameters)) * np.repeat([0.3, 1, 2, 4], 100)[:, None]
    starts[0] = 0
    found: dict[tuple[float, ...], np.ndarray] = {}
    for theta in newton_points(spec, starts):
        found.setdefault(tuple(np.round(np.sort(np.abs(theta)), 6)), theta)
    return list(found.values())


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_list_is_complete_whole_and_never_with_classes_removed(name: str) -> None:
    spec = QUESTIONS[name]
    found = listed(spec)
    whole = enumerate_points(spec, found)
    assert whole.verdict is Verdict.CERTIFIED
    assert (whole.inconsistent, whole.unlisted) == ((), ())
    points = [found[c.number] for c in whole.classes]
    for size in range(1, min(len(points), 2) + 1):
        for removed in list(combinations(range(len(points)), size))[: 3 - size]:
            rest = [p for k, p in enumerate(points) if k not in removed]
            missing = enumerate_points(spec, rest)
            assert missing.verdict is Verdict.REFUTED
            assert len(missing.unlisted) == 1
            if removed != (0,):
                continue
            # The search alone, without the look before it, leaves a box open.
            alone = enumerate_points(spec, rest, lookout=0, max_boxes=whole.boxes_handled + 1000)
            assert alone.verdict is Verdict.UNDECIDED
            assert alone.undecided
    assert enumerate_points(spec, [], lookout=0, max_boxes=100).verdict is Verdict.UNDECIDED


@pytest.mark.usefixtures("small_steps")
def test_the_leaves_tile_the_first_box_and_say_why_they_closed() -> None:
    result = enumerate_points(TWO, listed(TWO))
    assert len(result.leaves) > 20
    first = first_cell(reduced_problem(TWO))
    low, high = result.leaves.cells.swapaxes(0, 1)
    assert np.array_equal(low.min(axis=0), first[0])
    assert np.array_equal(high.max(axis=0), first[1])

    def volume(low: np.ndarray, high: np.ndarray) -> Fraction:
        sides = [Fraction(float(b)) - Fraction(float(a)) for a, b in zip(low, high, strict=True)]
        return sides[0] * sides[1] * sides[2]

    assert sum((volume(a, b) for a, b in zip(low, high, strict=True)), Fraction(0)) == volume(*first)
    overlaps = ((low[:, None] < high) & (low < high[:, None])).all(axis=2)
    assert overlaps.sum() == len(low)
    known = np.array([result.leaves.reason(k) is Reason.KNOWN for k in range(len(low))])
    assert ((result.leaves.held_by != NOBODY) == known).all()
    assert set(result.leaves.held_by.tolist()) - {NOBODY, SEVERAL} <= {c.number for c in result.classes}


# Faults planted on purpose, the look before the search switched off -----------------------------------------------


def other_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lanes are told another kappa."""
    right = choices.first_choices

    def wrong(problem: ReducedProblem) -> np.ndarray:
        table = right(problem)
        table[-2:] *= 0.9
        return table

    monkeypatch.setattr(drive, "first_choices", wrong)
    monkeypatch.setattr("symland.rigor.enumeration.queue.first_choices", wrong)


@pytest.mark.parametrize("fault", [*FAULTS, other_penalty])
def test_the_witnesses_end_a_search_whose_step_is_wrong(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = listed(TWO)
    fault(monkeypatch)
    with pytest.raises(WitnessLost, match="drops point"):
        enumerate_points(TWO, points, lookout=0)


@pytest.mark.usefixtures("small_steps")
def test_a_forgotten_table_makes_the_run_inconsistent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tables that wait one stays each time: no step is wrong, but some class is never met."""
    points, right = listed(TWO), Queue.receive

    def forgetful(self: Queue, *given: Any) -> None:
        right(self, *given)
        del self.tables[1:]

    monkeypatch.setattr(choices, "LONG", 4)
    monkeypatch.setattr(choices, "LIMIT", 8)
    monkeypatch.setattr(Queue, "receive", forgetful)
    result = enumerate_points(TWO, points, lookout=0)
    assert not result.undecided
    assert result.inconsistent
    assert result.verdict is Verdict.UNDECIDED


@pytest.mark.usefixtures("small_steps")
def test_meeting_is_remembered_when_a_search_goes_on() -> None:
    points, state = listed(TWO), None
    while state is None or state["tables"]:
        result = enumerate_points(TWO, points, lookout=0, max_boxes=30, state=state)
        state = json.loads(json.dumps(result.state))
    assert result.verdict is Verdict.CERTIFIED
    assert result.digest == enumerate_points(TWO, points).digest
    state["met"] = state["met"][1:]
    assert enumerate_points(TWO, points, lookout=0, state=state).inconsistent


@pytest.mark.parametrize("exponent", [20, 60, 400, 520])
def test_huge_inputs_are_refused_or_searched_but_close_no_box_by_overflow(exponent: int) -> None:
    data = make_data("huge", [["0"], [str(2**exponent)]], [0, 1], classify=True)
    spec = builtin("xor").with_(hidden=(1,), penalty="1/10", data=data)
    if exponent > 64:
        with pytest.raises(SpecError, match="scale the inputs"):
            enumerate_points(spec, [])
        return
    assert enumerate_points(spec, [], lookout=0, max_boxes=60).verdict is Verdict.UNDECIDED


# What a run says of itself -------------------------------------------------------------------------------------------


def _origin(size: int) -> StationaryPoint:
    return StationaryPoint(
        theta=np.zeros(size), loss=np.log(2), gradient_norm=0.0, spectrum=np.ones(size), index=0, nullity=0,
        orbit_size=1, outcome=Outcome.CONVERGED)  # fmt: skip


@pytest.mark.usefixtures("small_steps")
def test_a_search_counts_reports_and_stops_when_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="4e-2")
    reports: list[drive.Progress] = []
    result = enumerate_points(spec, [np.zeros(7)], progress=reports.append)
    assert (reports[-1].waiting, reports[-1].undecided) == (0, 0)
    assert reports[-1].boxes_handled == result.boxes_handled
    assert reports[-1].share == pytest.approx(1)
    assert 0 < reports[0].share + 0.01 < reports[len(reports) // 2].share + 0.02 < 1.1
    assert all(a.seconds <= b.seconds for a, b in pairwise(reports))
    assert 0 < reports[-1].seconds <= result.seconds
    assert result.share == 1.0
    assert len(result.leaves) > 10
    assert not len(enumerate_points(spec, [np.zeros(7)], max_boxes=100).leaves)
    with pytest.raises(ValueError, match="read-only"):
        result.leaves.cells[0] = 0
    ticks = iter(range(100, 1000))
    part = enumerate_points(spec, [np.zeros(7)], budget_seconds=4.0, clock=lambda: float(next(ticks)))
    assert 0 < part.boxes_handled < result.boxes_handled
    assert part.verdict is Verdict.UNDECIDED
    assert 0 <= part.share < 1
    assert len(part.undecided) == len(part.state["tables"])
    assert part.undecided[0].states.shape[:2] == (2, 4)
    assert part.undecided[0].pull.shape == (2, 5)
    with pytest.raises(ValueError, match="read-only"):
        part.undecided[0].pull[0] = 0
    assert enumerate_points(spec, [np.zeros(7)], max_boxes=0).boxes_handled == 0
    with pytest.raises(CertificateError, match="is not complete"):
        EnumerationResult(
            verdict=Verdict.CERTIFIED, classes=(), unproved=(), undecided=part.undecided, boxes_handled=0,
            share=1.0, seconds=0.0, leaves=Leaves.of((), 4), digest="", state={})  # fmt: skip
    # A limit counts the boxes of this run, not those of the state.
    first = enumerate_points(spec, [np.zeros(7)], max_boxes=40)
    further = enumerate_points(spec, [np.zeros(7)], state=first.state, max_boxes=40)
    assert 40 <= further.boxes_handled - first.boxes_handled < 40 + 8 * 96
    rest = enumerate_points(spec, [np.zeros(7)], state=further.state)
    for name in ("boxes_handled", "digest"):
        assert getattr(rest, name) == getattr(result, name)
    # A state is kept after KEEP_SECONDS, not before; points may be records of a search.
    kept: list[Any] = []
    same = enumerate_points(spec, [_origin(7)], keep=kept.append, clock=lambda: 1e6)
    assert (same.digest, same.seconds, kept) == (result.digest, 0.0, [])
    # Boxes left undecided go back to the queue of the next run.
    state = dict(part.state)
    state["undecided"], state["tables"] = [table for table, _ in state["tables"]], []
    shares: list[float] = []
    again = enumerate_points(spec, [np.zeros(7)], state=state, progress=lambda now: shares.append(now.share))
    assert again.verdict is Verdict.CERTIFIED
    # They carry no share of the whole: what they had was lost when they were left.
    assert shares[-1] == pytest.approx(part.share)
    assert (again.digest, again.share) == (result.digest, 1.0)
    # A digest speaks of the question, of the points and of the log.
    assert part.digest != result.digest
    questions = product((spec, spec.with_(penalty="0.03")), ([], [np.zeros(7)]))
    assert len({enumerate_points(*question, max_boxes=0, lookout=0).digest for question in questions}) == 4
    # A box below double precision's use stays undecided, and the list is never called complete.
    monkeypatch.setattr(choices, "LEAST_WIDTH", 1e3)
    none = enumerate_points(spec, [np.zeros(7)])
    assert none.verdict is Verdict.UNDECIDED
    assert len(none.undecided) == len(none.state["undecided"]) == 1
    assert none.state["tables"] == []
    assert none.share == pytest.approx(1.0)


def test_the_digest_of_a_proof_speaks_of_all_but_its_time() -> None:
    def saved(seconds: float, claim: str, **more: str) -> str:
        step = {"seconds": seconds, "claim": claim}
        return json.dumps({**more, "seconds": seconds, "steps": [step], "name": "T"})

    assert _timeless(saved(1, "x")) == _timeless(saved(2, "x"))
    assert _timeless(saved(1, "x", name="T")) == _timeless(saved(1, "x"))
    assert _timeless(saved(1, "x")) != _timeless(saved(1, "y"))


@pytest.fixture
def theorem(monkeypatch: pytest.MonkeyPatch) -> None:
    """T9 as if proved: it takes ten seconds, and test_enumeration proves it."""
    stub = OriginAlone(verdict=Verdict.CERTIFIED, theorem="T9-xor", digest="of the proof")
    monkeypatch.setattr(drive, "origin_alone", lambda spec: stub)


@pytest.mark.usefixtures("theorem")
def test_the_theorem_answers_for_the_origin_only() -> None:
    spec = builtin("xor-pm").with_(hidden=(2,), penalty="0.1")
    ticks = iter((1.0, 3.5))
    result = enumerate_by_theorem(spec, [np.zeros(12)], clock=lambda: next(ticks))
    assert (result.verdict, result.theorem, result.share, result.seconds) == (Verdict.CERTIFIED, "T9-xor", 1.0, 2.5)
    assert (result.boxes_handled, len(result.leaves)) == (0, 0)
    assert (len(result.classes), result.unproved, result.undecided, result.state["tables"]) == (1, (), (), [])
    assert enumerate_by_theorem(spec, [_origin(12)]).digest == result.digest
    nobody = enumerate_by_theorem(spec, [np.full(12, 9.0)])
    assert (nobody.verdict, nobody.unproved, nobody.share) == (Verdict.UNDECIDED, (0,), 0.0)
    (box,) = nobody.undecided
    pull, state = first_box(reduced_problem(spec))
    assert np.allclose(box.pull[:, :4], pull)
    # One node and two nodes that are not zero.
    assert np.array_equal(box.states, np.repeat(state[:, :, None], 3, axis=2))
    assert len(nobody.state["tables"]) == 1
    assert (nobody.state["tables"][0][1], nobody.state["share"]) == (1.0, 0.0)
    assert nobody.digest != result.digest
    assert enumerate_points(spec, [np.zeros(12)], state=nobody.state, max_boxes=0).undecided


@pytest.mark.usefixtures("theorem")
def test_a_point_that_the_theorem_excludes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = builtin("xor").with_(hidden=(1,), penalty="0.1")
    problem = reduced_problem(spec)
    (origin,) = prove_known(problem, [np.zeros(7)])[0].classes
    for shift, gamma, excluded in ((0.0, 0.0, False), (0.9, 0.9, False), (1.1, 0.0, True), (0.0, -1.1, True)):
        moved = replace(origin, centre=origin.centre + shift * origin.radius, bias=gamma * origin.radius, number=5)
        known = replace(prove_known(problem, [])[0], classes=(moved,))
        monkeypatch.setattr(drive, "prove_known", lambda *args, known=known: (known, ()))
        if excluded:
            with pytest.raises(CertificateError, match="point 5 is stationary and not the origin"):
                enumerate_by_theorem(spec, [])
        else:
            assert enumerate_by_theorem(spec, []).verdict is Verdict.CERTIFIED
    assert UndecidedBox(pull=np.zeros((2, 5)), states=np.zeros((2, 4, 1))).pull.flags.writeable is False
