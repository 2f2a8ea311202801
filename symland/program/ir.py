"""The derivation program as data: arrays, contractions over named indices, and scalar formulas.

A program is a list of statements over arrays whose entries are numbers of any algebra. All arrays start at zero.

    Contract   out[I] += coefficient * sum over the indices not in I of a product of factors
    Apply      out_1[...], out_2[...], ... = formula(in_1[...], in_2[...], ...)  for every value of the indices

An index is a letter whose range is `Program.sizes[letter]`, or a fixed integer. A letter may stand twice in one
reference, which then runs over a diagonal. The letter "d" always runs over the samples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

__all__ = ["PRIMITIVES", "Apply", "Array", "Contract", "Formula", "Instruction", "Program", "Ref", "Role", "Statement"]

PRIMITIVES: Mapping[str, int] = {
    "div": 2,
    "power": 1,
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "sin": 1,
    "cos": 1,
    "tanh": 1,
    "sech2": 1,
    "logistic": 1,
    "softplus": 1,
    "erf": 1,
    "gauss": 1,
    "lse0": 0,
    "softmax0": 0,
}
"""Every primitive operation beside constant, add, mul and neg, with its number of arguments; 0 takes any number.

`power` has an integer exponent, `softmax0` a class, both as `Instruction.value`. Each algebra computes all of them or
refuses them by name."""


class Role(Enum):
    """Where an array's numbers come from or go to."""

    INPUT = "input"
    """Given with every evaluation: theta, and the direction of a Hessian-vector product."""
    DATA = "data"
    """Exact constants of the specification: samples, orientations, the penalty."""
    LOCAL = "local"
    OUTPUT = "output"


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One primitive operation of a formula, on the values numbered `args`.

    `op` is constant, add, mul, neg or one of `PRIMITIVES`.
    """

    def __post_init__(self) -> None:
        if self.op not in PRIMITIVES and self.op not in ("constant", "add", "mul", "neg"):
            raise ValueError(f"{self.op!r} is no primitive operation")

    op: str
    args: tuple[int, ...] = ()
    value: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A scalar function of `arity` numbers as a list of instructions.

    Value k < arity is the k-th argument, value arity + k the result of instruction k; `outputs` are value numbers.
    """

    name: str
    arity: int
    instructions: tuple[Instruction, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Array:
    """A named array, or a strided view into a larger one.

    Attributes
    ----------
    name : str
    shape : tuple of int
    role : Role
    base : str
        Name of the array that holds the entries; the array's own name unless it is a view.
    offset, strides : int, tuple of int
        Entry (i, j, ...) stands at offset + i strides[0] + j strides[1] + ... of the base.
    values : tuple of Fraction or None
        Row-major entries of an array with the role DATA.
    """

    name: str
    shape: tuple[int, ...]
    role: Role
    base: str = ""
    offset: int = 0
    strides: tuple[int, ...] = ()
    values: tuple[Fraction, ...] | None = None

    def __post_init__(self) -> None:
        if not self.base:
            object.__setattr__(self, "base", self.name)
            steps = [prod(self.shape[k + 1 :]) for k in range(len(self.shape))]
            object.__setattr__(self, "strides", tuple(steps))
        if len(self.strides) != len(self.shape):
            raise ValueError(f"{self.name}: strides {self.strides} for shape {self.shape}")
        if (self.role is Role.DATA) != (self.values is not None):
            raise ValueError(f"{self.name}: values go with the role DATA")
        if self.values is not None and len(self.values) != self.size:
            raise ValueError(f"{self.name}: {len(self.values)} values for shape {self.shape}")

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Ref:
    """An array at indices: letters or fixed integers."""

    array: str
    index: tuple[str | int, ...] = ()

    @cached_property
    def letters(self) -> tuple[str, ...]:
        """The distinct letters, in order of appearance."""
        return tuple(dict.fromkeys(i for i in self.index if isinstance(i, str)))

    def __str__(self) -> str:
        return f"{self.array}[{','.join(map(str, self.index))}]"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """out += coefficient * sum(product of factors).

    With `triangle` the output is a view into the Hessian of which only the entries with row <= column are wanted;
    the first half of its indices are the row's.
    """

    out: Ref
    factors: tuple[Ref, ...]
    coefficient: Fraction = Fraction(1)
    triangle: bool = False

    @cached_property
    def letters(self) -> tuple[str, ...]:
        """Output letters first, then the letters that are summed over."""
        return tuple(dict.fromkeys(self.out.letters + tuple(x for f in self.factors for x in f.letters)))

    def __str__(self) -> str:
        scale = "" if self.coefficient == 1 else f"{self.coefficient} "
        return f"{self.out} += {scale}{' '.join(map(str, self.factors))}"


@dataclass(frozen=True, kw_only=True)
class Apply:
    """outs = formula(ins) for every value of the letters."""

    formula: str
    outs: tuple[Ref, ...]
    ins: tuple[Ref, ...]

    @cached_property
    def letters(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(x for ref in self.outs + self.ins for x in ref.letters))

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.outs))} = {self.formula}({', '.join(map(str, self.ins))})"


