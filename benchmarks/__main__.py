"""`python -m benchmarks`: kernels against other libraries, in one process and interleaved; writes docs/benchmarks.*"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peak import measure_peak
from benchmarks.peers import PEERS
from symland.errors import KernelError
from symland.kernels import compile_kernel
from symland.kernels.engines import inline_code, record_code
from symland.spec import LandscapeSpec, load_spec

POINTS = 4096
WIDTHS = {"gradient": (2, 8, 32), "hessian": (2, 8, 16)}
ROUNDS = 5
SHORTEST = 0.02
"""CPU seconds of one measurement at least."""

ARITHMETIC = ("add", "sub", "mul", "div", "neg", "abs", "copysign", "least", "most", "less", "select", "sqrt")

Evaluate = Callable[[np.ndarray], Any]


def own(spec: LandscapeSpec, kind: str, engine: str) -> Evaluate:
    kernel = compile_kernel(spec, engine=engine, verify=False)
    held: dict[int, Any] = {}

    def evaluate(points: np.ndarray) -> Any:
        n = len(points)
        if kind == "gradient":
            held[n] = kernel.value_gradient(points, out=held.get(n))
        else:
            held[n] = kernel.hessian(points, out=held.get(n))
        return held[n]

    return evaluate


def packed(spec: LandscapeSpec, kind: str) -> Evaluate:
    kernel = compile_kernel(spec, verify=False)
    held: dict[int, Any] = {}

    def evaluate(points: np.ndarray) -> Any:
        held[len(points)] = kernel.packed_hessian(points, out=held.get(len(points)))
        return held[len(points)]

    return evaluate


def once(evaluate: Evaluate, points: np.ndarray) -> float:
    """CPU nanoseconds a point."""
    turns, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SHORTEST:
        evaluate(points)
        turns += 1
    return spent / turns / len(points) * 1e9


def contestants(spec: LandscapeSpec, kind: str, say: Callable[[str], None]) -> dict[str, Evaluate]:
    out: dict[str, Evaluate] = {"symland llvm": own(spec, kind, "llvm")}
    if kind == "hessian":
        out["symland llvm, packed"] = packed(spec, kind)
    for engine in ("c", "numpy"):
        try:
            out[f"symland {engine}"] = own(spec, kind, engine)
        except KernelError as error:
            say(f"{engine}: {error}")
    for peer in PEERS:
        if not peer.installed:
            say(f"{peer.name}: not installed")
            continue
        try:
            start = time.process_time()
            out[peer.name] = peer.make(spec, kind)
            say(f"{peer.name}: made in {time.process_time() - start:.2f} CPU s")
        except (MemoryError, ImportError, RuntimeError) as error:
            say(f"{peer.name}: {error}")
    return out


def race(spec: LandscapeSpec, kind: str, n: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """CPU nanoseconds a point, one number a round, the contestants taking turns."""
    points = np.random.default_rng(0).normal(size=(n, spec.n_parameters))
    running = contestants(spec, kind, say)
    for name in list(running):
        try:
            running[name](points)
        except (RuntimeError, MemoryError, KernelError) as error:
            say(f"{name}: {error}")
            del running[name]
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(ROUNDS):
        for name, evaluate in running.items():
            times[name].append(once(evaluate, points))
    return times


def table(times: dict[str, list[float]]) -> list[str]:
    lines = ["| | ns a point | ratio | spread of the ratio |", "|---|---|---|---|"]
    own_times = times["symland llvm"]
    for name, values in times.items():
        ratios = sorted(v / o for v, o in zip(values, own_times, strict=True))
        middle = statistics.median(ratios)
        lines.append(f"| {name} | {statistics.median(values):.1f} | {middle:.2f} | {ratios[0]:.2f}-{ratios[-1]:.2f} |")
    return lines


def operations(spec: LandscapeSpec) -> tuple[int, int]:
    """Vector instructions of arithmetic in a strip, and how many of them a multiply-add can take in."""
    counts = inline_code(record_code(spec, ("value", "gradient"))[1]).counts
    total = sum(counts.get(op, 0) for op in ARITHMETIC)
    return total, min(counts.get("mul", 0), counts.get("add", 0) + counts.get("sub", 0))


def cold(hidden: str, name: str, cache: str) -> float:
    """Wall seconds of a new process from its first import to a gradient and a Hessian."""
    program = f"""
