"""A trial of complete enumeration against the world: random questions, lists with holes, other orders, other engines.

    python -m benchmarks.gauntlet --minutes 60 --seed 0

For each random data set a list of stationary points is made by a Newton iteration of its own (NumPy and SciPy; nothing
of the package's kernels, programs or derivatives). A proof that the whole list is complete is held against a second
such search from other starts. With each class and each pair of classes removed, the search alone (its look for missing
points switched off) must not call the rest complete. Samples and inputs in another order, exchanged labels, and the
NumPy engine must give the same number of classes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy.optimize import root

from symland.datasets import make_data
from symland.errors import SymlandError
from symland.records import Verdict
from symland.rigor.enumeration import enumerate_points
from symland.spec import LandscapeSpec, builtin

__all__ = ["Case", "draw_case", "run_case"]

MOST_BOXES = 1_000_000
"""Choices after which a question is left open, ..."""

MOST_SECONDS = 30.0
"""... or CPU seconds."""

SAMPLES = (1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6, 7, 8)
"""Samples: few are more frequent, as the search compiles longer for many."""

TRIED_AGAIN = 0.25
"""Share of the questions that are asked again in other words and of the NumPy engine: each compiles afresh."""

CELLS = ("0", "1", "-1", "1/2", "-2", "3/4", "2")
"""Inputs: dyadic numbers, of which many are equal or opposite."""

PENALTIES = ("1/5", "1/10", "1/20", "1/40")

MOST_PAIRS = 12
"""Pairs of classes that are removed from one list."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One random question."""

    spec: LandscapeSpec
    seed: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of it: what was tried, and the false claims, of which there must be none."""

    status: str
    trials: int
    false: tuple[str, ...]


def draw_case(seed: int) -> Case:
    """A question of 1 to 8 samples of 1 to 3 inputs and 1 to 3 nodes."""
    rng = np.random.default_rng(seed)
    n_inputs, samples = int(rng.integers(1, 4)), int(rng.choice(SAMPLES))
    rows: list[list[str]] = []
    for _ in range(40):
        row = [str(rng.choice(CELLS)) for _ in range(n_inputs)]
        if rng.random() < 0.3 and n_inputs > 1:
            row[1] = row[0]  # collinear
        if row not in rows:
            rows.append(row)
        if len(rows) == samples:
            break
    if rng.random() < 0.15:
        rows = [["0", *row[1:]] for row in rows]
        rows = [list(row) for row in dict.fromkeys(map(tuple, rows))]
    labels = [int(x) for x in rng.integers(0, 2, size=len(rows))]
    if rng.random() < 0.1:
        labels = [labels[0]] * len(rows)
    nodes = int(rng.choice([1, 1, 2, 2, 3]))
    data = make_data("random", rows, labels, classify=True)
    spec = builtin("xor").with_(hidden=(nodes,), penalty=str(rng.choice(PENALTIES)), data=data)
    return Case(spec=spec, seed=seed)


# The oracle: loss and gradient written out by the chain rule, in the order W1, W2, b, c ------------------------------


def _parts(spec: LandscapeSpec, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n, k = spec.hidden[0], spec.n_inputs
    first, second, bias = n * k, n * k + 2 * n, n * k + 3 * n
    lead = theta.shape[:-1]
    return (
        theta[..., :first].reshape(*lead, n, k),
        theta[..., first:second].reshape(*lead, 2, n),
        theta[..., second:bias],
        theta[..., bias:],
    )


def _data(spec: LandscapeSpec) -> tuple[np.ndarray, np.ndarray]:
    x = np.array([[float(cell) for cell in row] for row in spec.data.inputs])
    return x, np.where(np.array(spec.data.labels) == 1, 1.0, -1.0)


def loss(spec: LandscapeSpec, theta: np.ndarray) -> np.ndarray:
    """Mean softplus of the wrong margin, and the penalty."""
    (x, sign), (w1, w2, b, c) = _data(spec), _parts(spec, theta)
    h = np.tanh(np.einsum("dk,...nk->...dn", x, w1) + b[..., None, :])
    z = np.einsum("...dn,...in->...di", h, w2) + c[..., None, :]
    data = np.logaddexp(0.0, -sign * (z[..., 1] - z[..., 0])).mean(axis=-1)
    result: np.ndarray = data + float(spec.penalty) * (theta**2).sum(axis=-1)
    return result


def gradient(spec: LandscapeSpec, theta: np.ndarray) -> np.ndarray:
    """dE/dtheta, for any leading axes."""
    (x, sign), (w1, w2, b, c) = _data(spec), _parts(spec, theta)
    h = np.tanh(np.einsum("dk,...nk->...dn", x, w1) + b[..., None, :])
    z = np.einsum("...dn,...in->...di", h, w2) + c[..., None, :]
    wrong = 1.0 / (1.0 + np.exp(np.clip(sign * (z[..., 1] - z[..., 0]), -700, 700)))
    pull = -sign * wrong / len(sign)
    delta = np.stack([-pull, pull], axis=-1)
    back = np.einsum("...di,...in->...dn", delta, w2) * (1 - h * h)
    lead = theta.shape[:-1]
    parts = [
        np.einsum("...dn,dk->...nk", back, x).reshape(*lead, -1),
        np.einsum("...di,...dn->...in", delta, h).reshape(*lead, -1),
        back.sum(axis=-2),
        delta.sum(axis=-2),
    ]
    result: np.ndarray = np.concatenate(parts, axis=-1) + 2 * float(spec.penalty) * theta
    return result


def stationary_points(spec: LandscapeSpec, starts: int, seed: int) -> list[np.ndarray]:
    """Stationary points from random starts, one for each loss, by Newton steps with a Hessian of differences."""
    rng, size, h = np.random.default_rng(seed), spec.n_parameters, 1e-5
    theta = rng.normal(size=(starts, size)) * rng.choice([0.1, 0.5, 1.0, 2.0, 4.0], size=(starts, 1))
    theta[0] = 0.0
    steps = h * np.eye(size)
    for _ in range(60):
        g = gradient(spec, theta)
        hessian = (gradient(spec, theta[:, None] + steps) - gradient(spec, theta[:, None] - steps)) / (2 * h)
        values, vectors = np.linalg.eigh((hessian + hessian.transpose(0, 2, 1)) / 2)
        values = np.where(np.abs(values) < 1e-6, 1e-6, values)
        move = np.einsum("nij,nj->ni", vectors, np.einsum("nij,ni->nj", vectors, g) / values)
        theta = theta - move * np.minimum(1.0, 1.0 / np.maximum(np.abs(move).max(axis=1, keepdims=True), 1.0))
    found: dict[tuple[float, ...], np.ndarray] = {}
    for t in theta[np.abs(gradient(spec, theta)).max(axis=1) < 1e-7]:
        key = (round(float(loss(spec, t)), 7), round(float(np.abs(t).max()), 4))
        if key not in found:
            polished = root(lambda p: gradient(spec, p), t, options={"xtol": 1e-14})
            found[key] = polished.x
    return list(found.values())


# The trial -----------------------------------------------------------------------------------------------------------


def run_case(case: Case, starts: int = 400, end: float = float("inf")) -> Outcome:
    """Try one question; stop removing classes at the time ``end``."""
    spec = case.spec
    points = stationary_points(spec, starts, case.seed)
    try:
        whole = enumerate_points(spec, points, max_boxes=MOST_BOXES, budget_seconds=MOST_SECONDS)
    except SymlandError as error:
        return Outcome(status=f"refused: {str(error).split(';')[0][:60]}", trials=1, false=())
    trials, false = 1, list[str]()
    if whole.inconsistent:
        false.append(f"seed {case.seed}: inconsistent {whole.inconsistent}")
    if whole.verdict is not Verdict.CERTIFIED:
        return Outcome(status=whole.verdict.value, trials=trials, false=tuple(false))
    known = np.array([loss(spec, points[c.number]) for c in whole.classes])
    for other in stationary_points(spec, starts, case.seed + 10**6):
        if np.abs(known - loss(spec, other)).min(initial=np.inf) > 1e-6:
            false.append(f"seed {case.seed}: complete, but a point at loss {loss(spec, other):.9f} is missing")
    kept = [points[c.number] for c in whole.classes]
    limit = whole.boxes_handled + 1000
    pairs = list(combinations(range(len(kept)), 2))
    chosen = [pairs[k] for k in np.random.default_rng(case.seed).permutation(len(pairs))[:MOST_PAIRS]]
    for removed in [*((k,) for k in range(len(kept))), *chosen]:
        if time.monotonic() > end:
            break
        rest = [p for k, p in enumerate(kept) if k not in removed]
        trials += 1
        if enumerate_points(spec, rest, lookout=0, max_boxes=limit).verdict is Verdict.CERTIFIED:
            false.append(f"seed {case.seed}: complete without {removed}")
    if np.random.default_rng(case.seed).random() > TRIED_AGAIN or time.monotonic() > end:
        return Outcome(status="complete", trials=trials, false=tuple(false))
    for name, other_spec, moved in _variants(spec, kept, case.seed):
        trials += 1
        found = enumerate_points(other_spec, moved, max_boxes=4 * MOST_BOXES, budget_seconds=4 * MOST_SECONDS)
        if found.inconsistent or (found.verdict is Verdict.CERTIFIED and len(found.classes) != len(kept)):
            false.append(f"seed {case.seed}: {len(kept)} classes, {len(found.classes)} with {name}")
    if whole.boxes_handled < 5_000:
        trials += 1
        plain = enumerate_points(spec, kept, max_boxes=MOST_BOXES, compiled=False)
        if (plain.verdict, plain.digest) != (whole.verdict, enumerate_points(spec, kept).digest):
            false.append(f"seed {case.seed}: the NumPy engine differs")
    return Outcome(status="complete", trials=trials, false=tuple(false))


def _variants(
    spec: LandscapeSpec, points: list[np.ndarray], seed: int
) -> list[tuple[str, LandscapeSpec, list[np.ndarray]]]:
    """The same landscape in other words: samples and inputs in another order, labels exchanged."""
    rng = np.random.default_rng(seed)
    rows, labels = spec.data.inputs, list(spec.data.labels)
    order, places = rng.permutation(len(rows)), rng.permutation(spec.n_inputs)

    def asked(rows: list[list[Fraction]], labels: list[int]) -> LandscapeSpec:
        data = make_data("again", [[str(cell) for cell in row] for row in rows], labels, classify=True)
        return spec.with_(data=data)

    def shifted(theta: np.ndarray) -> np.ndarray:
        w1, w2, b, c = (part.copy() for part in _parts(spec, theta))
        return np.concatenate([w1[:, places].ravel(), w2.ravel(), b, c])

    def exchanged(theta: np.ndarray) -> np.ndarray:
        w1, w2, b, c = _parts(spec, theta)
        return np.concatenate([w1.ravel(), w2[::-1].ravel(), b, c[::-1]])

    plain = [list(row) for row in rows]
    return [
        ("other samples", asked([plain[d] for d in order], [labels[d] for d in order]), points),
        ("other inputs", asked([[row[k] for k in places] for row in plain], labels), [shifted(p) for p in points]),
        ("labels exchanged", asked(plain, [1 - label for label in labels]), [exchanged(p) for p in points]),
    ]


def main() -> int:
    """Run cases until the time is up; exit status 1 if anything false was claimed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=10**9)
    given = parser.parse_args()
    begin = time.monotonic()
    end = begin + 60 * given.minutes
    status, trials, false = Counter[str](), 0, list[str]()
    for seed in range(given.seed, given.seed + given.cases):
        if time.monotonic() > end:
            break
        outcome = run_case(draw_case(seed), end=end)
        status[outcome.status] += 1
        trials += outcome.trials
        false += outcome.false
        for line in outcome.false:
            print("FALSE", line, flush=True)
        print(f"{seed}: {outcome.status}, {outcome.trials} trials", file=sys.stderr, flush=True)
    print(f"{sum(status.values())} questions, {trials} trials in {time.monotonic() - begin:.0f} s: {dict(status)}")
    print(f"{len(false)} false proofs")
    return 1 if false else 0


if __name__ == "__main__":
    sys.exit(main())
