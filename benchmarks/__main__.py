"""`python -m benchmarks`: kernels against other libraries, in one process and interleaved; writes docs/benchmarks.*"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.networks import NAMES
from benchmarks.peak import measure_peak
from benchmarks.peers import PEERS
from symland.errors import KernelError
from symland.kernels import compile_kernel
from symland.kernels.engines import inline_code, record_code
from symland.spec import LandscapeSpec, load_spec

POINTS = 4096
WIDTHS = {"gradient": (2, 8, 16, 32), "hessian": (2, 8, 16, 32)}
ROUNDS = 7
FEWEST_ROUNDS = 3
LONGEST = 15.0
"""CPU seconds after which no further round begins."""

PEAK_WIDTHS = (2, 4, 8, 16, 32)
LARGEST_NUMPY = 100
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
    """CPU nanoseconds a point; the clock is asked rarely, as it costs as much as a short call."""
    turns, step, start = 0, max(1, 64 // len(points)), time.process_time()
    while (spent := time.process_time() - start) < SHORTEST:
        for _ in range(step):
            evaluate(points)
        turns += step
    return spent / turns / len(points) * 1e9


def contestants(spec: LandscapeSpec, kind: str, say: Callable[[str], None]) -> dict[str, Evaluate]:
    out: dict[str, Evaluate] = {"symland llvm": own(spec, kind, "llvm")}
    if kind == "hessian":
        out["symland llvm, packed"] = packed(spec, kind)
    for engine in ("c", "numpy"):
        if (engine, kind) == ("numpy", "hessian") and spec.n_parameters > LARGEST_NUMPY:
            say(f"symland numpy, Hessian: left out at P = {spec.n_parameters}: gigabytes of intermediate arrays")
            continue
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
            sys.stderr.write(f"{peer.name}: made in {time.process_time() - start:.2f} CPU s\n")
        except (MemoryError, ImportError, RuntimeError) as error:
            say(f"{peer.name}, {kind}: {error}")
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
    start = time.process_time()
    for turn in range(ROUNDS):
        if turn >= FEWEST_ROUNDS and time.process_time() - start > LONGEST:
            break
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


FIRST = """
import time; start = time.perf_counter()
{body}
print(time.perf_counter() - start, time.process_time())
"""

OWN_FIRST = """
from benchmarks.networks import network
from symland import compile_kernel
import numpy as np
spec = network({name!r})
kernel = compile_kernel(spec, cache={cache})
kernel.gradient(np.zeros((1, spec.n_parameters))); kernel.hessian(np.zeros((1, spec.n_parameters)))"""

PEER_FIRST = """
from benchmarks.peers import PEERS
from symland.spec import load_spec
import numpy as np
peer, spec = next(p for p in PEERS if p.name == {name!r}), load_spec("xor")
for kind in ("gradient", "hessian"):
    peer.make(spec, kind)(np.zeros((1, spec.n_parameters)))"""


def first(body: str, turns: int = 3) -> str:
    """Wall and CPU seconds of new processes from their first import to a gradient and a Hessian, as medians."""
    times = []
    for _ in range(turns):
        done = subprocess.run(
            [sys.executable, "-c", FIRST.format(body=body)], capture_output=True, text=True, check=True
        )
        times.append([float(word) for word in done.stdout.split()])
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    return f"{wall:.2f} ({cpu:.2f})"


def first_kernels() -> list[str]:
    lines = [
        "",
        "## First kernel",
        "",
        "Seconds of a new process from its first import to the first gradient and Hessian:",
    ]
    lines += ["wall (CPU), medians of three.", "", "| network | nothing kept | from the cache |", "|---|---|---|"]
    for name in NAMES:
        fresh = first(OWN_FIRST.format(name=name, cache=False))
        body = OWN_FIRST.format(name=name, cache=True)
        first(body, turns=1)
        lines.append(f"| {name} | {fresh} | {first(body)} |")
    lines += ["", "| peer, xor, hidden 2 | |", "|---|---|"]
    lines += [f"| {peer.name} | {first(PEER_FIRST.format(name=peer.name))} |" for peer in PEERS if peer.installed]
    return lines


def version(module: str) -> str:
    from importlib.metadata import version as installed

    return f"{module} {installed(module)}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"))
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    notes: list[str] = []
    before = os.getloadavg()

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
    table_of_peaks, places = roofline()
    lines += table_of_peaks
    lines += first_kernels()
    lines += ["", "## Notes of this run", "", *(f"- {note}" for note in notes if not note.startswith("--"))]
    lines += [f"- {version(spec)}" for spec in ("numpy", "llvmlite", *(p.module for p in PEERS if p.installed))]
    lines.append(f"- the machine's load was {before[0]:.1f} at the start and {os.getloadavg()[0]:.1f} at the end")
    (folder / "benchmarks.md").write_text("\n".join(lines) + "\n\n![ns a point](benchmarks.svg)\n")
    plot(plotted, places, folder / "benchmarks.svg")
    return 0


Roof = dict[str, Any]


def bandwidth() -> float:
    """Bytes a nanosecond of copying an array of a batch's size."""
    source = np.ones(POINTS * 82)
    target = np.empty_like(source)
    np.copyto(target, source)
    return 16 / once(lambda _: np.copyto(target, source), np.empty((source.size, 0)))


