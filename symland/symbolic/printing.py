"""The loss, gradient and Hessian as text: LaTeX to read, Python to run."""

from __future__ import annotations

import sympy
from sympy.printing.pycode import PythonCodePrinter

from symland.symbolic.loss import SymbolicDerivatives

__all__ = ["latex_text", "python_text"]


def latex_text(derivatives: SymbolicDerivatives) -> str:
    """The loss, each gradient component and each Hessian entry of the upper triangle as LaTeX display equations."""
    loss, theta = derivatives.loss, derivatives.loss.theta
    names = [sympy.latex(p) for p in theta]
    lines = [_equation("E", loss.expression)]
    for i, name in enumerate(names):
        lines.append(_equation(rf"\frac{{\partial E}}{{\partial {name}}}", derivatives.gradient[i]))
    for i, first in enumerate(names):
        for j in range(i, len(names)):
            left = rf"\frac{{\partial^2 E}}{{\partial {first} \, \partial {names[j]}}}"
            lines.append(_equation(left, derivatives.hessian[i, j]))
    return "\n".join(lines) + "\n"


def _equation(left: str, right: sympy.Expr) -> str:
    return rf"\[ {left} = {sympy.latex(right)} \]"


def python_text(derivatives: SymbolicDerivatives) -> str:
    """A Python function of theta for loss, gradient and Hessian that needs the standard library alone."""
    loss, theta = derivatives.loss, derivatives.loss.theta
    size = len(theta)
    upper = [derivatives.hessian[i, j] for i in range(size) for j in range(i, size)]
    shared, results = sympy.cse([loss.expression, *derivatives.gradient, *upper], symbols=sympy.numbered_symbols("t"))
    printer = PythonCodePrinter({"fully_qualified_modules": True})
    lines = [
        f"# {loss.spec.name}: {loss.spec.activation}, hidden {loss.spec.hidden}, penalty {loss.spec.penalty}",
        f"# specification {loss.spec.digest}",
        "import math",
        "",
        "",
        "def derivatives(theta):",
        f'    """Loss, gradient and Hessian at the {size} parameters {", ".join(loss.spec.layout.names())}."""',
        f"    {', '.join(map(str, theta))}{',' if size == 1 else ''} = theta",
    ]
    lines += [f"    {symbol} = {printer.doprint(value)}" for symbol, value in shared]
    value, gradient, entries = results[0], results[1 : size + 1], iter(results[size + 1 :])
    lines.append(f"    loss = {printer.doprint(value)}")
    lines.append("    gradient = [")
    lines += [f"        {printer.doprint(entry)}," for entry in gradient]
    lines += ["    ]", f"    hessian = [[0.0] * {size} for _ in range({size})]"]
    for i in range(size):
        for j in range(i, size):
            lines.append(f"    hessian[{i}][{j}] = hessian[{j}][{i}] = {printer.doprint(next(entries))}")
    lines.append("    return loss, gradient, hessian")
    return "\n".join(lines) + "\n"
