"""An exploration into a file that is killed twenty times ends as one that was never broken."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from symland.landscape.database import Database
from symland.pipeline import explore_into
from symland.spec import LandscapeSpec, load_spec
from tests.explore.landscapes import xor

KILLS = 20
RULES = "quiet 10000"
"""More than twenty batches."""

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="the child shares the parent's compiled kernel"
)


def search(path: str, spec: LandscapeSpec, counter) -> None:
    """Explore into the file; say how many batches it holds as each is stored."""
    with Database.open_or_create(path, spec) as database:
        store = database.put_batch

        def counted(number: int, payload: object) -> None:
            store(number, payload)
            counter.value = number + 1

        database.put_batch = counted  # type: ignore[method-assign]
        explore_into(database, seed=1, until=RULES)


def test_twenty_kills_lose_at_most_the_batch_in_hand(tmp_path):
    spec = load_spec("xor", hidden=(1,), penalty="1e-2")
    xor((1,), "1e-2")
    whole, broken = tmp_path / "whole.sqlite", tmp_path / "broken.sqlite"
    with Database.create(whole, spec) as database:
        explore_into(database, seed=1, until=RULES)
    fork, rng = multiprocessing.get_context("fork"), np.random.default_rng(0)
    stored = 0
    for _ in range(KILLS):
        counter = fork.Value("i", 0)
        child = fork.Process(target=search, args=(str(broken), spec, counter))
        child.start()
        # Let it store one batch more, and kill it somewhere in the next.
        while counter.value <= stored and child.is_alive():
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0.0, 0.03)))
        assert child.is_alive()
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with Database.open_or_create(broken, spec) as database:
            stored = len(database.batches())
        assert stored >= counter.value
    with Database.open_or_create(broken, spec) as database:
        explore_into(database, seed=1, until=RULES)
        ends, batches = database.points(), database.batches()
    with Database.open(whole, spec) as database:
        assert batches == database.batches()
        for one, other in zip(ends, database.points(), strict=True):
            np.testing.assert_array_equal(one.theta, other.theta)
            assert (one.index, one.orbit_size, one.loss) == (other.index, other.orbit_size, other.loss)
