"""The algebra: what an abstract number must do, and how a program runs over it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add, mul
from typing import Any, Generic, TypeVar

from symland.program.ir import Apply, Contract, Formula, Instruction, Program, Role
from symland.program.plan import unroll

__all__ = ["Algebra", "Evaluation", "run"]

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
    """What a program computed at one point; `hessian` has both triangles. What was not wanted is empty."""

    value: N | None
    gradient: list[N]
    hessian: list[list[N]]


def run(
    program: Program,
    algebra: Algebra[N],
    theta: Sequence[N],
    data: Mapping[str, Sequence[N]] | None = None,
) -> Evaluation[N]:
    """Run a program over an algebra.

    Parameters
    ----------
    theta : P numbers
    data : numbers in place of the exact values of some data arrays, by name, row-major

    Raises
    ------
    ValueError
        If theta or an array of data has the wrong length.
    """
    given = dict(data or {})
    baked = [a.name for a in program.arrays.values() if a.role is Role.DATA and a.name not in given]
    zero = algebra.constant(Fraction(0))
    store: dict[str, list[N]] = {}
    for array in program.arrays.values():
        if array.base != array.name:
            continue
        if array.role is Role.INPUT:
            store[array.name] = list(theta)
        elif array.name in given:
            store[array.name] = list(given[array.name])
        elif array.values is not None:
            store[array.name] = [algebra.constant(v) for v in array.values]
        else:
            store[array.name] = [zero] * array.size
        if len(store[array.name]) != array.size:
            raise ValueError(f"{array.name} takes {array.size} numbers, got {len(store[array.name])}")
    for statement in program.statements:
        places = [place.tolist() for place in unroll(program, statement, baked)]
        if isinstance(statement, Contract):
            _contract(program, algebra, statement, places, store)
        else:
            _apply(program, algebra, statement, places, store)
    return _collect(program, store)


def _contract(
    program: Program, algebra: Algebra[N], statement: Contract, places: list[list[int]], store: dict[str, list[N]]
) -> None:
    out = store[program.arrays[statement.out.array].base]
    factors = [store[program.arrays[f.array].base] for f in statement.factors]
    scale = None if statement.coefficient == 1 else algebra.constant(statement.coefficient)
    for where, *at in zip(*places, strict=True):
        values: list[Any] = [factor[k] for factor, k in zip(factors, at, strict=True)]
        if scale is not None:
            values.insert(0, scale)
        term = reduce(mul, values) if values else algebra.constant(Fraction(1))
        out[where] = out[where] + term


def _apply(
    program: Program, algebra: Algebra[N], statement: Apply, places: list[list[int]], store: dict[str, list[N]]
) -> None:
    bases = [store[program.arrays[ref.array].base] for ref in statement.outs + statement.ins]
    split = len(statement.outs)
    formula = program.formulas[statement.formula]
    for row in zip(*places, strict=True):
        results = algebra.apply(formula, [base[k] for base, k in zip(bases[split:], row[split:], strict=True)])
        for base, k, result in zip(bases[:split], row[:split], results, strict=True):
            base[k] = result


def _collect(program: Program, store: dict[str, list[N]]) -> Evaluation[N]:
    p = program.n_parameters
    flat = store.get("hessian", [])
    hessian = [[flat[min(i, j) * p + max(i, j)] for j in range(p)] for i in range(p)] if flat else []
    value = store["value"][0] if "value" in store else None
    return Evaluation(value=value, gradient=store.get("gradient", []), hessian=hessian)
