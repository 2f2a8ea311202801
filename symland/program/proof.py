"""Proof that a program computes the loss and the derivatives of its specification.

Three statements, each decided exactly by SymPy, make it up:

structure   for *any* smooth sigma and *any* twice differentiable head: with F, F', F'' and H, dH, d^2H as opaque
            functions, the program's outputs equal H composed with the network and its derivatives by `sympy.diff`.
            With an independent symbol for every function value the difference is a polynomial, and it is zero.
activation  the formula "activation" gives sigma, sigma', sigma'' of the expression that the user named.
head        the formula "head" at the margins gives ell(z, y) of every class, and the derivatives of ell in the margins.

The structure is proved for one sample, with symbols for x, the orientation S and the shift t. That decides every data
set of D samples, because the program's outputs are sums of one and the same term over the samples plus terms without
samples: `additive` checks it on the statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy
from sympy import Add, Expr, Function, Integer, Rational, Symbol

from symland.datasets import Dataset
from symland.program.algebra import run
from symland.program.derive import build_program
from symland.program.expressions import ExpressionAlgebra
from symland.program.ir import Apply, Contract, Formula, Program, Ref
from symland.records import Verdict
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.activation import Z, derive_activation
from symland.symbolic.functions import standard
from symland.symbolic.head import contrast, orientation
from symland.symbolic.loss import outputs, parameter_symbols
from symland.symbolic.losses import LOSSES

__all__ = [
    "LARGEST_PROOF",
    "Claim",
    "additive",
    "prove_activation",
    "prove_head",
    "prove_program",
    "prove_structure",
]

LARGEST_PROOF = 40
"""Parameters of the largest network whose structure is proved with SymPy; the time grows as P^3."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One decided claim about a program: its name, verdict, and where it fails or why it is undecided."""

    name: str
    verdict: Verdict
    detail: str = ""


