"""Networks with residual connections, which a specification cannot say, for many parameter vectors at once.

h_1 = sigma(W_1 x + b_1), h_l = h_{l-1} + sigma(W_l h_{l-1} + b_l) for l = 2..L, z = W_{L+1} h_L + b_{L+1}: the networks
of arXiv:2105.11686, section 5. The parameters stand as in a network without the connections.
"""

from __future__ import annotations

import numpy as np

from symland.analysis.condensation.layers import check_residual, lowered_activation
from symland.program.floats import NumpyAlgebra
from symland.program.lower import lower
from symland.records import FloatArray
from symland.spec import LandscapeSpec
from symland.symbolic.head import contrast, derive_head, orientation, shift

__all__ = ["ResidualNetwork"]


class ResidualNetwork:
    """The loss without penalty and its gradient by backpropagation in NumPy.

    Parameters
    ----------
    spec : LandscapeSpec
        Two or more hidden layers of one width.
    connected : bool
        False leaves the residual connections out.

    Raises
    ------
    SpecError
        If the hidden layers cannot be added.
    """

    def __init__(self, spec: LandscapeSpec, *, connected: bool = True) -> None:
        if connected:
            check_residual(spec)
        self.spec, self.connected = spec, connected
        self._sigma, self._algebra = lowered_activation(spec.activation, 1), NumpyAlgebra()
        self._x = np.array([[float(v) for v in row] for row in spec.data.inputs])
        self._turn, self._shift = _margins(spec)
        head = derive_head(spec.loss, self._turn.shape[1])
        self._sample_loss = lower("head", head.margins, [head.value, *head.residual])

    def value(self, theta: FloatArray) -> FloatArray:
        """The losses (N,) of parameter vectors (N, P)."""
        return self._head(self._forward(theta)[0])[0]

    def value_gradient(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Losses (N,) and gradients (N, P) of parameter vectors (N, P)."""
        outputs, signals, slopes = self._forward(theta)
        value, back = self._head(outputs)
        layout, gradient = self.spec.layout, np.zeros_like(theta)
        for layer in range(layout.n_layers, 0, -1):
            weight, bias = layout.weight(layer), layout.biases(layer)
            inner = back if layer == layout.n_layers else back * slopes[layer - 1]
            gradient[:, weight.slice] = (inner.swapaxes(1, 2) @ signals[layer - 1]).reshape(len(theta), -1)
            if bias is not None:
                gradient[:, bias.slice] = inner.sum(axis=1)
            through = inner @ weight.of(theta)
            back = through + back if self._jumps(layer) else through
        return value, gradient

    def _jumps(self, layer: int) -> bool:
        return self.connected and 1 < layer < self.spec.layout.n_layers

    def _forward(self, theta: FloatArray) -> tuple[FloatArray, list[FloatArray], list[FloatArray]]:
        """Outputs (N, D, K), and for every layer its input (N, D, n) and the slopes sigma' of its nodes."""
        layout = self.spec.layout
        signal = np.broadcast_to(self._x, (len(theta), *self._x.shape))
        signals: list[FloatArray] = []
        slopes: list[FloatArray] = []
        for layer in range(1, layout.n_layers + 1):
            bias = layout.biases(layer)
            inner = signal @ layout.weight(layer).of(theta).swapaxes(1, 2)
            if bias is not None:
                inner = inner + bias.of(theta)[:, None, :]
            signals.append(signal)
            if layer == layout.n_layers:
                return inner, signals, slopes
            level, slope = self._algebra.apply(self._sigma, [inner])
            slopes.append(slope + np.zeros_like(inner))
            signal = level + (signal if self._jumps(layer) else 0.0)
        raise AssertionError("a network has an output layer")

    def _head(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean losses (N,) and their derivatives by the outputs (N, D, K)."""
        margins = np.einsum("dqk,ndk->ndq", self._turn, z) - self._shift
        losses, *slopes = self._algebra.apply(self._sample_loss, list(np.moveaxis(margins, 2, 0)))
        back = np.einsum("dqk,ndq->ndk", self._turn, np.stack(slopes, axis=2))
        return losses.mean(axis=1), back / z.shape[1]


def _margins(spec: LandscapeSpec) -> tuple[FloatArray, FloatArray]:
    """S_d B (D, q, K) and t_d (D, q), with m = S_d B z - t_d the margins of a sample."""
    contrasts, turns, shifts = contrast(spec), orientation(spec), shift(spec)
    plain = np.eye(spec.n_outputs) if contrasts is None else np.array(contrasts, dtype=np.float64)
    turned = np.broadcast_to(plain, (spec.n_samples, *plain.shape)) if turns is None else np.array(turns, float) @ plain
    return turned, np.zeros(turned.shape[:2]) if shifts is None else np.array(shifts, dtype=np.float64)
