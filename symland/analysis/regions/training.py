"""Training on subsamples: what each rule of choice costs, and where it ends.

Plain gradient descent on the mean cross-entropy, without the penalty. Each step takes the mean of the gradients of the
chosen samples. A rule that ranks samples must look at all of them first, and that is counted: a forward pass of one
sample costs 1 and a backward pass 2.

| rule | chosen | cost of a step with m of D samples |
|---|---|---|
| all | every sample | 3 D |
| random | m at random | 3 m |
| confidence | m of smallest margin | D + 2 m |
| gradient | m of largest gradient | 3 D |

The mean over a random choice has the mean over all samples as its expectation; the two other rules are biased.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symland.analysis.regions.gradients import Classifier, kept
from symland.records import FloatArray

__all__ = ["RULES", "Run", "train"]

RULES = ("all", "random", "confidence", "gradient")
"""Of choice of samples."""

FORWARD, BACKWARD = 1, 2
"""Cost of a pass of one sample."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One descent.

    Attributes
    ----------
    losses : (steps + 1,)
        Mean cross-entropy over all samples, before each step and at the end.
    cost : int
        Of one step.
    accuracy : float
        At the end, on the samples themselves.
    departure : float
        Mean over steps of |mean of the chosen - mean of all| / |mean of all|.
    """

    losses: FloatArray
    cost: int
    accuracy: float
    departure: float

    def loss_at(self, cost: int) -> float:
        """The loss when so much has been spent."""
        return float(self.losses[min(cost // self.cost, len(self.losses) - 1)])


def _choose(rule: str, norms: FloatArray, margin: FloatArray, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    match rule:
        case "all":
            return np.arange(len(norms))
        case "random":
            return rng.permutation(len(norms))[:count]
        case "confidence":
            return np.argsort(margin, kind="stable")[:count]
    return np.argsort(-norms, kind="stable")[:count]


def train(
    start: Classifier,
    x: FloatArray,
    labels: Sequence[int],
    rule: str,
    share: float,
    rng: np.random.Generator,
    *,
    steps: int,
    rate: float,
    bias: bool = True,
) -> Run:
    """Gradient descent from a classifier, on a share of the samples x (D, n) chosen anew at each step."""
    classifier, rows = start, np.arange(len(x))
    count = len(x) if rule == "all" else kept(len(x), share)
    losses, departures = [], []
    for _ in range(steps):
        found = classifier.gradients(x, labels, bias)
        losses.append(found.loss)
        whole = found.rows.mean(axis=0)
        chosen = found.rows[_choose(rule, found.norms, found.margin, count, rng)].mean(axis=0)
        size = float(np.linalg.norm(whole))
        if size:
            departures.append(float(np.linalg.norm(chosen - whole)) / size)
        classifier = classifier.moved(-rate * chosen, bias)
    losses.append(classifier.gradients(x, labels, bias).loss)
    right = classifier.logits(x).argmax(axis=1) == np.asarray(labels)
    ranked = {"random": (FORWARD + BACKWARD) * count, "confidence": FORWARD * len(rows) + BACKWARD * count}
    return Run(
        losses=np.array(losses),
        cost=ranked.get(rule, (FORWARD + BACKWARD) * len(rows)),
        accuracy=float(right.mean()),
        departure=float(np.mean(departures)) if departures else 0.0,
    )
