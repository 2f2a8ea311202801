"""Scores of classes on test data: accuracy, cross-entropy, ROC curves and the areas under them.

The area under the ROC curve is the chance that a random sample of label 1 scores higher than one of another label, ties
counting one half (Hanley and McNeil 1982): with R the mean ranks of the scores, n_1 samples of label 1 and n_0 others,

    AUC = (sum of R over label 1 - n_1 (n_1 + 1) / 2) / (n_1 n_0).

scikit-learn gives the same number, and is asked where it is installed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from symland.analysis.answer_types.classify import Classify, ClassifyOptions, ClassScore, Score
from symland.analysis.response.decisions import TIE, as_array, need_labels, outputs_at, probabilities
from symland.analysis.response.held_out import parse_test_set
from symland.errors import SpecError
from symland.records import FloatArray
from symland.spec import LandscapeSpec, read_text

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape

__all__ = ["area_under_roc", "rank_area", "roc_curve", "score", "score_classes"]

Flags = NDArray[np.bool_]

SCORE_DIGITS = 12
"""Scores that agree to this many decimal places are ties."""

MOST_COPIES = 1_000_000
"""Noisy copies of all samples together."""

CURVE_POINTS = 200
"""Most points of a stored ROC curve."""


def _noisy(spec: LandscapeSpec, options: ClassifyOptions) -> tuple[FloatArray, list[int]]:
    if not (math.isfinite(options.noise) and options.noise >= 0):
        raise SpecError.at("noise", f"{options.noise}", "write a standard deviation of 0 or more")
    if not 1 <= options.copies <= MOST_COPIES // spec.n_samples:
        raise SpecError.at("copies", f"{options.copies}", f"write 1 to {MOST_COPIES // spec.n_samples}")
    if options.seed < 0:
        raise SpecError.at("seed", f"{options.seed}", "write 0 or more")
    draw = np.random.default_rng(options.seed)
    inputs = np.repeat(as_array(spec.data), options.copies, axis=0)
    labels = np.repeat(np.array(spec.data.labels), options.copies).tolist()
    return inputs + options.noise * draw.normal(size=inputs.shape), labels


def score_classes(landscape: Landscape, options: ClassifyOptions) -> Classify:
    """The answer of the question."""
    spec = landscape.spec
    need_labels(spec)
    if options.test:
        data = parse_test_set(read_text(options.test), options.test, spec)
        inputs, labels = as_array(data), list(data.labels)
        named = options.test.replace("\\", "/").rpartition("/")[2]
    else:
        inputs, labels = _noisy(spec, options)
        named = f"{options.copies} copies of each training sample, noise {options.noise:g}, seed {options.seed}"
    known, own = as_array(spec.data), list(spec.data.labels)
    rows = []
    for number, point in enumerate(landscape.points):
        found = outputs_at(spec, point.theta[None], inputs)[0]
        tested, trained = score(found, labels), score(outputs_at(spec, point.theta[None], known)[0], own)
        curve: tuple[tuple[float, float], ...] = ()
        if found.shape[1] == 2 and point.index == 0 and tested.auc is not None:
            curve = roc_curve(_scores(found)[:, 1], np.array(labels) == 1)
        rows.append(
            ClassScore(
                number=number,
                index=point.index,
                loss=point.loss,
                accuracy=tested.accuracy,
                cross_entropy=tested.cross_entropy,
                auc=tested.auc,
                train=trained,
                roc=curve,
            )
        )
    minima = [c for c in rows if c.index == 0]
    return Classify(
        test=named,
        samples=len(labels),
        minima=_mean([Score(accuracy=c.accuracy, cross_entropy=c.cross_entropy, auc=c.auc) for c in minima]),
        minima_train=_mean([c.train for c in minima]),
        classes=tuple(rows),
    )


def _mean(scores: Sequence[Score]) -> Score | None:
    if not scores:
        return None
    areas = [s.auc for s in scores if s.auc is not None]
    return Score(
        accuracy=float(np.mean([s.accuracy for s in scores])),
        cross_entropy=float(np.mean([s.cross_entropy for s in scores])),
        auc=float(np.mean(areas)) if areas else None,
    )


def _scores(outputs: FloatArray) -> FloatArray:
    return np.round(probabilities(outputs), SCORE_DIGITS)


def score(outputs: FloatArray, labels: Sequence[int]) -> Score:
    """The score of outputs (D, K) for labels."""
    given, rows = np.asarray(labels), np.arange(len(labels))
    top = outputs.max(axis=1, keepdims=True)
    best = outputs >= top - TIE
    right = best[rows, given] / best.sum(axis=1)
    logs = np.log(np.exp(outputs - top).sum(axis=1)) + top[:, 0] - outputs[rows, given]
    return Score(
        accuracy=float(right.mean()), cross_entropy=float(logs.mean()), auc=area_under_roc(_scores(outputs), given)
    )


def area_under_roc(scores: FloatArray, labels: NDArray[np.int64]) -> float | None:
    """The area for scores (D, K): of label 1 for K = 2, else the mean over the labels; None where only one occurs."""
    present = [k for k in range(scores.shape[1]) if (labels == k).any()]
    if len(present) < 2:
        return None
    if scores.shape[1] == 2:
        return _area(scores[:, 1], labels == 1)
    return float(np.mean([_area(scores[:, k], labels == k) for k in present]))


def _area(scores: FloatArray, positive: Flags) -> float:
    try:
        from sklearn.metrics import roc_auc_score
    except ImportError:
        return rank_area(scores, positive)
    return float(roc_auc_score(positive, scores))


def rank_area(scores: FloatArray, positive: Flags) -> float:
    """The area under the ROC curve by mean ranks."""
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    ones = int(positive.sum())
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(scores) - ones)))


def roc_curve(scores: FloatArray, positive: Flags) -> tuple[tuple[float, float], ...]:
    """Points (false positives, true positives) from (0, 0) to (1, 1), one for each score that occurs, thinned."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    true, false = np.cumsum(positive[order])[ends], np.cumsum(~positive[order])[ends]
    points = np.stack([false / false[-1], true / true[-1]], axis=1)
    if len(points) > CURVE_POINTS:
        points = points[np.unique(np.linspace(0, len(points) - 1, CURVE_POINTS).astype(int))]
    return ((0.0, 0.0), *(tuple(p) for p in points.tolist()))
