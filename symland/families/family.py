"""A family of losses over one parameter, in float64: what a branch is followed on.

A branch is followed in theta and a coordinate mu of the parameter: for the penalty mu = ln lambda, for a line between
two data sets mu = t.
"""

from __future__ import annotations

from fractions import Fraction
from math import exp, log
from typing import Protocol, final

import numpy as np

from symland.errors import SpecError
from symland.explore.protocol import Kernel
from symland.kernels import compile_kernel
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["Family", "PenaltyFamily"]


class Family(Protocol):
    """Losses E(theta, mu) over one parameter."""

    @property
    def n_parameters(self) -> int:
        """P."""
        ...

    def derivatives(self, theta: FloatArray, mu: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Gradient (n, P), Hessian (n, P, P) and d gradient / d mu (n, P) at theta (n, P) and mu (n,)."""
        ...

    def value(self, theta: FloatArray, mu: FloatArray) -> FloatArray:
        """Losses, (n,)."""
        ...

    def at(self, mu: float) -> Kernel:
        """The loss at one parameter."""
        ...

    def parameter(self, mu: float) -> float:
        """The parameter of a coordinate."""
        ...

    def coordinate(self, parameter: float) -> float:
        """The coordinate of a parameter."""
        ...


@final
class PenaltyFamily:
    """The penalty: E = E_0 + lambda |theta|^2 with mu = ln lambda, so that d grad / d mu = 2 lambda theta.

    Raises
    ------
    SpecError
        If some parameters are not penalised, or lambda is 0.
    """

    def __init__(self, spec: LandscapeSpec) -> None:
        self.need(spec)
        self.spec = spec
        self._free = compile_kernel(spec.with_(penalty=Fraction(0)))
        self._bound = compile_kernel(spec, runtime_data=True)
        self.n_parameters = spec.n_parameters

    @staticmethod
    def need(spec: LandscapeSpec) -> None:
        """Refuse a penalty of 0, or one on some parameters only: the gauge's directions would be free."""
        if not spec.coercive:
            raise SpecError.at(
                "loss.penalty",
                f"{spec.penalty} on {spec.penalised.value} parameters",
                "branches in the penalty need a positive penalty on every parameter",
            )

    def derivatives(self, theta: FloatArray, mu: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Gradient, Hessian and d gradient / d mu."""
        _, gradient, hessian = self._free.value_gradient_hessian(theta)
        slope = 2.0 * np.exp(mu)[:, None] * theta
        diagonal = np.arange(self.n_parameters)
        hessian[:, diagonal, diagonal] += 2.0 * np.exp(mu)[:, None]
        return gradient + slope, hessian, slope

    def value(self, theta: FloatArray, mu: FloatArray) -> FloatArray:
        """Losses."""
        return self._free.value(theta) + np.exp(mu) * (theta**2).sum(axis=1)

    def at(self, mu: float) -> Kernel:
        """The loss at one penalty."""
        return self._bound.bind(self.spec.with_(penalty=Fraction(exp(mu))))

    def parameter(self, mu: float) -> float:
        """lambda = e^mu."""
        return exp(mu)

    def coordinate(self, parameter: float) -> float:
        """ln lambda."""
        return log(parameter)
