"""The symmetry group of a landscape, acting on float64 parameter vectors.

An element permutes the nodes of every hidden layer, flips their signs when the activation has a parity, and carries
one automorphism of the data, which permutes and reflects inputs and outputs. Each acts on theta as a signed
permutation that keeps every block W_l and b_l, so norms of blocks are invariant. The hidden part has
prod_l n_l! 2^{n_l} elements and is never listed: nodes are matched, layer by layer, with backtracking on ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from symland.layout import Layout
from symland.records import FloatArray
from symland.symmetry.canonical import linear_form, sort_nodes
from symland.symmetry.elements import DataAutomorphism, GroupElement, Parity
from symland.symmetry.matching import Image, element_of, first_options, match_nodes, read_network, sign_choices

__all__ = ["MATCH_TOLERANCE", "SymmetryGroup"]

MATCH_TOLERANCE = 1e-6
"""Largest difference of two parameters taken as equal, in units of 1 + max |theta|."""

IntArray = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class SymmetryGroup:
    """The symmetries of a landscape that are orthogonal on theta.

    Attributes
    ----------
    layout : Layout
    parity : Parity
        Of the activation. Odd: (W_in, b, W_out) -> -(W_in, b, W_out) at a node. Even: (W_in, b) -> -(W_in, b).
    data_automorphisms : tuple of DataAutomorphism
        All of them, closed under composition, the identity first.
    shift_invariant : bool
        Whether adding one number to all outputs leaves the loss of the data (softmax): then the directions of
        `gauge` change the penalty only.
    """

    layout: Layout
    parity: Parity
    data_automorphisms: tuple[DataAutomorphism, ...]
    shift_invariant: bool = False

    def __post_init__(self) -> None:
        widths = self.layout.widths
        identity = DataAutomorphism.identity(widths[0], widths[-1])
        if not self.data_automorphisms or self.data_automorphisms[0] != identity:
            raise ValueError("data_automorphisms must begin with the identity")
        known = set(self.data_automorphisms)
        if len(known) != len(self.data_automorphisms):
            raise ValueError("data_automorphisms holds one automorphism twice")

    @classmethod
    def hidden_only(cls, layout: Layout, parity: Parity) -> SymmetryGroup:
        """The group without data automorphisms."""
        identity = DataAutomorphism.identity(layout.widths[0], layout.widths[-1])
        return cls(layout=layout, parity=parity, data_automorphisms=(identity,))

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return self.layout.widths[1:-1]

    @cached_property
    def formal_order(self) -> int:
        """Number of elements as written: data automorphisms x prod_l n_l! 2^{n_l}."""
        flips = 1 if self.parity is Parity.NONE else 2
        return len(self.data_automorphisms) * prod(factorial(n) * flips**n for n in self.hidden)

    @cached_property
    def order(self) -> int:
        """Number of distinct actions on theta: the orbit size of a generic point."""
        generic = np.random.default_rng(0).normal(size=self.layout.size)
        return self.orbit_size(generic)

    @cached_property
    def gauge(self) -> FloatArray:
        """(P, q) orthonormal directions that add one number to all outputs; q = 0 unless `shift_invariant`."""
        if not self.shift_invariant:
            return np.zeros((self.layout.size, 0))
        last = self.layout.n_layers
        outputs, nodes = self.layout.weight(last).shape
        bias = self.layout.biases(last)
        directions = np.zeros((self.layout.size, nodes + (bias is not None)))
        for j in range(nodes):
            directions[self.layout.weight(last).offset + j + nodes * np.arange(outputs), j] = outputs**-0.5
        if bias is not None:
            directions[bias.slice, nodes] = outputs**-0.5
        return directions

    # -- acting ---------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> GroupElement:
        """The element that moves nothing."""
        return GroupElement(
            data=0,
            places=tuple(tuple(range(n)) for n in self.hidden),
            signs=tuple((1,) * n for n in self.hidden),
        )

    def generators(self) -> tuple[GroupElement, ...]:
        """Neighbouring transpositions and one flip in every hidden layer, and every data automorphism."""
        still, found = self.identity, list[GroupElement]()
        for layer, width in enumerate(self.hidden):
            for i in range(width - 1):
                places = list(range(width))
                places[i], places[i + 1] = i + 1, i
                moved = (*still.places[:layer], tuple(places), *still.places[layer + 1 :])
                found.append(GroupElement(data=0, places=moved, signs=still.signs))
            if self.parity is not Parity.NONE:
                flipped = (*still.signs[:layer], (-1,) + (1,) * (width - 1), *still.signs[layer + 1 :])
                found.append(GroupElement(data=0, places=still.places, signs=flipped))
        for number in range(1, len(self.data_automorphisms)):
            found.append(GroupElement(data=number, places=still.places, signs=still.signs))
        return tuple(found)

    def signed_permutation(self, element: GroupElement) -> tuple[IntArray, FloatArray]:
        """(places, signs) with (g theta)[places[p]] = signs[p] theta[p]."""
        data = self.data_automorphisms[element.data]
        places = (data.inputs, *element.places, data.outputs)
        into = (data.input_signs, *element.signs, data.output_signs)
        # An even node's output does not feel the flip of its argument; an odd node's output flips with it.
        hidden_out = element.signs if self.parity is Parity.ODD else tuple((1,) * n for n in self.hidden)
        out = (data.input_signs, *hidden_out)
        index = np.empty(self.layout.size, dtype=np.intp)
        sign = np.empty(self.layout.size)
        for layer in range(1, self.layout.n_layers + 1):
            block = self.layout.weight(layer)
            rows, columns = np.array(places[layer]), np.array(places[layer - 1])
            index[block.slice] = (block.offset + rows[:, None] * block.shape[1] + columns[None, :]).ravel()
            sign[block.slice] = np.outer(into[layer], out[layer - 1]).ravel()
            bias = self.layout.biases(layer)
            if bias is not None:
                index[bias.slice] = bias.offset + rows
                sign[bias.slice] = into[layer]
        return index, sign

    def apply(self, element: GroupElement, theta: FloatArray) -> FloatArray:
        """g theta, for theta of shape (..., P)."""
        index, sign = self.signed_permutation(element)
        image = np.empty_like(theta)
        image[..., index] = sign * theta
        return image

    def compose(self, second: GroupElement, first: GroupElement) -> GroupElement:
        """The element that does `first`, then `second`."""
        data = self.data_automorphisms[second.data].after(self.data_automorphisms[first.data])
        places, signs = [], []
        for p1, s1, p2, s2 in zip(first.places, first.signs, second.places, second.signs, strict=True):
            places.append(tuple(p2[j] for j in p1))
            signs.append(tuple(s * s2[j] for j, s in zip(p1, s1, strict=True)))
        return GroupElement(data=self._data_numbers[data], places=tuple(places), signs=tuple(signs))

    def inverse(self, element: GroupElement) -> GroupElement:
        """The element that undoes this one."""
        places, signs = [], []
        for p, s in zip(element.places, element.signs, strict=True):
            back = np.argsort(p)
            places.append(tuple(int(i) for i in back))
            signs.append(tuple(s[i] for i in back))
        return GroupElement(data=self._data_inverses[element.data], places=tuple(places), signs=tuple(signs))

    def random_element(self, rng: np.random.Generator) -> GroupElement:
        """An element drawn uniformly from the formal group."""
        signed = self.parity is not Parity.NONE
        return GroupElement(
            data=int(rng.integers(len(self.data_automorphisms))),
            places=tuple(tuple(rng.permutation(n).tolist()) for n in self.hidden),
            signs=tuple(tuple(rng.choice((-1, 1), size=n).tolist()) if signed else (1,) * n for n in self.hidden),
        )

    def fixed_space(self, elements: Sequence[GroupElement]) -> FloatArray:
        """(P, d) orthonormal basis of the vectors that every one of `elements` fixes.

        The elements join coordinates into components with relative signs; a component whose signs contradict one
        another holds only zeros. By the principle of symmetric criticality a point of this space that is stationary
        within it is stationary.
        """
        size = self.layout.size
        root, relative = np.arange(size), np.ones(size)
        dead = np.zeros(size, dtype=bool)
        for element in elements:
            index, sign = self.signed_permutation(element)
            for p in range(size):
                q = index[p]
                if root[p] == root[q]:
                    if relative[q] != sign[p] * relative[p]:
                        dead[root == root[p]] = True
                    continue
                joined = root == root[q]
                relative[joined] *= relative[q] * sign[p] * relative[p]
                dead[(root == root[p]) | joined] = bool(dead[p] or dead[q])
                root[joined] = root[p]
        columns = []
        for r in np.unique(root[~dead]):
            column = np.where(root == r, relative, 0.0)
            columns.append(column / np.linalg.norm(column))
        return np.array(columns).T.reshape(size, len(columns))

    # -- matching -------------------------------------------------------------------------------------------------

    def match(self, a: FloatArray, b: FloatArray, tolerance: float = MATCH_TOLERANCE) -> GroupElement | None:
        """An element g with |g a - b|_inf <= tolerance (1 + max |a|), or None."""
        slack = tolerance * (1.0 + float(np.abs(a).max(initial=0.0)))
        if np.abs(self.fingerprint(a) - self.fingerprint(b)).max() > slack:
            return None
        target = read_network(self.layout, b)
        for number in range(len(self.data_automorphisms)):
            images = match_nodes(self.parity, read_network(self.layout, self._apply_data(number, a)), target, slack, {})
            if images is not None:
                return element_of(number, images)
        return None

    def stabiliser(self, theta: FloatArray, tolerance: float = MATCH_TOLERANCE) -> tuple[int, tuple[GroupElement, ...]]:
        """Number of formal elements that fix theta, and elements that generate them.

        The data automorphisms that some hidden element undoes form a subgroup; each is undone by a coset of the hidden
        stabiliser, whose order is the product of the orbit lengths along a chain of point stabilisers (Schreier, Sims).
        """
        slack = tolerance * (1.0 + float(np.abs(theta).max(initial=0.0)))
        net = read_network(self.layout, theta)
        found: list[GroupElement] = []
        for number in range(len(self.data_automorphisms)):
            images = match_nodes(
                self.parity, read_network(self.layout, self._apply_data(number, theta)), net, slack, {}
            )
            if images is not None:
                found.append(element_of(number, images))
        order, fixed = len(found), dict[tuple[int, int], Image]()
        first = first_options(self.parity, net, net, slack)
        for layer, width in enumerate(self.hidden):
            for i in range(width):
                orbit = 0
                for image in product(range(width), sign_choices(self.parity)):
                    images = match_nodes(self.parity, net, net, slack, fixed | {(layer, i): image}, first)
                    if images is not None:
                        orbit += 1
                        found.append(element_of(0, images))
                order *= orbit
                fixed[(layer, i)] = (i, 1)
        still = self.identity
        return order, tuple(dict.fromkeys(element for element in found if element != still))

    def orbit_size(self, theta: FloatArray, tolerance: float = MATCH_TOLERANCE) -> int:
        """Number of distinct points g theta."""
        return self.formal_order // self.stabiliser(theta, tolerance)[0]

    def fingerprint(self, theta: FloatArray) -> FloatArray:
        """Invariants of the orbit, in the units of theta: block norms |.|_2 and |.|_4, (..., 2 blocks).

        Equal orbits have equal fingerprints; the converse is for `match` to decide. Each entry changes by no more
        than the size of the change of theta.
        """
        parts = []
        for block in self.layout.blocks:
            square = theta[..., block.slice] ** 2
            n = block.size
            # Power means move no faster than the largest component.
            parts.append(np.sqrt(square.sum(-1) / n))
            parts.append(((square**2).sum(-1) / n) ** 0.25)
        return np.stack(parts, axis=-1)

    def canonical(self, theta: FloatArray) -> FloatArray:
        """One representative of each orbit, for theta of shape (P,) or (n, P).

        Each node is flipped until a fixed linear form of its parameters is not negative, and the nodes of a layer are
        sorted by the form; of the images under the data automorphisms the one with the largest form is taken. The
        coefficients are independent over the rationals, so the form ties only on
        equal nodes and by accident. The result always lies in the orbit; representatives that differ do not prove
        orbits different (accident, rounding, or nodes of a deep network with equal inputs): `match` decides.
        """
        batch = np.atleast_2d(theta)
        form = linear_form(self.layout.size)
        best, largest = np.empty_like(batch), np.full(len(batch), -np.inf)
        for number in range(len(self.data_automorphisms)):
            image = sort_nodes(self.layout, self.parity, self._apply_data(number, batch))
            size = image @ form
            better = size > largest
            best[better], largest[better] = image[better], size[better]
        return best.reshape(theta.shape)

    # -- inside ---------------------------------------------------------------------------------------------------

    @cached_property
    def _data_numbers(self) -> dict[DataAutomorphism, int]:
        return {automorphism: number for number, automorphism in enumerate(self.data_automorphisms)}

    @cached_property
    def _data_inverses(self) -> tuple[int, ...]:
        identity = self.data_automorphisms[0]
        return tuple(
            next(n for n, other in enumerate(self.data_automorphisms) if other.after(one) == identity)
            for one in self.data_automorphisms
        )

    @cached_property
    def _data_actions(self) -> tuple[tuple[IntArray, FloatArray], ...]:
        still = self.identity
        return tuple(
            self.signed_permutation(GroupElement(data=n, places=still.places, signs=still.signs))
            for n in range(len(self.data_automorphisms))
        )

    def _apply_data(self, number: int, theta: FloatArray) -> FloatArray:
        index, sign = self._data_actions[number]
        image = np.empty_like(theta)
        image[..., index] = sign * theta
        return image
