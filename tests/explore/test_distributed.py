"""The command line over Dask workers in separate processes, one of which is killed in the middle."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time
import warnings
from pathlib import Path

import pytest

from symland.cli import main
from symland.landscape.database import Database

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="Dask is not installed"),
]

SEARCH = ("explore", "xor", "--hidden", "1", "--penalty", "1e-2", "--until", "quiet 6000")
"""About twenty batches."""


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def stored(path: Path) -> int:
    """Batches in a file that another thread writes."""
    if not path.is_file() or not path.stat().st_size:
        return 0
    with Database.open(path) as database:
        return len(database.batches())


def test_a_killed_worker_changes_nothing_in_the_list(tmp_path: Path) -> None:
    alone, spread = tmp_path / "alone.sqlite", tmp_path / "spread.sqlite"
    assert call(*SEARCH, "--db", str(alone)) == 0
    killed: list[tuple[int, int]] = []

    def kill(pids: list[int]) -> None:
        while stored(spread) < 3:
            time.sleep(0.01)
        os.kill(pids[0], signal.SIGKILL)
        killed.append((pids[0], stored(spread)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import distributed

        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            pids = list(client.run(os.getpid).values())
            killer = threading.Thread(target=kill, args=(pids,))
            killer.start()
            assert call(*SEARCH, "--db", str(spread), "--scheduler", cluster.scheduler_address) == 0
            killer.join(timeout=60)
            # The nanny has put another worker in its place, or is about to.
            assert set(client.run(os.getpid).values()) != set(pids)
    with Database.open(alone) as one, Database.open(spread) as other:
        assert len(pids) == 2
        assert 3 <= killed[0][1] < len(other.batches())
        assert one.batches() == other.batches()
        assert [p.theta.tobytes() for p in one.points()] == [p.theta.tobytes() for p in other.points()]


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*SEARCH, "--db", str(tmp_path / "none.sqlite"), "--scheduler", "nowhere") == 2
    assert "does not answer" in capsys.readouterr().err
