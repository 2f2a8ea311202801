"""What condensation looks like in a trained network: cosine similarities, clusters of lines, effective width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symland.layout import Layout
from symland.records import FloatArray

__all__ = [
    "ALIGNED",
    "CONDENSED",
    "aligned",
    "cluster_lines",
    "incoming",
    "lines_needed",
    "order_by_cluster",
    "similarity",
]

ALIGNED = 0.99
"""|cos| from which a node counts as on a line."""

CONDENSED = 0.9
"""Share of the nodes that makes a layer condensed."""


def incoming(layout: Layout, theta: FloatArray, layer: int) -> FloatArray:
    """Input weights of a hidden layer with the bias last, (..., m, n)."""
    weight, bias = layout.weight(layer).of(theta), layout.biases(layer)
    return weight if bias is None else np.concatenate([weight, bias.of(theta)[..., None]], axis=-1)


def _unit(w: FloatArray) -> FloatArray:
    size = np.linalg.norm(w, axis=-1, keepdims=True)
    return np.divide(w, size, out=np.zeros_like(w), where=size > 0)


def similarity(w: FloatArray) -> FloatArray:
    """D(u, v), the cosine of the angle between the input weights of every two nodes, (..., m, m); 0 for zero nodes."""
    unit = _unit(w)
    return np.clip(unit @ np.swapaxes(unit, -1, -2), -1.0, 1.0)


def aligned(w: FloatArray, lines: FloatArray) -> NDArray[np.bool_]:
    """Which nodes (..., m) lie within cos 0.99 of one of some lines, unit vectors (q, n)."""
    if not len(lines):
        return np.zeros(w.shape[:-1], dtype=bool)
    return np.asarray(np.abs(_unit(w) @ lines.T).max(axis=-1) >= ALIGNED)


def cluster_lines(w: FloatArray) -> NDArray[np.int64]:
    """The cluster of each of m nodes: about the longest node that has none yet, all within cos 0.99 of its line."""
    cosines = np.abs(similarity(w))
    found = np.full(len(w), -1)
    number = 0
    for node in np.argsort(-np.linalg.norm(w, axis=1), kind="stable"):
        if found[node] < 0:
            found[(found < 0) & (cosines[node] >= ALIGNED)] = number
            found[node] = number
            number += 1
    return found.astype(np.int64)


def lines_needed(clusters: NDArray[np.int64]) -> int:
    """How many clusters hold nine tenths of the nodes: the effective width of the layer."""
    sizes = np.sort(np.bincount(clusters))[::-1]
    return int(np.searchsorted(np.cumsum(sizes), CONDENSED * len(clusters) - 1e-9) + 1)


def order_by_cluster(w: FloatArray) -> NDArray[np.int64]:
    """The nodes ordered by cluster, the largest cluster first, and by sign within it."""
    clusters = cluster_lines(w)
    sizes = np.bincount(clusters)
    first = np.array([w[clusters == c][0] for c in range(len(sizes))])
    sign = np.sign((w * first[clusters]).sum(axis=1))
    return np.lexsort((-sign, clusters, -sizes[clusters])).astype(np.int64)
