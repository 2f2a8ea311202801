"""A budget bounds the whole command, also where a step would not end by itself."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from symland.landscape.database import Database
from symland.pipeline import BudgetSpent, Deadline, run
from symland.pipeline.chain import SHARES
from symland.spec import load_spec

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "swish.toml"


def test_a_block_that_would_never_end_is_ended_and_no_error_handler_keeps_it() -> None:
    deadline = Deadline.of(time.monotonic, 0.2)
    begun = time.monotonic()
    with pytest.raises(BudgetSpent), deadline.limit():
        _endless()
    assert 0.1 < time.monotonic() - begun < 2.0
    with pytest.raises(BudgetSpent), deadline.limit():
        raise AssertionError("a block was begun after the deadline")


def _endless() -> None:
    while True:
        with suppress(Exception):
            time.sleep(0.01)


def test_no_timer_is_left_behind_and_none_is_set_without_a_budget() -> None:
    with Deadline.of(time.monotonic, 0.1).limit():
        pass
    with Deadline.of(time.monotonic, None).limit():
        time.sleep(0.2)


def test_shares_follow_the_order_of_the_steps_and_end_with_the_budget() -> None:
    shares = list(SHARES.values())
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_bell_that_rings_in_a_destructor_is_not_lost() -> None:
    class Slow:
        def __del__(self) -> None:
            time.sleep(0.1)

    def work() -> None:
        with Deadline.of(time.monotonic, 0.02).limit():
            Slow()
            time.sleep(5)

    begun, hook = time.monotonic(), sys.unraisablehook
    with pytest.raises(BudgetSpent):
        work()
    assert time.monotonic() - begun < 2
    assert sys.unraisablehook is hook


def test_a_bell_that_rings_while_it_is_being_set_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine under load, where 5 ms pass before the next line."""

    def delayed(*arguments: Any) -> None:
        set_timer(*arguments)
        time.sleep(0.005)

    class Slow:
        def __del__(self) -> None:
            time.sleep(0.05)

    def work(budget: float) -> None:
        with Deadline.of(time.monotonic, budget).limit():
            Slow()
            time.sleep(5)

    set_timer, hook, answer = signal.setitimer, sys.unraisablehook, signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(signal, "setitimer", delayed)
    for budget in (0.001, 0.02):
        begun = time.monotonic()
        with pytest.raises(BudgetSpent):
            work(budget)
        assert time.monotonic() - begun < 2
        assert (sys.unraisablehook, signal.getsignal(signal.SIGALRM)) == (hook, answer)


def test_in_another_thread_a_block_is_not_interrupted() -> None:
    ended: list[bool] = []

    def work() -> None:
        with Deadline.of(time.monotonic, 0.01).limit():
            time.sleep(0.05)
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]


# A step that is ended while it opens a file, such as a font for a figure, leaves the file to Python to close.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning")
def test_a_run_ends_by_its_budget_and_keeps_what_it_found(tmp_path: Path) -> None:
    """The proof of this network's program takes minutes, and connecting its classes too."""
    begun = time.monotonic()
    result = run(load_spec(EXAMPLE), tmp_path, budget=4.0, clock=time.monotonic)
    assert time.monotonic() - begun < 4.0 + 6.0
    assert "verify" in result["unfinished"]
    with Database.open(result["database"]) as database:
        assert len(database.points()) == len(result["classes"]) > 20
