"""How work is shared out: kinds that find rare classes get more of it, and none is left out."""

from __future__ import annotations

import numpy as np
import pytest

from symland.explore import explore
from symland.explore.batches import Address, Batch, Plan
from symland.explore.campaign import Campaign, run_batch
from symland.explore.shares import EVEN, KINDS, LEAST, counts, shares
from symland.explore.starts import Method
from tests.explore.landscapes import xor


def test_a_kind_that_alone_draws_rare_classes_gets_more_work_and_given_classes_have_no_say() -> None:
    draws = np.zeros((len(KINDS), 3), dtype=int)
    draws[:, 0] = 50
    draws[2, 1], draws[4, 2] = 1, 1
    begun = np.full(len(KINDS), 50)
    share = shares(draws, begun, (False, False, True))
    assert sum(share) == pytest.approx(1.0)
    assert max(share) == share[2]
    assert share[4] < 0.5 * share[2]
    assert min(share) >= LEAST / len(KINDS)
    assert shares(draws, begun, (True, True, True)) == EVEN


def test_work_of_kinds_that_are_not_possible_goes_to_the_others() -> None:
    possible = [kind[1] is not Method.TRAJECTORY for kind in KINDS]
    every, some = counts(EVEN, 1000, [True] * len(KINDS)), counts(EVEN, 1000, possible)
    assert all(
        (some[kind] > every[kind]) == fit and (fit or some[kind] == 0)
        for kind, fit in zip(KINDS, possible, strict=True)
    )


def test_a_batch_accounts_for_every_draw_by_its_kind() -> None:
    kernel, group = xor((1,), "1e-2")
    known = explore(kernel, group).points
    only = tuple(float(k == 5) for k in range(len(KINDS)))
    batch = Batch(
        address=Address(round=3, number=1), plan=Plan(searches=40), known=known, tallies=(0,) * len(known), shares=only
    )
    result = run_batch(kernel, group, batch)
    assert result.new == ()
    assert result.begun[5] == sum(result.begun) > 10
    assert result.draws.sum() == result.draws[5].sum() > 0


def test_a_first_round_with_given_starts_tries_those_and_the_origin_alone() -> None:
    kernel, group = xor((1,), "1e-2")
    points = np.array([p.theta for p in explore(kernel, group).points])
    campaign = Campaign(kernel=kernel, group=group, plan=Plan(given=points, batches=2))
    for batch in campaign.pending():
        campaign.absorb(run_batch(kernel, group, batch))
    assert campaign.searches == 1 + len(points)
    assert len(campaign.points) == len(points)
    assert sum(campaign.begun) == 0
