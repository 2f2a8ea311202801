"""The loss, gradient and Hessian as text: LaTeX to read, Python to run."""

from __future__ import annotations

import sympy
from sympy.printing.pycode import PythonCodePrinter

from symland.symbolic.loss import SymbolicDerivatives

__all__ = ["PARTS", "latex_text", "python_text"]


PARTS = ("loss", "gradient", "hessian")
"""What can be printed alone."""


def latex_text(derivatives: SymbolicDerivatives, only: str | None = None) -> str:
    """Common subexpressions t_k, then the loss, each gradient component and each Hessian entry of the upper triangle.

    LaTeX display equations, one a line; with `only`, one of `PARTS`.
    """
    entries = _entries(derivatives, only)
    shared, results = _shared([value for _, value in entries])
    lines = [_equation(sympy.latex(symbol), value) for symbol, value in shared]
    lines += [_equation(left, value) for (left, _), value in zip(entries, results, strict=True)]
    return "\n".join(lines) + "\n"


def _entries(derivatives: SymbolicDerivatives, only: str | None) -> list[tuple[str, sympy.Expr]]:
    """What each equation says: its left side in LaTeX, and its value."""
    loss = derivatives.loss
    names = [sympy.latex(p) for p in loss.theta]
    wanted = PARTS if only is None else (only,)
    entries = [("E", loss.expression)] if "loss" in wanted else []
    if "gradient" in wanted:
        lefts = (rf"\frac{{\partial E}}{{\partial {name}}}" for name in names)
        entries += zip(lefts, derivatives.gradient, strict=True)
    if "hessian" in wanted:
        for i, first in enumerate(names):
            for j in range(i, len(names)):
                left = rf"\frac{{\partial^2 E}}{{\partial {first} \, \partial {names[j]}}}"
                entries.append((left, derivatives.hessian[i, j]))
    return entries


def _shared(values: list[sympy.Expr]) -> tuple[list[tuple[sympy.Symbol, sympy.Expr]], list[sympy.Expr]]:
    shared, results = sympy.cse(values, symbols=sympy.numbered_symbols("t"))
    return shared, results


def _equation(left: str, right: sympy.Expr) -> str:
    return rf"\[ {left} = {sympy.latex(right)} \]"


def python_text(derivatives: SymbolicDerivatives, only: str | None = None) -> str:
    """A Python function of theta for loss, gradient and Hessian that needs the standard library alone.

    With `only`, one of `PARTS`, the function returns that alone.
    """
    loss, theta = derivatives.loss, derivatives.loss.theta
    size = len(theta)
    wanted = PARTS if only is None else (only,)
    shared, results = _shared([value for _, value in _entries(derivatives, only)])
    left = iter(results)
    printer = PythonCodePrinter({"fully_qualified_modules": True})
    what = "Loss, gradient and Hessian" if only is None else f"The {only.replace('hess', 'Hess')}"
    lines = [
        f"# {loss.spec.name}: {loss.spec.activation}, hidden {loss.spec.hidden}, penalty {loss.spec.penalty}",
        f"# specification {loss.spec.digest}",
        "import math",
        "",
        "",
        "def derivatives(theta):",
        f'    """{what} at the {size} parameters {", ".join(loss.spec.layout.names())}."""',
        f"    {', '.join(map(str, theta))}{',' if size == 1 else ''} = theta",
    ]
    lines += [f"    {symbol} = {printer.doprint(value)}" for symbol, value in shared]
    if "loss" in wanted:
        lines.append(f"    loss = {printer.doprint(next(left))}")
    if "gradient" in wanted:
        lines.append("    gradient = [")
        lines += [f"        {printer.doprint(next(left))}," for _ in range(size)]
        lines.append("    ]")
    if "hessian" in wanted:
        lines.append(f"    hessian = [[0.0] * {size} for _ in range({size})]")
        for i in range(size):
            for j in range(i, size):
                lines.append(f"    hessian[{i}][{j}] = hessian[{j}][{i}] = {printer.doprint(next(left))}")
    lines.append(f"    return {', '.join(wanted)}")
    return "\n".join(lines) + "\n"
