"""Elements of a symmetry group: data automorphisms, and permutations and flips of hidden nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["DataAutomorphism", "GroupElement", "Parity"]


class Parity(Enum):
    """What the activation does under z -> -z."""

    ODD = "odd"
    EVEN = "even"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class DataAutomorphism:
    """A signed permutation of inputs with one of outputs that maps the data and the loss to themselves.

    Input k goes to place `inputs[k]` with sign `input_signs[k]`; output i likewise.
    """

    inputs: tuple[int, ...]
    input_signs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_signs: tuple[int, ...]

    def __post_init__(self) -> None:
        for places, signs in ((self.inputs, self.input_signs), (self.outputs, self.output_signs)):
            if sorted(places) != list(range(len(places))):
                raise ValueError(f"not a permutation: {places}")
            if len(signs) != len(places) or any(s not in (1, -1) for s in signs):
                raise ValueError(f"expected one sign 1 or -1 for each place, got {signs}")

    @classmethod
    def identity(cls, n_inputs: int, n_outputs: int) -> DataAutomorphism:
        """The automorphism that moves nothing."""
        return cls(
            inputs=tuple(range(n_inputs)),
            input_signs=(1,) * n_inputs,
            outputs=tuple(range(n_outputs)),
            output_signs=(1,) * n_outputs,
        )

    def after(self, first: DataAutomorphism) -> DataAutomorphism:
        """The automorphism that does `first`, then this one."""
        return DataAutomorphism(
            inputs=tuple(self.inputs[k] for k in first.inputs),
            input_signs=tuple(s * self.input_signs[k] for k, s in zip(first.inputs, first.input_signs, strict=True)),
            outputs=tuple(self.outputs[i] for i in first.outputs),
            output_signs=tuple(
                s * self.output_signs[i] for i, s in zip(first.outputs, first.output_signs, strict=True)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class GroupElement:
    """One symmetry: the number of its data automorphism, and where each hidden node goes with which sign.

    Node i of hidden layer l (counted from 0) goes to place `places[l][i]` with sign `signs[l][i]`.
    """

    data: int
    places: tuple[tuple[int, ...], ...]
    signs: tuple[tuple[int, ...], ...]
