"""The loss and its derivatives as LaTeX: the structured formulas that the derivation program is proved to compute.

They are those of `symland.program.derive`, written for the outputs z in place of contrasts and margins.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol
from sympy.functions.elementary.hyperbolic import HyperbolicFunction

from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.activation import derive_activation
from symland.symbolic.functions import standard
from symland.symbolic.loss import build_loss
from symland.symbolic.losses import LOSSES
from symland.tex import fraction_tex
from symland.theorems.smooth import derivative

__all__ = [
    "LARGEST_GRADIENT",
    "Formulas",
    "Gradient",
    "build_formulas",
    "build_gradient",
    "matrix_text",
    "parameter_names",
]

LARGEST_GRADIENT = 12
"""Parameters of the largest network whose gradient is written out."""

MOST_SAMPLES = 8
"""Samples up to which the gradient is written out."""

MOST_TERMS = 9
"""Terms of a sum in one line."""


@dataclass(frozen=True, kw_only=True)
class Formulas:
    """Display formulas, without delimiters; the gradient and Hessian are lists of lines.

    Attributes
    ----------
    loss, head, residual, curvature, penalty : str
    forward : str
    jet : (sigma, sigma', sigma'')
    """

    loss: str
    penalty: str
    forward: str
    head: str
    residual: str
    curvature: str
    jet: tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """The gradient by SymPy with its common subexpressions.

    Attributes
    ----------
    shared : tuple of LaTeX, `t_k = ...`
    components : tuple of (LaTeX of dE/dp, lines of its value)
    """

    shared: tuple[str, ...]
    components: tuple[tuple[str, tuple[str, ...]], ...]


def build_formulas(spec: LandscapeSpec) -> Formulas:
    """The formulas of a specification."""
    head, residual, curvature = LOSSES[spec.loss].tex
    everything = spec.penalised is Penalised.ALL and spec.bias
    penalised = r"\sum_{l=1}^{L+1} \bigl( \lVert W_l \rVert^2" + (
        r" + \lVert b_l \rVert^2 \bigr)" if everything else r" \bigr)"
    )
    if not everything:
        penalised = r"\sum_{l=1}^{L+1} \lVert W_l \rVert^2"
    bias = ("b_l", "b_{L+1}") if spec.bias else ("", "")
    plus = [f" + {b}" if b else "" for b in bias]
    return Formulas(
        loss=r"E(\theta) = \frac{1}{D} \sum_{d=1}^{D} \ell\bigl(z(x_d), y_d\bigr) + \lambda\, " + penalised,
        penalty=fraction_tex(spec.penalty),
        forward=(
            rf"a_0 = x, \qquad s_l = W_l a_{{l-1}}{plus[0]}, \quad a_l = \sigma(s_l) \quad (l = 1, \dots, L), "
            rf"\qquad z = W_{{L+1}} a_L{plus[1]}"
        ),
        head=head,
        residual=residual,
        curvature=curvature,
        jet=_jet(spec.activation),
    )


def matrix_text(spec: LandscapeSpec, only: str | None = None) -> str:
    """Loss, gradient and Hessian in matrix form, as LaTeX that needs amsmath: whole, or one of these three."""
    from symland.report.latex import environment

    values = {"spec": spec, "formulas": build_formulas(spec), "widths": lambda h: r",\, ".join(map(str, h))}
    parts = ("loss", "gradient", "hessian") if only is None else (only,)
    templates = environment()
    return "".join(templates.get_template(f"formulas-{part}.tex.j2").render(values) for part in parts)


def _jet(activation: str) -> tuple[str, str, str]:
    first, second, third = (_shortest(standard(e)) for e in derive_activation(activation).jet)
    return first, second, third


def _shortest(expression: Expr) -> str:
    """The shortest of three forms. Of hyperbolic functions alone `simplify` is `trigsimp`, and loads much else."""
    hyperbolic = all(isinstance(f, HyperbolicFunction) for f in expression.atoms(sympy.Function))
    simpler = sympy.trigsimp if hyperbolic else sympy.simplify
    forms = (expression, simpler(expression), sympy.factor(expression))
    return min((sympy.latex(form) for form in forms), key=len)


def parameter_names(spec: LandscapeSpec) -> tuple[str, ...]:
    """LaTeX of every parameter, in the order of the layout: w^{(l)}_{ij}, b^{(l)}_i, counted from 1."""
    out = []
    for block in spec.layout.blocks:
        for flat in range(block.size):
            places = divmod(flat, block.shape[1]) if block.kind == "W" else (flat,)
            subscript = (",\\," if max(block.shape) > 9 else "").join(str(i + 1) for i in places)
            out.append(f"{block.kind.lower()}^{{({block.layer})}}_{{{subscript}}}")
    return tuple(out)


def build_gradient(spec: LandscapeSpec) -> Gradient | None:
    """The gradient with lambda as a symbol, or None for a network or data set too large to print."""
    if spec.n_parameters > LARGEST_GRADIENT or spec.n_samples > MOST_SAMPLES:
        return None
    loss = build_loss(spec)
    data = sympy.Add(*loss.sample_losses) / spec.n_samples
    penalised = loss.penalty.free_symbols if spec.penalty else set()
    weight = Symbol("lambda")
    shared, values = sympy.cse([derivative(data, p) for p in loss.theta], symbols=sympy.numbered_symbols("t"))
    names = dict(zip(loss.theta, parameter_names(spec), strict=True))
    names |= {symbol: f"t_{{{n}}}" for n, (symbol, _) in enumerate(shared)}
    components = []
    for p, value in zip(loss.theta, values, strict=True):
        whole = value + 2 * weight * p if p in penalised else value
        components.append((rf"\frac{{\partial E}}{{\partial {names[p]}}}", _lines(whole, names)))
    return Gradient(
        shared=tuple(f"{names[symbol]} = {sympy.latex(value, symbol_names=names)}" for symbol, value in shared),
        components=tuple(components),
    )


def _lines(expression: Expr, names: dict[Symbol, str]) -> tuple[str, ...]:
    terms = sympy.Add.make_args(expression)
    lines = []
    for start in range(0, len(terms), MOST_TERMS):
        text = sympy.latex(sympy.Add(*terms[start : start + MOST_TERMS], evaluate=False), symbol_names=names)
        lines.append(text if not start or text.startswith("-") else f"+ {text}")
    return tuple(lines)
