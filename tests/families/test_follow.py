"""`symland follow`: the events and counts that were computed elsewhere in 50 digits, and the loss by hand in mpmath."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from symland.analysis.branches.drive import follow_penalty
from symland.analysis.follow import Follow, FollowOptions
from symland.analysis.question import QUIET, Setting
from symland.cli import main
from symland.errors import SymlandError
from symland.explore import explore
from symland.kernels import compile_kernel
from symland.landscape.landscape import Landscape
from symland.records import Verdict
from symland.spec import load_spec
from symland.symbolic.symmetry import find_symmetry
from tests.explore.landscapes import explored
from tests.families.oracle import CORNERS, gradient, hessian, loss

FOLDS = ("0.0228433108016757", "0.0188019698127", "0.0107997170772")


@cache
def landscape(name: str, hidden: int, penalty: str) -> Landscape:
    return Landscape(
        spec=load_spec(name, hidden=[hidden], penalty=penalty), points=explored((hidden,), penalty, name).points
    )


@cache
def followed(name: str, hidden: int, penalty: str, searches: int = 0) -> Follow:
    return follow_penalty(landscape(name, hidden, penalty), FollowOptions(from_="5e-4", searches=searches), QUIET)


def test_one_node_has_three_folds_and_the_counts_between_them() -> None:
    answer = followed("xor", 1, "1e-2", 1)
    assert [e.kind for e in answer.events] == ["fold"] * 3
    for event, known in zip(answer.events, FOLDS, strict=True):
        assert event.certified
        assert event.digits >= 15
        assert abs(mpf(event.value) - mpf(known)) < mpf(10) ** -(len(known) - 3)
    assert [i.counts for i in answer.intervals] == [(4, 3), (3, 2), (2, 1), (1,)]
    assert [i.morse_sum for i in answer.intervals] == [1] * 4
    assert answer.intervals[-1].high == "inf"
    assert answer.found_anew == 0
    assert answer.verdict is Verdict.CERTIFIED


def test_the_other_encoding_has_one_fold() -> None:
    answer = followed("xor-pm", 1, "1e-2")
    assert [e.value[:17] for e in answer.events] == ["0.037680193483272"]
    assert [i.counts for i in answer.intervals] == [(2, 1), (1,)]


def test_two_nodes_have_seventeen_events_and_the_counts_of_the_table() -> None:
    answer = followed("xor", 2, "1e-3")
    assert len(answer.events) == 17
    assert all(e.certified for e in answer.events)
    assert abs(mpf(answer.events[0].value) - mpf("0.0287995892174702")) < mpf("1e-15")
    assert answer.intervals[0].counts == (5, 12, 7)
    assert answer.intervals[0].copies == (49, 108, 60)
    assert [i.counts for i in answer.intervals[-2:]] == [(2, 1), (1,)]
    assert {i.morse_sum for i in answer.intervals} == {1}
    # lambda = 1e-2 lies between two events.
    (there,) = (i for i in answer.intervals if float(i.low) < 1e-2 < float(i.high))
    assert there.counts == (4, 10, 6)
    assert there.copies == (33, 88, 56)
    assert "not monotone" in _sentence(answer)


def _sentence(answer: Follow) -> str:
    from symland.analysis.follow import QUESTION

    return QUESTION.sentence(answer)


def test_folds_of_one_node_return_with_a_dead_node_one_index_higher() -> None:
    narrow, wide = followed("xor", 1, "1e-2"), followed("xor", 2, "1e-3")
    for event in narrow.events:
        again = [e for e in wide.events if e.value[:17] == event.value[:17]]
        assert [e.index for e in again] == [event.index + 1]


def test_a_dead_node_comes_to_life_where_the_residual_meets_the_penalty() -> None:
    """T5: at the pitchfork with a dead node, s = 2 lambda, s the norm of C by the residuals of the live node alone."""
    found = 0
    for event in followed("xor", 2, "1e-3").events:
        if event.kind != "pitchfork" or not event.dead_nodes:
            continue
        found += 1
        theta, penalty = [mpf(t) for t in event.theta], mpf(event.value)
        columns = [mpf(0)] * 3
        for x1, x2, label in CORNERS:
            h = [mp.tanh(theta[2 * j] * x1 + theta[2 * j + 1] * x2 + theta[8 + j]) for j in range(2)]
            margin = sum((theta[6 + j] - theta[4 + j]) * h[j] for j in range(2)) + theta[11] - theta[10]
            residual = 1 / (1 + mp.exp(-margin)) - label
            columns = [c + residual * x / 4 for c, x in zip(columns, (x1, x2, 1), strict=True)]
        s = mp.sqrt(2 * sum(c * c for c in columns))
        assert abs(s - 2 * penalty) < mpf("1e-13")
    assert found >= 1


@pytest.mark.parametrize("number", [0, 1, 4])
def test_an_event_is_a_stationary_point_with_one_more_null_direction(number: int) -> None:
    event = followed("xor", 2, "1e-3").events[number]
    with mp.workdps(40):
        theta, penalty = [mpf(t) for t in event.theta], mpf(event.value)

        def f(point: Any) -> Any:
            return loss(point, penalty, 2)

        assert max(abs(g) for g in gradient(f, theta)) < mpf("1e-12")
        values = sorted(mp.eigsy(hessian(f, theta), eigvals_only=True))
        assert sum(abs(v) < mpf("1e-10") for v in values) >= 1
        assert sum(v < -mpf("1e-10") for v in values) == event.index
        assert abs(f(theta) - mpf(event.loss)) < mpf("1e-12")


def test_minima_of_equal_loss() -> None:
    (top,) = (m for m in followed("xor", 1, "1e-2").maxwell if m.lowest)
    assert abs(mpf(top.value) - mpf("0.0201403827969")) < mpf("1e-12")
    assert top.certified
    (top, *_) = (m for m in followed("xor", 2, "1e-3").maxwell if m.lowest)
    assert abs(mpf(top.value) - mpf("0.0247107722357")) < mpf("1e-13")
    assert top.certified


def test_counts_at_random_penalties_are_those_of_a_fresh_search() -> None:
    answer = followed("xor", 1, "1e-2")
    group = find_symmetry(landscape("xor", 1, "1e-2").spec)
    for value in np.exp(np.random.default_rng(5).uniform(np.log(2e-3), np.log(0.03), 2)):
        spec = load_spec("xor", hidden=[1], penalty=f"{value:.12g}")
        fresh = explore(compile_kernel(spec), group, seed=1, max_searches=1).points
        (there,) = (i for i in answer.intervals if float(i.low) < value < float(i.high))
        assert tuple(sum(p.index == k for p in fresh) for k in range(len(there.counts))) == there.counts


def test_a_list_that_lacks_classes_is_refused() -> None:
    whole = landscape("xor", 1, "1e-2")
    kept = [p for p in whole.points if not abs(p.loss - 0.63810804) < 1e-6]
    with pytest.raises(SymlandError, match="not complete"):
        follow_penalty(Landscape(spec=whole.spec, points=tuple(kept)), FollowOptions(), QUIET)
    # Without both sheets of one fold the Morse sum stays 1; those below the origin's first fold are led to by none.
    lone = [p for p in whole.points if abs(p.loss - 0.69314718) < 1e-6]
    answer = follow_penalty(Landscape(spec=whole.spec, points=tuple(lone)), FollowOptions(searches=1), QUIET)
    assert answer.found_anew > 0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (FollowOptions(from_="0"), "above 0"),
        (FollowOptions(from_="-1e-3", to="1"), "above 0"),
        (FollowOptions(from_="1e-2", to="1e-2"), "empty"),
        (FollowOptions(digits=0), "digits"),
        (FollowOptions(from_="much"), "from"),
    ],
)
def test_bad_input_gets_one_line(options: FollowOptions, word: str) -> None:
    with pytest.raises(SymlandError, match=word) as caught:
        follow_penalty(landscape("xor", 1, "1e-2"), options, QUIET)
    assert "\n" not in str(caught.value)


def test_the_verb_prints_the_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "x.sqlite")
    for words in (["explore", "xor", "--hidden", "1", "--penalty", "1e-2", "--db", file], ["follow", "--db", file]):
        with pytest.raises(SystemExit) as end:
            main(
                [
                    *words,
                    *(["--json", "--from", "5e-3", "--to", "0.1", "--searches", "0"] if words[0] == "follow" else []),
                ]
            )
        assert end.value.code == 0
    text = capsys.readouterr().out
    values = json.loads(text[text.index("{") :])
    answer = values.get("answer", values)
    assert set(answer["events"][0]) >= {"kind", "value", "digits", "certified", "loss", "index", "classes"}
    assert set(answer["intervals"][0]) >= {"low", "high", "counts", "copies", "morse_sum", "proved"}
    assert set(answer["maxwell"][0]) >= {"value", "classes"}
    assert answer["intervals"][0]["low"] == "5e-3"
    assert answer["intervals"][-1]["high"] == "0.1"


def test_a_tie_is_one_in_the_loss_by_hand() -> None:
    (top,) = (m for m in followed("xor", 1, "1e-2").maxwell if m.lowest)
    whole = landscape("xor", 1, "1e-2")
    with mp.workdps(30):
        penalty = mpf(top.value)

        def f(*point: Any) -> Any:
            return loss(point, penalty, 1)

        # Newton's method from the lowest minimum at 1e-2, which is near by, on the gradient by differences.
        start = [mpf(float(x)) for x in whole.points[0].theta]
        for share in (mpf("0.3"), mpf("0.6"), mpf("0.8"), mpf("0.9"), mpf(1)):
            at = mpf("0.01") + share * (penalty - mpf("0.01"))

            def moved(point: Any, at: Any = at) -> Any:
                return loss(point, at, 1)

            for _ in range(8):
                start = [
                    t - s
                    for t, s in zip(start, mp.lu_solve(hessian(moved, start), gradient(moved, start)), strict=True)
                ]
        assert abs(f(*start) - mp.log(2)) < mpf("1e-13")


def test_branches_along_a_line_of_data_end_in_the_landscape_of_the_moved_data() -> None:
    options = FollowOptions(move=["3,0=3/4"], searches=0)
    answer = follow_penalty(landscape("xor", 1, "1e-2"), options, QUIET)
    assert answer.parameter == "t"
    assert {i.morse_sum for i in answer.intervals} == {1}
    assert all(e.certified for e in answer.events)
    spec = landscape("xor", 1, "1e-2").spec
    moved = spec.with_(data=replace(spec.data, inputs=(*spec.data.inputs[:3], (Fraction(3, 4), Fraction(1)))))
    fresh = explore(compile_kernel(moved), find_symmetry(moved), max_searches=1).points
    last = answer.intervals[-1]
    assert tuple(sum(p.index == k for p in fresh) for k in range(len(last.counts))) == last.counts
    ends = sorted(loss for b in answer.branches for t, loss in zip(b.parameter, b.loss, strict=True) if t >= 1)
    assert len(ends) >= len(fresh)


@pytest.mark.parametrize(
    ("move", "word"), [("9,0=1", "outside"), ("0,0", "ROW,COLUMN"), ("0,0=0", "nothing moves"), ("0,0=x", "move")]
)
def test_a_parameter_that_the_data_lack_gets_one_line(move: str, word: str) -> None:
    with pytest.raises(SymlandError, match=word):
        follow_penalty(landscape("xor", 1, "1e-2"), FollowOptions(move=[move]), QUIET)


def test_an_interrupted_search_goes_on_where_it_was() -> None:
    class Stop(Exception):
        pass

    kept: list[Any] = []

    def keep(state: Any) -> None:
        kept.append(json.loads(json.dumps(state)))
        if len(kept) == 2:
            raise Stop

    options = FollowOptions(from_="5e-3", searches=1)
    with pytest.raises(Stop):
        follow_penalty(landscape("xor", 1, "1e-2"), options, Setting(keep=keep))
    later: list[Any] = []
    answer = follow_penalty(landscape("xor", 1, "1e-2"), options, Setting(state=kept[-1], keep=later.append))
    assert [len(state["looked"]) for state in later] == [3, 4]
    assert [i.counts for i in answer.intervals] == [(4, 3), (3, 2), (2, 1), (1,)]


def test_pictures_are_drawn() -> None:
    from symland.analysis.follow import QUESTION

    pictures = QUESTION.figures(followed("xor", 1, "1e-2"), landscape("xor", 1, "1e-2"))
    assert set(pictures) == {"bifurcation", "branch", "staircase"}
    for picture in pictures.values():
        picture.figure.canvas.draw()