class _Sigma(Function):
    """The k-th derivative of an opaque activation: arguments s and k."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return _Sigma(self.args[0], self.args[1] + 1)


class _Head(Function):
    """A derivative of an opaque head: arguments the order in each margin, then the margins."""

    def fdiff(self, argindex: int = 1) -> Expr:
        half = len(self.args) // 2
        orders = list(self.args[:half])
        orders[argindex - 1 - half] += 1
        return _Head(*orders, *self.args[half:])


class _Opaque(ExpressionAlgebra):
    """Expressions in which the activation and the head are opaque functions."""

    def apply(self, formula: Formula, args: Sequence[Expr]) -> Sequence[Expr]:
        if formula.name == "activation":
            return [_Sigma(args[0], Integer(k)) for k in range(len(formula.outputs))]
        q = len(args)
        orders = [[0] * q]
        if len(formula.outputs) > 1:
            orders += [[int(k == i) for k in range(q)] for i in range(q)]
        if len(formula.outputs) > 1 + q:
            orders += [[int(k == i) + int(k == j) for k in range(q)] for i in range(q) for j in range(q)]
        return [_Head(*map(Integer, order), *args) for order in orders]


class _Atoms:
    """Replaces every opaque function value by a symbol, so that equal values get equal symbols."""

    def __init__(self) -> None:
        self.symbols: dict[Expr, Symbol] = {}

    def polynomial(self, e: Expr) -> Expr:
        """The expression as an expanded polynomial in parameters, data and symbols of function values."""
        return sympy.expand(self._replace(e))

    def _replace(self, e: Expr) -> Expr:
        if isinstance(e, _Sigma | _Head):
            key = e.func(*(self.polynomial(a) for a in e.args))
            return self.symbols.setdefault(key, sympy.Dummy(f"f{len(self.symbols)}"))
        if not e.args:
            return e
        return e.func(*(self._replace(a) for a in e.args))


def additive(program: Program) -> bool:
    """Whether the outputs are sums over the samples of one term, plus terms without samples.

    Checked on the statements: an array with a sample axis is only ever taken at "d"; a sum over "d" is only used
    linearly, outside formulas, in statements without "d".
    """
    sampled = {
        ref.array for s in program.statements for ref in _references(s) if any(index == "d" for index in ref.index)
    }
    summed: set[str] = set()
    for s in program.statements:
        for ref in _references(s):
            if ref.array in sampled and (ref.index[0] != "d" or "d" in ref.index[1:]):
                return False
        if isinstance(s, Apply):
            if any(ref.array not in sampled for ref in _references(s)):
                return False
            continue
        bases = [program.arrays[f.array].base for f in s.factors]
        uses = sum(base in summed for base in bases)
        if s.out.array in sampled:
            if uses:
                return False
        elif "d" in s.letters or uses:
            if uses > 1 or (uses and "d" in s.letters):
                return False
            summed.add(program.arrays[s.out.array].base)
    return True


def _references(statement: Contract | Apply) -> tuple[Ref, ...]:
    if isinstance(statement, Contract):
        return (statement.out, *statement.factors)
    return statement.outs + statement.ins


def _first_sample(program: Program) -> Program:
    """The program with its sums over the samples cut to the first one; the coefficients stay."""
    sampled = {ref.array for s in program.statements for ref in _references(s) if "d" in ref.index}
    sampled |= {program.arrays[name].base for name in sampled}
    arrays = {}
    for name, array in program.arrays.items():
        if name in sampled:
            size = array.size // array.shape[0]
            values = None if array.values is None else array.values[:size]
            array = replace(array, shape=(1, *array.shape[1:]), values=values)
        arrays[name] = array
    return replace(program, sizes={**program.sizes, "d": 1}, arrays=arrays)


def prove_structure(spec: LandscapeSpec, program: Program | None = None) -> Claim:
    """The program's outputs against `sympy.diff` of the whole loss, for any sigma, head and data.

    Parameters
    ----------
    program : Program, optional
        The program to prove; by default that of `build_program`.
    """
    name = "structure"
    program = build_program(spec) if program is None else program
    if spec.n_parameters > LARGEST_PROOF:
        reason = f"{spec.n_parameters} parameters are more than {LARGEST_PROOF}: the identity test decides"
        return Claim(name=name, verdict=Verdict.UNDECIDED, detail=reason)
    if not additive(program):
        return Claim(name=name, verdict=Verdict.UNDECIDED, detail="the outputs are not sums over the samples")
    first = _first_sample(program)
    theta = parameter_symbols(spec.layout)
    data: dict[str, list[Any]] = {}
    for array in ("x", "S", "t", "penalty"):
        if array in first.arrays:
            data[array] = [Symbol(f"{array}{k}") for k in range(first.arrays[array].size)]
    ran = run(first, _Opaque(), theta, data)
    loss, atoms = _opaque_loss(spec, theta, data), _Atoms()
    gradient = [sympy.diff(loss, p) for p in theta]
    if ran.value is not None and atoms.polynomial(ran.value - loss) != 0:
        return Claim(name=name, verdict=Verdict.REFUTED, detail="the value differs")
    for i, entry in enumerate(ran.gradient):
        if atoms.polynomial(entry - gradient[i]) != 0:
            return Claim(name=name, verdict=Verdict.REFUTED, detail=f"the gradient differs in component {i}")
    for i, row in enumerate(ran.hessian):
        for j in range(i, len(row)):
            if atoms.polynomial(row[j] - sympy.diff(gradient[i], theta[j])) != 0:
                return Claim(name=name, verdict=Verdict.REFUTED, detail=f"the Hessian differs in entry ({i}, {j})")
    x, margins = data["x"], _opaque_margins(spec, theta, data)
    wanted: dict[str, Callable[[], list[Expr]]] = {
        "by_input": lambda: [sympy.diff(loss, k) for k in x],
        "by_input_twice": lambda: [sympy.diff(loss, k, l) for k in x for l in x],
        "mixed": lambda: [sympy.diff(g, k) for k in x for g in gradient],
        "margins": lambda: margins,
        "margins_by_input": lambda: [sympy.diff(m, k) for m in margins for k in x],
        "margins_by_theta": lambda: [sympy.diff(m, p) for m in margins for p in theta],
    }
    for output, entries in ran.by_data.items():
        for place, (got, want) in enumerate(zip(entries, wanted[output](), strict=True)):
            if atoms.polynomial(got - want) != 0:
                detail = f"the output {output} differs in entry {place}"
                return Claim(name=name, verdict=Verdict.REFUTED, detail=detail)
    return Claim(name=name, verdict=Verdict.CERTIFIED)


def _opaque_margins(spec: LandscapeSpec, theta: Sequence[Expr], data: dict[str, list[Any]]) -> list[Expr]:
    """S B z(x) - t for one sample, written from the definition."""
    turn = contrast(spec)
    u = outputs(spec, theta, data["x"], sigma=lambda s: _Sigma(s, Integer(0)))
    if turn:
        u = [Add(*(_rational(b) * z for b, z in zip(row, u, strict=True))) for row in turn]
    q = len(u)
    if "S" in data:
        u = [Add(*(data["S"][i * q + j] * u[j] for j in range(q))) for i in range(q)]
    if "t" in data:
        u = [ui - ti for ui, ti in zip(u, data["t"], strict=True)]
    return u


def _opaque_loss(spec: LandscapeSpec, theta: Sequence[Expr], data: dict[str, list[Any]]) -> Expr:
    """(1/D) H(m) + lambda sum theta_p^2 for one sample of D, with m the margins."""
    u = _opaque_margins(spec, theta, data)
    weights = sum(b.size for b in spec.layout.blocks if b.kind == "W")
    held = theta if spec.penalised is Penalised.ALL else theta[:weights]
    return _Head(*[Integer(0)] * len(u), *u) / spec.n_samples + data["penalty"][0] * Add(*(p**2 for p in held))


def prove_activation(spec: LandscapeSpec, program: Program | None = None) -> Claim:
    """The formula "activation" against sigma, sigma', sigma'' by `sympy.diff`."""
    formula = (program or build_program(spec)).formulas["activation"]
    sigma = derive_activation(spec.activation).expression
    results = ExpressionAlgebra().apply(formula, [Z])
    for order, result in enumerate(results):
        verdict = _equal(standard(result), sympy.diff(sigma, Z, order))
        if verdict is not Verdict.CERTIFIED:
            return Claim(name="activation", verdict=verdict, detail=f"the derivative of order {order}")
    return Claim(name="activation", verdict=Verdict.CERTIFIED)