def roofline() -> tuple[list[str], Roof]:
    """Vector arithmetic a nanosecond against the peak of multiply-adds, measured by turns."""
    peaks: list[float] = []
    rows: list[str] = []
    places: list[tuple[int, float, float]] = []
    for width in PEAK_WIDTHS:
        spec = load_spec("xor", hidden=(width,))
        points = np.random.default_rng(0).normal(size=(POINTS, spec.n_parameters))
        evaluate = own(spec, "gradient", "llvm")
        evaluate(points)
        total, fused = operations(spec)
        found = []
        for _ in range(2 * ROUNDS):
            peaks.append(measure_peak())
            found.append((peaks[-1], 8 * once(evaluate, points)))
        issue = sorted(100 * (total - fused) / strip / peak for peak, strip in found)
        flop = statistics.median(100 * total / 2 / strip / peak for peak, strip in found)
        rows.append(
            f"| N_h = {width} | {total - fused} | {statistics.median(issue):.0f} | {issue[0]:.0f}-{issue[-1]:.0f} "
            f"| {flop:.0f} |"
        )
        strip = statistics.median(strip for _, strip in found)
        places.append((width, total / (8 * (2 * spec.n_parameters + 1)), 8 * total / strip))
    peak = statistics.median(peaks)
    bytes_ = bandwidth()
    lines = [
        "",
        "## Roofline",
        "",
        f"The core does {peak:.2f} vector multiply-adds of eight doubles in a nanosecond ({16 * peak:.0f} GFlop/s) and",
        f"copies {bytes_:.0f} GB/s. Issue counts vector instructions of arithmetic, a multiply-add as one;",
        "Flop counts it as two. Peak and kernel take turns.",
        "",
        "| value and gradient | instructions a strip | issue, % of peak | spread | Flop, % of peak |",
        "|---|---|---|---|---|",
        *rows,
    ]
    return lines, {"peak": 16 * peak, "bandwidth": bytes_, "places": places}


def plot(plotted: dict[str, dict[str, float]], roof: Roof, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.5), layout="constrained")
    axes, right = figure.subplots(1, 2, width_ratios=(2, 1))
    names = list(dict.fromkeys(name for times in plotted.values() for name in times))
    for name in names:
        x = [k for k, times in enumerate(plotted.values()) if name in times]
        y = [times[name] for times in plotted.values() if name in times]
        axes.plot(x, y, "o-" if name.startswith("symland") else "s--", label=name)
    axes.set_yscale("log")
    axes.set_xticks(range(len(plotted)), [title.replace(", ", ",\nN_h = ") for title in plotted], fontsize="small")
    axes.set_ylabel("CPU ns a point")
    axes.legend(fontsize="small", ncols=2)
    x = np.geomspace(0.2, 100, 50)
    right.loglog(x, np.minimum(roof["peak"], roof["bandwidth"] * x), "k-")
    for width, intensity, speed in roof["places"]:
        right.plot(intensity, speed, "o", label=f"N_h = {width}")
    right.set_xlabel("Flop a byte of theta and gradient")
    right.set_ylabel("GFlop/s")
    right.legend(fontsize="small", title="value and gradient")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    raise SystemExit(main())
