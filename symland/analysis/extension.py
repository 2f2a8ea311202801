"""Zero extension: where the parameters of a network stand in the network with k more nodes in one hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from symland.errors import SpecError
from symland.layout import Block
from symland.spec import LandscapeSpec, Penalised

__all__ = ["Extension", "extend"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Extension:
    """A network inside the one with `nodes` more nodes at the end of hidden layer `layer` (counted from 1).

    Attributes
    ----------
    narrow, wide : LandscapeSpec
    layer, nodes : int
    """

    narrow: LandscapeSpec
    wide: LandscapeSpec
    layer: int
    nodes: int

    @cached_property
    def old_places(self) -> tuple[int, ...]:
        """For each narrow parameter its place among the wide ones."""
        return self.narrow.layout.places_in(self.wide.layout)

    @cached_property
    def incoming(self) -> tuple[tuple[int, ...], ...]:
        """For each new node the places of its incoming weights, then of its bias if there is one."""
        weight, bias = self.wide.layout.weight(self.layer), self.wide.layout.biases(self.layer)
        columns = weight.shape[1]
        rows = range(weight.shape[0] - self.nodes, weight.shape[0])
        return tuple(
            (*(weight.offset + i * columns + j for j in range(columns)), *([bias.offset + i] if bias else []))
            for i in rows
        )

    @cached_property
    def outgoing(self) -> tuple[tuple[int, ...], ...]:
        """For each new node the places of its outgoing weights."""
        weight = self.wide.layout.weight(self.layer + 1)
        rows, columns = weight.shape
        return tuple(
            tuple(weight.offset + i * columns + j for i in range(rows)) for j in range(columns - self.nodes, columns)
        )

    @cached_property
    def next_biases(self) -> tuple[int, ...]:
        """The places of the biases of the layer after, none where there are no biases."""
        bias = self.wide.layout.biases(self.layer + 1)
        return tuple(range(bias.offset, bias.offset + bias.size)) if bias else ()

    @cached_property
    def new_places(self) -> tuple[int, ...]:
        """The places of all new parameters, ascending."""
        return tuple(sorted(set(range(self.wide.n_parameters)) - set(self.old_places)))

    def penalised(self, place: int) -> bool:
        """Whether the penalty holds a parameter of the wide network."""
        return self.wide.penalised is Penalised.ALL or self._block(place).kind == "W"

    def _block(self, place: int) -> Block:
        return next(b for b in self.wide.layout.blocks if b.offset <= place < b.offset + b.size)

    def embed(self, theta: Sequence[T], zero: T) -> list[T]:
        """The narrow parameters in the wide vector, the new ones zero."""
        out = [zero] * self.wide.n_parameters
        for place, value in zip(self.old_places, theta, strict=True):
            out[place] = value
        return out


def extend(spec: LandscapeSpec, layer: int = 1, nodes: int = 1) -> Extension:
    """The network with `nodes` more nodes in hidden layer `layer`.

    Raises
    ------
    SpecError
        If there is no such layer, or the number of nodes is not positive.
    """
    if not 1 <= layer <= len(spec.hidden):
        raise SpecError.at("layer", f"{layer} in a network with {len(spec.hidden)} hidden layers", "count from 1")
    if nodes < 1:
        raise SpecError.at("nodes", f"{nodes} new nodes", "add at least one")
    hidden = list(spec.hidden)
    hidden[layer - 1] += nodes
    return Extension(narrow=spec, wide=spec.with_(hidden=tuple(hidden)), layer=layer, nodes=nodes)
