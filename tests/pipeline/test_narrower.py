"""Narrower networks first: the same list from fewer searches, kept with the run, and counted as given."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest

from symland.cli import main
from symland.explore import Batch, BatchResult, Campaign, Plan, run_batch
from symland.explore.campaign import Address
from symland.landscape.database import Database
from symland.pipeline import explore_into
from symland.pipeline.narrower import FEWEST_NODES, narrower_donors, narrower_widths, pays
from symland.spec import load_spec
from tests.explore.landscapes import explored, xor


def test_every_narrower_network_comes_after_those_it_is_explored_from() -> None:
    assert narrower_widths((4,)) == [(1,), (2,), (3,)]
    widths = narrower_widths((3, 2))
    assert len(widths) == 5
    for place, wide in enumerate(widths):
        assert all(small in widths[:place] for small in narrower_widths(wide))


def test_narrower_networks_lead_to_the_reference_list(tmp_path: Path) -> None:
    spec = load_spec("xor", hidden=(2,), penalty="1e-3")
    with Database.create(tmp_path / "xor.sqlite", spec) as database:
        found = explore_into(database, narrower=True)
        state = found.completeness
        assert found.satisfied
        assert state.counts.classes == (5, 12, 7)
        assert state.counts.copies == (49, 108, 60)
        # By zero extension (theorem T5) each of the seven classes of one node is a class of two.
        assert 7 <= state.given < 24
        assert state.given == sum(found.given)
        stored = database.landscape().evidence.completeness
        assert stored is not None
        assert stored.given == state.given
    # By default a class that no start reached is drawn three times at least.
    assert min(t for t, given in zip(found.tallies, found.given, strict=True) if not given) >= 3


def test_a_run_goes_on_with_the_starts_that_it_began_with(tmp_path: Path) -> None:
    spec, path = load_spec("xor", hidden=(2,), penalty="1e-1"), tmp_path / "xor.sqlite"
    with Database.create(path, spec) as database:
        explore_into(database, narrower=True, until="quiet 1e9", max_searches=1)
        starts, batches = database.meta()["given"], dict(database.batches())
    with Database.open(path) as database:
        again = explore_into(database, narrower=True, until="quiet 1e9", max_searches=800)
        assert np.array_equal(database.meta()["given"], starts)
        assert batches.items() <= database.batches().items()
    with Database.create(tmp_path / "whole.sqlite", spec) as database:
        whole = explore_into(database, narrower=True, until="quiet 1e9", max_searches=800)
    assert (whole.tallies, whole.given) == (again.tallies, again.given)
    # A run that began without starts goes on without.
    with Database.create(tmp_path / "plain.sqlite", spec) as database:
        explore_into(database, max_searches=1)
        assert explore_into(database, narrower=True, max_searches=800).completeness.given == 0


def test_a_run_whose_file_does_not_say_how_long_rounds_are_goes_on_in_rounds_of_four(tmp_path: Path) -> None:
    kernel, group = xor((1,), "1e-2")
    spec = load_spec("xor", hidden=(1,), penalty="1e-2")
    campaign = Campaign(kernel=kernel, group=group, plan=Plan(batches=4))
    with Database.create(tmp_path / "old.sqlite", spec) as database:
        database.put_meta("plan", {"seed": 0, "max_index": None})
        for batch in campaign.pending():
            database.put_batch(campaign.plan.place(batch.address), run_batch(kernel, group, batch).payload())
        found = explore_into(database)
        assert found.completeness.counts.classes == (4, 3)
        stored = [BatchResult.from_payload(payload).address for _, payload in sorted(database.batches().items())]
    expected = [Address(round=k // 4, number=k % 4) for k in range(len(stored))]
    assert stored == expected
    assert len(stored) >= 8


def test_narrower_networks_leave_at_least_half_of_a_budget() -> None:
    ticks = count()
    spec = load_spec("xor", hidden=(4,), penalty="1e-2")
    donors = narrower_donors(spec, budget=20.0, clock=lambda: float(next(ticks)))
    assert next(ticks) <= 10 + 4
    # The time was over before the network of three nodes had its turn.
    assert donors == []


def test_a_batch_says_which_classes_its_given_starts_reached_whatever_order_batches_come_in() -> None:
    kernel, group = xor((1,), "1e-2")
    points = explored((1,), "1e-2").points
    plan = Plan(given=np.array([p.theta for p in points[::2]]), searches=16, batches=3)
    campaigns = [Campaign(kernel=kernel, group=group, plan=plan) for _ in range(2)]
    results = [run_batch(kernel, group, batch) for batch in campaigns[0].pending()]
    for campaign, order in zip(campaigns, (results, results[::-1]), strict=True):
        for result in order:
            campaign.absorb(BatchResult.from_payload(result.payload()))
    for campaign in campaigns:
        drawn, _, given = campaign.drawn()
        losses = {round(p.loss, 9) for p, known in zip(drawn, given, strict=True) if known}
        # The origin alone is no start of the plan: it is tried in every run.
        assert losses == {round(p.loss, 9) for p in points[::2] if np.any(p.theta)}
    batch = Batch(address=Address(round=0, number=0), plan=Plan(searches=16), known=(), tallies=())
    assert run_batch(kernel, group, batch).given == ()
    old = {key: value for key, value in results[0].payload().items() if key != "given"}
    assert BatchResult.from_payload(old).given == ()


def test_narrower_networks_are_explored_unasked_where_they_pay() -> None:
    assert pays(load_spec("xor", hidden=(FEWEST_NODES,)))
    assert not pays(load_spec("xor", hidden=(FEWEST_NODES - 1,)))
    assert not pays(load_spec("xor", hidden=(2, 2)))
    assert not pays(load_spec("xor", hidden=(40,)))


def test_two_ways_to_say_where_searches_begin_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.sqlite"
    with Database.create(path, load_spec("xor", hidden=(1,), penalty="1e-1")) as database:
        explore_into(database, max_searches=1)
    words = ["explore", "xor", "--hidden", "2", "--narrower", "--from", str(path), "--db", str(tmp_path / "x.sqlite")]
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "give one of them" in capsys.readouterr().err
