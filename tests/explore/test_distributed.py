"""The campaign over Dask workers in separate processes, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
import time
import warnings

import pytest

from symland.explore import Plan, explore
from tests.explore.landscapes import no_symmetry, wells3

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore")


def slow_wells3():
    """Wells that take long enough to be killed in the middle of a batch."""

    class Slow(type(wells3())):
        def value_gradient_hessian(self, theta):
            time.sleep(0.002)
            return super().value_gradient_hessian(theta)

    return Slow(3, tilt=0.1)


def test_a_killed_worker_changes_nothing_in_the_list():
    plan = Plan(seed=2, searches=40, batches=4)
    rules = {"plan": plan, "until": "morse, repeat 3, quiet 0.5"}
    alone = explore(wells3(), no_symmetry(3), **rules)
    killed: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
            ) as cluster,
            distributed.Client(cluster) as client,
        ):

            def keep(result):
                if not killed:
                    pid = next(iter(client.run(os.getpid).values()))
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

            spread = explore(
                wells3(), no_symmetry(3), executor=client.get_executor(), factory=slow_wells3, keep=keep, **rules
            )
    assert killed
    assert [p.theta.tobytes() for p in spread.points] == [p.theta.tobytes() for p in alone.points]
    assert spread.completeness == alone.completeness
