"""Where gradients form: the gradient of each sample by block, the share that few samples carry, and subsampling.

The gradient of one sample is that of its cross-entropy; the penalty has no samples and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symland.analysis.regions.network import Network, activation_jet
from symland.errors import SpecError
from symland.program.floats import NumpyAlgebra
from symland.records import FloatArray

__all__ = ["Classifier", "SampleGradients", "gradient_share", "nearest_share", "need_finite", "subsample"]

_FLOATS = NumpyAlgebra()


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleGradients:
    """Gradients of D samples.

    Attributes
    ----------
    rows : (D, P')
        W_1, ..., b_1, ...; a logistic output has its one row only.
    blocks : dict of names to (D,)
        Norms by block, "W1", "b1", ...
    slopes : (D,)
        prod_l max_j |sigma'(s_lj)|: what the hidden layers let through at most.
    margin : (D,)
        Of the two largest logits: the nearness to a boundary.
    loss : float
        Mean cross-entropy.
    """

    rows: FloatArray
    blocks: dict[str, FloatArray]
    slopes: FloatArray
    margin: FloatArray
    loss: float

    @property
    def norms(self) -> FloatArray:
        """(D,)"""
        return np.asarray(np.linalg.norm(self.rows, axis=1))


class Classifier:
    """A network in float64.

    Parameters
    ----------
    network : Network
    logistic : bool
        Whether the first logit is the constant 0 of a logistic output, which has no parameters.
    """

    def __init__(self, network: Network, logistic: bool = False) -> None:
        self._weights = [np.array([[float(w) for w in row] for row in rows]) for rows in network.weights]
        self._biases = [np.array([float(b) for b in row]) for row in network.biases]
        self._activation = network.activation
        self._first = int(logistic)

    def _forward(self, x: FloatArray) -> tuple[list[FloatArray], list[FloatArray], FloatArray]:
        values: list[FloatArray] = [x]
        slopes: list[FloatArray] = []
        with np.errstate(over="ignore", invalid="ignore"):
            return self._layers(values, slopes)

    def _layers(
        self, values: list[FloatArray], slopes: list[FloatArray]
    ) -> tuple[list[FloatArray], list[FloatArray], FloatArray]:
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            signals = values[-1] @ weight.T + bias
            value, slope = activation_jet(self._activation, _FLOATS, signals)
            values.append(np.broadcast_to(value, signals.shape))
            slopes.append(np.broadcast_to(slope, signals.shape))
        return values, slopes, values[-1] @ self._weights[-1].T + self._biases[-1]

    def logits(self, x: FloatArray) -> FloatArray:
        """(m, K) for inputs (m, n)."""
        return self._forward(x)[2]

    def probabilities(self, x: FloatArray) -> FloatArray:
        """(m, K)"""
        return _softmax(self.logits(x))

    def gradients(self, x: FloatArray, labels: Sequence[int], bias: bool = True) -> SampleGradients:
        """Backpropagation of each sample by itself; not finite where float64 overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._gradients(x, labels, bias)

    def _gradients(self, x: FloatArray, labels: Sequence[int], bias: bool) -> SampleGradients:
        values, slopes, logits = self._forward(x)
        delta = _softmax(logits)
        top = logits.max(axis=1)
        losses = top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - logits[np.arange(len(x)), list(labels)]
        delta[np.arange(len(x)), list(labels)] -= 1
        delta = delta[:, self._first :]
        weights = [*self._weights[:-1], self._weights[-1][self._first :]]
        by_weight: list[FloatArray] = []
        by_bias: list[FloatArray] = []
        for layer in reversed(range(len(weights))):
            by_weight.insert(0, (delta[:, :, None] * values[layer][:, None, :]).reshape(len(x), -1))
            by_bias.insert(0, delta)
            if layer:
                delta = (delta @ weights[layer]) * slopes[layer - 1]
        blocks = {f"W{k + 1}": np.linalg.norm(g, axis=1) for k, g in enumerate(by_weight)}
        if bias:
            blocks |= {f"b{k + 1}": np.linalg.norm(g, axis=1) for k, g in enumerate(by_bias)}
        through = np.ones(len(x))
        for slope in slopes:
            through = through * np.abs(slope).max(axis=1)
        ordered = np.sort(logits, axis=1)
        return SampleGradients(
            rows=np.concatenate([*by_weight, *(by_bias if bias else [])], axis=1),
            blocks=blocks,
            slopes=through,
            margin=ordered[:, -1] - ordered[:, -2],
            loss=float(losses.mean()),
        )

    def moved(self, step: FloatArray, bias: bool = True) -> Classifier:
        """The classifier whose parameters are moved by a step (P',), in the order of `SampleGradients.rows`."""
        other = Classifier.__new__(Classifier)
        other._activation, other._first = self._activation, self._first
        other._weights, other._biases = [w.copy() for w in self._weights], [b.copy() for b in self._biases]
        place = 0
        for group in (other._weights, other._biases)[: 1 + bias]:
            for layer, block in enumerate(group):
                part = block[self._first :] if layer == len(group) - 1 else block
                part += step[place : place + part.size].reshape(part.shape)
                place += part.size
        return other


def need_finite(found: SampleGradients) -> None:
    """Refuse a network that float64 cannot run.

    Raises
    ------
    SpecError
        If a logit or a gradient of a sample is not finite.
    """
    if not (np.isfinite(found.rows).all() and np.isfinite(found.margin).all()):
        raise SpecError.at("theta", "the network overflows float64 at its samples", "give smaller weights")


def _softmax(logits: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def gradient_share(norms: FloatArray, share: float) -> float:
    """The least share of samples that carries a share of the sum of all norms; 0 where all norms are 0."""
    ordered = np.sort(norms)[::-1]
    total = ordered.sum()
    if not total:
        return 0.0
    reached = np.cumsum(ordered) >= share * total * (1 - 1e-12)
    return float((1 + int(np.argmax(reached))) / len(norms))


def nearest_share(norms: FloatArray, margin: FloatArray, share: float) -> float:
    """The share of the sum of all norms that a share of the samples carries, those of smallest margin first."""
    total = norms.sum()
    return float(norms[np.argsort(margin, kind="stable")[: kept(len(norms), share)]].sum() / total) if total else 0.0


def kept(samples: int, share: float) -> int:
    """Samples in a share, at least 1."""
    return max(1, round(share * samples))


def cosine(a: FloatArray, b: FloatArray) -> float | None:
    """The cosine of the angle between two vectors, None where one is 0."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else None


def subsample(
    found: SampleGradients, share: float, rng: np.random.Generator, draws: int
) -> tuple[float | None, float | None, float | None, float | None, float | None]:
    """What a share of the samples says of the whole gradient.

    Returns
    -------
    cosine : of samples of largest gradient
    by_confidence : cosine of samples of smallest margin
    random : mean cosine of `draws` random subsets
    error : standard error of that mean
    bias : |sum of the chosen / sum of all - 1|, in norm, of samples of largest gradient
    """
    whole, count = found.rows.sum(axis=0), kept(len(found.rows), share)
    top = found.rows[np.argsort(-found.norms, kind="stable")[:count]].sum(axis=0)
    near = found.rows[np.argsort(found.margin, kind="stable")[:count]].sum(axis=0)
    drawn = []
    for _ in range(draws):
        value = cosine(found.rows[rng.permutation(len(found.rows))[:count]].sum(axis=0), whole)
        if value is not None:
            drawn.append(value)
    size = float(np.linalg.norm(whole))
    return (
        cosine(top, whole),
        cosine(near, whole),
        float(np.mean(drawn)) if drawn else None,
        float(np.std(drawn, ddof=1) / np.sqrt(len(drawn))) if len(drawn) > 1 else None,
        float(np.linalg.norm(top - whole)) / size if size else None,
    )
