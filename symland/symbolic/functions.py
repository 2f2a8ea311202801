"""The primitive functions of the derivation program, as SymPy functions whose derivatives keep small numbers.

SymPy differentiates tanh to 1 - tanh(z)^2, which loses every digit where |z| is large. The classes here differentiate
to functions that can be evaluated to full relative accuracy:

    tanh' = sech2,                      sech2' = -2 tanh sech2
    logistic'(z) = logistic(z) logistic(-z),   softplus' = logistic
    erf' = gauss,                       gauss'(z) = -2 z gauss(z),     gauss(z) = (2/sqrt(pi)) exp(-z^2)
    lse0(m) = ln(1 + sum_i e^{m_i}),    d lse0 / d m_i = softmax0_i,   softmax0_i = e^{m_i} / (1 + sum_j e^{m_j})

with softmax0_0 = 1 / (1 + sum_j e^{m_j}). `standard` writes them in SymPy's own functions; proofs are made in those.
"""

from __future__ import annotations

import sympy
from sympy import Add, Expr, Function, Integer

__all__ = ["PRIMITIVES", "Erf", "Gauss", "Logistic", "Lse0", "Sech2", "Softmax0", "Softplus", "Tanh", "standard"]


class _Primitive(Function):
    """A function that SymPy keeps as it stands."""

    is_real = True


class Tanh(_Primitive):
    """tanh(z)."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Sech2(self.args[0])

    def standard(self) -> Expr:
        return sympy.tanh(self.args[0])


class Sech2(_Primitive):
    """sech(z)^2 = 1 - tanh(z)^2."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return -2 * Tanh(self.args[0]) * Sech2(self.args[0])

    def standard(self) -> Expr:
        return 1 - sympy.tanh(self.args[0]) ** 2


class Logistic(_Primitive):
    """1 / (1 + e^{-z})."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Logistic(self.args[0]) * Logistic(-self.args[0])

    def standard(self) -> Expr:
        return 1 / (1 + sympy.exp(-self.args[0]))


class Softplus(_Primitive):
    """ln(1 + e^z)."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Logistic(self.args[0])

    def standard(self) -> Expr:
        return sympy.log(1 + sympy.exp(self.args[0]))


class Erf(_Primitive):
    """erf(z)."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Gauss(self.args[0])

    def standard(self) -> Expr:
        return sympy.erf(self.args[0])


class Gauss(_Primitive):
    """(2 / sqrt(pi)) e^{-z^2}, the derivative of erf."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return -2 * self.args[0] * Gauss(self.args[0])

    def standard(self) -> Expr:
        return 2 / sympy.sqrt(sympy.pi) * sympy.exp(-(self.args[0] ** 2))


class Lse0(_Primitive):
    """ln(1 + sum_i e^{m_i})."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Softmax0(Integer(argindex), *self.args)

    def standard(self) -> Expr:
        return sympy.log(1 + Add(*(sympy.exp(m) for m in self.args)))


class Softmax0(_Primitive):
    """softmax0_i(m_1, ..., m_q), the class i in 0..q as first argument; the class 0 has the logit zero."""

    def fdiff(self, argindex: int = 1) -> Expr:
        # d S_i / d m_j = -S_i S_j for j != i, and S_i (1 - S_i) = S_i sum_{k != i} S_k for j = i: no cancellation.
        i, arguments = int(self.args[0]), self.args[1:]
        j = argindex - 1
        if j < 1:
            raise ValueError("the class of softmax0 is not a variable")
        if i != j:
            return -self * Softmax0(Integer(j), *arguments)
        others = (Softmax0(Integer(k), *arguments) for k in range(len(arguments) + 1) if k != i)
        return self * Add(*others)

    def standard(self) -> Expr:
        i, arguments = int(self.args[0]), self.args[1:]
        total = 1 + Add(*(sympy.exp(m) for m in arguments))
        return (sympy.exp(arguments[i - 1]) if i else Integer(1)) / total


PRIMITIVES: tuple[type[_Primitive], ...] = (Tanh, Sech2, Logistic, Softplus, Erf, Gauss, Lse0, Softmax0)


def standard(expression: Expr) -> Expr:
    """The same expression in SymPy's own functions."""
    return expression.replace(lambda node: isinstance(node, PRIMITIVES), lambda node: node.standard())
