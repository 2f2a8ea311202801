"""Worker processes, and how Ctrl-C, or a request to end, ends them.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside `concurrent.futures` that may be between
the taking of a lock and the block that gives it back. Then the lock stays taken, and the pool never ends, or it is
given back twice, which is an error. So while there are workers Ctrl-C raises nothing there. It ends the calls that
workers are at: KeyboardInterrupt is then the outcome of each, and is raised where that is asked for.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import active_children, get_context
from types import FrameType
from typing import Any

__all__ = ["worker_processes"]

MACHINERY = "concurrent.futures"
"""Modules in which nothing is raised."""


@contextmanager
def worker_processes(count: int) -> Iterator[Executor]:
    """So many processes, which end with the block.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, at the end of the block at the latest.
    """
    pool = _Pool(count)
    with _deaf() as answered:
        pool.start()
        # Where Ctrl-C was ignored, as in the background of a shell, it still is.
        for each in answered:
            signal.signal(each, pool.interrupt)
        try:
            with pool:
                yield pool
        except Exception:
            if not pool.interrupted:
                raise
    if pool.interrupted:
        raise KeyboardInterrupt


@contextmanager
def _deaf() -> Iterator[list[signal.Signals]]:
    """A block in which Ctrl-C is ignored, also by processes that it starts; the signals that Python answered before.

    Outside the main thread none is heard anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield [each for each, answer in before.items() if callable(answer)]
    finally:
        for each, answer in before.items():
            # None is one that no Python code has set.
            if answer is not None:
                signal.signal(each, answer)


class _Pool(ProcessPoolExecutor):
    def __init__(self, count: int) -> None:
        context = get_context("spawn")
        self._count, self._stop, self._workers = count, context.RawValue("b", 0), list[int]()
        super().__init__(count, mp_context=context, initializer=_begin, initargs=(self._stop,))

    @property
    def interrupted(self) -> bool:
        return bool(self._stop.value)

    def start(self) -> None:
        """Start all workers."""
        others = active_children()
        for _ in range(self._count):
            self.submit(int)
        self._workers = [child.pid for child in active_children() if child not in others and child.pid]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_call, fn, *args, **kwargs)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Answer a signal."""
        self._stop.value = 1
        for worker in self._workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGINT)
        while frame is not None and not frame.f_globals.get("__name__", "").startswith(MACHINERY):
            frame = frame.f_back
        if frame is None:
            raise KeyboardInterrupt


class _Worker:
    """In a worker: the pool's flag that all is to end, and whether a call is under way."""

    stop: Any = None
    busy = False


def _begin(stop: Any) -> None:
    _Worker.stop = stop
    signal.signal(signal.SIGINT, _end_call)


def _end_call(number: int, frame: FrameType | None) -> None:
    if _Worker.busy:
        raise KeyboardInterrupt


def _call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    _Worker.busy = True
    try:
        if _Worker.stop.value:
            raise KeyboardInterrupt
        return function(*args, **named)
    finally:
        _Worker.busy = False
