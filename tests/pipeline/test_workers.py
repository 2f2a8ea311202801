"""Ctrl-C with worker processes ends what they are at, and is raised where their answer is asked for."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait

import pytest

from symland.pipeline.workers import worker_processes

LONG = 120.0
"""Seconds, of a call that is not waited for."""
SHORT = 30.0
"""Seconds, also under load."""


@pytest.fixture
def _answered() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell; nobody changes who answers it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def press(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.usefixtures("_answered")
def test_calls_that_are_under_way_end_and_none_is_begun() -> None:
    calls: list[Future[None]] = []

    def work() -> None:
        with worker_processes(2) as pool:
            pool.submit(int).result()
            calls.extend(pool.submit(time.sleep, LONG) for _ in range(8))
            press(0.5)
            wait(calls)
            calls[0].result()

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert time.monotonic() - begun < SHORT
    # It was raised in a worker, not in the midst of the waiting.
    assert "in _call" in str(caught.value.__cause__)
    assert all(isinstance(call.exception(), KeyboardInterrupt) for call in calls)


@pytest.mark.usefixtures("_answered")
def test_a_block_that_waits_for_no_worker_is_interrupted_at_once() -> None:
    def work() -> None:
        with worker_processes(1) as pool:
            pool.submit(int).result()
            press(0.2)
            time.sleep(LONG)

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - begun < SHORT


@pytest.mark.usefixtures("_answered")
def test_a_block_that_asks_for_no_answer_any_more_ends_interrupted() -> None:
    def work() -> None:
        with worker_processes(1) as pool:
            pool.submit(int).result()
            calls.append(pool.submit(time.sleep, LONG))
            press(0.2)

    calls: list[Future[None]] = []
    with pytest.raises(KeyboardInterrupt):
        work()
    assert isinstance(calls[0].exception(), KeyboardInterrupt)


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with worker_processes(1) as pool:
            os.kill(os.getpid(), signal.SIGINT)
            assert pool.submit(int).result() == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_calls_are_answered() -> None:
    answers: list[int] = []

    def work() -> None:
        with worker_processes(1) as pool:
            answers.append(pool.submit(int).result())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [0]
