"""`python -m benchmarks`: kernels against other libraries, a process each, in turns; writes docs/benchmarks.*"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import OWN, ROUNDS, once, race
from benchmarks.networks import NAMES
from benchmarks.peak import measure_peak
from benchmarks.peers import PEERS
from symland.kernels.engines import inline_code, record_code
from symland.spec import LandscapeSpec, load_spec

POINTS = 4096
WIDTHS = (2, 8, 16, 32)
KINDS = {"gradient": "Value and gradient", "hessian": "Hessian", "product": "Hessian times a vector"}

BATCHES = (1, 64)
"""Points of the contests of small batches."""

MANY_SAMPLES = ("10-32-3, 1000 samples", "iris, 20-20")
"""Networks with many samples, at few points."""

PEAK_WIDTHS = (2, 4, 8, 16, 32)

ARITHMETIC = ("add", "sub", "mul", "div", "neg", "abs", "copysign", "least", "most", "less", "select", "sqrt")


def names(kind: str, points: int = POINTS) -> list[str]:
    """Who takes part."""
    left_out = {"symland llvm, packed", "writing the result"} if kind != "hessian" else set[str]()
    if points > 1:
        left_out.add("symland llvm, fixed call")
    return [name for name in (*OWN, *(peer.name for peer in PEERS)) if name not in left_out]


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
    for peer in PEERS:
        if not peer.installed:
            continue
        try:
            lines.append(f"| {peer.name} | {first(PEER_FIRST.format(name=peer.name))} |")
        except subprocess.CalledProcessError as error:
            # One that has no Hessian, say: its last line says why it takes no part.
            lines.append(f"| {peer.name} | {error.stderr.strip().splitlines()[-1]} |")
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
        f"Each contestant in a process of its own, pinned to one core, on one thread, warmed up; {ROUNDS} rounds",
        "in turns, CPU time of the process itself. Ratios are to `symland llvm` in the same round: median, smallest",
        "and largest. Written by `make bench`.",
    ]
    plotted: dict[str, dict[str, float]] = {}
    for kind, title in KINDS.items():
        for width in WIDTHS:
            say(f"-- {kind}, {width} hidden nodes")
            times = race(names(kind), kind, f"xor, {width}", POINTS, say)
            parameters = load_spec("xor", hidden=(width,)).n_parameters
            lines += ["", f"## {title}, N_h = {width} (P = {parameters}), {POINTS} points", "", *table(times)]
            plotted[f"{title}, {width}"] = {name: statistics.median(v) for name, v in times.items()}
    for points in BATCHES:
        for width in (2, 32):
            times = race(names("gradient", points), "gradient", f"xor, {width}", points, say)
            lines += ["", f"## Value and gradient, N_h = {width}, batches of {points}", "", *table(times)]
    for of in MANY_SAMPLES:
        for kind in ("gradient", "product"):
            for points in (1, 4, 64):
                times = race(names(kind, points), kind, of, points, say)
                lines += ["", f"## {KINDS[kind]}, {of}, batches of {points}", "", *table(times)]
    # Contests take most of the time: what they gave is kept whatever comes after.
    (folder / "benchmarks.md").write_text("\n".join(lines) + "\n")
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
        evaluate = OWN["symland llvm"](spec, "gradient")
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
