"""The multiplicity p of an activation: the order of its first derivative that does not vanish at 0."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy

from symland.errors import SpecError
from symland.symbolic.activation import Z, derive_activation

__all__ = ["HIGHEST_ORDER", "Multiplicity", "find_multiplicity"]

HIGHEST_ORDER = 10
"""Order of the highest derivative at 0 that is looked at."""


@dataclass(frozen=True, kw_only=True)
class Multiplicity:
    """The Taylor series of an activation at 0, as far as it decides the leading order.

    Attributes
    ----------
    order : int
        p >= 1, the smallest with sigma^(p)(0) != 0.
    at_zero : Expr
        sigma(0).
    derivative : Expr
        sigma^(p)(0).
    text : str
        The activation.
    """

    order: int
    at_zero: Any
    derivative: Any
    text: str

    def derivative_at(self, k: int) -> Any:
        """sigma^(k)(0), exact; 0 where it was proved to vanish."""
        return _derivative(self.text, k)


@cache
def _whole(text: str, k: int) -> Any:
    """The k-th derivative of sigma as an expression."""
    return sympy.diff(_whole(text, k - 1), Z) if k else derive_activation(text).expression


@cache
def _derivative(text: str, k: int) -> Any:
    """sigma^(k)(0) = k! times the coefficient of z^k of the Taylor series."""
    return sympy.simplify(_whole(text, k).subs(Z, 0))


def find_multiplicity(text: str) -> Multiplicity:
    """The multiplicity of an activation that symland reads.

    Raises
    ------
    SpecError
        If the activation has no derivative at 0 that can be used, or all up to `HIGHEST_ORDER` vanish.
    """
    for k in range(1, HIGHEST_ORDER + 1):
        if (value := _derivative(text, k)) != 0:
            if not value.is_finite:
                raise SpecError.at("network.activation", f"{text!r} has no derivative of order {k} at 0", "smooth it")
            return Multiplicity(order=k, at_zero=_derivative(text, 0), derivative=value, text=text)
    raise SpecError.at(
        "network.activation",
        f"all derivatives of {text!r} at 0 up to order {HIGHEST_ORDER} vanish",
        f"write one whose first derivative there that is not 0 has an order up to {HIGHEST_ORDER}",
    )
