"""Which permutation and flips of hidden nodes carry one network to another, found layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from symland.layout import Layout
from symland.records import FloatArray
from symland.symmetry.elements import GroupElement, Parity

__all__ = [
    "Image",
    "Network",
    "Options",
    "element_of",
    "first_options",
    "match_nodes",
    "read_network",
    "sign_choices",
]

Image = tuple[int, int]
"""Place and sign of a node's image."""

Options = list[list[Image]]
"""The possible images of each node of a layer."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The blocks of one parameter vector."""

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]


def sign_choices(parity: Parity) -> tuple[int, ...]:
    """The signs that a node may take."""
    return (1,) if parity is Parity.NONE else (1, -1)


def read_network(layout: Layout, theta: FloatArray) -> Network:
    """The blocks of theta (P,), zeros for biases that the network does not have."""
    layers = range(1, layout.n_layers + 1)
    weights = tuple(layout.weight(l).of(theta) for l in layers)
    biases = []
    for layer, weight in zip(layers, weights, strict=True):
        block = layout.biases(layer)
        biases.append(np.zeros(len(weight)) if block is None else block.of(theta))
    return Network(weights=weights, biases=tuple(biases))


def element_of(data: int, images: list[list[Image]]) -> GroupElement:
    """The group element with a data automorphism and the images of all hidden nodes."""
    return GroupElement(
        data=data,
        places=tuple(tuple(j for j, _ in layer) for layer in images),
        signs=tuple(tuple(s for _, s in layer) for layer in images),
    )


def first_options(parity: Parity, a: Network, b: Network, slack: float) -> Options | None:
    """The possible images of the nodes of the first hidden layer of `a` in `b`; None where biases do not agree."""
    for layer in range(len(a.weights)):
        if np.abs(np.sort(np.abs(a.biases[layer])) - np.sort(np.abs(b.biases[layer]))).max() > slack:
            return None
    if np.abs(a.biases[-1] - b.biases[-1]).max() > slack:
        return None
    return _options(parity, a, b, slack, []) if len(a.weights) > 1 else []


def match_nodes(
    parity: Parity,
    a: Network,
    b: Network,
    slack: float,
    fixed: Mapping[tuple[int, int], Image],
    first: Options | None = None,
) -> list[list[Image]] | None:
    """Images of the hidden nodes that carry network `a` to `b`, extending `fixed`; None if there are none.

    `first` is what `first_options` gives for the two networks, where it is at hand.
    """
    if first is None:
        first = first_options(parity, a, b, slack)
    return None if first is None else next(_extend(parity, a, b, slack, fixed, [], first), None)


def _extend(
    parity: Parity,
    a: Network,
    b: Network,
    slack: float,
    fixed: Mapping[tuple[int, int], Image],
    done: list[list[Image]],
    first: Options,
) -> Iterator[list[list[Image]]]:
    layer = len(done)
    if layer == len(a.weights) - 1:
        yield done
        return
    found = _options(parity, a, b, slack, done) if layer else first
    options = [[image for image in images if image == fixed.get((layer, i), image)] for i, images in enumerate(found)]
    # Where the next layer is the output, every condition on a node stands alone: the first assignment will do.
    # Deeper down, the outgoing weights decide between nodes with equal inputs only in the next layer.
    for images in _assignments(options):
        for rest in _extend(parity, a, b, slack, fixed, [*done, images], first):
            yield rest
            return


def _options(parity: Parity, a: Network, b: Network, slack: float, done: list[list[Image]]) -> Options:
    """For each node of the next layer of `a`, its possible images in `b`, by incoming and outgoing weights."""
    layer = len(done)
    incoming = a.weights[layer]
    if layer:
        moved = np.empty_like(incoming)
        out = 1 if parity is Parity.ODD else 0
        for k, (place, sign) in enumerate(done[-1]):
            moved[:, place] = incoming[:, k] * sign**out
        incoming = moved
    rows_a = np.column_stack((incoming, a.biases[layer]))
    rows_b = np.column_stack((b.weights[layer], b.biases[layer]))
    last = layer == len(a.weights) - 2
    columns_a, columns_b = a.weights[layer + 1].T, b.weights[layer + 1].T
    if not last:
        columns_a, columns_b = np.sort(np.abs(columns_a), axis=1), np.sort(np.abs(columns_b), axis=1)
    options: list[list[Image]] = [[] for _ in rows_a]
    for sign in sign_choices(parity):
        out_sign = sign if last and parity is Parity.ODD else 1
        near = np.abs(sign * rows_a[:, None] - rows_b[None]).max(-1) <= slack
        near &= np.abs(out_sign * columns_a[:, None] - columns_b[None]).max(-1) <= slack
        for i, j in zip(*near.nonzero(), strict=True):
            options[i].append((int(j), sign))
    return options


def _assignments(options: list[list[Image]]) -> Iterator[list[Image]]:
    """Injective choices of one image for each node, the most constrained node first."""
    order = sorted(range(len(options)), key=lambda i: len(options[i]))
    chosen: dict[int, Image] = {}

    def extend(depth: int, used: frozenset[int]) -> Iterator[list[Image]]:
        if depth == len(order):
            yield [chosen[i] for i in range(len(options))]
            return
        i = order[depth]
        for image in options[i]:
            if image[0] not in used:
                chosen[i] = image
                yield from extend(depth + 1, used | {image[0]})

    if all(options):
        yield from extend(0, frozenset())