def prove_head(spec: LandscapeSpec, program: Program | None = None) -> Claim:
    """The formula "head" at the margins of every kind of sample against ell(z, y) and its derivatives."""
    formula = (program or build_program(spec)).formulas["head"]
    q, k, loss = formula.arity, spec.n_outputs, LOSSES[spec.loss]
    m = sympy.symbols(f"m1:{q + 1}", real=True)
    results = [standard(r) for r in ExpressionAlgebra().apply(formula, m)]
    wanted = [results[0]]
    if len(results) > 1:
        wanted += [sympy.diff(results[0], a) for a in m]
    if len(results) > 1 + q:
        wanted += [sympy.diff(results[0], a, b) for a in m for b in m]
    for number, (got, want) in enumerate(zip(results, wanted, strict=True)):
        verdict = _equal(got, want)
        if verdict is not Verdict.CERTIFIED:
            return Claim(name="head", verdict=verdict, detail=f"output {number}")
    z = sympy.symbols(f"z1:{k + 1}", real=True)
    for label, margins in _margins(spec, z):
        target = sympy.symbols(f"y1:{k + 1}", real=True) if label is None else label
        got = results[0].subs(dict(zip(m, margins, strict=True)), simultaneous=True)
        want = loss.definition(z, target)
        # Logarithms of positive numbers are equal when their exponentials are.
        verdict = _equal(sympy.exp(got), sympy.exp(want)) if loss.logarithm else _equal(got, want)
        if verdict is not Verdict.CERTIFIED:
            return Claim(name="head", verdict=verdict, detail=f"the loss of class {label}")
    return Claim(name="head", verdict=Verdict.CERTIFIED)


def _margins(spec: LandscapeSpec, z: Sequence[Symbol]) -> list[tuple[int | None, list[Expr]]]:
    """For each class: its number and the margins S (B z) - t; for targets that are numbers one row, without a class."""
    classes = range(LOSSES[spec.loss].classes(spec.n_outputs))
    if not classes:
        y = sympy.symbols(f"y1:{len(z) + 1}", real=True)
        return [(None, [a - b for a, b in zip(z, y, strict=True)])]
    every = Dataset(name="", inputs=tuple((Fraction(0),) * spec.n_inputs for _ in classes), labels=tuple(classes))
    turns = orientation(spec.with_(data=every))
    assert turns is not None
    turn = contrast(spec)
    u = list(z) if turn is None else [Add(*(_rational(b) * a for b, a in zip(row, z, strict=True))) for row in turn]
    return [(c, [Add(*(_rational(s) * a for s, a in zip(row, u, strict=True))) for row in turns[c]]) for c in classes]


def _rational(value: Fraction) -> Rational:
    return Rational(value.numerator, value.denominator)


def _equal(left: Expr, right: Expr) -> Verdict:
    """Whether two expressions are equal: rational functions after exponentials of independent symbols are symbols."""
    difference = sympy.expand_power_exp(sympy.expand((left - right).rewrite(sympy.exp), power_base=False))
    atoms: dict[Expr, Expr] = {}

    def symbol(node: Expr) -> Expr:
        # e^{n z} = (e^z)^n for rational n: one symbol per sign-free monomial.
        coefficient, rest = node.exp.as_coeff_Mul()
        return atoms.setdefault(sympy.exp(rest), sympy.Dummy(positive=True)) ** coefficient

    replaced = difference.replace(lambda node: isinstance(node, sympy.exp), symbol)
    if sympy.cancel(sympy.together(replaced)) == 0 or sympy.simplify(difference) == 0:
        return Verdict.CERTIFIED
    values = {s: Rational(k + 2, 7) for k, s in enumerate(sorted(difference.free_symbols, key=str))}
    at_a_point = difference.subs(values).evalf(30)
    return Verdict.REFUTED if at_a_point.is_number and abs(at_a_point) > Rational(1, 10**15) else Verdict.UNDECIDED


def prove_program(spec: LandscapeSpec) -> tuple[Claim, ...]:
    """All three statements for the program of a specification."""
    program = build_program(spec)
    return prove_structure(spec, program), prove_activation(spec, program), prove_head(spec, program)
