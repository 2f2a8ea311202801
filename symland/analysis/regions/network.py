"""A classifier with exact weights, evaluated with its derivatives over Arb balls or over NumPy arrays.

A logistic output z is read as the two logits 0 and z, so that every network here has one logit for each label, and the
label of x is that of its largest logit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import isfinite
from operator import mul
from typing import Any

from symland.analysis.regions.arrangement import Hyperplane
from symland.errors import SpecError
from symland.expression import Node, parse_activation
from symland.program.algebra import Algebra
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["MOST_INPUTS", "Network", "activation_jet", "read_network"]

MOST_INPUTS = 6
"""Input dimensions in which cells are listed."""

LARGEST_WEIGHT = 1e100
"""In size: sums and factors of weights stay within float64."""

Rows = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Network:
    """Weights W_1, ..., W_{L+1} and biases b_1, ..., b_{L+1} as exact rationals; the outputs are one for each label."""

    weights: tuple[Rows, ...]
    biases: tuple[tuple[Fraction, ...], ...]
    activation: Node

    @property
    def n_inputs(self) -> int:
        return len(self.weights[0][0])

    @property
    def labels(self) -> int:
        return len(self.weights[-1])

    @property
    def hyperplanes(self) -> tuple[Hyperplane, ...]:
        """For each node of the first hidden layer the points at which its argument is 0."""
        return tuple(
            Hyperplane(normal=row, offset=offset) for row, offset in zip(self.weights[0], self.biases[0], strict=True)
        )

    def scaled(self, factors: Sequence[Fraction], bias_factors: Sequence[Fraction]) -> Network:
        """The network with the weights and the biases of each layer multiplied."""
        return Network(
            weights=tuple(
                tuple(tuple(f * w for w in row) for row in rows) for f, rows in zip(factors, self.weights, strict=True)
            ),
            biases=tuple(tuple(f * b for b in row) for f, row in zip(bias_factors, self.biases, strict=True)),
            activation=self.activation,
        )


def read_network(spec: LandscapeSpec, theta: FloatArray | Sequence[float]) -> Network:
    """The classifier of a parameter vector; each float is taken as the dyadic rational that it is.

    Raises
    ------
    SpecError
        For more than MOST_INPUTS inputs, a loss without labels, a vector of another length, or weights that are not
        finite or too large.
    """
    if spec.n_inputs > MOST_INPUTS:
        raise SpecError.at("data.inputs", f"{spec.n_inputs} inputs", f"geometry takes at most {MOST_INPUTS}")
    if spec.data.values:
        raise SpecError.at("loss.kind", "squared has no labels", "geometry takes softmax or logistic")
    values = [float(t) for t in theta]
    if len(values) != spec.n_parameters:
        raise SpecError.at("theta", f"{len(values)} numbers", f"give the {spec.n_parameters} of this network")
    for place, value in enumerate(values):
        if not isfinite(value):
            raise SpecError.at(f"theta[{place}]", f"{value} is not finite", "give finite weights")
        if abs(value) > LARGEST_WEIGHT:
            raise SpecError.at(f"theta[{place}]", f"{value:g} is too large", f"give weights up to {LARGEST_WEIGHT:g}")
    exact = [Fraction(value) for value in values]
    layout = spec.layout
    weights: list[Rows] = []
    biases: list[tuple[Fraction, ...]] = []
    for layer in range(1, layout.n_layers + 1):
        block, bias = layout.weight(layer), layout.biases(layer)
        n, m = block.shape
        weights.append(tuple(tuple(exact[block.offset + i * m : block.offset + (i + 1) * m]) for i in range(n)))
        biases.append((Fraction(0),) * n if bias is None else tuple(exact[bias.slice]))
    if spec.n_outputs == 1:
        weights[-1] = ((Fraction(0),) * len(weights[-1][0]), *weights[-1])
        biases[-1] = (Fraction(0), *biases[-1])
    return Network(weights=tuple(weights), biases=tuple(biases), activation=parse_activation(spec.activation))


def activation_jet(node: Node, algebra: Algebra[Any], x: Any) -> tuple[Any, Any]:
    """sigma(x) and sigma'(x) over any algebra, by the chain rule along the syntax tree."""

    def primitive(op: str, *args: Any) -> Any:
        return algebra.primitive(op, args, None)

    match node:
        case ("z",):
            return x, algebra.constant(Fraction(1))
        case ("number", value):
            return algebra.constant(value), algebra.constant(Fraction(0))
        case ("neg", inner):
            u, du = activation_jet(inner, algebra, x)
            return -u, -du
        case ("add" | "sub" | "mul" | "div" as op, left, right):
            u, du = activation_jet(left, algebra, x)
            v, dv = activation_jet(right, algebra, x)
            match op:
                case "add":
                    return u + v, du + dv
                case "sub":
                    return u + -v, du + -dv
                case "mul":
                    return u * v, du * v + u * dv
            quotient = primitive("div", u, v)
            return quotient, primitive("div", du + -(quotient * dv), v)
        case ("power", inner, (_, exponent)):
            u, du = activation_jet(inner, algebra, x)
            n = int(exponent)
            if n == 0:
                return algebra.constant(Fraction(1)), algebra.constant(Fraction(0))
            below = _power(algebra, u, n - 1)
            return _power(algebra, u, n), algebra.constant(Fraction(n)) * below * du
    name, inner = node
    u, du = activation_jet(inner, algebra, x)
    match name:
        case "tanh":
            return primitive("tanh", u), primitive("sech2", u) * du
        case "sigmoid":
            value = primitive("logistic", u)
            return value, primitive("sech2", u * algebra.constant(Fraction(1, 2))) * du * algebra.constant(
                Fraction(1, 4)
            )
        case "softplus":
            return primitive("softplus", u), primitive("logistic", u) * du
        case "erf":
            return primitive("erf", u), primitive("gauss", u) * du
        case "sin":
            return primitive("sin", u), primitive("cos", u) * du
        case "cos":
            return primitive("cos", u), -primitive("sin", u) * du
        case "exp":
            value = primitive("exp", u)
            return value, value * du
        case "log":
            return primitive("log", u), primitive("div", du, u)
        case "sqrt":
            value = primitive("sqrt", u)
            return value, primitive("div", du, value + value)
    raise SpecError.at("network.activation", f"{name} has no derivative here", "use tanh, sigmoid or softplus")


def _power(algebra: Algebra[Any], u: Any, n: int) -> Any:
    """u^n."""
    if n == 0:
        return algebra.constant(Fraction(1))
    if n > 0:
        return reduce(mul, [u] * n) if n < 2 else algebra.primitive("power", (u,), Fraction(n))
    return algebra.primitive("power", (u,), Fraction(n))
