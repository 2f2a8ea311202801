"""The whole loss of a network as one SymPy expression, and its derivatives by `sympy.diff`.

Written from the definition, without the derivation program: it is what the program is proved against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy
from sympy import Add, Expr, ImmutableDenseMatrix, Rational, Symbol

from symland.layout import Layout
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.activation import derive_activation
from symland.symbolic.losses import LOSSES

__all__ = [
    "SymbolicDerivatives",
    "SymbolicLoss",
    "build_loss",
    "differentiate",
    "outputs",
    "parameter_symbols",
]


@dataclass(frozen=True, kw_only=True)
class SymbolicLoss:
    """E(theta) with exact rational data.

    Attributes
    ----------
    spec : LandscapeSpec
    theta : P symbols in the order of the layout
    sample_losses : D expressions ell(z(x_d), y_d)
    penalty : Expr
        lambda times the sum of the penalised parameters' squares.
    """

    spec: LandscapeSpec
    theta: tuple[Symbol, ...]
    sample_losses: tuple[Expr, ...]
    penalty: Expr

    @property
    def expression(self) -> Expr:
        """(1/D) sum_d ell_d + penalty."""
        return Add(*self.sample_losses) / len(self.sample_losses) + self.penalty


@dataclass(frozen=True, kw_only=True)
class SymbolicDerivatives:
    """Gradient (P, 1) and Hessian (P, P) of a `SymbolicLoss`."""

    loss: SymbolicLoss
    gradient: ImmutableDenseMatrix
    hessian: ImmutableDenseMatrix


def parameter_symbols(layout: Layout) -> tuple[Symbol, ...]:
    """Symbols w^l_{ij} and b^l_i in the order of the layout, subscripts counted from 1."""
    out: list[Symbol] = []
    for block in layout.blocks:
        letter = "w" if block.kind == "W" else "b"
        for flat in range(block.size):
            place = divmod(flat, block.shape[1]) if len(block.shape) == 2 else (flat,)
            indices = "".join(str(i + 1) if max(block.shape) < 10 else f"_{i + 1}" for i in place)
            out.append(Symbol(f"{letter}{block.layer}_{indices}", real=True))
    return tuple(out)


def outputs(
    spec: LandscapeSpec, theta: Sequence[Expr], x: Sequence[Expr], sigma: Callable[[Expr], Expr] | None = None
) -> list[Expr]:
    """The outputs z(x) of the network: z = W_{L+1} h_L + b_{L+1}, h_l = sigma(W_l h_{l-1} + b_l), h_0 = x.

    `sigma` takes the place of the specification's activation where it is given.
    """
    sigma = sigma or derive_activation(spec.activation).at
    layout = spec.layout
    signal = list(x)
    for layer in range(1, layout.n_layers + 1):
        weight, bias = layout.weight(layer), layout.biases(layer)
        rows, columns = weight.shape
        signal = [
            Add(*(theta[weight.offset + i * columns + j] * signal[j] for j in range(columns)))
            + (theta[bias.offset + i] if bias else 0)
            for i in range(rows)
        ]
        if layer < layout.n_layers:
            signal = [sigma(s) for s in signal]
    return signal


def build_loss(spec: LandscapeSpec) -> SymbolicLoss:
    """The loss of the network, exact, by SymPy."""
    theta = parameter_symbols(spec.layout)
    data = spec.data
    values = [[Rational(y.numerator, y.denominator) for y in row] for row in data.values]
    targets: Sequence[int | Sequence[Expr]] = data.labels or values
    samples = tuple(
        LOSSES[spec.loss].definition(outputs(spec, theta, [Rational(v.numerator, v.denominator) for v in x]), target)
        for x, target in zip(data.inputs, targets, strict=True)
    )
    squares = [
        theta[p] ** 2
        for block in spec.layout.blocks
        if block.kind == "W" or spec.penalised is Penalised.ALL
        for p in range(block.offset, block.offset + block.size)
    ]
    penalty = Rational(spec.penalty.numerator, spec.penalty.denominator) * Add(*squares)
    return SymbolicLoss(spec=spec, theta=theta, sample_losses=samples, penalty=penalty)


def differentiate(loss: SymbolicLoss, *, second: bool = True) -> SymbolicDerivatives:
    """Gradient and Hessian by `sympy.diff` of the whole expression; the time grows as D P^2 and more.

    Without `second` the Hessian is left out: it is a matrix without entries.
    """
    expression = loss.expression
    gradient = [sympy.diff(expression, p) for p in loss.theta]
    if not second:
        none = ImmutableDenseMatrix(0, 0, [])
        return SymbolicDerivatives(loss=loss, gradient=ImmutableDenseMatrix(gradient), hessian=none)
    upper = {
        (i, j): sympy.diff(gradient[i], q) for i in range(len(gradient)) for j, q in enumerate(loss.theta) if i <= j
    }
    size = len(gradient)
    hessian = ImmutableDenseMatrix(size, size, lambda i, j: upper[min(i, j), max(i, j)])
    return SymbolicDerivatives(loss=loss, gradient=ImmutableDenseMatrix(gradient), hessian=hessian)
