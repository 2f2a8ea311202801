"""Where each weight and bias of a multilayer perceptron stands in the parameter vector theta."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symland.records import FloatArray

__all__ = ["Block", "Layout", "widths_text"]


def widths_text(widths: Iterable[int]) -> str:
    """Widths of layers as they are written in a line: 2-3-2."""
    return "-".join(map(str, widths))


@dataclass(frozen=True, kw_only=True)
class Block:
    """One weight matrix W_l of shape (n_l, n_{l-1}) or one bias b_l of shape (n_l,), row-major from `offset`."""

    kind: str
    layer: int
    offset: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def slice(self) -> slice:
        return slice(self.offset, self.offset + self.size)

    def of(self, theta: FloatArray) -> FloatArray:
        """The block's entries (..., *shape) of parameter vectors (..., P): a view where that is possible."""
        return theta[..., self.slice].reshape(*theta.shape[:-1], *self.shape)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Order of the parameters: W_1, ..., W_{L+1}, then b_1, ..., b_{L+1}; each row-major.

    This is the order of the Wales group's potential MLPVB3 for one hidden layer.

    Attributes
    ----------
    widths : tuple of int
        n_0 inputs, n_1 ... n_L hidden nodes, n_{L+1} outputs.
    bias : bool
        Whether the layers have biases.
    """

    widths: tuple[int, ...]
    bias: bool

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        pairs = list(zip(self.widths, self.widths[1:], strict=False))
        kinds: list[tuple[str, int, tuple[int, ...]]] = [
            ("W", layer, (n, m)) for layer, (m, n) in enumerate(pairs, start=1)
        ]
        if self.bias:
            kinds += [("b", layer, (n,)) for layer, (_, n) in enumerate(pairs, start=1)]
        offsets = accumulate((prod(shape) for _, _, shape in kinds), initial=0)
        return tuple(
            Block(kind=kind, layer=layer, offset=offset, shape=shape)
            for (kind, layer, shape), offset in zip(kinds, offsets, strict=False)
        )

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return sum(block.size for block in self.blocks)

    @property
    def n_layers(self) -> int:
        """Number of affine maps: hidden layers plus one."""
        return len(self.widths) - 1

    def weight(self, layer: int) -> Block:
        """The block of W_layer, counted from 1."""
        return self.blocks[layer - 1]

    def biases(self, layer: int) -> Block | None:
        """The block of b_layer, or None in a network without biases."""
        return self.blocks[self.n_layers + layer - 1] if self.bias else None

    def places_in(self, wider: Layout) -> tuple[int, ...]:
        """For each parameter its place in the layout of the network with more nodes at the end of hidden layers.

        Raises
        ------
        ValueError
            If `wider` is no such network.
        """
        ends, others = (self.bias, len(self.widths), self.widths[0], self.widths[-1]), wider.widths
        same = ends == (wider.bias, len(others), others[0], others[-1])
        if not same or any(a > b for a, b in zip(self.widths, others, strict=True)):
            raise ValueError(f"widths {self.widths} do not extend to {others}")
        out: list[int] = []
        for small, large in zip(self.blocks, wider.blocks, strict=True):
            columns = small.shape[1] if small.kind == "W" else 1
            stride = large.shape[1] if large.kind == "W" else 1
            out += [large.offset + i * stride + j for i in range(small.shape[0]) for j in range(columns)]
        return tuple(out)

    def names(self) -> tuple[str, ...]:
        """A name for each parameter, such as W1[0,1] or b2[0]."""
        out: list[str] = []
        for block in self.blocks:
            if block.kind == "W":
                rows, columns = block.shape
                out += [f"W{block.layer}[{i},{j}]" for i in range(rows) for j in range(columns)]
            else:
                out += [f"b{block.layer}[{i}]" for i in range(block.shape[0])]
        return tuple(out)
