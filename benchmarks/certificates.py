"""Every class that is found at N_h = 1 to 4, certified, read again by the checker, and compared with every other class.

Run `python -m benchmarks.certificates [--hidden 1 2 3] [--penalties 1e-2 1e-3] [--budget 60]`: one row of a Markdown
table for each encoding, width and penalty. Seconds and milliseconds are CPU time of one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from fractions import Fraction
from statistics import median
from typing import Any

import numpy as np

from benchmarks.fast import certify_fast
from symland.explore import explore
from symland.kernels import compile_kernel
from symland.records import Verdict
from symland.rigor.certify import certify
from symland.rigor.check import check_certificate
from symland.rigor.distinct import distinct
from symland.spec import load_spec
from symland.symbolic.symmetry import find_symmetry

ENCODINGS = ("xor", "xor-pm")
WIDTHS = (1, 2, 3, 4)
PENALTIES = ("1e-2", "1e-3", "1e-4", "1e-5", "1e-6")

HEADER = (
    "| data | N_h | lambda | classes by index | certified | fast | checked | distinct | least eigenvalue | "
    "ms each, median (most) |\n|---|---|---|---|---|---|---|---|---|---|"
)


def measure(name: str, hidden: int, penalty: str, budget: float) -> dict[str, Any]:
    """Explore one landscape for at most `budget` CPU seconds, and certify what was found."""
    spec = load_spec(name, hidden=(hidden,), penalty=penalty)
    group = find_symmetry(spec)
    found = explore(compile_kernel(spec), group, budget=budget, clock=time.process_time)
    certificates, milliseconds = [], []
    for point in found.points:
        start = time.process_time()
        certificates.append(certify(spec, [float(t) for t in point.theta]))
        milliseconds.append(1e3 * (time.process_time() - start))
    for point, made in zip(found.points, certificates, strict=True):
        if made.verdict is not Verdict.CERTIFIED or made.index != point.index:
            print(f"{name} {hidden} {penalty}: loss {point.loss}: {made.verdict} {made.index}: {made.reason}")
    fast = certify_fast(spec, np.array([point.theta for point in found.points]))
    counts = Counter(made.index for made in certificates if made.index is not None)
    return {
        "classes": [counts[k] for k in range(1 + max(counts, default=-1))],
        "certified": sum(made.verdict is Verdict.CERTIFIED for made in certificates),
        "fast": int(fast.decided.sum()),
        "checked": sum(check_certificate(made.to_dict()).verdict is Verdict.CERTIFIED for made in certificates),
        "found": len(certificates),
        "satisfied": found.satisfied,
        "morse": found.completeness.counts.morse_sum,
        "distinct": distinct(certificates, group).verdict,
        "least": min(
            (min(abs(Fraction(e)) for e in pair) for made in certificates for pair in made.eigenvalues), default=0
        ),
        "milliseconds": (median(milliseconds), max(milliseconds)),
    }


def row(name: str, hidden: int, penalty: str, it: dict[str, Any]) -> str:
    """One row of the table; an exploration that its budget ended is marked with its Morse sum."""
    middle, most = it["milliseconds"]
    classes = f"{it['classes']}" + ("" if it["satisfied"] else f" (budget; Morse sum {it['morse']})")
    return (
        f"| {name} | {hidden} | {penalty} | {classes} | {it['certified']} of {it['found']} | {it['fast']} | "
        f"{it['checked']} | {it['distinct'].value} | {float(it['least']):.1e} | {middle:.1f} ({most:.1f}) |"
    )


def main() -> int:
    """Print the table; exit status 1 if a class is not certified, read again and distinct from the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encodings", nargs="+", default=ENCODINGS)
    parser.add_argument("--hidden", nargs="+", type=int, default=WIDTHS)
    parser.add_argument("--penalties", nargs="+", default=PENALTIES)
    parser.add_argument("--budget", type=float, default=60.0, help="CPU seconds of one exploration")
    options = parser.parse_args()
    good = True
    print(HEADER)
    for hidden in options.hidden:
        for name in options.encodings:
            for penalty in options.penalties:
                it = measure(name, hidden, penalty, options.budget)
                good &= it["certified"] == it["checked"] == it["found"] and it["distinct"] is Verdict.CERTIFIED
                print(row(name, hidden, penalty, it), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