Statement = Contract | Apply


@dataclass(frozen=True, kw_only=True)
class Program:
    """A derivation program.

    Attributes
    ----------
    sizes : dict
        Range of each index letter.
    arrays : dict of Array by name
        The bases "theta" (P,), and as wanted "value" (), "gradient" (P,), "hessian" (P, P; entries with row <= column)
        and their views, among them.
    formulas : dict of Formula by name
        "activation" and "head".
    statements : tuple of Statement
    """

    sizes: Mapping[str, int]
    arrays: Mapping[str, Array]
    formulas: Mapping[str, Formula]
    statements: tuple[Statement, ...]

    @property
    def n_parameters(self) -> int:
        return self.arrays["theta"].size

    @property
    def n_samples(self) -> int:
        return self.sizes["d"]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output bases."""
        return tuple(a.name for a in self.arrays.values() if a.role is Role.OUTPUT and a.base == a.name)

    def places(self, ref: Ref, values: Mapping[str, int]) -> int:
        """Where the referenced entry stands in its base."""
        array = self.arrays[ref.array]
        fixed = (values[i] if isinstance(i, str) else i for i in ref.index)
        return array.offset + sum(i * step for i, step in zip(fixed, array.strides, strict=True))

    def text(self) -> str:
        """The program as a person reads it."""
        lines = [f"for {' '.join(s.letters)}: {s}" for s in self.statements]
        return "\n".join(lines)

    def canonical(self) -> dict[str, Any]:
        """The program as JSON values."""

        def reference(ref: Ref) -> list[Any]:
            return [ref.array, list(ref.index)]

        def statement(s: Statement) -> list[Any]:
            if isinstance(s, Contract):
                return ["contract", reference(s.out), [*map(reference, s.factors)], str(s.coefficient), s.triangle]
            return ["apply", s.formula, [*map(reference, s.outs)], [*map(reference, s.ins)]]

        return {
            "sizes": dict(sorted(self.sizes.items())),
            "arrays": [
                [
                    a.name,
                    list(a.shape),
                    a.role.value,
                    a.base,
                    a.offset,
                    list(a.strides),
                    [str(v) for v in a.values or ()],
                ]
                for a in self.arrays.values()
            ],
            "formulas": [
                [f.name, f.arity, [[i.op, list(i.args), str(i.value)] for i in f.instructions], list(f.outputs)]
                for f in self.formulas.values()
            ],
            "statements": [statement(s) for s in self.statements],
        }

    @cached_property
    def plans(self) -> dict[frozenset[str], Any]:
        """The plans found so far, by the data arrays that hold their exact values; see `symland.program.plan`."""
        return {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON text."""
        return hashlib.sha256(json.dumps(self.canonical(), separators=(",", ":")).encode()).hexdigest()
