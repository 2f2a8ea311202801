"""Tubes of the XOR landscape: whole branches through folds, held against points that mpmath finds by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import log
from typing import Any

import numpy as np
import pytest
from flint import arb
from mpmath import mp, mpf

from symland.analysis.branches.drive import follow_penalty
from symland.analysis.follow import QUESTION, Follow, FollowOptions
from symland.analysis.question import QUIET
from symland.errors import SymlandError
from symland.families.diagram import Diagram
from symland.families.family import PenaltyFamily
from symland.families.persisting import Persisting
from symland.families.pieces import chain_of
from symland.families.tubes import Tube, glue
from symland.rigor.tube import Piece, Undecided, prove
from tests.families.oracle import gradient, hessian, loss
from tests.families.test_follow import FOLDS, landscape

LOW = "1e-2"


@cache
def proved() -> Follow:
    options = FollowOptions(from_=LOW, to="0.05", searches=0, tubes=True)
    return follow_penalty(landscape("xor", 1, "1e-2"), options, QUIET)


@cache
def tubes() -> tuple[Diagram, list[Tube]]:
    whole = landscape("xor", 1, "1e-2")
    diagram = Diagram(family=PenaltyFamily(whole.spec), group=whole.group, bounds=(log(float(LOW)), log(0.05)))
    diagram.add_points([p.theta for p in whole.points], log(1e-2))
    return diagram, [glue(chain_of(whole.spec, whole.group, curve)) for curve in diagram.curves]


def test_points_of_one_branch_at_one_penalty_stand_on_sheets_of_their_own() -> None:
    """The branches of one node turn at the folds: each side is a sheet, and is the same one whatever is asked for."""
    diagram, _ = tubes()
    held = {(h.branch, h.sheet): h.point for h in diagram.points_at(log(1.05e-2))}
    assert len(held) == 7
    assert len({branch for branch, _ in held}) < 7
    minima = {(h.branch, h.sheet) for h in diagram.points_at(log(1.05e-2), 0)}
    assert minima == {place for place, point in held.items() if point.index == 0}


def test_every_branch_is_proved_with_few_pieces_up_to_its_fold() -> None:
    answer = proved()
    assert all(not b.gaps and 0 < b.pieces <= 12 for b in answer.branches)
    tops = sorted(float(p.high) for b in answer.branches for p in b.proved if float(p.high) < 0.05)
    folds = sorted([float(e.value) for e in answer.events] * 2)
    assert np.allclose(folds[::2], sorted(map(float, FOLDS)), rtol=1e-11, atol=0)
    assert np.allclose(tops, folds, rtol=1e-7, atol=0)
    assert all(top < fold for top, fold in zip(tops, folds, strict=True))
    assert sorted(p.index for b in answer.branches for p in b.proved) == [0, 0, 0, 0, 1, 1, 1]


def test_all_classes_that_are_counted_are_proved_for_the_whole_interval() -> None:
    for interval in proved().intervals:
        assert interval.at_least == interval.counts
        assert interval.copies_at_least == interval.copies
        assert interval.certified is not None
        low, high = (mpf(x) for x in interval.certified)
        assert mpf(interval.low) <= low < mpf(interval.low) * mpf("1.0000001")
        assert mpf(interval.high) >= high > mpf(interval.high) * mpf("0.9999999")
    assert "in 4 of 4 intervals" in QUESTION.sentence(proved())


def test_a_tube_holds_the_stationary_point_of_the_loss_by_hand() -> None:
    _, found = tubes()
    checked = 0
    for sheet in (s for tube in found for s in tube.sheets()):
        mu = 0.3 * float(sheet.low.mid()) + 0.7 * float(sheet.high.mid())
        box = sheet.at(mu)
        assert box is not None
        with mp.workdps(24):
            penalty = mp.exp(mpf(mu))

            def f(point: Any, penalty: Any = penalty) -> Any:
                return loss(point, penalty, 1)

            # One step of Newton's method from the middle, which is near to rounding.
            theta = [mpf(float(x.mid())) for x in box]
            bent = hessian(f, theta)
            theta = [t - s for t, s in zip(theta, mp.lu_solve(bent, gradient(f, theta)), strict=True)]
            assert sum(v < 0 for v in mp.eigsy(bent, eigvals_only=True)) == sheet.index
        for x, t in zip(box, theta, strict=True):
            assert abs(float(x.mid()) - float(t)) <= float(x.rad()) + 1e-12
        checked += 1
    assert checked == 7


def _first() -> tuple[Any, Piece]:
    proof = tubes()[1][0].runs[0][2].proof
    return proof, proof.piece


def test_a_polynomial_beside_the_curve_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    proof, piece = _first()
    seen: list[Any] = []

    def listen(spec: Any, piece: Piece, inverses: Any) -> Any:
        seen.append((piece, inverses))
        return prove(spec, piece, inverses)

    monkeypatch.setattr("symland.families.pieces.prove", listen)
    diagram, _ = tubes()
    chain_of(proof.spec, diagram.group, diagram.curves[0])
    piece, inverses = next(s for s in seen if np.array_equal(s[0].table, piece.table))
    assert prove(proof.spec, piece, inverses).segments
    moved = piece.table.copy()
    moved[0, 0] += 1e-3
    with pytest.raises(Undecided, match=r"residual|inverse"):
        prove(proof.spec, replace(piece, table=moved), inverses)
    with pytest.raises(Undecided, match="inverse"):
        prove(proof.spec, piece, [0.3 * inverses[0], *inverses[1:]])


def test_a_point_beside_the_curve_is_not_glued() -> None:
    proof, _ = _first()
    theta, mu = proof.place(arb(0.25))
    s = proof.locate(theta, mu)
    assert s is not None
    assert abs(float(s) - 0.25) < 1e-9
    assert proof.locate([x + 1e-2 for x in theta], mu) is None
    assert proof.locate(theta, mu + 3) is None


def test_the_same_branch_twice_is_counted_once() -> None:
    diagram, found = tubes()
    sheets = [tube.sheets() for tube in found]
    once = Persisting(diagram, sheets).between(log(1.1e-2), log(1.8e-2))
    twice = Persisting(diagram, [*sheets, *sheets]).between(log(1.1e-2), log(1.8e-2))
    less = Persisting(diagram, sheets[1:]).between(log(1.1e-2), log(1.8e-2))
    assert once is not None
    assert twice is not None
    assert less is not None
    assert (once.classes, once.copies) == ((3, 2), (7, 6)) == (twice.classes, twice.copies)
    assert sum(less.classes) == 3


def test_tubes_with_a_moved_input_get_one_line() -> None:
    with pytest.raises(SymlandError, match="leave one of them out"):
        follow_penalty(landscape("xor", 1, "1e-2"), FollowOptions(move=["3,0=3/4"], tubes=True, searches=0), QUIET)


def test_bands_are_drawn_behind_what_is_proved() -> None:
    pictures = QUESTION.figures(proved(), landscape("xor", 1, "1e-2"))
    figure = pictures["bifurcation"].figure
    bands = [line for line in figure.axes[0].lines if line.get_linewidth() == 4.0]
    assert len(bands) >= len(proved().branches)
    assert "bands are proved" in pictures["bifurcation"].caption
