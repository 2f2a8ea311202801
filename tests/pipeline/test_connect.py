"""A search for pathways that a budget ends keeps what it found, says so, and goes on with the rest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from symland.explore.pathways import LostBranch
from symland.landscape.database import Database
from symland.listener import Listener
from symland.pipeline import BudgetSpent, connect_into, explore_into
from symland.pipeline.steps import _keep_pathways, _lost_before
from symland.records import Outcome
from symland.report import write_report
from symland.spec import load_spec
from tests.test_cli import call


class Ending(Listener):
    """Ends the work at its n-th word, as the bell of a budget does."""

    def __init__(self, words: int) -> None:
        self.left = words
        self.told: list[tuple[int, int]] = []

    def begin(self, step: str) -> None: ...

    def end(self, result: str) -> None: ...

    def advance(self, note: str, done: int = 0, total: int = 0) -> None:
        self.told.append((done, total))
        self.left -= 1
        if not self.left:
            raise BudgetSpent


@pytest.fixture
def explored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["symland.explore.pathways"], "STATES_AT_ONCE", 4)
    with Database.create(tmp_path / "x.sqlite", load_spec("xor", hidden=(2,), penalty="1e-2")) as database:
        explore_into(database, max_searches=800)
        yield database


def test_pathways_are_kept_when_the_budget_ends_and_only_the_rest_is_followed(
    explored: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = len(explored.landscape().transition_states)
    assert states > 8
    ending = Ending(3)
    with pytest.raises(BudgetSpent):
        connect_into(explored, listener=ending)
    assert ending.told == [(0, states), (4, states), (8, states)]
    assert len(explored.pathways()) == 8
    assert "connections" not in explored.answers()
    capsys.readouterr()
    assert call("show", "--db", str(explored.path)) == 1
    assert (
        f"pathways of 8 of {states} transition states are known; `symland connect` goes on" in capsys.readouterr().err
    )
    write_report(explored, tmp_path / "report", formats=(), pdf=False)
    assert "that all transition states were followed is not" in (tmp_path / "report" / "pathways.tex").read_text()
    going_on = Ending(0)
    found = connect_into(explored, listener=going_on)
    assert going_on.told[0] == (8, states)
    whole = Database.create(tmp_path / "whole.sqlite", explored.spec)
    with whole:
        whole.put_points(explored.points())
        assert connect_into(whole).pathways == found.pathways
    assert len(found.pathways) + len({b.transition_state for b in found.lost}) == states
    assert explored.state("connections") is None


def test_lost_branches_are_remembered_by_the_parameters_of_their_class(explored: Database) -> None:
    landscape = explored.landscape()
    number = landscape.transition_states[1]
    branch = LostBranch(transition_state=number, sign=-1, outcome=Outcome.STALLED)
    _keep_pathways(explored, landscape, (), (branch,))
    assert _lost_before(explored, landscape.points) == [branch]
    assert _lost_before(explored, landscape.points[number:])[0].transition_state == 0
    assert _lost_before(explored, landscape.points[number + 1 :]) == []


def test_a_budget_that_is_no_time_is_refused_in_one_line(
    explored: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("connect", "--db", str(explored.path), "--budget", "soon") == 2
    assert capsys.readouterr().err.count("\n") == 1
