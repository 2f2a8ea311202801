"""SymPy's loss and derivatives, the activation's jet and the printed text say the same as the definition."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from symland.spec import builtin
from symland.symbolic.activation import Z, derive_activation
from symland.symbolic.functions import standard
from symland.symbolic.loss import SymbolicDerivatives, build_loss, differentiate
from symland.symbolic.printing import latex_text, python_text
from tests.strategies import ACTIVATIONS

XOR = builtin("xor")


@pytest.mark.parametrize("text", ACTIVATIONS)
def test_the_jet_is_the_activation_and_its_derivatives(text: str) -> None:
    jet = [standard(e) for e in derive_activation(text).jet]
    for order in (1, 2):
        for at in (-2.5, -0.3, 0.7, 3.1):
            wanted = sympy.diff(jet[0], Z, order).subs(Z, sympy.Rational(at)).evalf(30)
            assert abs(jet[order].subs(Z, sympy.Rational(at)).evalf(30) - wanted) < 1e-25


@pytest.mark.parametrize(
    ("text", "odd", "even", "zero"),
    [
        ("tanh", True, False, True),
        ("erf", True, False, True),
        ("sin", True, False, True),
        ("z*tanh(z)", False, True, True),
        ("sigmoid", False, False, False),
        ("softplus", False, False, False),
        ("cos(z)", False, True, False),
        ("z + z**2", False, False, True),
        ("2/(1+exp(-z)) - 1", True, False, True),
    ],
)
def test_the_parity_of_an_activation_is_found(text: str, odd: bool, even: bool, zero: bool) -> None:
    activation = derive_activation(text)
    assert (activation.is_odd, activation.is_even, activation.vanishes_at_zero) == (odd, even, zero)


def test_logistic_and_softplus_are_recognised() -> None:
    assert "exp" not in str(derive_activation("z/(1+exp(-z)) + log(1+exp(z))").jet)


@given(st.lists(st.floats(-2, 2), min_size=7, max_size=7))
@hypothesis_settings(max_examples=30)
def test_the_printed_python_gives_loss_gradient_and_hessian(theta: list[float]) -> None:
    scope: dict[str, object] = {}
    exec(printed(), scope)
    loss, gradient, hessian = scope["derivatives"](theta)  # type: ignore[operator]
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    w, v, b, c = np.array(theta[:2]), np.array(theta[2:4]), theta[4], np.array(theta[5:])

    def value(w: np.ndarray, v: np.ndarray, b: float, c: np.ndarray) -> float:
        z = np.tanh(x @ w + b)[:, None] * v + c
        picked = z[np.arange(4), [0, 1, 1, 0]]
        penalty = 1e-3 * ((w**2).sum() + (v**2).sum() + b**2 + (c**2).sum())
        return float(np.mean(np.log(np.exp(z).sum(axis=1)) - picked) + penalty)

    assert abs(loss - value(w, v, b, c)) < 1e-13
    h = 1e-6
    assert abs(gradient[4] - (value(w, v, b + h, c) - value(w, v, b - h, c)) / (2 * h)) < 1e-8
    assert np.allclose(hessian, np.transpose(hessian))


@cache
def derived() -> SymbolicDerivatives:
    return differentiate(build_loss(XOR.with_(hidden=(1,))))


@cache
def printed() -> str:
    return python_text(derived())


def test_the_printed_latex_has_every_derivative_once() -> None:
    text = latex_text(derived())
    left = [line.split(" = ")[0] for line in text.splitlines()]
    shared = [name for name in left if name.startswith(r"\[ t_{")]
    assert len(left) == len(set(left)) == len(shared) + 1 + 7 + 7 * 8 // 2
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("part", ["loss", "gradient", "hessian"])
def test_a_part_printed_alone_is_that_of_the_whole(part: str) -> None:
    derivatives = differentiate(build_loss(XOR.with_(hidden=(1,))), second=part == "hessian")
    text = python_text(derivatives, part)
    theta = [0.3, -0.7, 1.1, -0.4, 0.2, 0.05, -0.6]
    whole, alone = {}, {}
    exec(printed(), whole)
    exec(text, alone)
    value = whole["derivatives"](theta)[["loss", "gradient", "hessian"].index(part)]
    assert np.allclose(alone["derivatives"](theta), value, rtol=1e-13)
    assert len(text) < len(printed())