import time; start = time.perf_counter()
from pathlib import Path
from symland import load_spec, compile_kernel
import numpy as np
spec = load_spec({name!r}, hidden=({hidden}))
kernel = compile_kernel(spec, cache={cache})
kernel.gradient(np.zeros((1, spec.n_parameters))); kernel.hessian(np.zeros((1, spec.n_parameters)))
print(time.perf_counter() - start)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"))
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    notes: list[str] = []

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")
        if text not in notes:
            notes.append(text)

    lines = [
        "# Benchmarks",
        "",
        f"One process, the contestants taking turns, {ROUNDS} rounds, CPU time. The XOR network, {POINTS} points;",
        "ratios are to `symland llvm` in the same round: median, smallest and largest. Written by `make bench`.",
    ]
    plotted: dict[str, dict[str, float]] = {}
    for kind, widths in WIDTHS.items():
        for width in widths:
            spec = load_spec("xor", hidden=(width,))
            say(f"-- {kind}, {width} hidden nodes")
            times = race(spec, kind, POINTS, say)
            title = "Value and gradient" if kind == "gradient" else "Hessian"
            lines += ["", f"## {title}, N_h = {width} (P = {spec.n_parameters})", "", *table(times)]
            plotted[f"{title}, {width}"] = {name: statistics.median(v) for name, v in times.items()}
    lines += ["", "## One point", "", *table(race(load_spec("xor"), "gradient", 1, say))]
    lines += roofline(measure_peak(), plotted)
    lines += ["", "## First kernel", "", "Wall seconds of a new process to the first gradient and Hessian.", ""]
    lines += ["| network | nothing kept | from the cache |", "|---|---|---|"]
    for name, hidden in (("xor", "2,"), ("xor", "64,"), ("iris", "20, 20")):
        fresh = cold(hidden, name, "False")
        cold(hidden, name, "True")
        kept = min(cold(hidden, name, "True") for _ in range(3))
        lines.append(f"| {name}, hidden {hidden.rstrip(',')} | {fresh:.2f} | {kept:.2f} |")
    lines += ["", "## Notes of this run", "", *(f"- {note}" for note in notes if not note.startswith("--"))]
    (folder / "benchmarks.md").write_text("\n".join(lines) + "\n\n![ns a point](benchmarks.svg)\n")
    plot(plotted, folder / "benchmarks.svg")
    return 0


def roofline(peak: float, plotted: dict[str, dict[str, float]]) -> list[str]:
    """Vector arithmetic a nanosecond against the peak of multiply-adds."""
    lines = [
        "",
        "## Roofline",
        "",
        f"The core does {peak:.2f} vector multiply-adds of eight doubles in a nanosecond ({16 * peak:.0f} GFlop/s).",
        "Issue counts vector instructions of arithmetic, a multiply-add as one; Flop counts it as two.",
        "",
        "| value and gradient | instructions a strip | issue, % of peak | Flop, % of peak |",
        "|---|---|---|---|",
    ]
    for width in WIDTHS["gradient"]:
        total, fused = operations(load_spec("xor", hidden=(width,)))
        strip = 8 * plotted[f"Value and gradient, {width}"]["symland llvm"]
        issued = total - fused
        lines.append(
            f"| N_h = {width} | {issued} | {100 * issued / strip / peak:.0f} | {100 * total / 2 / strip / peak:.0f} |"
        )
    return lines


def plot(plotted: dict[str, dict[str, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(name for times in plotted.values() for name in times))
    for name in names:
        x = [k for k, times in enumerate(plotted.values()) if name in times]
        y = [times[name] for times in plotted.values() if name in times]
        axes.plot(x, y, "o-" if name.startswith("symland") else "s--", label=name)
    axes.set_yscale("log")
    axes.set_xticks(range(len(plotted)), [title.replace(", ", ",\nN_h = ") for title in plotted])
    axes.set_ylabel("CPU ns a point")
    axes.legend(fontsize="small", ncols=2)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    raise SystemExit(main())
