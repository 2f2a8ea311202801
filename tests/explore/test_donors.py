"""Starts from another landscape's points: what they are, and that a run which has them can be split and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symland.errors import DatabaseError, ExplorationError
from symland.explore import Donor, Plan, explore, starts_from
from symland.explore.donors import SPLITTINGS
from symland.landscape.database import Database
from symland.pipeline import explore_into
from symland.spec import load_spec
from tests.explore.landscapes import explored, xor


def donor(hidden: tuple[int, ...], penalty: str) -> Donor:
    points = explored(hidden, penalty).points
    return Donor(layout=xor(hidden, penalty)[1].layout, theta=np.array([p.theta for p in points]))


def test_points_at_another_penalty_lead_to_all_classes_that_have_not_changed_number():
    """5, 12 and 7 classes at both penalties: each continues to one of the same index, by Newton's method alone."""
    kernel, group = xor((2,), "9e-4")
    source = donor((2,), "1e-3")
    plan = Plan(given=starts_from(group.layout, [source], 0), searches=1, batches=1)
    found = explore(kernel, group, plan=plan, max_searches=1)
    assert found.completeness.counts.classes == (5, 12, 7)
    # What was given is no draw: nothing is estimated from it.
    assert sum(found.tallies) <= 1


def test_points_of_a_narrower_network_are_extended_and_split():
    kernel, group = xor((2,), "1e-2")
    source = donor((1,), "1e-2")
    losses = xor((1,), "1e-2")[0].value(source.theta)
    starts = starts_from(group.layout, [source], 3)
    assert len(starts) == (1 + SPLITTINGS) * len(source.theta)
    extended, split = starts[: len(losses)], starts[len(losses) :]
    np.testing.assert_allclose(kernel.value(extended), losses, rtol=1e-14)
    assert np.abs(kernel.gradient(extended)).max() < 1e-12
    # Splitting keeps the outputs: what the penalty of the copy adds is all that changes.
    added = 1e-2 * ((split**2).sum(1) - np.tile((source.theta**2).sum(1), SPLITTINGS))
    np.testing.assert_allclose(kernel.value(split), np.tile(losses, SPLITTINGS) + added, rtol=1e-12)
    assert starts_from(group.layout, [source], 3).tobytes() == starts.tobytes()
    assert starts_from(group.layout, [source], 4).tobytes() != starts.tobytes()


def test_a_network_that_does_not_extend_to_this_one_is_refused():
    wide = donor((2,), "1e-2")
    with pytest.raises(ExplorationError, match=r"starts: widths \(2, 2, 2\) do not extend"):
        starts_from(xor((1,), "1e-2")[1].layout, [wide], 0)


def test_a_run_with_given_starts_resumes_to_the_same_end_with_or_without_naming_them(tmp_path: Path):
    spec = load_spec("xor", hidden=(1,), penalty="1e-3")
    source = donor((1,), "1e-2")
    whole, broken = tmp_path / "whole.sqlite", tmp_path / "broken.sqlite"
    with Database.create(whole, spec) as database:
        explore_into(database, seed=2, until="quiet 1e9", donors=[source], max_searches=3000)
        points, batches = database.points(), database.batches()
    with Database.create(broken, spec) as database:
        stored = database.put_batch

        def cut_off(number: int, payload: object) -> None:
            stored(number, payload)
            if number in (2, 5):
                raise KeyboardInterrupt

        database.put_batch = cut_off  # type: ignore[method-assign]
        for donors in ([source], ()):
            with pytest.raises(KeyboardInterrupt):
                explore_into(database, seed=2, until="quiet 1e9", donors=donors, max_searches=3000)
        explore_into(database, seed=2, until="quiet 1e9", donors=[source], max_searches=3000)
        assert database.batches() == batches
        assert [p.theta.tobytes() for p in database.points()] == [p.theta.tobytes() for p in points]
        with pytest.raises(DatabaseError, match="other starts"):
            explore_into(database, seed=2, donors=[source, source])
