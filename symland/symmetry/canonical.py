"""One representative of the copies of a network under permutations and flips of its hidden nodes."""

from __future__ import annotations

import numpy as np

from symland.layout import Layout
from symland.records import FloatArray
from symland.symmetry.elements import Parity

__all__ = ["linear_form", "sort_nodes"]


def linear_form(size: int) -> FloatArray:
    """Coefficients (p_k / k)^{1/2}, p_k the k-th prime: positive, slowly varying, independent over the rationals."""
    return np.sqrt(_primes(size)) / np.sqrt(np.arange(1.0, size + 1.0))


def sort_nodes(layout: Layout, parity: Parity, theta: FloatArray) -> FloatArray:
    """Points (n, P) with the nodes of every hidden layer flipped and sorted by the form of their parameters."""
    image = theta.copy()
    for layer in range(1, layout.n_layers):
        block, after, bias = layout.weight(layer), layout.weight(layer + 1), layout.biases(layer)
        # Views of the image: (n, nodes, inputs), (n, nodes), (n, outputs, nodes).
        incoming = block.of(image)
        own = np.zeros(incoming.shape[:2]) if bias is None else bias.of(image)
        outgoing = after.of(image)
        form = linear_form(incoming.shape[2] + 1 + outgoing.shape[1])
        argument = incoming @ form[: incoming.shape[2]] + own * form[incoming.shape[2]]
        response = np.swapaxes(outgoing, 1, 2)
        weights = form[incoming.shape[2] + 1 :]
        last = layer == layout.n_layers - 1
        if parity is not Parity.NONE:
            # Of an odd node in the last hidden layer the outgoing weights flip too and may help to decide.
            odd_last = last and parity is Parity.ODD
            sign = np.where(argument + (response @ weights if odd_last else 0.0) < 0.0, -1.0, 1.0)
            incoming = incoming * sign[..., None]
            own = own * sign
            argument = argument * sign
            if parity is Parity.ODD:
                response = response * sign[..., None]
        key = argument + (response if last else np.sort(np.abs(response), axis=2)) @ weights
        order = np.argsort(-key, axis=1)
        image[:, block.slice] = np.take_along_axis(incoming, order[..., None], 1).reshape(len(image), block.size)
        image[:, after.slice] = np.swapaxes(np.take_along_axis(response, order[..., None], 1), 1, 2).reshape(
            len(image), after.size
        )
        if bias is not None:
            image[:, bias.slice] = np.take_along_axis(own, order, 1)
    return image


def _primes(count: int) -> FloatArray:
    """The first `count` primes."""
    limit = 16 + int(count * (np.log(count + 2.0) + np.log(np.log(count + 3.0)) + 1.0))
    sieve = np.ones(limit, dtype=bool)
    sieve[:2] = False
    for n in range(2, int(limit**0.5) + 1):
        if sieve[n]:
            sieve[n * n :: n] = False
    return np.flatnonzero(sieve)[:count].astype(float)
