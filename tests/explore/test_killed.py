"""An exploration into a file that is killed ten times ends as one that was never broken."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from symland.cli import main
from symland.landscape.database import Database
from symland.pipeline import explore_into
from symland.spec import LandscapeSpec, load_spec
from tests.explore.landscapes import xor

KILLS = 10
RULES = "quiet 5500"
"""More than ten batches."""

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


def test_ten_kills_lose_at_most_the_batch_in_hand(tmp_path):
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


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_answered_in_one_line_and_keeps_the_batches_that_were_finished(tmp_path, workers, sent):
    """Ctrl-C goes to the whole process group, a request to end to the command alone."""
    path = tmp_path / "stopped.sqlite"
    command = ["explore", "xor", "--hidden", "1", "--penalty", "1e-2", "--db", str(path), "--until", "quiet 1e9"]
    child = subprocess.Popen(
        [sys.executable, "-c", "from symland.cli import main; main()", *command, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        # A shell that runs this in the background lets its children ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    stored = 0
    while stored < 3:
        assert child.poll() is None
        time.sleep(0.05)
        if path.is_file() and path.stat().st_size:
            with Database.open(path) as database:
                stored = len(database.batches())
    (os.killpg if sent is signal.SIGINT else os.kill)(child.pid, sent)
    out, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert out == ""
    assert errors.splitlines()[-1] == "symland: interrupted; the same command goes on where it was"
    with Database.open(path) as database:
        assert len(database.batches()) >= stored


def test_a_full_disk_ends_the_run_in_one_line_and_the_run_goes_on_when_there_is_room(tmp_path, monkeypatch, capsys):
    """SQLite's own limit on pages stands for the disk."""
    spec = load_spec("xor", hidden=(1,), penalty="1e-2")
    path = tmp_path / "full.sqlite"
    opened = Database.open_or_create.__func__

    def small(cls, *arguments):
        database = opened(cls, *arguments)
        (used,) = database._connection.execute("PRAGMA page_count").fetchone()
        database._connection.execute(f"PRAGMA max_page_count = {used + 1}")
        return database

    command = ["explore", "xor", "--hidden", "1", "--penalty", "1e-2", "--db", str(path)]
    with monkeypatch.context() as patched:
        patched.setattr(Database, "open_or_create", classmethod(small))
        with pytest.raises(SystemExit) as caught:
            main([*command, "--until", "quiet 1e9"])
    assert caught.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("symland: ")]
    assert len(lines) == 1
    assert "the disk is full" in lines[0]
    with Database.open(path, spec) as database:
        kept = len(database.batches())
    assert kept > 0
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 0
    with Database.open(path) as database:
        assert [p.index for p in database.points()].count(0) == 4
