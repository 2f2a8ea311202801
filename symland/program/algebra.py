"""The algebra: what an abstract number must do, and how a program runs over it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from operator import add, mul
from typing import Any, Generic, TypeVar

from symland.program.ir import Formula, Instruction, Program, Role
from symland.program.plan import Applications, Plan, Sums, plan

__all__ = ["DATA_OUTPUTS", "Algebra", "Evaluation", "run"]

DATA_OUTPUTS = ("by_input", "by_input_twice", "mixed", "margins", "margins_by_input", "margins_by_theta")
"""Outputs about the data; see `symland.program.by_data`."""

N = TypeVar("N")


class Algebra(ABC, Generic[N]):
    """Numbers with the operators + and *, exact constants, and the primitive functions.

    A subclass gives `constant` and `primitive`; one that takes the activation or the head for an opaque function
    overrides `apply`.
    """

    @abstractmethod
    def constant(self, value: Fraction) -> N:
        """The number that is a rational."""

    @abstractmethod
    def primitive(self, op: str, args: Sequence[N], value: Fraction | None) -> N:
        """One primitive operation other than constant, add, mul and neg; see `Instruction`."""

    def instruction(self, instruction: Instruction, args: Sequence[Any]) -> Any:
        """One instruction of a formula."""
        match instruction.op:
            case "constant":
                assert instruction.value is not None
                return self.constant(instruction.value)
            case "add":
                return reduce(add, args)
            case "mul":
                return reduce(mul, args)
            case "neg":
                return -args[0]
        return self.primitive(instruction.op, args, instruction.value)

    def apply(self, formula: Formula, args: Sequence[N]) -> Sequence[N]:
        """The formula's outputs at `args`."""
        values: list[N] = list(args)
        for instruction in formula.instructions:
            values.append(self.instruction(instruction, [values[k] for k in instruction.args]))
        return [values[k] for k in formula.outputs]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation(Generic[N]):
    """What a program computed at one point; `hessian` has both triangles. What was not wanted is empty.

    `by_data` holds the outputs of `symland.program.by_data` by name, row-major.
    """

    value: N | None
    gradient: list[N]
    hessian: list[list[N]]
    product: list[N] = field(default_factory=list)
    per_sample: list[list[N]] = field(default_factory=list)
    by_data: dict[str, list[N]] = field(default_factory=dict)


def run(
    program: Program,
    algebra: Algebra[N],
    theta: Sequence[N],
    data: Mapping[str, Sequence[N]] | None = None,
    direction: Sequence[N] = (),
) -> Evaluation[N]:
    """Run a program over an algebra.

    Parameters
    ----------
    theta : P numbers
    data : numbers in place of the exact values of some data arrays, by name, row-major
    direction : P numbers, for a program with the output "product"

    Raises
    ------
    ValueError
        If theta or an array of data has the wrong length.
    """
    given = dict(data or {})
    baked = frozenset(a.name for a in program.arrays.values() if a.role is Role.DATA and a.name not in given)
    steps = plan(program, baked)
    zero, one = algebra.constant(Fraction(0)), algebra.constant(Fraction(1))
    store: list[Any] = []
    for array in program.arrays.values():
        if array.base != array.name:
            continue
        numbers: Sequence[Any] = [zero] * array.size
        if array.role is Role.INPUT:
            numbers = theta if array.name == "theta" else direction
        elif array.name in given:
            numbers = given[array.name]
        elif array.values is not None:
            numbers = [algebra.constant(v) for v in array.values]
        if len(numbers) != array.size:
            raise ValueError(f"{array.name} takes {array.size} numbers, got {len(numbers)}")
        store.extend(numbers)
    store.append(one)
    for step in steps.steps:
        if isinstance(step, Sums):
            _sum(algebra, step, store)
        else:
            _apply(algebra, step, store)
    return _collect(program, steps, store)


def _sum(algebra: Algebra[N], step: Sums, store: list[Any]) -> None:
    scale: Any = None if step.coefficient == 1 else algebra.constant(step.coefficient)
    for place, fresh, products in step.groups:
        total: Any = None
        for product in products:
            term = store[product[0]]
            for k in product[1:]:
                term = term * store[k]
            total = term if total is None else total + term
        if scale is not None:
            total = scale * total
        store[place] = total if fresh else store[place] + total


def _apply(algebra: Algebra[N], step: Applications, store: list[Any]) -> None:
    for ins, outs in step.rows:
        for place, result in zip(outs, algebra.apply(step.formula, [store[k] for k in ins]), strict=True):
            store[place] = result


def _collect(program: Program, steps: Plan, store: list[N]) -> Evaluation[N]:
    p, arrays, slots = program.n_parameters, program.arrays, steps.slots
    value = store[slots["value"]] if "value" in arrays else None
    gradient = store[slots["gradient"] : slots["gradient"] + p] if "gradient" in arrays else []
    hessian: list[list[N]] = []
    if "hessian" in arrays:
        flat = store[slots["hessian"] : slots["hessian"] + p * p]
        # Row i is what stands above the diagonal in column i, and row i from the diagonal on.
        hessian = [flat[i : i * p + i : p] + flat[i * p + i : (i + 1) * p] for i in range(p)]
    product = store[slots["product"] : slots["product"] + p] if "product" in arrays else []
    per_sample: list[list[N]] = []
    if "per_sample" in arrays:
        rows = range(slots["per_sample"], slots["per_sample"] + p * program.n_samples, p)
        per_sample = [store[row : row + p] for row in rows]
    by_data = {name: store[slots[name] : slots[name] + arrays[name].size] for name in DATA_OUTPUTS if name in arrays}
    return Evaluation(
        value=value, gradient=gradient, hessian=hessian, product=product, per_sample=per_sample, by_data=by_data
    )
