"""A contest: each contestant in a process of its own, pinned to one core, with one thread, warmed up, taking turns.

Threads that a library leaves spinning, its memory and its allocator stay with it: a process that is not at its turn is
stopped, and CPU time is asked of the process itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import numpy as np

from benchmarks.networks import network
from benchmarks.peers import PEERS
from symland.errors import KernelError
from symland.kernels import compile_kernel
from symland.spec import LandscapeSpec

__all__ = ["OWN", "Contestant", "race"]

ROUNDS = 7
"""Turns of each contestant."""

SHORTEST = 0.05
"""CPU seconds of one measurement at least."""

ROW = 2048
"""Doubles of a row that stays in the nearest cache."""

SLOWEST = 300.0
"""Seconds that a contestant may take to be ready."""

LARGEST_NUMPY = 100
"""Parameters of the largest network whose Hessian the NumPy engine computes without gigabytes."""

ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}
"""Every library on one thread, and floats of 64 bits."""

Evaluate = Callable[[np.ndarray], Any]


def _batched(method: str, engine: str = "llvm") -> Callable[[LandscapeSpec, str], Evaluate]:
    def make(spec: LandscapeSpec, kind: str) -> Evaluate:
        if engine == "numpy" and kind == "hessian" and spec.n_parameters > LARGEST_NUMPY:
            raise MemoryError(f"left out at P = {spec.n_parameters}: gigabytes of intermediate arrays")
        kernel, held = compile_kernel(spec, engine=engine, verify=False), dict[int, Any]()
        name = method or {"gradient": "value_gradient", "hessian": "hessian", "product": "hessian_product"}[kind]
        call = getattr(kernel, name)

        def evaluate(points: np.ndarray) -> Any:
            n = len(points)
            given = (points, points) if kind == "product" else (points,)
            held[n] = call(*given, out=held.get(n))
            return held[n]

        return evaluate

    return make


def _fixed(spec: LandscapeSpec, kind: str) -> Evaluate:
    kernel, made = compile_kernel(spec, verify=False), dict[int, Any]()
    want = {"gradient": ("value", "gradient"), "hessian": ("hessian",), "product": ("product",)}[kind]

    def evaluate(points: np.ndarray) -> Any:
        n = len(points)
        if n not in made:
            call = kernel.fixed(*want, points=n)
            call.theta[...] = points
            if kind == "product":
                call.direction[...] = points
            made[n] = (call.run, call)
        made[n][0]()
        return made[n][1]

    return evaluate


def _memory(spec: LandscapeSpec, kind: str) -> Evaluate:
    """Writing a result of that size and nothing else, from a row in the nearest cache."""
    sizes = {"gradient": spec.n_parameters, "hessian": spec.n_parameters**2, "product": spec.n_parameters}
    row, held = np.ones(min(sizes[kind], ROW)), dict[int, Any]()

    def evaluate(points: np.ndarray) -> Any:
        n = len(points)
        if n not in held:
            held[n] = np.zeros(-(-n * sizes[kind] // len(row)) * len(row)).reshape(-1, len(row))
        held[n][...] = row
        return held[n]

    return evaluate


OWN: dict[str, Callable[[LandscapeSpec, str], Evaluate]] = {
    "symland llvm": _batched(""),
    "symland llvm, fixed call": _fixed,
    "symland llvm, packed": _batched("packed_hessian"),
    "writing the result": _memory,
    "symland c": _batched("", "c"),
    "symland numpy": _batched("", "numpy"),
}
"""Our own entries, and the memory's; packed and writing are for Hessians alone, a fixed call for a single point."""


def once(evaluate: Evaluate, points: np.ndarray) -> float:
    """CPU nanoseconds a point; the clock is asked rarely, as it costs as much as a short call."""
    turns, step, start = 0, max(1, 64 // len(points)), time.process_time()
    while (spent := time.process_time() - start) < SHORTEST:
        for _ in range(step):
            evaluate(points)
        turns += step
    return spent / turns / len(points) * 1e9


class Contestant:
    """A contestant's process: ready, and stopped until its turn comes.

    Raises
    ------
    RuntimeError
        If it cannot take part, with the reason.
    """

    def __init__(self, name: str, kind: str, of: str, points: int, core: int) -> None:
        command = [sys.executable, "-m", "benchmarks.contest", name, kind, of, str(points), str(core)]
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )
        answer = self._read()
        if "error" in answer:
            self.close()
            raise RuntimeError(answer["error"])
        os.kill(self.process.pid, signal.SIGSTOP)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        return found

    def turn(self) -> float:
        """One measurement, in CPU nanoseconds a point."""
        assert self.process.stdin is not None
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self._read()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        os.kill(self.process.pid, signal.SIGSTOP)
        return float(answer["ns"])

    def close(self) -> None:
        """End its process."""
        self.process.kill()
        self.process.wait()


def race(
    names: Iterable[str], kind: str, of: str, points: int, say: Callable[[str], None], rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """CPU nanoseconds a point, one number a round, the contestants taking turns on one core."""
    core = max(os.sched_getaffinity(0))
    running: list[Contestant] = []
    times: dict[str, list[float]] = {}
    try:
        for name in names:
            try:
                running.append(Contestant(name, kind, of, points, core))
            except RuntimeError as error:
                say(f"{name}, {kind}, {of}: {error}")
        for _ in range(rounds):
            for contestant in running:
                times.setdefault(contestant.name, []).append(contestant.turn())
    finally:
        for contestant in running:
            contestant.close()
    return times


def _serve(name: str, kind: str, of: str, n: int, core: int, out: TextIO) -> None:
    def say(**values: Any) -> None:
        out.write(json.dumps(values) + "\n")
        out.flush()

    os.sched_setaffinity(0, {core})
    spec = network(of)
    points = np.random.default_rng(0).normal(size=(n, spec.n_parameters))
    try:
        peer = next((p for p in PEERS if p.name == name), None)
        if peer is not None and not peer.installed:
            say(error="not installed")
            return
        evaluate = (OWN[name] if peer is None else peer.make)(spec, kind)
        for _ in range(3):
            evaluate(points)
        once(evaluate, points)
    except (MemoryError, ImportError, RuntimeError, KernelError, KeyError, NotImplementedError) as error:
        say(error=str(error).splitlines()[0] if str(error) else type(error).__name__)
        return
    say(ready=True)
    for _ in sys.stdin:
        say(ns=once(evaluate, points))


if __name__ == "__main__":
    _name, _kind, _of, _points, _core = sys.argv[1:]
    # Compilers and libraries that print do so to standard error, not into the answers.
    _out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _serve(_name, _kind, _of, int(_points), int(_core), _out)
